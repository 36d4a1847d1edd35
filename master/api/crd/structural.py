"""Is the schema of a CRD structural, and fit to be served? Asked once, when the CRD is written.

A structural schema says the type of every place, and its junctors (allOf, anyOf, oneOf, not) only add conditions; that is what lets
pruning, defaulting and server-side apply work from the data alone. Here too: patterns and rules compile, defaults are valid values,
list types have what they need. Paths and texts are those of Kubernetes' apiextensions server.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from common.errors import FieldCause
from master.api.crd import rule_checks, rules, validation, values
from master.api.crd.values import Schema
from master.api.kinds.rules import forbidden, invalid, one_of, required

JUNCTORS = ("allOf", "anyOf", "oneOf")
TYPES = ("array", "boolean", "integer", "number", "object", "string")
NOT_IN_JUNCTORS = ("default", "description", "title", "example", "nullable", values.PRESERVE, values.EMBEDDED)
UNSUPPORTED = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id")
MAX_DEPTH = 64


def check(schema: Schema, path: str) -> list[FieldCause]:
    """path: `spec.versions[0].schema.openAPIV3Schema`."""
    kind = schema.get("type")
    if not kind:
        return [required(f"{path}.type", "must not be empty at the root")]
    if kind != "object":
        return [invalid(f"{path}.type", kind, "must be object at the root")]
    if schema.get("nullable"):
        return [forbidden(f"{path}.nullable", "nullable cannot be true at the root")]
    return list(_node(schema, path, depth=0)) or list(_defaults(schema, path))


def _node(schema: Schema, path: str, *, depth: int, untraceable: str = "") -> Iterator[FieldCause]:
    """untraceable: the path from which on nobody can tell what a value was before."""
    if depth > MAX_DEPTH:
        yield forbidden(path, f"the schema is nested more than {MAX_DEPTH} levels deep")
        return
    yield from _shape(schema, path)
    yield from _expressions(schema, path, untraceable=untraceable)
    yield from _lists(schema, path)
    yield from _bounds(schema, path)
    for name in JUNCTORS:
        for index, one in enumerate(schema.get(name) or ()):
            yield from _condition(one, f"{path}.{name}[{index}]", depth=depth + 1)
    if isinstance(schema.get("not"), dict):
        yield from _condition(schema["not"], f"{path}.not", depth=depth + 1)
    for key, child, kind in _children(schema):
        where = f"{path}.{key}"
        if not child.get("type") and not child.get(values.INT_OR_STRING) and not child.get(values.PRESERVE):
            yield required(f"{where}.type", f"must not be empty for specified {kind}")
        lost = key == "items" and schema.get("x-kubernetes-list-type") != "map"
        yield from _node(child, where, depth=depth + 1, untraceable=untraceable or (where if lost else ""))


def _children(schema: Schema) -> Iterator[tuple[str, Schema, str]]:
    for key, child in (schema.get("properties") or {}).items():
        yield f"properties[{key}]", child, "object fields"
    if (rest := values.values_schema(schema)) is not None:
        yield "additionalProperties", rest, "object fields"
    if isinstance(schema.get("items"), dict):
        yield "items", schema["items"], "array items"


def _shape(schema: Schema, path: str) -> Iterator[FieldCause]:
    kind = schema.get("type", "")
    if kind:
        yield from one_of(f"{path}.type", kind, TYPES)
    yield from (forbidden(f"{path}.{name}", f"{name} is not supported") for name in UNSUPPORTED if schema.get(name))
    if schema.get("uniqueItems"):
        yield forbidden(f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if schema.get("additionalProperties") is False:
        yield forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if kind == "array" and not isinstance(schema.get("items"), dict):
        yield required(f"{path}.items", "must be specified")
    if schema.get(values.INT_OR_STRING) and kind:
        yield forbidden(f"{path}.type", "type must be empty if x-kubernetes-int-or-string is true")
    if schema.get(values.EMBEDDED):
        if kind != "object":
            yield invalid(f"{path}.type", kind, "must be object if x-kubernetes-embedded-resource is true")
        if not schema.get("properties") and not schema.get(values.PRESERVE):
            said = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            yield required(f"{path}.properties", said)
    if schema.get(values.PRESERVE) is False:
        yield invalid(f"{path}.{values.PRESERVE}", False, "must be true or undefined")


def _expressions(schema: Schema, path: str, *, untraceable: str = "") -> Iterator[FieldCause]:
    """Patterns and rules that do not compile."""
    if text := schema.get("pattern"):
        try:
            validation.pattern(text)
        except ValueError as error:
            yield invalid(f"{path}.pattern", text, f"must be a valid regular expression, but isn't: {error}")
    for index, rule in enumerate(schema.get(rules.RULES) or ()):
        yield from rule_checks.check(rule, schema, f"{path}.{rules.RULES}[{index}]", untraceable=untraceable)


def _lists(schema: Schema, path: str) -> Iterator[FieldCause]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if kind is not None:
        yield from one_of(f"{path}.x-kubernetes-list-type", kind, ("atomic", "map", "set"))
        if schema.get("type") != "array":
            yield invalid(f"{path}.type", schema.get("type", ""), "must be array if x-kubernetes-list-type is specified")
    if "x-kubernetes-map-type" in schema:
        yield from one_of(f"{path}.x-kubernetes-map-type", schema["x-kubernetes-map-type"], ("atomic", "granular"))
    if kind != "map":
        if keys:
            yield forbidden(f"{path}.x-kubernetes-list-map-keys", "must be empty if x-kubernetes-list-type is not map")
        return
    if not keys:
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    items = schema.get("items") if isinstance(schema.get("items"), dict) else {}
    assert isinstance(items, dict)
    if items.get("type") != "object":
        yield invalid(f"{path}.items.type", items.get("type", ""), "must be object if parent array's x-kubernetes-list-type is map")
    for index, key in enumerate(keys or ()):
        field = (items.get("properties") or {}).get(key)
        if field is None:
            yield invalid(f"{path}.x-kubernetes-list-map-keys[{index}]", key, "entries must all be names of item properties")
        elif "default" not in field and key not in (items.get("required") or ()):
            said = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield required(f"{path}.items.properties[{key}].default", said)


def _bounds(schema: Schema, path: str) -> Iterator[FieldCause]:
    for name in ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"):
        if schema.get(name, 0) < 0:
            yield invalid(f"{path}.{name}", schema[name], "should be greater than or equal to 0")


def _condition(schema: Any, path: str, *, depth: int) -> Iterator[FieldCause]:
    """A schema inside a junctor: conditions only; int-or-string's own pair of types aside."""
    if depth > MAX_DEPTH:
        yield forbidden(path, f"the schema is nested more than {MAX_DEPTH} levels deep")
        return
    for name in NOT_IN_JUNCTORS:
        if name in schema:
            yield forbidden(f"{path}.{name}", "must be undefined to be structural")
    if "additionalProperties" in schema:
        yield forbidden(f"{path}.additionalProperties", "must be undefined to be structural")
    yield from _expressions(schema, path)
    for name in JUNCTORS:
        for index, one in enumerate(schema.get(name) or ()):
            yield from _condition(one, f"{path}.{name}[{index}]", depth=depth + 1)
    for key, child, _ in _children(schema):
        yield from _condition(child, f"{path}.{key}", depth=depth + 1)


def _defaults(schema: Schema, path: str) -> Iterator[FieldCause]:
    """Defaults that are not valid values, or that pruning would cut."""
    for key, child, _ in _children(schema):
        where = f"{path}.{key}"
        if "default" in child:
            value = copy.deepcopy(child["default"])
            pruned = values.prune(value, child) if isinstance(value, dict) else []
            if pruned:
                yield invalid(f"{where}.default", child["default"], f"must not have unknown fields: {', '.join(pruned)}")
            values.default(value, child)
            for cause in validation.validate(value, child, path="default"):
                yield FieldCause(cause.reason, cause.message, f"{where}.{cause.field}")
        yield from _defaults(child, where)
