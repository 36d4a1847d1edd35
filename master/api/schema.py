"""The official schema of each served kind, compiled into a small tree of nodes.

Why: strict validation, strategic merge (and, later, server-side apply) are driven by data, not typed in by hand. The
data are the official definitions that `schema_source.py` reads; this module owns their compiled form and nothing else.

    for_kind("apps/v1", "Deployment")            Node OBJECT  Deployment
      .fields["spec"]                            Node OBJECT  DeploymentSpec
        .fields["template"].fields["spec"]       Node OBJECT  PodSpec
          .fields["containers"]                  Node ARRAY   list_type=map, merge_key=name, patch_strategy=("merge",)
            .items                               Node OBJECT  Container
              .fields["resources"]...["limits"]  Node MAP     of QUANTITY

Definitions are compiled once, shared by every kind that refers to them, and on the first use of a kind: the tree of a
Pod is a third of a megabyte, the definitions nobody asks for cost nothing. A reference that carries attributes of its
own (`strategy` is merged with `retainKeys`) is a copy of the node it refers to that shares its fields.
Subtle: the tree has cycles (a CRD's JSON schema contains itself), so walk it along a document, never by itself.
"""

from __future__ import annotations

import enum
import functools
import sys
from typing import Any

import msgspec

from master.api import schema_source


class Type(enum.Enum):
    """What a value must be. ANY: any JSON value (raw extensions, managed fields).

    Hashed by identity, since each is looked up dozens of times for every object that is written, and Enum's own hash is slow."""

    __hash__ = object.__hash__

    OBJECT = "object"
    MAP = "map"
    ARRAY = "array"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ANY = "any"
    INT_OR_STRING = "int-or-string"
    QUANTITY = "quantity"
    TIME = "time"
    MICRO_TIME = "micro-time"
    BYTES = "bytes"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One type at one place.

    name: the short name of its definition ("PodSpec"), empty for inline types; definition: its full name.
    fields: of an OBJECT. items: of an ARRAY. values: of a MAP, and of the fields that an OBJECT does not name.
    required: field names that must be present.
    patch_strategy: subset of {"merge", "replace", "retainKeys"}; merge_key: how strategic merge pairs list items.
    list_type: "", "atomic", "set" or "map"; list_map_keys: how server-side apply pairs them, key_defaults: what a key is that an item
    does not say; map_type: "" or "atomic".
    format: the definition's own ("int32", "int64", "double", ...).
    """

    type: Type
    name: str = ""
    definition: str = ""
    fields: dict[str, Node] = {}
    items: Node | None = None
    values: Node | None = None
    required: tuple[str, ...] = ()
    patch_strategy: tuple[str, ...] = ()
    merge_key: str = ""
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    key_defaults: dict[str, Any] = {}
    map_type: str = ""
    format: str = ""

    def child(self, key: str) -> Node | None:
        """The node of one field of an object or of one value of a map; None when the schema knows none."""
        return self.fields.get(key, self.values)


@functools.cache
def for_kind(api_version: str, kind: str) -> Node:
    """The tree of one kind. Raises LookupError when the official definitions have none (as for custom resources)."""
    group, _, version = api_version.rpartition("/")
    name = schema_source.name_of(group, version, kind)
    if name is None:
        raise LookupError(f"Kubernetes {schema_source.VERSION} has no kind {kind} in {api_version}")
    return _definition(name)


_SPECIAL = {
    schema_source.QUANTITY: Type.QUANTITY,
    schema_source.INT_OR_STRING: Type.INT_OR_STRING,
    schema_source.TIME: Type.TIME,
    schema_source.MICRO_TIME: Type.MICRO_TIME,
}

_compiled: dict[str, Node] = {}


def _definition(name: str) -> Node:
    """Subtle: a definition is entered before its fields are compiled, so that one which contains itself ends."""
    node = _compiled.get(name)
    if node is not None:
        return node
    short, source = name.rpartition(".")[2], schema_source.definition(name)
    if name in _SPECIAL:
        node = Node(type=_SPECIAL[name], name=short, definition=name)
    elif "properties" in source:
        fields: dict[str, Node] = {}
        node = Node(
            type=Type.OBJECT, name=short, definition=name, fields=fields,
            required=tuple(source.get("required", ())), map_type=source.get("x-kubernetes-map-type", ""),
        )  # fmt: skip
        _compiled[name] = node
        for key, part in source["properties"].items():
            fields[sys.intern(key)] = _place(part)
    else:
        node = msgspec.structs.replace(_place(source), name=short, definition=name)
    _compiled[name] = node
    return node


def _place(part: dict[str, Any]) -> Node:
    """The node of a field, a list's item or a map's value, with the attributes of that place."""
    attributes: dict[str, Any] = {}
    if strategy := part.get("x-kubernetes-patch-strategy"):
        attributes["patch_strategy"] = tuple(strategy.split(","))
    for key, source in _ATTRIBUTES:
        if value := part.get(source):
            attributes[key] = tuple(value) if isinstance(value, list) else value
    if "$ref" in part:
        node = _definition(part["$ref"])
        return msgspec.structs.replace(node, **attributes) if attributes else node
    if "items" in part:
        return Node(type=Type.ARRAY, items=_place(part["items"]), **attributes)
    if "additionalProperties" in part:
        return Node(type=Type.MAP, values=_place(part["additionalProperties"]), **attributes)
    kind = _SCALARS.get(part.get("type", ""), Type.ANY)
    if kind is Type.STRING and part.get("format") == "byte":
        kind = Type.BYTES
    return Node(type=kind, format=part.get("format", ""), **attributes)


_SCALARS = {"string": Type.STRING, "integer": Type.INTEGER, "number": Type.NUMBER, "boolean": Type.BOOLEAN}
_ATTRIBUTES = (
    ("merge_key", "x-kubernetes-patch-merge-key"),
    ("list_type", "x-kubernetes-list-type"),
    ("list_map_keys", "x-kubernetes-list-map-keys"),
    ("map_type", "x-kubernetes-map-type"),
)
