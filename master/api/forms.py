"""The forms in which objects are answered, the same on every front: plain documents, kubectl's Tables, metadata alone.

Owns what an object, a list and a watch's events look like, as bytes; how they travel is the fronts'. An answer is made of bytes that
are already encoded: a list is a joining of stored bytes, never a decoding of them. A watch is lines of JSON, one event a line.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import msgspec

from common.clock import Clock
from common.errors import SteersmanError
from master.api import status, tables
from master.api.contract import EventType, Page, Stored, WatchEvent
from master.api.registry import Resource

INITIAL_END = "k8s.io/initial-events-end"
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


def _line(kind: str, body: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)


def error_line(error: SteersmanError) -> bytes:
    return _line("ERROR", msgspec.json.encode(status.of(error)))


class Lines:
    """Events to lines, in the form that was asked for. The first Table carries the column definitions."""

    def __init__(self, resource: Resource, wish: Wish, clock: Clock) -> None:
        """Raises BadRequest for an unknown `includeObject`."""
        self._resource = resource
        self._form, self._version, self._include = wish.form, wish.version, wish.include
        self._clock = clock
        self._headers = True
        if self._form is Form.TABLE:
            tables.render(self._resource, [], now=0.0, include=self._include)  # refuse a bad includeObject before the stream

    def of(self, batch: Sequence[WatchEvent]) -> bytes:
        if self._form is Form.PLAIN:
            return b"".join([
                _line(event.type.value, event.stored.json()) if event.stored is not None else self._bookmark(event)
                for event in batch
            ])  # fmt: skip
        return b"".join([self._shaped(event) for event in batch])

    def _shaped(self, event: WatchEvent) -> bytes:
        if event.stored is None:
            return self._bookmark(event)
        if self._form is Form.PARTIAL:
            return _line(event.type.value, partial(event.stored, self._version))
        table = tables.render(
            self._resource, [event.stored], now=self._clock.now(), include=self._include, revision=event.revision,
            version=self._version, headers=self._headers,
        )  # fmt: skip
        self._headers = False
        return _line(event.type.value, table)

    def _bookmark(self, event: WatchEvent) -> bytes:
        metadata: dict[str, object] = {"resourceVersion": str(event.revision), "creationTimestamp": None}
        if event.initial_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        kind, version = self._resource.kind, self._resource.api_version
        if self._form is Form.PARTIAL:
            kind, version = "PartialObjectMetadata", f"meta.k8s.io/{self._version}"
        document: dict[str, object] = {"kind": kind, "apiVersion": version, "metadata": metadata}
        if self._form is Form.TABLE:
            row = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{self._version}", "metadata": metadata}
            document = {
                "kind": "Table", "apiVersion": f"meta.k8s.io/{self._version}",
                "metadata": {"resourceVersion": str(event.revision)}, "columnDefinitions": [],
                "rows": [{"cells": [], "object": row}],
            }  # fmt: skip
        return _line(EventType.BOOKMARK.value, msgspec.json.encode(document))
