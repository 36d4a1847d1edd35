"""One HTTP connection behind the gate: aiohttp's protocol, with its caller, its one stream, and our words for its errors.

Owns what aiohttp leaves open: a stream (a watch, a followed log) ends when its client is gone or the server stops, and only a
stream is cut short like that, because a write under way must come to its end; malformed requests and bugs are answered
with a Status, without internals, and logged.

A connection that sends no complete request for KEEPALIVE_S is closed, whether it is new, idle, or dribbling headers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from common.errors import BadRequest
from master.api.metrics import Labels
from master.rest import reply
from master.rest.callers import Certified
from master.rest.complaints import Complaints
from master.rest.routes import Route

log = logging.getLogger(__name__)

KEEPALIVE_S = 100.0
LINGER_S = 2.0
MAX_LINE = 64 * 1024
MAX_FIELD = 32 * 1024
MAX_HEADERS = 100

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """caller: of the client certificate. left: called once when the connection is gone. stream: the task that streams to it.
    over: the server stops; a stream that is cancelled ends its answer properly. route, lasting: what the present request asks for, for
    those who count. noted: the request that the log tells of already."""

    __slots__ = ("address", "caller", "complaints", "lasting", "left", "noted", "over", "route", "stream")

    def __init__(self, server: HttpServer, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server, loop=loop, access_log=None, keepalive_timeout=KEEPALIVE_S, lingering_time=LINGER_S, tcp_keepalive=False,
            max_line_size=MAX_LINE, max_field_size=MAX_FIELD, max_headers=MAX_HEADERS, auto_decompress=False,
        )  # fmt: skip
        self.caller: Certified | None = None
        self.left: Callable[[], None] | None = None
        self.stream: asyncio.Task[None] | None = None
        self.noted: web.BaseRequest | None = None
        self.over = False
        self.address = "unknown"
        self.route: Route | None = None
        self.lasting: Labels | None = None
        self.complaints = server.complaints

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        if peer:
            self.address = str(peer[0])
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self.stream is not None:
            self.stream.cancel()
        left, self.left = self.left, None
        if left is not None:
            left()

    def end_stream(self) -> None:
        """The server stops: end the stream as if its time had come."""
        self.over = True
        if self.stream is not None:
            self.stream.cancel()

    def answer_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """aiohttp's hook for what it could not parse (400) and for what our code raised (500)."""
        if isinstance(exc, ConnectionError):
            raise ConnectionError("the client is gone") from exc
        if status >= 500 and request.writer.output_size > 0:
            log.error("answer-died method=%s path=%s", request.method, request.path, exc_info=exc)
            raise ConnectionError("an answer had begun; it is cut off")
        if status < 500:
            self.complaints.about(self.address, "https-malformed", message or exc)
            response = reply.failure(BadRequest("the request is not well-formed HTTP, or its headers are too large"))
        else:
            log.error("request-died method=%s path=%s", request.method, request.path, exc_info=exc)
            response = reply.bug()
        response.force_close()
        return response

    handle_error = answer_error


class HttpServer(web.Server):
    """aiohttp's low-level server: no router, no middlewares; `answer` gets every request."""

    def __init__(self, answer: Answer, *, complaints: Complaints) -> None:
        super().__init__(answer)
        self.complaints = complaints
        self._event_loop = asyncio.get_running_loop()

    def __call__(self) -> Connection:
        return Connection(self, loop=self._event_loop)

    async def stop(self, timeout_s: float) -> None:
        """End streams, let requests under way finish for `timeout_s`, close everything."""
        for connection in self.connections:
            assert isinstance(connection, Connection)
            connection.end_stream()
        self.pre_shutdown()  # idle connections end now, the others after their answer
        await self.shutdown(timeout_s)
