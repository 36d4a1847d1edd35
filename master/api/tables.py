"""kubectl's tables: a list or a single object as `meta.k8s.io/v1 Table`.

Owns the rendering; each kind's columns are in its file under `kinds/`. With `includeObject=None` and `Metadata` the rows are
light; `Object` carries the whole document, which is spliced in as it is stored, never encoded again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from common.errors import BadRequest
from master.api.contract import Document, Page, Stored

if TYPE_CHECKING:
    from master.api.registry import Resource

INCLUDE = ("None", "Metadata", "Object")
PIECE = 200
"""Objects of one piece of a list."""
_encode = msgspec.json.encode


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


def list_meta(page: Page) -> Document:
    metadata: Document = {"resourceVersion": str(page.revision)} if page.revision else {}
    if page.continue_:
        metadata["continue"] = page.continue_
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    return metadata


def pieces(
    resource: Resource, page: Page, *, now: float, include: str = "Metadata", version: str = "v1", headers: bool = True
) -> Iterator[bytes]:
    """The encoded Table of a page. headers: with column definitions (a watch sends them once). Raises BadRequest at once for an
    unknown `include`."""
    include = include or "Metadata"
    if include not in INCLUDE:
        raise BadRequest(f"includeObject: Invalid value: \"{include[:64]}\": must be 'Metadata', 'Object', 'None', or empty")
    head = {
        "kind": "Table", "apiVersion": f"meta.k8s.io/{version}", "metadata": list_meta(page),
        "columnDefinitions": definitions(resource) if headers else [],
    }  # fmt: skip
    return _pieces(resource, page.items, _encode(head), now=now, include=include)


def _pieces(resource: Resource, items: Sequence[Stored], head: bytes, *, now: float, include: str) -> Iterator[bytes]:
    yield head[:-1] + b',"rows":['
    for begin in range(0, len(items), PIECE):
        rows = _encode([_row(resource, stored, include, now) for stored in items[begin : begin + PIECE]])[1:-1]
        yield b"," + rows if begin else rows
    yield b"]}"


def render(
    resource: Resource, items: Sequence[Stored], *, now: float, include: str = "Metadata", revision: int = 0, version: str = "v1",
    headers: bool = True,
) -> bytes:  # fmt: skip
    """The same of a few objects, whole."""
    return b"".join(pieces(resource, Page(list(items), revision), now=now, include=include, version=version, headers=headers))
