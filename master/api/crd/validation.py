"""Is a value what its structural schema asks for? The judge of custom resources, in Kubernetes' words.

    validate(new, schema)            everything that is wrong, with paths
    validate(new, schema, old=old)   an update: what stood there before and is unchanged is not held against it ("ratcheting"),
                                     and transition rules compare with it

Owns types, bounds, patterns, enumerations, formats, list types and the junctors (allOf, anyOf, oneOf, not). Rules in CEL are
`rules.py`; they are asked only about values that are well-formed, as in Kubernetes. The texts are those of kube-openapi, which
people search for. Patterns are RE2's: linear in time, and the syntax that Kubernetes' users write.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import re2

from common.errors import FieldCause
from master.api.crd import formats, rules, values
from master.api.crd.values import Schema
from master.api.kinds.rules import duplicate, invalid, required, too_long, unsupported

NOWHERE = "<nil>"
"""The path that Kubernetes gives for a failed junctor."""


def validate(new: Any, schema: Schema, *, old: Any = values.MISSING, path: str = "") -> list[FieldCause]:
    """The offending fields of a document, or of the value at `path`."""
    found = list(_value(new, schema, path, old=old))
    return found or list(rules.check(new, schema, path, old=old))


def _value(new: Any, schema: Schema, path: str, *, old: Any) -> Iterator[FieldCause]:
    if new is None and schema.get("nullable"):
        return
    if old is not values.MISSING and new == old:
        return
    wrong = _type(new, schema, path)
    if wrong is not None:
        yield wrong
        return
    for name, check in _CHECKS.items():
        if name in schema:
            yield from check(new, schema[name], path, schema)
    yield from _junctors(new, schema, path)
    for key, part, child in values.parts(new, schema):
        if not (path == "" and key == "metadata"):
            yield from _value(part, child, values.join(path, key), old=values.counterpart(old, key, part, schema))


# ------------------------------------------------------------------------- types


def type_name(value: Any) -> str:
    """JSON's own word, as Kubernetes prints it."""
    if isinstance(value, bool):
        return "boolean"
    words = {int: "integer", float: "number", str: "string", list: "array", dict: "object", type(None): "null"}
    return words[type(value)]


def _type(value: Any, schema: Schema, path: str) -> FieldCause | None:
    found, wanted = type_name(value), schema.get("type", "")
    if schema.get(values.INT_OR_STRING):
        wanted, fine = "integer,string", found in ("integer", "string")
    elif not wanted:
        fine = value is not None or bool(schema.get(values.PRESERVE))
    else:
        whole = found == "number" and wanted == "integer" and float(value).is_integer()
        fine = found == wanted or (wanted == "number" and found == "integer") or whole
    if fine:
        return None
    return FieldCause("FieldValueTypeInvalid", f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"', path)


# ------------------------------------------------------------------------ bounds


def _bound(path: str, value: Any, said: str) -> Iterator[FieldCause]:
    yield invalid(path, value, f"{path} in body should {said}")


def _minimum(value: Any, limit: Any, path: str, schema: Schema) -> Iterator[FieldCause]:
    strict = bool(schema.get("exclusiveMinimum"))
    if _numeric(value) and (value < limit or (strict and value == limit)):
        yield from _bound(path, value, f"be greater than {'' if strict else 'or equal to '}{limit}")


def _maximum(value: Any, limit: Any, path: str, schema: Schema) -> Iterator[FieldCause]:
    strict = bool(schema.get("exclusiveMaximum"))
    if _numeric(value) and (value > limit or (strict and value == limit)):
        yield from _bound(path, value, f"be less than {'' if strict else 'or equal to '}{limit}")


def _multiple_of(value: Any, step: Any, path: str, schema: Schema) -> Iterator[FieldCause]:
    if _numeric(value) and step and abs(value / step - round(value / step)) > 1e-9:
        yield from _bound(path, value, f"be a multiple of {step}")


def _numeric(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _min_length(value: Any, limit: int, path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, str) and len(value) < limit:
        yield from _bound(path, value, f"be at least {limit} chars long")


def _max_length(value: Any, limit: int, path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, str) and len(value) > limit:
        yield too_long(path, limit)


@functools.lru_cache(maxsize=512)
def pattern(text: str) -> Any:
    """A compiled pattern. Raises ValueError for one that RE2 does not take."""
    try:
        return re2.compile(text)
    except re2.error as error:
        raise ValueError(str(error)) from None


def _pattern(value: Any, text: str, path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, str) and pattern(text).search(value) is None:
        yield from _bound(path, value, f"match '{text}'")


def _format(value: Any, name: str, path: str, schema: Schema) -> Iterator[FieldCause]:
    if (isinstance(value, str) or _numeric(value)) and not formats.fits(value, name):
        shown = f'"{value}"' if isinstance(value, str) else value
        yield invalid(path, value, f"{path} in body must be of type {name}: {shown}")


def _enum(value: Any, allowed: list[Any], path: str, schema: Schema) -> Iterator[FieldCause]:
    if not any(type_name(value) == type_name(one) and value == one for one in allowed):
        yield unsupported(path, value, [str(one) for one in allowed])


def _min_items(value: Any, limit: int, path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, list) and len(value) < limit:
        yield invalid(path, len(value), f"{path} in body should have at least {limit} items")


def _too_many(path: str, count: int, limit: int) -> FieldCause:
    return FieldCause("FieldValueTooMany", f"Too many: {count}: must have at most {limit} items", path)


def _max_items(value: Any, limit: int, path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, list) and len(value) > limit:
        yield _too_many(path, len(value), limit)


def _min_properties(value: Any, limit: int, path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, dict) and len(value) < limit:
        yield from _bound(path, "object", f"have at least {limit} properties")


def _max_properties(value: Any, limit: int, path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, dict) and len(value) > limit:
        yield _too_many(path, len(value), limit)


def _required(value: Any, names: list[str], path: str, schema: Schema) -> Iterator[FieldCause]:
    if isinstance(value, dict):
        yield from (required(values.join(path, name)) for name in names if name not in value)


def _list_type(value: Any, kind: str, path: str, schema: Schema) -> Iterator[FieldCause]:
    """Sets hold nothing twice, maps no key twice."""
    if not isinstance(value, list) or kind not in ("set", "map"):
        return
    names, seen = schema.get("x-kubernetes-list-map-keys") or [], set()
    for index, item in enumerate(value):
        shown = item if kind == "set" else {name: item[name] for name in names if name in item}
        encoded = msgspec.json.encode(shown, order="sorted")
        if encoded in seen:
            yield duplicate(f"{path}[{index}]", shown)
        seen.add(encoded)


_CHECKS: dict[str, Callable[[Any, Any, str, Schema], Iterator[FieldCause]]] = {
    "required": _required, "enum": _enum, "minimum": _minimum, "maximum": _maximum, "multipleOf": _multiple_of,
    "minLength": _min_length, "maxLength": _max_length, "pattern": _pattern, "format": _format,
    "minItems": _min_items, "maxItems": _max_items, "minProperties": _min_properties, "maxProperties": _max_properties,
    "x-kubernetes-list-type": _list_type,
}  # fmt: skip


# ---------------------------------------------------------------------- junctors


def _junctors(value: Any, schema: Schema, path: str) -> Iterator[FieldCause]:
    def failing(one: Schema) -> list[FieldCause]:
        return list(_value(value, one, path, old=values.MISSING))

    def complaint(said: str) -> FieldCause:
        return FieldCause("FieldValueInvalid", f'Invalid value: "": "{path}" must {said}', NOWHERE)

    for one in schema.get("allOf") or ():
        if problems := failing(one):
            yield from problems
            yield complaint("validate all the schemas (allOf)")
    if (options := schema.get("anyOf")) and all(failures := [failing(one) for one in options]):
        yield from failures[0]
        yield complaint("validate at least one schema (anyOf)")
    if options := schema.get("oneOf"):
        fitting = sum(not failing(one) for one in options)
        if fitting != 1:
            found = "Found none valid" if not fitting else f"Found {fitting} valid alternatives"
            yield complaint(f"validate one and only one schema (oneOf). {found}")
    if isinstance(schema.get("not"), dict) and not failing(schema["not"]):
        yield complaint("not validate the schema (not)")
