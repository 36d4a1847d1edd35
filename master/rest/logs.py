"""`pods/log` over HTTP: the log's bytes as they come.

Owns the stream; which log may be read and which parameters make sense is `master/api/logs.py`'s. An answer's headers wait for the first
bytes, so that what the node refuses is an HTTP error; what breaks later breaks the connection, so that half a log is not taken for a
whole one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web

from common.errors import SteersmanError
from master.api import faults, logs
from master.api.contract import Door
from master.api.streams import Streams
from master.rest import reply
from master.rest.call import Call
from master.rest.stream import open_stream

log = logging.getLogger(__name__)


class Logs:
    def __init__(self, door: Door, streams: Streams) -> None:
        self._door = door
        self._streams = streams

    async def answer(self, call: Call) -> web.StreamResponse:
        if call.request.method != "GET":
            raise faults.not_allowed()
        chunks = logs.chunks(self._door, self._streams, call.actor, ref=call.route.ref, parameters=call.query)
        if chunks is None:
            return reply.plain("")
        call.request.protocol.stream = asyncio.current_task()  # type: ignore[attr-defined]
        try:
            return await self._stream(call, chunks)
        finally:
            call.request.protocol.stream = None  # type: ignore[attr-defined]
            await chunks.aclose()  # type: ignore[attr-defined]

    async def _stream(self, call: Call, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
        chunk = await anext(chunks, None)  # type: ignore[arg-type]
        stream = await open_stream(call, "text/plain")
        stopped = False
        try:
            while chunk is not None:
                await stream.write(chunk)
                chunk = await anext(chunks, None)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            if not stream.server_stops:
                raise
            stopped = True
        except SteersmanError as error:
            log.warning("log-stream-broken pod=%s/%s why=%s", call.route.namespace, call.route.name, error)
            stream.cut()
            raise ConnectionError("the log's source broke off") from None
        return await stream.end(uncancel=stopped)
