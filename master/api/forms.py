"""The forms in which objects are answered, the same on every front: plain documents, kubectl's Tables, metadata alone.

Owns what an object and a list look like, as bytes (a watch's events: `lines.py`); how they travel is the fronts'. An answer is made of
bytes that are already encoded: a list is a joining of stored bytes, never a decoding of them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

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


def several(resource: Resource, page: Page, wish: Wish, *, now: float) -> bytes:
    """A list."""
    told: dict[str, Any] = {"revision": page.revision, "continue_": page.continue_, "remaining": page.remaining}
    if wish.form is Form.TABLE:
        return tables.render(resource, page.items, now=now, include=wish.include, version=wish.version, **told)
    if wish.form is Form.PARTIAL:
        return partial_list(page.items, version=wish.version, **told)
    return joined(resource, page.items, **told)


def joined(resource: Resource, items: Sequence[Stored], *, revision: int, continue_: str = "", remaining: int | None = None) -> bytes:
    """A list document, spliced from stored bytes."""
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if continue_:
        metadata["continue"] = continue_
    if remaining is not None:
        metadata["remainingItemCount"] = remaining
    head = b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[' % (
        resource.kind.encode(), resource.api_version.encode(), _encode(metadata),
    )  # fmt: skip
    return b"".join((head, b",".join([stored.json() for stored in items]), b"]}"))


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


def partial_list(items: Sequence[Stored], *, version: str, revision: int, continue_: str = "", remaining: int | None = None) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if continue_:
        metadata["continue"] = continue_
    if remaining is not None:
        metadata["remainingItemCount"] = remaining
    head = b'{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/%s","metadata":%s,"items":[' % (
        version.encode(), _encode(metadata),
    )  # fmt: skip
    return b"".join((head, b",".join([partial(stored, version) for stored in items]), b"]}"))
