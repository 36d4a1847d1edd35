"""CEL as Kubernetes has it, row by row: each is an expression that must be true of the value below, and those that are refused when written."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.crd import rules, structural, validation

STR, INT = {"type": "string"}, {"type": "integer"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "s": STR, "t": STR, "n": INT, "absent": STR, "f": {"type": "number"}, "b": {"type": "boolean"}, "accent": STR,
        "ints": {"type": "array", "items": INT}, "texts": {"type": "array", "items": STR},
        "map": {"type": "object", "additionalProperties": INT}, "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "inner": {"type": "object", "properties": {"a": INT, "absent": INT, "deep": {"type": "object", "properties": {"x": INT}}}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"name": STR, "v": INT}}},
        "when": {"type": "string", "format": "date-time"}, "span": {"type": "string", "format": "duration"},
        "either": {"x-kubernetes-int-or-string": True}, "dash-ed": INT, "if": INT, "dot.ted": INT,
    },
}  # fmt: skip
VALUE: dict[str, Any] = {
    "s": "abc", "t": "10.1.2.3", "n": 3, "f": 2, "b": True, "accent": "é", "ints": [1, 2, 3, 2], "texts": ["b", "a"], "map": {"x": 1, "y": 2},
    "free": {"any": {"thing": 1}}, "inner": {"a": 7, "deep": {"x": 9}}, "items": [{"name": "p", "v": 1}, {"name": "q", "v": 2}],
    "when": "2024-02-29T12:30:45.5Z", "span": "90m", "either": "50%", "dash-ed": 1, "if": 2, "dot.ted": 3,
}  # fmt: skip

TRUE = {
    "optional types": [
        "self.?absent.orValue('x') == 'x'", "self.?s.orValue('x') == 'abc'", "!self.?absent.hasValue() && self.?s.hasValue()",
        "self.?inner.a.orValue(0) == 7", "self.?inner.?deep.x.orValue(0) == 9", "self.?inner.absent.orValue(4) == 4",
        "self.?absent.or(self.?s).value() == 'abc'", "self.?absent == optional.none()", "self.ints[?9].orValue(5) == 5",
        "self.ints[?1].orValue(5) == 2", "self.map[?'z'].orValue(0) == 0", "self.map[?'x'].orValue(0) == 1",
        "self.?n.optMap(x, x * 2).orValue(0) == 6", "self.?absent.optMap(x, x + '!').orValue('none') == 'none'",
        "self.?inner.optFlatMap(i, i.?a).orValue(0) == 7", "self.?absent.optFlatMap(i, optional.of(i)).orValue('no') == 'no'",
        "[?self.?absent, self.s] == ['abc']", "{?'a': self.?absent, ?'s': self.?s} == {'s': 'abc'}", "optional.of(1).value() == 1",
        "optional.ofNonZeroValue('').orValue('empty') == 'empty'", "self.items[?0].v.orValue(0) == 1", "has(self.?inner.a)",
        "self.free.?any.thing.orValue(0) == 1",
    ],
    "bind and two variables": [
        "cel.bind(x, self.n + 1, x * x) == 16", "cel.bind(o, self.?absent, o.orValue('z')) == 'z'",
        "self.map.all(k, v, k != '' && v > 0)", "self.map.exists(k, v, k == 'y' && v == 2)", "self.map.existsOne(k, v, v == 1)",
        "self.texts.all(i, v, i < 2 && v != '')", "self.ints.transformList(i, v, i * v) == [0, 2, 6, 6]",
        "self.ints.transformList(i, v, v > 1, v) == [2, 3, 2]", "self.map.transformMap(k, v, v * 10) == {'x': 10, 'y': 20}",
        "self.map.transformMap(k, v, v > 1, v) == {'y': 2}", "self.map.transformMapEntry(k, v, {string(v): k}) == {'1': 'x', '2': 'y'}",
    ],
    "macros": [
        "self.ints.all(x, x > 0)", "self.ints.exists(x, x == 3)", "self.ints.exists_one(x, x == 1)", "self.ints.filter(x, x == 2).size() == 2",
        "self.ints.map(x, x * 2) == [2, 4, 6, 4]", "self.ints.map(x, x > 2, x) == [3]", "self.map.all(k, k in ['x', 'y'])",
        "has(self.s) && !has(self.absent)", "self.items.map(i, i.v).sum() == 3", "self.items.all(i, self.items.exists_one(j, i.name == j.name))",
    ],
    "lists": [
        "self.ints.sum() == 8 && self.ints.min() == 1 && self.ints.max() == 3", "!self.ints.isSorted() && [1, 2].isSorted() && ['a', 'b'].isSorted()",
        "self.ints.indexOf(2) == 1 && self.ints.lastIndexOf(2) == 3 && self.ints.indexOf(9) == -1", "[1.5, 2.5].sum() == 4.0",
        "[].sum() == 0", "sets.contains(self.ints, [1, 3])", "sets.equivalent([1, 1, 2], [2, 1])", "sets.intersects(self.texts, ['a'])",
        "self.texts + ['c'] == ['b', 'a', 'c']", "2 in self.ints && !(9 in self.ints)", "size(self.ints) == 4 && self.map.size() == 2",
    ],
    "strings": [
        "self.s.charAt(1) == 'b'", "self.s.indexOf('c') == 2", "'a,b,c'.split(',', 2) == ['a', 'b,c']", "['a', 'b'].join('-') == 'a-b'",
        "'ABC'.lowerAscii() == self.s && self.s.upperAscii() == 'ABC'", "'aXa'.replace('a', 'b') == 'bXb' && 'aa'.replace('a', 'b', 1) == 'ba'",
        "self.s.substring(1) == 'bc' && self.s.substring(0, 2) == 'ab'", "'  x '.trim() == 'x'", "self.s.reverse() == 'cba'",
        "self.accent.size() == 1 && size(self.accent) == 1", "'%s has %d of %.1f and %x'.format([self.s, self.n, 2.0, 255]) == 'abc has 3 of 2.0 and ff'",
        "self.s.startsWith('a') && self.s.endsWith('c') && self.s.contains('b')", "strings.quote('a\\\"b') == '\"a\\\\\"b\"'",
        "self.s.lastIndexOf('c') == 2",
    ],
    "regular expressions": [
        "self.s.matches('^[a-c]+$')", "'x42y7'.find('[0-9]+') == '42'", "'x42y7'.findAll('[0-9]+') == ['42', '7']",
        "'x42y7'.findAll('[0-9]+', 1) == ['42']", "'none'.find('[0-9]') == ''", "matches(self.s, 'b')",
    ],
    "urls": [
        "url('https://u@h.test:80/a%20b?x=1&x=2').getScheme() == 'https'", "url('https://h.test:80/p').getHost() == 'h.test:80'",
        "url('https://h.test:80/p').getHostname() == 'h.test'", "url('https://[::1]:80/p').getHostname() == '::1'",
        "url('https://h.test:80/p').getPort() == '80' && url('https://h.test/').getPort() == ''",
        "url('https://h.test/a%20b').getEscapedPath() == '/a%20b'", "url('https://h.test/?x=1&x=2').getQuery() == {'x': ['1', '2']}",
        "isURL('/path') && isURL('https://h.test') && !isURL('../rel') && !isURL('')",
    ],
    "quantities": [
        "quantity('1Gi') == quantity('1024Mi')", "quantity('1500m') == quantity('1.5')", "quantity('1Gi').isGreaterThan(quantity('1G'))",
        "quantity('1').isLessThan(quantity('2'))", "quantity('50k').add(20).compareTo(quantity('50020')) == 0",
        "quantity('50k').sub(quantity('1k')) == quantity('49k')", "quantity('-3').sign() == -1", "quantity('5').isInteger() && quantity('5').asInteger() == 5",
        "!quantity('0.5').isInteger()", "quantity('1.5').asApproximateFloat() == 1.5", "isQuantity('10Mi') && !isQuantity('10 apples')",
    ],
    "addresses": [
        "ip(self.t).family() == 4 && ip('::1').family() == 6", "isIP(self.t) && !isIP('10.1.2.256') && !isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0')",
        "ip('2001:DB8::1') == ip('2001:db8:0::1')", "string(ip('2001:DB8::1')) == '2001:db8::1'", "ip.isCanonical('::1') && !ip.isCanonical('0::1')",
        "ip('127.0.0.1').isLoopback() && ip('0.0.0.0').isUnspecified() && ip('169.254.0.1').isLinkLocalUnicast()",
        "ip('224.0.0.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast() && !ip('224.1.0.1').isLinkLocalMulticast()",
        "ip('10.0.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast() && !ip('ff02::1').isGlobalUnicast()",
        "cidr('10.0.0.0/8').containsIP(self.t) && cidr('10.0.0.0/8').containsIP(ip(self.t))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.0.0.0/8').containsCIDR(cidr('10.0.0.0/8')) && !cidr('10.0.0.0/16').containsCIDR('10.0.0.0/8')",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.1.2.3/8').ip() == ip('10.1.2.3')", "cidr('10.0.0.0/8').prefixLength() == 8",
        "string(cidr('::/0')) == '::/0'", "isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0/255.0.0.0')",
    ],
    "semantic versions": [
        "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3", "isSemver('1.2.3-rc.1+b') && !isSemver('v1.2')",
        "semver('1.2.3').isGreaterThan(semver('1.2.3-rc.1'))", "semver('1.0.0-alpha.2').isLessThan(semver('1.0.0-alpha.10'))",
        "semver('1.2.3').compareTo(semver('1.2.3')) == 0", "semver('v1.2', true) == semver('1.2.0')",
    ],
    "named formats": [
        "!format.dns1123Label().validate(self.s).hasValue()", "format.dns1123Label().validate('A_').value()[0].contains('a lowercase RFC 1123 label')",
        "!format.dns1123LabelPrefix().validate('ab-').hasValue()", "format.named('dns1035Label').value().validate('1a').hasValue()",
        "!format.named('nonsense').hasValue()", "!format.labelValue().validate('a_b').hasValue() && format.labelValue().validate('-').hasValue()",
        "!format.qualifiedName().validate('example.test/x').hasValue()", "!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()",
        "format.date().validate('2021-02-29').hasValue()", "!format.dns1123Subdomain().validate('a.b').hasValue()",
    ],
    "types and values": [
        "self.f == 2.0 && type(self.f) == double", "self.b && type(self.n) == int && string(self.n) == '3' && int('4') == 4",
        "self.when.getFullYear() == 2024 && self.when < timestamp('2030-01-01T00:00:00Z')", "self.span == duration('1h30m') && self.span > duration('1m')",
        "string(self.b) == 'true' && string(1.5) == '1.5' && string(2.0) == '2'", "self.dash__dash__ed == 1",
        "self.__if__ == 2 && self.dot__dot__ted == 3", "type(self.either) == string ? self.either == '50%' : self.either > 0",
        "self.n > 1 ? true : false", "b'abc' == bytes('abc')", "dyn(1) == 1.0", "-self.n + 5 % 3 == -1", "!false && !!true",
        "string(timestamp('2024-01-01T00:00:00Z')) == '2024-01-01T00:00:00Z' && string(duration('90s')) == '90s'",
        "self.free.any.thing == 1", "true || self.absent == 'x'", "self.s in {'abc': 1}",
    ],
}  # fmt: skip
ROWS = [pytest.param(text, id=f"{group}: {text}") for group, texts in TRUE.items() for text in texts]


def judged(rule: dict[str, Any], value: Any = VALUE, **more: Any) -> list[str]:
    schema = {"type": "object", "properties": {"spec": {**SCHEMA, rules.RULES: [rule]}}}
    assert structural.check(schema, "schema") == []
    old = {"spec": more["old"]} if "old" in more else validation.values.MISSING
    return [f"{cause.field}: {cause.message}" for cause in validation.validate({"spec": value}, schema, old=old)]


@pytest.mark.parametrize("text", ROWS)
def test_true(text: str) -> None:
    assert judged({"rule": text}) == []


FALSE = ["self.n > 3", "self.?absent.hasValue()", "self.ints.all(i, v, v < 3)", "cel.bind(x, 1, x == 2)", "!isIP(self.t)"]


@pytest.mark.parametrize("text", FALSE)
def test_false(text: str) -> None:
    assert judged({"rule": text}) == [f'spec: Invalid value: "object": failed rule: {text}']


WRONG = [
    ("self.ints[9] == 1", "rule evaluation error"), ("quantity(self.s) == quantity('1')", "rule evaluation error"),
    ("self.absent == 'x'", "no such key: absent"), ("optional.none().value() == 1", "optional.none() dereference"), ("self.n / 0 == 1", "rule evaluation"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_fails_while_it_is_judged(text: str, said: str) -> None:
    assert said in judged({"rule": text})[0]


REFUSED = [
    ("self ==", "compilation failed: Syntax error: unexpected input at '<EOF>'"), ("self.s = 'x'", "token recognition error at: '='"),
    ("other.n > 1", "undeclared reference to 'other' (in container '')"), ("frobnicate(self.n)", "undeclared reference to 'frobnicate'"),
    ("self.s.frobnicate()", "undeclared reference to 'frobnicate'"), ("sets.frobnicate([1])", "undeclared reference to 'sets.frobnicate'"),
    ("self.nn > 1", "undefined field 'nn'"), ("self.inner.b == 1", "undefined field 'b'"), ("has(self.nn)", "undefined field 'nn'"),
    ("self.items.all(i, i.w > 0)", "undefined field 'w'"), ("self.items[0].w == 1", "undefined field 'w'"), ("self.?nn.hasValue()", "undefined field 'nn'"),
    ("self.items.filter(i, i.v > 0).all(i, i.w > 0)", "undefined field 'w'"), ("self.s.x == 1", "type 'string' does not support field selection"),
    ("self.ints.x == 1", "type 'list' does not support field selection"), ("has(self)", "invalid argument to has() macro"),
    ("self.ints.all(x, y > 0)", "undeclared reference to 'y'"), ("optionalField_(self, 's') == 1", "undeclared reference to 'optionalField_'"),
    ("cel.bind(1, 2, 3)", "cel.bind() variable names must be simple identifiers"), ("if(true)", "reserved identifier"),
    ("(" * 500 + "true" + ")" * 500, "nested more than 100 levels deep"), ("true" + " && true" * 4000, "longer than 16384 characters"),
    ("true" + " && true" * 1900, "nested more than"), ("authorizer.check('get').allowed()", "undeclared reference to 'authorizer.check'"),
    ("dash-ed", "undeclared reference to 'dash'"), ("jsonpatch.escapeKey('a')", "undeclared reference to 'jsonpatch.escapeKey'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [pytest.param(text, said, id=said + ": " + text[:40]) for text, said in REFUSED])
def test_rules_that_a_definition_may_not_have(text: str, said: str) -> None:
    found = structural.check({"type": "object", "properties": {"spec": {**SCHEMA, rules.RULES: [{"rule": text}]}}}, "schema")
    assert len(found) == 1 and said in found[0].message, found
    assert found[0].field == "schema.properties[spec].x-kubernetes-validations[0].rule"


OLD = {"rule": "!oldSelf.hasValue() || self.n >= oldSelf.value().n", "optionalOldSelf": True, "message": "n may not shrink"}


@pytest.mark.parametrize(
    ("old", "fine"),
    [pytest.param({}, True, id="there was none"), pytest.param({"old": {"n": 2}}, True, id="it grew"),
     pytest.param({"old": {"n": 4}}, False, id="it shrank")],
)  # fmt: skip
def test_an_optional_past(old: dict[str, Any], fine: bool) -> None:
    assert judged(OLD, {"n": 3}, **old) == ([] if fine else ['spec: Invalid value: "object": n may not shrink'])
    chained = {**OLD, "rule": "self.n >= oldSelf.n.orValue(0)"}
    assert judged(chained, {"n": 3}, **old) == judged(OLD, {"n": 3}, **old)


def test_oldself_in_a_text_is_no_transition() -> None:
    assert judged({"rule": "self.s == 'oldSelf'"}) == ['spec: Invalid value: "object": failed rule: self.s == \'oldSelf\'']


def test_messages_are_expressions_too() -> None:
    rule = {"rule": "self.n > 5", "messageExpression": "'n is %d, not more than %d'.format([self.n, self.?absent.optMap(x, 1).orValue(5)])"}
    assert judged(rule) == ['spec: Invalid value: "object": n is 3, not more than 5']
    assert judged({**rule, "messageExpression": "string(1 / 0)", "message": "plain"}) == ['spec: Invalid value: "object": plain']


@pytest.mark.parametrize(
    ("rule", "field", "said"),
    [
        ({"rule": "true", "fieldPath": ".nn"}, "fieldPath", "fieldPath .nn is an invalid path: does not refer to a valid field: .nn"),
        ({"rule": "true", "fieldPath": "n"}, "fieldPath", "expected [ or . but got: n"),
        ({"rule": "true", "fieldPath": ".n.x"}, "fieldPath", "does not refer to a valid field"),
        ({"rule": "true", "message": "a\nb"}, "message", "message must not contain line breaks"),
        ({"rule": "true", "message": " "}, "message", "message must be non-empty if specified"),
        ({"rule": "true &&\ntrue"}, "message", "message must be specified if rule contains line breaks"),
        ({"rule": "true", "messageExpression": "nobody"}, "messageExpression", "undeclared reference to 'nobody'"),
        ({"rule": "true", "optionalOldSelf": True}, "optionalOldSelf", "may not be set if oldSelf is not used in rule"),
        ({"rule": "true", "reason": "FieldValueOdd"}, "reason", "Unsupported value"),
    ],
)  # fmt: skip
def test_what_stands_beside_a_rule(rule: dict[str, Any], field: str, said: str) -> None:
    found = structural.check({"type": "object", "properties": {"spec": {**SCHEMA, rules.RULES: [rule]}}}, "s")
    assert [(cause.field.rpartition(".")[2], said in cause.message) for cause in found] == [(field, True)], found


@pytest.mark.parametrize("path", [".n", ".inner.deep.x", ".map['any']", "['dash-ed']", ".inner['deep']"])
def test_paths_that_lead_somewhere(path: str) -> None:
    assert judged({"rule": "false", "fieldPath": path})[0].startswith(f"spec{path}: ")


def test_a_past_that_cannot_be_found_may_not_be_asked_for() -> None:
    def spec(**kind: Any) -> dict[str, Any]:
        item = {"type": "object", "properties": {"name": STR}, "required": ["name"], rules.RULES: [{"rule": "self == oldSelf"}]}
        return {"type": "object", "properties": {"xs": {"type": "array", "items": item, **kind}}}

    found = structural.check(spec(), "schema")
    assert "oldSelf cannot be used on the uncorrelatable portion of the schema within schema.properties[xs].items" in found[0].message
    assert structural.check(spec(**{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}), "schema") == []


def test_only_what_goes_through_lists_counts_as_nesting() -> None:
    assert rules.depth("self.ints.all(x, self.ints.all(y, cel.bind(z, 1, self.?n.optMap(o, o).orValue(z) > 0)))") == 2
    assert rules.depth("self.ints.filter(x, x > 0).map(x, x).all(x, true)") == 1
