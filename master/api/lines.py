"""Events of a watch as lines of JSON, each encoded once for all who watch in the same form.

A thousand clients that watch the pods are told the same of a change, and differ at most in the form they asked for: plain, as Tables or as
metadata alone. So a line that was made is kept for a moment and given to the next who needs it; encoding, and unpacking what is
stored, happen once for each form, bookmarks included. What is kept is bounded in bytes and forgotten at once when that is reached: a
watch that lags behind has its lines made anew.

A form is an object that its watchers share, made anew when the resource it shows was (a definition changed its columns).
Subtle: a Table shows ages, so its lines are of one second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from common.clock import Clock
from common.errors import SteersmanError
from master.api import forms, status, tables
from master.api.contract import EventType, WatchEvent
from master.api.forms import Form, Wish
from master.api.registry import Resource

KEPT_BYTES = 4 * 1024 * 1024
INITIAL_END = "k8s.io/initial-events-end"
Place = tuple[object, ...]


def _line(kind: str, body: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)


def error_line(error: SteersmanError) -> bytes:
    return _line("ERROR", msgspec.json.encode(status.of(error)))


class Shape:
    """One form of one resource."""

    def __init__(self, resource: Resource, wish: Wish) -> None:
        self.resource = resource
        self.table = wish.form is Form.TABLE
        self._form, self._version, self._include = wish.form, wish.version, wish.include
        if self.table:
            tables.render(resource, [], now=0.0, include=wish.include)  # refuse a bad includeObject before the stream

    def line(self, event: WatchEvent, *, now: float, headers: bool) -> bytes:
        if event.stored is None:
            return _line(EventType.BOOKMARK.value, msgspec.json.encode(self._bookmark(event)))
        if self._form is Form.PLAIN:
            return _line(event.type.value, event.stored.json())
        if self._form is Form.PARTIAL:
            return _line(event.type.value, forms.partial(event.stored, self._version))
        table = tables.render(
            self.resource, [event.stored], now=now, include=self._include, revision=event.revision, version=self._version,
            headers=headers,
        )  # fmt: skip
        return _line(event.type.value, table)

    def _bookmark(self, event: WatchEvent) -> dict[str, Any]:
        metadata: dict[str, Any] = {"resourceVersion": str(event.revision), "creationTimestamp": None}
        if event.initial_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        meta_version = f"meta.k8s.io/{self._version}"
        if self._form is Form.PLAIN:
            return {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}
        row = {"kind": "PartialObjectMetadata", "apiVersion": meta_version, "metadata": metadata}
        if self._form is Form.PARTIAL:
            return row
        return {
            "kind": "Table", "apiVersion": meta_version, "metadata": {"resourceVersion": str(event.revision)}, "columnDefinitions": [],
            "rows": [{"cells": [], "object": row}],
        }  # fmt: skip


class Printer:
    """Makes and keeps lines; one for all watches of a front."""

    def __init__(self, clock: Clock, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._clock = clock
        self._kept_bytes = kept_bytes
        self._lines: dict[Place, bytes] = {}
        self._bytes = 0
        self._shapes: dict[Place, Shape] = {}

    def lines(self, resource: Resource, wish: Wish) -> Lines:
        """For one watch. Raises BadRequest for a form that cannot be."""
        place = (resource.key, wish.form, wish.version, wish.include if wish.form is Form.TABLE else "")
        shape = self._shapes.get(place)
        if shape is None or shape.resource is not resource:
            shape = self._shapes[place] = Shape(resource, wish)
        return Lines(self, shape)

    def line(self, shape: Shape, event: WatchEvent, *, headers: bool) -> bytes:
        now = self._clock.now() if shape.table else 0.0
        place = (shape, event.type, event.revision, event.initial_end, headers, int(now))
        found = self._lines.get(place)
        if found is None:
            found = shape.line(event, now=now, headers=headers)
            self._keep(place, found)
        return found

    def _keep(self, place: Place, line: bytes) -> None:
        self._bytes += len(line)
        if self._bytes > self._kept_bytes:
            self._lines.clear()
            self._bytes = len(line)
        self._lines[place] = line


class Lines:
    """Those of one watch. The first Table carries the column definitions."""

    def __init__(self, printer: Printer, shape: Shape) -> None:
        self._printer = printer
        self._shape = shape
        self._headers = shape.table

    def of(self, batch: Sequence[WatchEvent]) -> bytes:
        if len(batch) == 1:
            return self._of(batch[0])
        return b"".join([self._of(event) for event in batch])

    def _of(self, event: WatchEvent) -> bytes:
        line = self._printer.line(self._shape, event, headers=self._headers)
        if event.stored is not None:
            self._headers = False
        return line
