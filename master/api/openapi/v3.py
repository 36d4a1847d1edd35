"""OpenAPI v3: one document a group version, which kubectl reads for explain, create, apply, replace and diff.

It finds there which patch types a kind takes, whether the server validates fields, descriptions and merge keys. A document is built when
it is asked for and not kept here (the front keeps it compressed), because the decoded definitions would cost the master tens of
megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from common import version as build
from master.api import schema_source
from master.api.openapi import operations
from master.api.openapi.operations import Item, Json, Operation
from master.api.registry import Resource

REFERENCE = "#/components/schemas/"


def index(digests: Mapping[str, str]) -> bytes:
    """The body of `/openapi/v3`: each group version's path with a hash of its document's content, by which clients cache."""
    paths = {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"} for path, digest in digests.items()}
    return msgspec.json.encode({"paths": paths})


def document(path: str, resources: Sequence[Resource]) -> bytes:
    """The JSON of one group version: path is `api/v1` or `apis/apps/v1`, resources what is served there."""
    names, paths, custom = set(operations.SHARED), {}, {}
    for resource in resources:
        custom |= operations.definitions_of(resource)
        names |= {name for name in operations.names_of(resource) if name}
        for place, item in operations.of_resource(f"/{path}", resource).items():
            paths[place] = _item(item, operations.tag(resource))
            names |= {operation.answer for operation in item.operations.values() if operation.answer}
    content = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": build.KUBERNETES},
        "paths": paths,
        "components": {"schemas": _schemas(names, custom)},
    }
    return msgspec.json.encode(content)


def _schemas(names: set[str], custom: Json) -> Json:
    """The definitions with all that they refer to, in order of their names."""
    found: Json = {}
    left = sorted(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        source = custom[name] if name in custom else schema_source.definition(name)
        found[name] = _referring(source, left)
    return dict(sorted(found.items()))


def _referring(part: Any, left: list[str]) -> Any:
    """With references as OpenAPI v3 writes them; what is referred to is added to `left`."""
    if isinstance(part, list):
        return [_referring(item, left) for item in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if not isinstance(reference, str):
        return {key: _referring(value, left) for key, value in part.items()}
    left.append(reference)
    target = {"$ref": f"{REFERENCE}{reference}"}
    beside = {key: value for key, value in part.items() if key != "$ref"}
    # Subtle: beside `$ref` everything else is ignored, so a field's own description needs `allOf`.
    return {**beside, "allOf": [target]} if beside else target


def _item(item: Item, tag: str) -> Json:
    found: Json = {method: _operation(operation, tag) for method, operation in item.operations.items()}
    if item.names:
        schema = {"type": "string", "uniqueItems": True}
        found["parameters"] = [{"name": name, "in": "path", "required": True, "schema": schema} for name in item.names]
    return found


def _operation(operation: Operation, tag: str) -> Json:
    content = (
        {operations.JSON: {"schema": _reference(operation.answer)}} if operation.answer
        else {"text/plain": {"schema": {"type": "string"}}}
    )  # fmt: skip
    written: Json = {
        "tags": [tag],
        "operationId": operation.id,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": operation.kind,
        "parameters": [
            {"name": name, "in": "query", "description": description, "schema": {"type": kind, "uniqueItems": True}}
            for name, kind, description in operation.parameters
        ],
        "responses": {"200": {"description": "OK", "content": content}},
    }
    if operation.body:
        written["requestBody"] = {"content": {media: {"schema": _reference(operation.body)} for media in operation.types}}
    return written


def _reference(name: str) -> Json:
    return {"$ref": f"{REFERENCE}{name}"}
