"""Live byte streams from the agents, for the fronts: implements `master.api.streams.Streams` over the agents' second socket.

    logs() ─► Open, Credit(WINDOW) ─► Data… ─► the client reads a chunk ─► Credit(what was read) ─► … ─► End
                                                the client goes away ─► Cancel

Owns the streams and their credit. An agent sends no more than it was given, and more is given only as the client reads, so a slow
client stalls its own stream: not the socket, not its neighbours, not the heartbeats (they have another socket). An agent that sends
beyond its credit loses the stream. Streams end with their node's session.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from common.errors import BY_REASON, BadRequest, SteersmanError, Unavailable
from common.wire import codec, messages
from common.wire.transport import Inbound, Listener
from master.api.streams import LogRequest

log = logging.getLogger(__name__)

WINDOW = 256 * 1024
"""Bytes under way per stream."""

STREAMS_PER_NODE = 256


@dataclass(slots=True, eq=False)
class _Stream:
    """credit: what the agent may still send. over: False while it runs; then True, or the error it ended with."""

    node: str
    peer: bytes
    epoch: int
    credit: int = WINDOW
    chunks: deque[bytes] = field(default_factory=deque)
    over: SteersmanError | bool = False
    waiter: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> None:
        self.credit -= len(data)
        self.chunks.append(data)
        self._wake()

    def end(self, error: SteersmanError | None) -> None:
        if self.over is False:
            self.over = error or True
            self._wake()

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def next(self) -> bytes | None:
        """The next chunk, None at the end. What arrived before an error is given first."""
        while not self.chunks:
            if isinstance(self.over, SteersmanError):
                raise self.over
            if self.over:
                return None
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        return self.chunks.popleft()


class StreamHub:
    """epoch_of: the epoch of a node's control session, None when it has none."""

    def __init__(self, listener: Listener, *, epoch_of: Callable[[str], int | None]) -> None:
        self._listener = listener
        self._epoch_of = epoch_of
        self._peers: dict[str, bytes] = {}
        self._streams: dict[int, _Stream] = {}
        self._last = 0

    async def run(self) -> None:
        """Serve the stream socket until cancelled."""
        while True:
            inbound = await self._listener.receive()
            try:
                message: messages.Message = codec.decode(inbound.body, messages.STREAM_FROM_AGENT)
            except BadRequest as error:
                log.warning("stream-garbage identity=%s address=%s why=%s", inbound.identity, inbound.address, error)
                self._listener.drop(inbound.peer)
                continue
            await self._received(inbound, message)

    async def _received(self, inbound: Inbound, message: messages.Message) -> None:
        node = inbound.identity.removeprefix("node:")
        epoch = self._epoch_of(node)
        if isinstance(message, messages.StreamHello):
            if message.node != node or epoch is None or message.epoch != epoch:
                refused = messages.Refused("Expired", "this epoch is over: say hello on the control socket first", retry=True)
                await self._listener.send(inbound.peer, codec.encode(refused))
            elif self._peers.get(node) != inbound.peer:
                self.lost(node)
                self._peers[node] = inbound.peer
            return
        if not isinstance(message, messages.Data | messages.End) or message.epoch != epoch:
            return
        stream = self._streams.get(message.stream)
        if stream is None or stream.peer != inbound.peer:
            # Nobody reads it any more: tell once more, as the first telling may have been lost.
            if isinstance(message, messages.Data) and self._peers.get(node) == inbound.peer:
                await self._listener.send(inbound.peer, codec.encode(messages.Cancel(message.epoch, message.stream)))
        elif isinstance(message, messages.End):
            stream.end(BY_REASON.get(message.reason, SteersmanError)(message.message) if message.reason else None)
        elif len(message.data) > stream.credit:
            stream.end(Unavailable(f"node {node} sent more than it was allowed to: the stream was closed"))
            log.warning("stream-overrun node=%s stream=%d", node, message.stream)
        else:
            stream.put(message.data)

    def lost(self, node: str) -> None:
        """The node's session, or its stream socket, is over. Idempotent."""
        self._peers.pop(node, None)
        for stream in self._streams.values():
            if stream.node == node:
                stream.end(Unavailable(f"the connection to node {node} was lost"))

    async def logs(self, node: str, request: LogRequest) -> AsyncIterator[bytes]:
        """See `master.api.streams`."""
        async for chunk in self._open(node, "logs", codec.to_map(request)):
            yield chunk

    async def _open(self, node: str, kind: str, request: dict[str, object]) -> AsyncIterator[bytes]:
        peer, epoch = self._peers.get(node), self._epoch_of(node)
        if peer is None or epoch is None:
            raise Unavailable(f"node {node} is not connected: its logs cannot be read now")
        if sum(stream.node == node for stream in self._streams.values()) >= STREAMS_PER_NODE:
            raise Unavailable(f"node {node} has {STREAMS_PER_NODE} open streams already; close some")
        self._last += 1
        number, stream = self._last, _Stream(node, peer, epoch)
        self._streams[number] = stream
        try:
            await self._send(stream, messages.Open(epoch, number, kind, request))
            await self._send(stream, messages.Credit(epoch, number, WINDOW))
            read = 0
            while (chunk := await stream.next()) is not None:
                yield chunk
                read += len(chunk)
                if read >= WINDOW // 4 and stream.over is False:
                    stream.credit += read
                    await self._send(stream, messages.Credit(epoch, number, read))
                    read = 0
        finally:
            del self._streams[number]
            if stream.over is False:
                await self._listener.send(peer, codec.encode(messages.Cancel(epoch, number)))

    async def _send(self, stream: _Stream, message: messages.Message) -> None:
        if not await self._listener.send(stream.peer, codec.encode(message)):
            self.lost(stream.node)
