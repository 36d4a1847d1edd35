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
from typing import Any

import msgspec

from master.api import schema_source


class Type(enum.Enum):
    """What a value must be. ANY: any JSON value (raw extensions, managed fields)."""

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

    name: the short name of its definition ("PodSpec"), empty for inline types.
    fields: of an OBJECT. items: of an ARRAY. values: of a MAP. required: field names that must be present.
    patch_strategy: subset of {"merge", "replace", "retainKeys"}; merge_key: how strategic merge pairs list items.
    list_type: "", "atomic", "set" or "map"; list_map_keys: how server-side apply pairs them; map_type: "" or "atomic".
    format: the definition's own ("int32", "int64", "double", ...).
    """

    type: Type
    name: str = ""
    fields: dict[str, Node] = {}
    items: Node | None = None
    values: Node | None = None
    required: tuple[str, ...] = ()
    patch_strategy: tuple[str, ...] = ()
    merge_key: str = ""
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    format: str = ""

    def child(self, key: str) -> Node | None:
        """The node of one field of an object or of one value of a map; None when the schema knows none."""
        return self.values if self.type is Type.MAP else self.fields.get(key)


@functools.cache
def for_kind(api_version: str, kind: str) -> Node:
    """The tree of one kind. Raises LookupError when the official definitions have none (as for custom resources)."""
    raise NotImplementedError
