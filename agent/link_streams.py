"""The agent's end of the stream socket: serves the master's streams, each within its credit, both ways.

    Open ─► StreamServer.serve ─► wait for credit ─► Data ─► … ─► End          Cancel ─► its task is cancelled
                 ▲ Data, as the stream asks for it ◄─ within the credit we gave

Owns the socket and one task per stream; credit is `flow.py`'s. A stream without credit waits by itself: its neighbours and the control
socket (another connection) go on. StreamHello is repeated, so that a socket which broke and reconnected underneath is known again; what
was under way on the old one is over, and the master says so by Cancel when more of it comes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from common.aio.tasks import TaskGroup
from common.errors import BadRequest, SteersmanError, Unavailable
from common.wire import codec, messages
from common.wire.flow import Flow
from common.wire.transport import Connection, Dialer

log = logging.getLogger(__name__)

STREAMS_AT_ONCE = 1024
FULL_S = 10.0
FULL_STEP_S = 0.005
"""A full queue of the socket drains as the master reads; the stream waits so long for it, and looks so often."""


class Stream(Protocol):
    """What a stream's server is given: `common.wire.flow.Flow`."""

    async def send(self, data: bytes, channel: int = 0) -> None: ...

    async def accept(self) -> None: ...

    async def receive(self) -> tuple[int, bytes] | None: ...


class Server(Protocol):
    """`agent.link.StreamServer`, seen from here."""

    async def serve(self, kind: str, request: dict[str, Any], stream: Stream) -> None: ...


class _Running:
    """A stream and its task."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.task: asyncio.Task[None] | None = None


class StreamLink:
    def __init__(self, dialer: Dialer, server: Server, *, node: str) -> None:
        self._dialer = dialer
        self._server = server
        self._node = node

    async def run(self, epoch: int, *, again_s: float) -> None:
        """Serve one session until cancelled. again_s: how often StreamHello is repeated."""
        connection = await self._dialer.dial("stream")
        running: dict[int, _Running] = {}
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
                    else:
                        _bring(running, message)
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
        self, group: TaskGroup, connection: Connection, *, running: dict[int, _Running], message: messages.Open
    ) -> None:  # fmt: skip
        if message.stream in running:
            return
        if len(running) >= STREAMS_AT_ONCE:
            refused = messages.End(message.epoch, message.stream, Unavailable.reason, f"node {self._node} has too many open streams")
            await _send(connection, refused)
            return
        made = _Running(Flow(message.epoch, message.stream, lambda out: _send(connection, out)))
        running[message.stream] = made
        made.task = group.start(self._serve(connection, running, message), name=f"stream-{message.stream}")

    async def _serve(self, connection: Connection, running: dict[int, _Running], message: messages.Open) -> None:
        flow, reason, why = running[message.stream].flow, "", ""
        try:
            await self._server.serve(message.kind, message.request, flow)
        except SteersmanError as error:
            reason, why = error.reason, error.message
        except OSError as error:
            reason, why = "InternalError", f"node {self._node}: {error.strerror or error}"
        finally:
            running.pop(message.stream, None)
        await _send(connection, messages.End(message.epoch, message.stream, reason, why))


def _bring(running: dict[int, _Running], message: messages.Message) -> None:
    found = running.get(getattr(message, "stream", 0))
    if found is None:
        return
    if isinstance(message, messages.Credit):
        found.flow.credit(message.bytes)
    elif isinstance(message, messages.Data):
        try:
            found.flow.put(message.channel, message.data)
        except Unavailable as error:
            found.flow.end(error)
    elif isinstance(message, messages.Cancel):
        running.pop(message.stream)
        if found.task is not None:
            found.task.cancel()


async def _send(connection: Connection, message: messages.Message) -> None:
    """Wait while the socket's queue is full. Raises Unavailable when it stays so, or the socket is closed."""
    body, deadline = codec.encode(message), asyncio.get_running_loop().time() + FULL_S
    while True:
        try:
            return await connection.send(body)
        except Unavailable:
            if asyncio.get_running_loop().time() >= deadline:
                raise
        await asyncio.sleep(FULL_STEP_S)
