"""A custom resource's schema as the tree of nodes that merging by keys (server-side apply) walks. Pure.

Only structure counts here: types, list types and their keys, atomic maps. Conditions on values are `validation.py`'s.
"""

from __future__ import annotations

from master.api import schema
from master.api.crd import values
from master.api.crd.values import Schema
from master.api.schema import Node, Type

_SCALARS = {"string": Type.STRING, "integer": Type.INTEGER, "number": Type.NUMBER, "boolean": Type.BOOLEAN}


def compiled(root: Schema) -> Node:
    """The tree of a whole object: metadata, apiVersion and kind are as in every object."""
    tree = _node(root)
    common = schema.for_kind("v1", "ConfigMap").fields
    fields = {**tree.fields, **{key: common[key] for key in values.OF_EVERY_OBJECT}}
    return Node(type=Type.OBJECT, fields=fields, name=tree.name)


def _node(part: Schema) -> Node:
    kind = part.get("type", "")
    if part.get(values.INT_OR_STRING):
        return Node(type=Type.INT_OR_STRING)
    if kind == "array":
        items = part.get("items")
        return Node(
            type=Type.ARRAY, items=_node(items) if isinstance(items, dict) else Node(type=Type.ANY),
            list_type=part.get("x-kubernetes-list-type", ""), list_map_keys=tuple(part.get("x-kubernetes-list-map-keys") or ()),
        )  # fmt: skip
    if kind == "object":
        rest, atomic = values.values_schema(part), part.get("x-kubernetes-map-type", "")
        if rest is not None:
            return Node(type=Type.MAP, values=_node(rest), map_type=atomic)
        if part.get("properties"):
            fields = {key: _node(child) for key, child in part["properties"].items()}
            return Node(type=Type.OBJECT, fields=fields, map_type=atomic)
        return Node(type=Type.ANY, map_type=atomic)
    return Node(type=_SCALARS.get(kind, Type.ANY))
