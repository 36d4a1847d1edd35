"""Which schemas a CRD may have."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.crd import structural

P = "schema"
STR = {"type": "string"}


def of(field: Any) -> list[str]:
    found = structural.check({"type": "object", "properties": {"x": field}}, P)
    return [f"{cause.field.removeprefix('schema.properties[x]')}: {cause.message}" for cause in found]


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({}, "schema.type: Required value: must not be empty at the root"),
        ({"type": "array"}, 'schema.type: Invalid value: "array": must be object at the root'),
        ({"type": "object", "nullable": True}, "schema.nullable: Forbidden: nullable cannot be true at the root"),
    ],
)
def test_the_root(schema: Any, complaint: str) -> None:
    assert [f"{c.field}: {c.message}" for c in structural.check(schema, P)] == [complaint]


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ({}, ".type: Required value: must not be empty for specified object fields"),
        ({"type": "array"}, ".items: Required value: must be specified"),
        ({"type": "array", "items": {}}, ".items.type: Required value: must not be empty for specified array items"),
        ({"type": "text"}, '.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"'),
        ({"type": "object", "properties": {"a": STR}, "additionalProperties": STR},
         ".additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"),
        ({"type": "string", "anyOf": [{"description": "d"}]}, ".anyOf[0].description: Forbidden: must be undefined to be structural"),
        ({"type": "array", "items": STR, "uniqueItems": True},
         ".uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
        ({"type": "array", "items": STR, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]},
         ".items.type: Invalid value: \"string\": must be object if parent array's x-kubernetes-list-type is map"),
        ({"type": "string", "default": 3}, '.default: Invalid value: "integer": default in body must be of type string: "integer"'),
        ({"type": "object", "properties": {"a": STR}, "default": {"b": 1}}, '.default: Invalid value: {"b":1}: must not have unknown fields: b'),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "self =="}]}, "compilation failed"),
        ({"type": "string", "x-kubernetes-validations": [{"rule": " "}]}, ".x-kubernetes-validations[0].rule: Required value: rule is not specified"),
        ({"type": "string", "pattern": "("}, "must be a valid regular expression"),
        ({"type": "string", "pattern": "(?=a)"}, "must be a valid regular expression"),
        ({"type": "object", "$ref": "#/x"}, ".$ref: Forbidden: $ref is not supported"),
    ],
)  # fmt: skip
def test_what_is_refused(field: Any, complaint: str) -> None:
    assert any(complaint in one for one in of(field)), of(field)


@pytest.mark.parametrize(
    "field",
    [
        {"x-kubernetes-preserve-unknown-fields": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "properties": {"a": {**STR, "default": "x"}}, "default": {}},
        {"type": "array", "items": {"type": "object", "properties": {"a": STR}, "required": ["a"]},
         "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]},
        {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "m"}]},
    ],
)  # fmt: skip
def test_what_is_taken(field: Any) -> None:
    assert of(field) == []


def test_a_schema_of_endless_depth_is_refused() -> None:
    field: Any = STR
    for _ in range(500):
        field = {"type": "object", "properties": {"a": field}}
    assert any("nested more than" in one for one in of(field))
