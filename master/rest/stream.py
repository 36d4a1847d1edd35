"""Answers that are written bit by bit: watches, logs, and lists too large to be made at once.

Owns the back-pressure: nothing is written while the client does not take what it was sent, and a client that takes nothing for STALL_S
is cut off. What is written, and what ends it, is the caller's.
"""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web

from common.errors import BadRequest
from master.rest import accesses
from master.rest.call import Call

STALL_S = 60.0
"""A client that takes nothing for so long is cut off."""


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


async def open_answer(request: web.BaseRequest, response: web.StreamResponse) -> Stream:
    """Send the headers of a chunked answer, which is written to its end whatever happens."""
    response.enable_chunked_encoding()
    accesses.note(request, response.status)
    await response.prepare(request)
    return Stream(request, response)


async def open_stream(call: Call, content_type: str) -> Stream:
    """As `open_answer`, of one that has no end of its own: the connection's end cancels this task."""
    request = call.request
    if request.version < (1, 1):
        raise BadRequest("a watch or a log needs HTTP/1.1, because its length is not known beforehand")
    headers = {hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "no-cache, private", hdrs.SERVER: "steersman"}
    stream = await open_answer(request, web.StreamResponse(headers=headers))
    connection = request.protocol
    connection.stream = asyncio.current_task()  # type: ignore[attr-defined]
    if request.transport is None or connection.over:  # type: ignore[attr-defined]
        raise ConnectionError("the connection ended before the stream began")
    return stream
