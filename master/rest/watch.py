"""Watches: the door's events as lines of JSON, for as long as the client listens.

Owns the stream's form: one event a line, plain, as Tables or as metadata alone; bookmarks; errors as an ERROR event once the
stream has begun and as an HTTP error before. The order, the completeness and the selection of events are the door's.

The door refuses at once what it refuses (a bad selector, a revision that is gone), so that is an HTTP status; the headers then
go out without waiting for a first event, which may never come.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import msgspec
from aiohttp import hdrs, web

from common.clock import Clock, Rng
from common.errors import BadRequest, SteersmanError, Unavailable
from master.api import status, tables
from master.api.contract import Door, EventType, WatchEvent
from master.rest import query, reply
from master.rest.call import Call
from master.rest.negotiate import Form

log = logging.getLogger(__name__)

DEFAULT_S = 1800
"""How long a watch lasts that says nothing of it: this, up to twice this; not all at the same moment."""
STALL_S = 60.0
"""A client that takes nothing for so long is cut off."""
INITIAL_END = "k8s.io/initial-events-end"

Events = AsyncIterator[Sequence[WatchEvent]]


def _line(kind: str, body: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)


def error_line(error: SteersmanError) -> bytes:
    return _line("ERROR", msgspec.json.encode(status.of(error)))


class Lines:
    """Events to lines, in the form that the call asked for. The first Table carries the column definitions."""

    def __init__(self, call: Call, clock: Clock) -> None:
        self._resource = call.route.resource
        self._form = call.accepted.form
        self._version = call.accepted.version
        self._include = call.query.get("includeObject", "")
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
            return _line(event.type.value, reply.partial(event.stored, self._version))
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


class Watches:
    def __init__(self, door: Door, *, clock: Clock, rng: Rng) -> None:
        self._door = door
        self._clock = clock
        self._rng = rng

    async def answer(self, call: Call) -> web.StreamResponse:
        """Stream until the time is over, the client is gone, or the server stops."""
        asked = query.for_watch(call.query, name=call.route.name)
        timeout_s = asked.timeout_s or DEFAULT_S * (1 + self._rng.random())
        lines = Lines(call, self._clock)
        events = self._door.watch(
            call.actor, call.route.resource.key, call.route.namespace, selection=asked.selection,
            after=self._door.views.revision if asked.from_now else asked.after,
            bookmarks=asked.bookmarks, initial=asked.initial, timeout_s=timeout_s,
        )  # fmt: skip
        try:
            return await self._stream(call, events, lines)
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    async def _stream(self, call: Call, events: Events, lines: Lines) -> web.StreamResponse:
        stream = await open_stream(call, "application/json")
        stopped = False
        try:
            async for batch in events:
                await stream.write(lines.of(batch))
        except asyncio.CancelledError:
            if not stream.server_stops:
                raise
            stopped = True
        except SteersmanError as error:
            if not (isinstance(error, Unavailable) and stream.server_stops):
                await stream.write(error_line(error))
        return await stream.end(uncancel=stopped)


class Stream:
    """An answer that is written bit by bit; cut off when the client takes nothing for STALL_S."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response

    @property
    def server_stops(self) -> bool:
        return self._request.protocol.over  # type: ignore[attr-defined]

    async def write(self, data: bytes) -> None:
        if not data:
            return
        try:
            async with asyncio.timeout(STALL_S):
                await self._response.write(data)
        except TimeoutError:
            self.cut()
            raise ConnectionError("the client takes nothing") from None

    async def end(self, *, uncancel: bool = False) -> web.StreamResponse:
        """The proper end of a chunked answer."""
        task = asyncio.current_task()
        if uncancel and task is not None:
            task.uncancel()
        self._request.protocol.stream = None  # type: ignore[attr-defined]
        async with asyncio.timeout(STALL_S):
            await self._response.write_eof()
        return self._response

    def cut(self) -> None:
        """Break the connection, so that the client cannot take what it has for the whole."""
        if self._request.transport is not None:
            self._request.transport.abort()


async def open_stream(call: Call, content_type: str) -> Stream:
    """Send the headers of a chunked answer, and let the connection's end cancel this task."""
    request = call.request
    if request.version < (1, 1):
        raise BadRequest("a watch or a log needs HTTP/1.1, because its length is not known beforehand")
    response = web.StreamResponse(
        headers={hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-cache, private", hdrs.SERVER: "steersman"}
    )
    response.enable_chunked_encoding()
    await response.prepare(request)
    connection = request.protocol
    connection.stream = asyncio.current_task()  # type: ignore[attr-defined]
    if request.transport is None or connection.over:  # type: ignore[attr-defined]
        raise ConnectionError("the connection ended before the stream began")
    return Stream(request, response)
