"""What a custom resource's schema does to a value before it is judged: pruning and defaulting, both in place.

A schema is the CRD's own `openAPIV3Schema` as a document; that it is structural has been checked when the CRD was written
(`structural.py`), so every node says its type, and the walk needs no guesses. Semantics: Kubernetes' "Extend the API with
CustomResourceDefinitions", sections on pruning and defaulting.

    prune     drops what the schema does not name, except below `x-kubernetes-preserve-unknown-fields`
    default   fills in what is absent; a null where the schema allows none, and has a default, counts as absent
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from master.api.contract import Document

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
OF_EVERY_OBJECT = frozenset(("apiVersion", "kind", "metadata"))
"""What every object has, whether its schema names it or not."""

Schema = Document
MISSING = msgspec.UNSET
"""In place of a value that is not there; null is a value."""


def values_schema(schema: Schema) -> Schema | None:
    """The schema of a map's values; None where `additionalProperties` is absent or a boolean."""
    found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else None


def parts(value: Any, schema: Schema) -> Iterator[tuple[str | int, Any, Schema]]:
    """The members of an object or list that have a schema of their own: (key or index, value, schema)."""
    if isinstance(value, dict):
        fields, rest = schema.get("properties") or {}, values_schema(schema)
        for key, part in value.items():
            child = fields.get(key, rest)
            if child is not None:
                yield key, part, child
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, part in enumerate(value):
            yield index, part, schema["items"]


def prune(document: Document, schema: Schema) -> list[str]:
    """Drop in place what the schema does not name; the paths of what was dropped."""
    dropped: list[str] = []
    _prune(document, schema, "", dropped=dropped, whole=True)
    return dropped


def _prune(value: Any, schema: Schema, path: str, *, dropped: list[str], whole: bool) -> None:
    """whole: the value is an object with its own apiVersion, kind and metadata."""
    kept = OF_EVERY_OBJECT if whole else frozenset()
    if isinstance(value, dict) and not schema.get(PRESERVE) and not schema.get("additionalProperties"):
        fields = schema.get("properties") or {}
        for key in [key for key in value if key not in fields and key not in kept]:
            del value[key]
            dropped.append(join(path, key))
    for key, part, child in parts(value, schema):
        if key not in kept and isinstance(part, (dict, list)):
            _prune(part, child, join(path, key), dropped=dropped, whole=bool(child.get(EMBEDDED)))


def join(path: str, key: str | int) -> str:
    """`spec.list[0].field`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def default(value: Any, schema: Schema) -> None:
    """Fill in the schema's defaults, in place."""
    if isinstance(value, dict):
        for key, child in (schema.get("properties") or {}).items():
            if "default" in child and (key not in value or _void(value[key], child)):
                value[key] = copy.deepcopy(child["default"])
        rest = values_schema(schema)
        if rest is not None and "default" in rest:
            value.update({key: copy.deepcopy(rest["default"]) for key, part in value.items() if _void(part, rest)})
    elif isinstance(value, list) and "default" in (schema.get("items") or {}):
        value[:] = [copy.deepcopy(schema["items"]["default"]) if _void(part, schema["items"]) else part for part in value]
    for _, part, child in parts(value, schema):
        default(part, child)


def _void(part: Any, schema: Schema) -> bool:
    return part is None and not schema.get("nullable")


def counterpart(old: Any, key: str | int, part: Any, schema: Schema) -> Any:
    """What stood in the old value where `part` stands now; MISSING when nothing did, or nobody can tell."""
    if isinstance(old, dict):
        return old.get(key, MISSING)
    if not isinstance(old, list):
        return MISSING
    if schema.get("x-kubernetes-list-type") == "map" and isinstance(part, dict):
        names = schema.get("x-kubernetes-list-map-keys") or []
        wanted = [part.get(name) for name in names]
        return next((one for one in old if isinstance(one, dict) and [one.get(name) for name in names] == wanted), MISSING)
    return part if part in old else MISSING
