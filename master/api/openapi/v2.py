"""OpenAPI v2: everything in one document, as JSON and as gnostic's protobuf.

kubectl 1.27 and 1.28 validate by it, every kubectl asks it about a `List`, and older operators and generators of clients know nothing
else. The document is megabytes, so it is written piece by piece, a path or a definition each: whoever sends it compresses a piece, lets
others have their turn, and never holds the whole.

What OpenAPI v2 cannot say about custom kinds is left out as Kubernetes leaves it out: a value that may be null, and one with unknown
fields, loses its type's details, because kubectl's validation would refuse what the server takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from common import version as build
from master.api import schema_source
from master.api.openapi import gnostic, operations
from master.api.openapi.operations import Item, Json, Operation
from master.api.registry import Resource

REFERENCE = "#/definitions/"
HEAD: Json = {"swagger": "2.0", "info": {"title": "Kubernetes", "version": build.KUBERNETES}}


def as_json(resources: Sequence[Resource]) -> Iterator[bytes]:
    """The document's bytes, in pieces."""
    yield msgspec.json.encode(HEAD)[:-1]
    open_part = ""
    for part, name, value in _entries(resources):
        comma = b"," if part == open_part else (b"}" if open_part else b"") + b',"%s":{' % part.encode()
        yield b"%s%s:%s" % (comma, msgspec.json.encode(name), msgspec.json.encode(value))
        open_part = part
    yield b"}}"


def as_protobuf(resources: Sequence[Resource]) -> Iterator[bytes]:
    """The same in gnostic's protobuf. Subtle: `paths` and `definitions` are given once for each entry; readers merge them."""
    yield gnostic.encode("Document", HEAD)
    for part, name, value in _entries(resources):
        yield gnostic.encode("Document", {part: {name: value}})


def _entries(resources: Sequence[Resource]) -> Iterator[tuple[str, str, Json]]:
    """All paths, then all definitions: ("paths" or "definitions", name, value)."""
    names, custom = set(operations.SHARED), {}
    for path, served in operations.by_group(resources).items():
        for resource in served:
            custom |= operations.definitions_of(resource)
            names |= {name for name in operations.names_of(resource) if name}
            for place, item in operations.of_resource(f"/{path}", resource).items():
                names |= {operation.answer for operation in item.operations.values() if operation.answer}
                yield "paths", place, _item(item, operations.tag(resource))
    seen, left = set(names), sorted(names)
    while left:
        name = left.pop()
        found: list[str] = []
        source = _lessened(custom[name]) if name in custom else schema_source.definition(name)
        yield "definitions", name, _referring(source, found)
        fresh = sorted(set(found) - seen)
        seen |= set(fresh)
        left += fresh


def _referring(part: Any, found: list[str]) -> Any:
    """With references as OpenAPI v2 writes them, which may have a description beside; what is referred to is added to `found`."""
    if isinstance(part, list):
        return [_referring(item, found) for item in part]
    if not isinstance(part, dict):
        return part
    referring = {key: _referring(value, found) for key, value in part.items()}
    if isinstance(part.get("$ref"), str):
        found.append(part["$ref"])
        referring["$ref"] = f"{REFERENCE}{part['$ref']}"
    return referring


JUNCTIONS = ("allOf", "anyOf", "oneOf", "not")


def _lessened(schema: Json) -> Json:
    """A structural schema with what v2 can say of it."""
    kept = {key: value for key, value in schema.items() if key not in JUNCTIONS and key != "nullable"}
    if schema.get("nullable"):
        kept.pop("type", None)
    if schema.get("nullable") or schema.get("x-kubernetes-preserve-unknown-fields"):
        kept.pop("items", None)
        kept.pop("properties", None)
    if kept.get("type") == "array" and "items" not in kept:
        del kept["type"]
    properties = kept.get("properties") or {}
    if "required" in kept:
        required = [name for name in kept["required"] if not properties.get(name, {}).get("nullable")]
        kept = {**{key: value for key, value in kept.items() if key != "required"}, **({"required": required} if required else {})}
    if properties:
        kept["properties"] = {name: _lessened(part) for name, part in properties.items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = _lessened(kept[key])
    return kept


def _item(item: Item, tag: str) -> Json:
    found: Json = {method: _operation(operation, tag) for method, operation in item.operations.items()}
    if item.names:
        found["parameters"] = [{"name": name, "in": "path", "required": True, "type": "string", "uniqueItems": True} for name in item.names]
    return found


def _operation(operation: Operation, tag: str) -> Json:
    answer: Json = {"description": "OK", "schema": {"$ref": f"{REFERENCE}{operation.answer}"} if operation.answer else {"type": "string"}}
    parameters: list[Json] = [
        {"name": name, "in": "query", "description": description, "type": kind, "uniqueItems": True}
        for name, kind, description in operation.parameters
    ]
    if operation.body:
        schema = {"$ref": f"{REFERENCE}{operation.body}"}
        parameters.append({"name": "body", "in": "body", "required": operation.action != "delete", "schema": schema})
    return {
        "tags": [tag],
        "operationId": operation.id,
        "schemes": ["https"],
        "consumes": list(operation.types) if operation.action == "patch" else ["*/*"],
        "produces": [operations.JSON] if operation.answer else ["text/plain"],
        "parameters": parameters,
        "responses": {"200": answer},
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": operation.kind,
    }
