"""Watches: the door's events as lines of JSON, for as long as the client listens.

Owns the stream over HTTP: errors are an ERROR event once it has begun, and an HTTP error before. The lines are `master/api/lines.py`'s;
the order, the completeness and the selection of events are the door's.

The door refuses at once what it refuses (a bad selector, a revision that is gone), so that is an HTTP status; the headers then
go out without waiting for a first event, which may never come.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from common.clock import Rng
from common.errors import SteersmanError, Unavailable
from master.api.lines import Lines, error_line
from master.api.verbs import Events, Verbs
from master.rest import objects
from master.rest.call import Call
from master.rest.stream import open_stream

log = logging.getLogger(__name__)

DEFAULT_S = 1800
"""How long a watch lasts that says nothing of it: this, up to twice this; not all at the same moment."""

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
