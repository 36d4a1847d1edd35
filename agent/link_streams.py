"""The agent's end of the stream socket: serves the master's streams, each within its credit.

    Open ─► StreamServer.open ─► a chunk ─► wait for credit ─► Data ─► … ─► End          Cancel ─► closed

Owns the socket, the credit and one task per stream. A stream without credit waits by itself: its neighbours and the control socket
(another connection) go on. StreamHello is repeated, so that a socket which broke and reconnected underneath is known again; what was
under way on the old one is over, and the master says so by Cancel when more of it comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Protocol

from common.aio.tasks import TaskGroup
from common.errors import BadRequest, SteersmanError, Unavailable
from common.wire import codec, messages
from common.wire.transport import Connection, Dialer

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
STREAMS_AT_ONCE = 256


class Server(Protocol):
    """`agent.link.StreamServer`, seen from here."""

    def open(self, kind: str, request: dict[str, Any]) -> AsyncIterator[bytes]: ...


class _Credit:
    """Bytes that one stream may still send."""

    def __init__(self) -> None:
        self._left = 0
        self._more = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def add(self, count: int) -> None:
        self._left += count
        self._more.set()

    async def take(self, wanted: int) -> int:
        """At least one byte's worth, at most `wanted`; waits while there is none."""
        while self._left <= 0:
            self._more.clear()
            await self._more.wait()
        taken = min(self._left, wanted)
        self._left -= taken
        return taken


class StreamLink:
    def __init__(self, dialer: Dialer, server: Server, *, node: str) -> None:
        self._dialer = dialer
        self._server = server
        self._node = node

    async def run(self, epoch: int, *, again_s: float) -> None:
        """Serve one session until cancelled. again_s: how often StreamHello is repeated."""
        connection = await self._dialer.dial("stream")
        running: dict[int, _Credit] = {}
        try:
            async with TaskGroup() as group:
                group.start(self._greet(connection, epoch, again_s), name="stream-hello")
                while True:
                    body = await connection.receive()
                    try:
                        message: messages.Message = codec.decode(body, messages.STREAM_FROM_MASTER)
                    except BadRequest as error:
                        log.warning("stream-message-not-understood node=%s why=%s", self._node, error)
                        continue
                    if getattr(message, "epoch", None) != epoch:
                        continue  # of another session, or a refusal: the control socket sees to a new one
                    if isinstance(message, messages.Open):
                        await self._open(group, connection, running=running, message=message)
                    elif isinstance(message, messages.Credit) and message.stream in running:
                        running[message.stream].add(message.bytes)
                    elif isinstance(message, messages.Cancel) and message.stream in running:
                        task = running.pop(message.stream).task
                        if task is not None:
                            task.cancel()
        finally:
            await connection.close()

    async def _greet(self, connection: Connection, epoch: int, again_s: float) -> None:
        while True:
            try:
                await connection.send(codec.encode(messages.StreamHello(epoch, self._node)))
            except Unavailable:
                log.debug("stream-hello-waits node=%s", self._node)
            await asyncio.sleep(again_s)

    async def _open(
        self, group: TaskGroup, connection: Connection, *, running: dict[int, _Credit], message: messages.Open
    ) -> None:  # fmt: skip
        if message.stream in running:
            return
        if len(running) >= STREAMS_AT_ONCE:
            refused = messages.End(message.epoch, message.stream, Unavailable.reason, f"node {self._node} has too many open streams")
            await connection.send(codec.encode(refused))
            return
        credit = running[message.stream] = _Credit()
        credit.task = group.start(self._stream(connection, running, message), name=f"stream-{message.stream}")

    async def _stream(self, connection: Connection, running: dict[int, _Credit], message: messages.Open) -> None:
        credit, reason, why = running[message.stream], "", ""
        try:
            chunks = self._server.open(message.kind, message.request)
            try:
                async for chunk in chunks:
                    view = memoryview(chunk)
                    while len(view):
                        taken = await credit.take(min(CHUNK, len(view)))
                        data = messages.Data(message.epoch, message.stream, bytes(view[:taken]))
                        await connection.send(codec.encode(data))
                        view = view[taken:]
            finally:
                await chunks.aclose()  # type: ignore[attr-defined]
        except SteersmanError as error:
            reason, why = error.reason, error.message
        except OSError as error:
            reason, why = "InternalError", f"node {self._node}: {error.strerror}"
        finally:
            running.pop(message.stream, None)
        await connection.send(codec.encode(messages.End(message.epoch, message.stream, reason, why)))
