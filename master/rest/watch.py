"""Watches: the door's events as lines of JSON, for as long as the client listens.

Owns the stream over HTTP: errors are an ERROR event once it has begun, and an HTTP error before. The lines are `master/api/lines.py`'s;
the order, the completeness and the selection of events are the door's.

The door refuses at once what it refuses (a bad selector, a revision that is gone), so that is an HTTP status; the headers then
go out without waiting for a first event, which may never come.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import hdrs, web

from common.clock import Rng
from common.errors import BadRequest, SteersmanError, Unavailable
from master.api.lines import Lines, error_line
from master.api.verbs import Events, Verbs
from master.rest import accesses, objects
from master.rest.call import Call

log = logging.getLogger(__name__)

DEFAULT_S = 1800
"""How long a watch lasts that says nothing of it: this, up to twice this; not all at the same moment."""
STALL_S = 60.0
"""A client that takes nothing for so long is cut off."""


class Watches:
    def __init__(self, verbs: Verbs, *, rng: Rng) -> None:
        self._verbs = verbs
        self._rng = rng

    async def answer(self, call: Call) -> web.StreamResponse:
        """Stream until the time is over, the client is gone, or the server stops."""
        asked = objects.request_of(call, "watch")
        events, lines = self._verbs.watch(asked, default_s=DEFAULT_S * (1 + self._rng.random()))
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
    accesses.note(request, response.status)
    await response.prepare(request)
    connection = request.protocol
    connection.stream = asyncio.current_task()  # type: ignore[attr-defined]
    if request.transport is None or connection.over:  # type: ignore[attr-defined]
        raise ConnectionError("the connection ended before the stream began")
    return Stream(request, response)
