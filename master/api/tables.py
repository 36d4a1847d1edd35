"""kubectl's tables: a list or a single object as `meta.k8s.io/v1 Table`.

Owns the rendering; each kind's columns are in its file under `kinds/`. With `includeObject=None` and `Metadata` the rows are
light; `Object` carries the whole document, which is spliced in as it is stored, never encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from common.errors import BadRequest
from master.api.contract import Document, Stored

if TYPE_CHECKING:
    from master.api.registry import Resource

INCLUDE = ("None", "Metadata", "Object")


def definitions(resource: Resource) -> list[Document]:
    """`columnDefinitions`."""
    return [
        {"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority}
        for c in resource.columns
    ]


def _row(resource: Resource, stored: Stored, include: str, now: float) -> Document:
    document = stored.document()
    cells = [column.cell(document, now) for column in resource.columns]
    row: Document = {"cells": cells, "object": None}
    if include == "Object":
        row["object"] = msgspec.Raw(stored.json())
    elif include == "Metadata":
        row["object"] = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": document["metadata"]}
    return row


def render(
    resource: Resource, items: Sequence[Stored], *, now: float, include: str = "Metadata", revision: int = 0,
    continue_: str = "", remaining: int | None = None, version: str = "v1", headers: bool = True,
) -> bytes:  # fmt: skip
    """The encoded Table of `items`. headers: with column definitions (a watch sends them once). Raises BadRequest for an
    unknown `include`."""
    include = include or "Metadata"
    if include not in INCLUDE:
        raise BadRequest(f"includeObject: Invalid value: \"{include[:64]}\": must be 'Metadata', 'Object', 'None', or empty")
    metadata: Document = {"resourceVersion": str(revision)} if revision else {}
    if continue_:
        metadata["continue"] = continue_
    if remaining is not None:
        metadata["remainingItemCount"] = remaining
    return msgspec.json.encode(
        {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{version}",
            "metadata": metadata,
            "columnDefinitions": definitions(resource) if headers else [],
            "rows": [_row(resource, stored, include, now) for stored in items],
        }
    )
