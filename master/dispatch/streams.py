"""Live byte streams from and to the agents, for the fronts: implements `master.api.streams.Streams` over the agents' second socket.

    logs() ─► Open, Credit(WINDOW) ─► Data… ─► the client reads a chunk ─► Credit(what was read) ─► … ─► End
    talk() ─► Open, Credit(WINDOW) ─► the agent's first Credit: it has begun ─► Data in both directions ─► End
                                                the client goes away ─► Cancel

Owns the streams; their credit is `flow.py`'s. Nobody sends more than it was given, and more is given only as it is read, so a slow
client stalls its own stream: not the socket, not its neighbours, not the heartbeats (they have another socket). An agent that sends
beyond its credit loses the stream. Streams end with their node's session.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from common.errors import BY_REASON, BadRequest, SteersmanError, Timeout, Unavailable
from common.wire import codec, messages
from common.wire.flow import Flow
from common.wire.requests import KINDS, LogRequest, TalkRequest
from common.wire.transport import Inbound, Listener

log = logging.getLogger(__name__)

STREAMS_PER_NODE = 1024
BEGIN_S = 30.0
"""How long a node may take to begin a conversation."""
FULL_S = 10.0
FULL_STEP_S = 0.005
"""A full queue of the socket drains as the agent reads; the stream waits so long for it, and looks so often."""
_WORDS = {shape: word for word, shape in KINDS.items()}


class _Stream(Flow):
    """A flow, and whose it is."""

    def __init__(self, hub: StreamHub, node: str, *, peer: bytes, epoch: int, number: int) -> None:
        super().__init__(epoch, number, lambda message: hub.send(self, message))
        self.node = node
        self.peer = peer


class StreamHub:
    """epoch_of: the epoch of a node's control session, None when it has none."""

    def __init__(self, listener: Listener, *, epoch_of: Callable[[str], int | None]) -> None:
        self._listener = listener
        self._epoch_of = epoch_of
        self._peers: dict[str, bytes] = {}
        self._streams: dict[int, _Stream] = {}
        self._open_of: Counter[str] = Counter()
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
        if not isinstance(message, messages.Data | messages.Credit | messages.End) or message.epoch != epoch:
            return
        stream = self._streams.get(message.stream)
        if stream is None or stream.peer != inbound.peer:
            # Nobody reads it any more: tell once more, as the first telling may have been lost.
            if isinstance(message, messages.Data) and self._peers.get(node) == inbound.peer:
                await self._listener.send(inbound.peer, codec.encode(messages.Cancel(message.epoch, message.stream)))
        elif isinstance(message, messages.End):
            stream.end(BY_REASON.get(message.reason, SteersmanError)(message.message) if message.reason else None)
        elif isinstance(message, messages.Credit):
            stream.credit(message.bytes)
        else:
            self._bring(stream, message)

    def _bring(self, stream: _Stream, message: messages.Data) -> None:
        try:
            stream.put(message.channel, message.data)
        except Unavailable:
            stream.end(Unavailable(f"node {stream.node} sent more than it was allowed to: the stream was closed"))
            log.warning("stream-overrun node=%s stream=%d", stream.node, message.stream)

    def lost(self, node: str) -> None:
        """The node's session, or its stream socket, is over. Idempotent."""
        self._peers.pop(node, None)
        for stream in self._streams.values():
            if stream.node == node:
                stream.end(Unavailable(f"the connection to node {node} was lost"))

    async def logs(self, node: str, request: LogRequest) -> AsyncIterator[bytes]:
        """See `master.api.streams`."""
        async with self._open(node, request) as stream:
            while (received := await stream.receive()) is not None:
                yield received[1]

    @asynccontextmanager
    async def talk(self, node: str, request: TalkRequest) -> AsyncIterator[Flow]:
        """See `master.api.streams`."""
        async with self._open(node, request) as stream:
            try:
                async with asyncio.timeout(BEGIN_S):
                    await stream.accepted()
            except TimeoutError:
                raise Timeout(f"node {node} did not begin within {BEGIN_S:g} s") from None
            yield stream

    @asynccontextmanager
    async def _open(self, node: str, request: LogRequest | TalkRequest) -> AsyncIterator[_Stream]:
        peer, epoch = self._peers.get(node), self._epoch_of(node)
        if peer is None or epoch is None:
            raise Unavailable(f"node {node} is not connected: its pods' logs, exec, attach and ports cannot be reached now")
        if self._open_of[node] >= STREAMS_PER_NODE:
            raise Unavailable(f"node {node} has {STREAMS_PER_NODE} open streams already; close some")
        self._last += 1
        number = self._last
        stream = self._streams[number] = _Stream(self, node, peer=peer, epoch=epoch, number=number)
        self._open_of[node] += 1
        try:
            await self.send(stream, messages.Open(epoch, number, _WORDS[type(request)], codec.to_map(request)))
            await stream.accept()
            yield stream
        finally:
            del self._streams[number]
            self._open_of[node] -= 1
            if not self._open_of[node]:
                del self._open_of[node]
            if stream.over is False:
                stream.end()
                await self._listener.send(peer, codec.encode(messages.Cancel(epoch, number)))

    async def send(self, stream: _Stream, message: messages.Message) -> None:
        """Waits while the socket's queue is full. When it stays so, the node's streams are over, and their readers are told."""
        body, deadline = codec.encode(message), asyncio.get_running_loop().time() + FULL_S
        while not await self._listener.send(stream.peer, body):
            if stream.over is not False:
                return
            if asyncio.get_running_loop().time() >= deadline or self._peers.get(stream.node) != stream.peer:
                self.lost(stream.node)
                return
            await asyncio.sleep(FULL_STEP_S)
