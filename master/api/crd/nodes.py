"""A custom resource's schema as the tree of nodes that merging by keys (server-side apply) walks. Pure.

Only structure counts here: types, list types and their keys, atomic maps. Conditions on values are `validation.py`'s.
"""

from __future__ import annotations

import msgspec

from master.api import schema
from master.api.crd import values
from master.api.crd.values import Schema
from master.api.schema import Node, Type

_SCALARS = {"string": Type.STRING, "integer": Type.INTEGER, "number": Type.NUMBER, "boolean": Type.BOOLEAN}

DEDUCED = Node(type=Type.MAP)
"""Below `x-kubernetes-preserve-unknown-fields`: what a value is tells how it merges, maps field by field and lists as a whole."""
msgspec.structs.force_setattr(DEDUCED, "values", DEDUCED)


def compiled(root: Schema) -> Node:
    """The tree of a whole object: metadata, apiVersion and kind are as in every object."""
    return msgspec.structs.replace(_whole(_node(root)), type=Type.OBJECT)


def _whole(tree: Node) -> Node:
    common = schema.for_kind("v1", "ConfigMap").fields
    return msgspec.structs.replace(tree, fields={**tree.fields, **{key: common[key] for key in values.OF_EVERY_OBJECT}})


def _node(part: Schema) -> Node:
    kind = part.get("type", "")
    if part.get(values.INT_OR_STRING):
        return Node(type=Type.INT_OR_STRING)
    if kind == "array":
        items, keys = part.get("items") or {}, tuple(part.get("x-kubernetes-list-map-keys") or ())
        fields = items.get("properties") or {}
        return Node(
            type=Type.ARRAY, items=_node(items), list_type=part.get("x-kubernetes-list-type", ""), list_map_keys=keys,
            key_defaults={key: fields[key]["default"] for key in keys if "default" in fields.get(key, {})},
        )  # fmt: skip
    if kind == "object":
        return _object(part)
    return DEDUCED if part.get(values.PRESERVE) and not kind else Node(type=_SCALARS.get(kind, Type.ANY))


def _object(part: Schema) -> Node:
    rest, atomic = values.values_schema(part), part.get("x-kubernetes-map-type", "")
    if rest is not None:
        return Node(type=Type.MAP, values=_node(rest), map_type=atomic)
    unknown = DEDUCED if part.get(values.PRESERVE) or part.get("additionalProperties") is True else None
    fields = {key: _node(child) for key, child in (part.get("properties") or {}).items()}
    made = Node(type=Type.OBJECT if fields else Type.MAP if unknown else Type.ANY, fields=fields, values=unknown, map_type=atomic)
    return msgspec.structs.replace(_whole(made), type=Type.OBJECT) if part.get(values.EMBEDDED) else made
