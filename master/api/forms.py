"""The forms in which objects are answered, the same on every front: plain documents, kubectl's Tables, metadata alone.

Owns what an object and a list look like, as bytes (a watch's events: `lines.py`); how they travel is the fronts'. An answer is made of
bytes that are already encoded: a list is a joining of stored bytes, never a decoding of them, but for a Table's cells.

A list is made in pieces of some hundred objects, so that one of a hundred thousand never stands in memory as one document, and all
others have their turn between two pieces. They are of one revision, however long it takes: the page was read before.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
import msgspec

from master.api import tables
from master.api.contract import Page, Stored
from master.api.registry import Resource

_encode = msgspec.json.encode


class Form(enum.Enum):
    PLAIN = "plain"
    TABLE = "table"
    PARTIAL = "partial"


class Wish(msgspec.Struct, frozen=True):
    """The form that is asked for. version: of meta.k8s.io, for tables and partial objects. include: a Table's `includeObject`."""

    form: Form = Form.PLAIN
    version: str = "v1"
    include: str = ""


def one(resource: Resource, stored: Stored, wish: Wish, *, now: float) -> bytes:
    """A single object."""
    if wish.form is Form.PLAIN:
        return stored.json()
    if wish.form is Form.PARTIAL:
        return partial(stored, wish.version)
    return tables.render(resource, [stored], now=now, include=wish.include, revision=stored.revision, version=wish.version)


def pieces(resource: Resource, page: Page, wish: Wish, *, now: float) -> Iterator[bytes]:
    """A list. Raises BadRequest at once for a form that cannot be."""
    if wish.form is Form.TABLE:
        return tables.pieces(resource, page, now=now, include=wish.include, version=wish.version)
    if wish.form is Form.PARTIAL:
        version = f"meta.k8s.io/{wish.version}"
        return _pieces("PartialObjectMetadataList", version, page, lambda stored: partial(stored, wish.version))
    return _pieces(f"{resource.kind}List", resource.api_version, page, Stored.json)


def _pieces(kind: str, api_version: str, page: Page, encoded: Callable[[Stored], bytes]) -> Iterator[bytes]:
    metadata = _encode(tables.list_meta(page))
    yield b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[' % (kind.encode(), api_version.encode(), metadata)
    for begin in range(0, len(page.items), tables.PIECE):
        comma = b"," if begin else b""
        yield comma + b",".join([encoded(stored) for stored in page.items[begin : begin + tables.PIECE]])
    yield b"]}"


class _MetadataOnly(msgspec.Struct):
    metadata: msgspec.Raw


class _Partial(msgspec.Struct, rename="camel"):
    kind: str
    api_version: str
    metadata: msgspec.Raw


_metadata = msgspec.json.Decoder(_MetadataOnly)


def partial(stored: Stored, version: str) -> bytes:
    """PartialObjectMetadata of one object."""
    return _encode(_Partial("PartialObjectMetadata", f"meta.k8s.io/{version}", _metadata.decode(stored.json()).metadata))
