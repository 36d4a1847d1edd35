"""What a structural schema refuses, in Kubernetes' words; and CEL's rules."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.crd import formats, rules, validation


def said(new: Any, schema: Any, **old: Any) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in validation.validate(new, schema, **old)]


def of(field: dict[str, Any], value: Any) -> list[str]:
    """What is said of `spec.x`."""
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"x": field}}}}
    return said({"spec": {"x": value}}, schema)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ({"type": "integer"}, "3", 'Invalid value: "string": spec.x in body must be of type integer: "string"'),
        ({"type": "string"}, 3, 'Invalid value: "integer": spec.x in body must be of type string: "integer"'),
        ({"type": "integer"}, True, 'Invalid value: "boolean": spec.x in body must be of type integer: "boolean"'),
        ({"type": "string"}, None, 'Invalid value: "null": spec.x in body must be of type string: "null"'),
        ({"type": "integer"}, 1.5, 'Invalid value: "number": spec.x in body must be of type integer: "number"'),
        ({"x-kubernetes-int-or-string": True}, 1.5, 'Invalid value: "number": spec.x in body must be of type integer,string: "number"'),
        ({"type": "integer", "minimum": 1}, 0, "Invalid value: 0: spec.x in body should be greater than or equal to 1"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 1, "Invalid value: 1: spec.x in body should be greater than 1"),
        ({"type": "integer", "maximum": 5}, 6, "Invalid value: 6: spec.x in body should be less than or equal to 5"),
        ({"type": "number", "multipleOf": 0.5}, 1.2, "Invalid value: 1.2: spec.x in body should be a multiple of 0.5"),
        ({"type": "string", "minLength": 3}, "ab", 'Invalid value: "ab": spec.x in body should be at least 3 chars long'),
        ({"type": "string", "maxLength": 3}, "abcd", "Too long: may not be more than 3 bytes"),
        ({"type": "string", "pattern": "^a+$"}, "b", "Invalid value: \"b\": spec.x in body should match '^a+$'"),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "string", "format": "date-time"}, "never", 'Invalid value: "never": spec.x in body must be of type date-time: "never"'),
        ({"type": "integer", "format": "int32"}, 2**31, f"Invalid value: {2**31}: spec.x in body must be of type int32: {2**31}"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, [], "Invalid value: 0: spec.x in body should have at least 1 items"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["a", "b"], "Too many: 2: must have at most 1 items"),
        (
            {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}, {},
            'Invalid value: "object": spec.x in body should have at least 1 properties',
        ),
    ],
)  # fmt: skip
def test_one_value(field: Any, value: Any, complaint: str) -> None:
    assert of(field, value) == [f"spec.x: {complaint}"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "number"}, 3), ({"type": "integer"}, 3.0), ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-int-or-string": True}, "3"), ({"x-kubernetes-int-or-string": True}, 3),
        ({"x-kubernetes-preserve-unknown-fields": True}, [{"a": None}]), ({"type": "string", "enum": ["a"]}, "a"),
        ({"type": "string", "format": "nothing we know"}, "x"),
    ],
)  # fmt: skip
def test_values_that_fit(field: Any, value: Any) -> None:
    assert of(field, value) == []


def test_places_in_lists_and_maps_are_named() -> None:
    item = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    schema = {"type": "object", "properties": {
        "list": {"type": "array", "items": item}, "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    }}  # fmt: skip
    assert said({"list": [{"name": "a"}, {}], "map": {"k": "v"}}, schema) == [
        "list[1].name: Required value",
        'map.k: Invalid value: "string": map.k in body must be of type integer: "string"',
    ]


def test_sets_and_maps_hold_nothing_twice() -> None:
    item = {"type": "object", "properties": {"port": {"type": "integer"}, "note": {"type": "string"}}}
    schema = {"type": "object", "properties": {
        "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "map": {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port"]},
    }}  # fmt: skip
    assert said({"set": ["a", "b", "a"], "map": [{"port": 1}, {"port": 1, "note": "x"}]}, schema) == [
        'set[2]: Duplicate value: "a"', 'map[1]: Duplicate value: {"port":1}',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("junctor", "value", "words"),
    [
        ({"anyOf": [{"minimum": 5}, {"maximum": 1}]}, 3, '"spec.x" must validate at least one schema (anyOf)'),
        ({"oneOf": [{"minimum": 5}, {"maximum": 1}]}, 3, '"spec.x" must validate one and only one schema (oneOf). Found none valid'),
        ({"oneOf": [{"minimum": 1}, {"maximum": 9}]}, 3, "(oneOf). Found 2 valid alternatives"),
        ({"allOf": [{"minimum": 5}]}, 3, '"spec.x" must validate all the schemas (allOf)'),
        ({"not": {"minimum": 1}}, 3, '"spec.x" must not validate the schema (not)'),
    ],
)
def test_junctors(junctor: Any, value: Any, words: str) -> None:
    assert words in of({"type": "integer", **junctor}, value)[-1]
    assert of({"type": "integer", **junctor}, 0 if "not" in junctor else 7 if "oneOf" not in junctor else 10) == []


def test_what_was_wrong_before_and_is_unchanged_is_let_be() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 1}, "b": {"type": "string", "maxLength": 1}}}
    assert said({"a": "long", "b": "x"}, schema, old={"a": "long", "b": "y"}) == []
    assert said({"a": "long", "b": "new"}, schema, old={"a": "long", "b": "y"}) == ["b: Too long: may not be more than 1 bytes"]


def spec(*checks: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": fields, "x-kubernetes-validations": list(checks)}}}


INT, STR = {"type": "integer"}, {"type": "string"}
INTS = {"type": "array", "items": INT}


@pytest.mark.parametrize(
    ("rule", "value", "fine"),
    [
        ("self.min <= self.max", {"min": 1, "max": 2}, True),
        ("self.min <= self.max", {"min": 3, "max": 2}, False),
        ("!has(self.min) || self.min > 0", {}, True),
        ("self.list.all(x, x > 0)", {"list": [1, 2]}, True),
        ("self.list.all(x, x > 0)", {"list": [1, 0]}, False),
        ("self.list.isSorted() && self.list.sum() == 6 && self.list.max() == 3", {"list": [1, 2, 3]}, True),
        ("self.list.indexOf(2) == 1 && self.list.lastIndexOf(2) == 2", {"list": [1, 2, 2]}, True),
        ("self.text.startsWith('a') && self.text.matches('^[a-z]+$')", {"text": "abc"}, True),
        ("self.text.find('[0-9]+') == '42'", {"text": "x42y"}, True),
        ("self.text.lowerAscii() == 'abc' && self.text.size() == 3", {"text": "ABC"}, True),
        ("'%s has %d'.format([self.text, self.min]) == 'a has 3'", {"text": "a", "min": 3}, True),
        ("quantity(self.text).isGreaterThan(quantity('1Mi'))", {"text": "1Gi"}, True),
        ("isURL(self.text) && url(self.text).getHost() == 'a.test:80'", {"text": "http://a.test:80/x"}, True),
        ("cidr('10.0.0.0/8').containsIP(ip(self.text))", {"text": "10.1.2.3"}, True),
        ("self.x__dash__y == 1", {"x-y": 1}, True),
        ("self.__namespace__ == 'n'", {"namespace": "n"}, True),
        ("self.when < timestamp('2030-01-01T00:00:00Z')", {"when": "2020-01-01T00:00:00Z"}, True),
        ("self.ratio > 0.5", {"ratio": 1}, True),
    ],
)
def test_rules(rule: str, value: Any, fine: bool) -> None:
    fields = {
        "min": INT, "max": INT, "list": INTS, "text": STR, "x-y": INT, "namespace": STR, "ratio": {"type": "number"},
        "when": {"type": "string", "format": "date-time"},
    }  # fmt: skip
    found = said({"spec": value}, spec({"rule": rule}, **fields))
    assert found == ([] if fine else [f'spec: Invalid value: "object": failed rule: {rule}'])


def test_messages_reasons_and_paths_of_rules() -> None:
    fields = {"a": INT}
    assert said({"spec": {"a": 1}}, spec({"rule": "self.a > 1", "message": "a is too small"}, **fields)) == [
        'spec: Invalid value: "object": a is too small'
    ]
    own = {"rule": "self.a > 1", "messageExpression": "'a is ' + string(self.a)", "reason": "FieldValueForbidden", "fieldPath": ".a"}
    found = validation.validate({"spec": {"a": 1}}, spec(own, **fields))
    assert [(c.reason, c.field, c.message) for c in found] == [("FieldValueForbidden", "spec.a", "Forbidden: a is 1")]


def test_transition_rules_judge_updates_only() -> None:
    schema = spec({"rule": "self.a >= oldSelf.a", "message": "a may not shrink"}, a=INT)
    assert said({"spec": {"a": 1}}, schema) == []
    assert said({"spec": {"a": 1}}, schema, old={"spec": {"a": 2}}) == ['spec: Invalid value: "object": a may not shrink']
    assert said({"spec": {"a": 3}}, schema, old={"spec": {"a": 2}}) == []


def test_transition_rules_follow_the_items_of_a_map_list_by_their_keys() -> None:
    item = {
        "type": "object", "properties": {"name": STR, "v": INT},
        "x-kubernetes-validations": [{"rule": "self.v == oldSelf.v", "message": "v is immutable"}],
    }  # fmt: skip
    schema = {"type": "object", "properties": {
        "xs": {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    }}  # fmt: skip
    old = {"xs": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]}
    assert said({"xs": [{"name": "b", "v": 2}, {"name": "a", "v": 1}, {"name": "c", "v": 9}]}, schema, old=old) == []
    assert said({"xs": [{"name": "b", "v": 3}]}, schema, old=old) == ['xs[0]: Invalid value: "object": v is immutable']


def test_rules_are_not_asked_about_malformed_values() -> None:
    assert len(said({"spec": {"a": "x"}}, spec({"rule": "self.a > 1"}, a=INT))) == 1


def test_a_rule_that_fails_to_evaluate_says_why() -> None:
    assert said({"spec": {}}, spec({"rule": "self.a > 1"}, a=INT)) == ['spec: Invalid value: "object": rule evaluation error: no such key: a']


def test_a_rule_that_would_take_too_long_is_not_run() -> None:
    rule = "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c > 0)))"
    assert rules.depth(rule) == 3
    assert "running out of cost budget" in said({"spec": {"l": [1] * 200}}, spec({"rule": rule}, l=INTS))[0]
    assert said({"spec": {"l": [1] * 50}}, spec({"rule": rule}, l=INTS)) == []


def test_parentheses_in_texts_are_no_nesting() -> None:
    assert rules.depth("self.a.all(x, x != '.all(.all(') && self.b.exists(y, y == \"(\")") == 1


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2020-02-29", "2021-02-29"), ("duration", "1h30m", "soon"), ("ipv4", "10.0.0.1", "10.0.0.256"), ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.1"), ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"), ("hostname", "a.test", "-a"),
        ("email", "a@b.test", "a"), ("mac", "00:11:22:33:44:55", "00:11"), ("byte", "aGk=", "a"), ("uri", "http://a.test", "a b"),
    ],
)  # fmt: skip
def test_formats(name: str, good: str, bad: str) -> None:
    assert formats.fits(good, name)
    assert not formats.fits(bad, name)
