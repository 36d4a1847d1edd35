"""exec's and attach's channels as the client sees them: WebSocket messages that begin with a channel's number, or SPDY streams.

    WebSocket   v5, v4, channel.k8s.io      a byte for the channel, then its data; in v5 255 and a channel: that one has ended
    SPDY        v4, v3, v2, v1              a stream each, named by its header streamtype; its FIN is the channel's end

Owns both forms and what their older versions lack: no exit codes before v4 (a sentence instead), no sizes before v3. Both look alike
from inside: `receive`, `send`, `finish`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from aiohttp import hdrs, web

from common.errors import Timeout
from common.wire import spdy
from common.wire.flow import RESIZE, STATUS, STDERR, STDIN, STDOUT
from master.rest import upgrade
from master.rest.call import Call

V5, V4, V3, V2, V1 = (f"v{number}.channel.k8s.io" for number in (5, 4, 3, 2, 1))
PLAIN = "channel.k8s.io"
CLOSE_CHANNEL = 255
STREAMS_S = 30.0
"""How long a client may take to open the streams that it asked for."""
MAX_EARLY = 1024
LINGER_S = 3.0
"""How long a client may take to read the rest and close, before its connection is closed."""
NAMES = {"error": STATUS, "stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "resize": RESIZE}


class _Ended(msgspec.Struct, frozen=True):
    """Of a Status."""

    status: str = ""
    message: str = ""


class Channels(Protocol):
    """The client's side of exec or attach."""

    @property
    def response(self) -> web.StreamResponse:
        """What the request's answer must return."""

    async def receive(self) -> tuple[int, bytes] | None:
        """A channel and its bytes (empty: it has ended); None when the client is gone."""

    async def send(self, channel: int, data: bytes) -> None:
        """Raises ConnectionError when the client is gone."""

    async def finish(self, status: bytes) -> None:
        """The end, told as a Status document in JSON; then close."""


def _sentence(status: bytes) -> bytes:
    """What versions before v4 are told: nothing of a success, else the message."""
    ended = msgspec.json.decode(status, type=_Ended)
    return b"" if ended.status == "Success" else ended.message.encode()


async def open_channels(call: Call, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> Channels:
    """Answer 101 and set the channels up. Raises BadRequest before that, Timeout after it."""
    if upgrade.is_websocket(call):
        client = upgrade.offered(call, hdrs.SEC_WEBSOCKET_PROTOCOL)
        protocol = upgrade.agreed(client, (V5, V4, PLAIN)) if client else ""
        made = WebSocketChannels(await upgrade.websocket(call, protocol=protocol), protocol)
        await made.greet(STDOUT if stdout else STDERR if stderr else STATUS)
        return made
    client = upgrade.offered(call, upgrade.VERSION_HEADER)
    protocol = upgrade.agreed(client, (V4, V3, V2, V1)) if client else ""
    pipe = await upgrade.raw(call, protocol=protocol)
    sized = tty and protocol in (V4, V3)
    asked = {STATUS: True, STDIN: stdin, STDOUT: stdout, STDERR: stderr, RESIZE: sized}
    channels = SpdyChannels(pipe, protocol)
    await channels.gather({channel for channel, wanted in asked.items() if wanted})
    return channels


class WebSocketChannels:
    def __init__(self, response: web.WebSocketResponse, protocol: str) -> None:
        self.response = response
        self._protocol = protocol

    async def greet(self, channel: int) -> None:
        """An empty message, which some clients wait for."""
        await self.response.send_bytes(bytes([channel]))

    async def receive(self) -> tuple[int, bytes] | None:
        while (data := await upgrade.message(self.response)) is not None:
            if self._protocol == V5 and len(data) >= 2 and data[0] == CLOSE_CHANNEL:
                return data[1], b""
            if len(data) > 1:
                return data[0], data[1:]
        return None

    async def send(self, channel: int, data: bytes) -> None:
        if data:  # there is no word for a channel's end in this direction
            await self.response.send_bytes(bytes([channel]) + data)

    async def finish(self, status: bytes) -> None:
        told = status if self._protocol in (V5, V4) else _sentence(status)
        if told:
            await self.response.send_bytes(bytes([STATUS]) + told)
        await self.response.close()


class SpdyServer:
    """The streams that a client opens on a pipe: each is answered, as are pings."""

    def __init__(self, pipe: upgrade.Pipe) -> None:
        self._pipe = pipe
        self._session = spdy.Session(client=False)

    async def events(self) -> AsyncIterator[spdy.Event]:
        """Until the client closes. Raises ConnectionError when it does not speak SPDY."""
        while data := await self._pipe.read():
            try:
                events = self._session.feed(data)
            except spdy.Fault as fault:
                raise ConnectionError(fault.message) from None
            for event in events:
                if isinstance(event, spdy.Pinged):
                    await self._pipe.write(spdy.pong(event.ping))
                    continue
                if isinstance(event, spdy.Opened):
                    await self._pipe.write(self._session.reply(event.stream))
                yield event

    async def data(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        await self._pipe.write(spdy.data(stream, data, fin=fin))

    async def reset(self, stream: int, status: int) -> None:
        await self._pipe.write(spdy.reset(stream, status))


class SpdyChannels:
    def __init__(self, pipe: upgrade.RawPipe, protocol: str) -> None:
        self.response = pipe.response
        self._protocol = protocol
        self._server = SpdyServer(pipe)
        self._events = self._server.events()
        self._channel_of: dict[int, int] = {}
        self._stream_of: dict[int, int] = {}
        self._early: deque[spdy.Event] = deque()

    async def gather(self, wanted: set[int]) -> None:
        """Wait until the client has opened these channels. Raises Timeout, ConnectionError."""
        early = 0
        try:
            async with asyncio.timeout(STREAMS_S):
                while not wanted <= self._stream_of.keys():
                    event = await anext(self._events, None)
                    if event is None:
                        raise ConnectionError("the client is gone")
                    if isinstance(event, spdy.Opened):
                        await self._opened(event)
                    elif isinstance(event, spdy.Received | spdy.Reset) and event.stream in self._channel_of:
                        self._early.append(event)
                        early += len(event.data) if isinstance(event, spdy.Received) else 0
                    if early > upgrade.WAITING_BYTES or len(self._early) > MAX_EARLY:
                        raise ConnectionError("the client sends and does not open its streams")
        except TimeoutError:
            raise Timeout(f"the client did not open its streams within {STREAMS_S:g} s") from None

    async def _opened(self, event: spdy.Opened) -> None:
        channel = NAMES.get(event.headers.get("streamtype", ""))
        if channel is None or channel in self._stream_of:
            await self._server.reset(event.stream, spdy.REFUSED)
            return
        self._channel_of[event.stream] = channel
        self._stream_of[channel] = event.stream

    async def receive(self) -> tuple[int, bytes] | None:
        while (event := self._early.popleft() if self._early else await anext(self._events, None)) is not None:
            if isinstance(event, spdy.Opened):
                await self._opened(event)
            elif isinstance(event, spdy.Received | spdy.Reset) and event.stream in self._channel_of:
                channel = self._channel_of[event.stream]
                ended = isinstance(event, spdy.Reset) or event.fin
                if ended:
                    del self._channel_of[event.stream]
                if isinstance(event, spdy.Received) and event.data:
                    if ended:
                        self._early.appendleft(spdy.Received(event.stream, b"", True))
                        self._channel_of[event.stream] = channel
                    return channel, event.data
                if ended:
                    return channel, b""
        return None

    async def send(self, channel: int, data: bytes) -> None:
        stream = self._stream_of.get(channel)
        if stream is not None and data:
            await self._server.data(stream, data)

    async def finish(self, status: bytes) -> None:
        told = status if self._protocol == V4 else _sentence(status)
        for channel in (STDOUT, STDERR):
            if channel in self._stream_of:
                await self._server.data(self._stream_of[channel], b"", fin=True)
        await self._server.data(self._stream_of[STATUS], told, fin=True)
        # Closed at once, with input unread, the connection would be reset under what the client has not read yet.
        try:
            async with asyncio.timeout(LINGER_S):
                while await anext(self._events, None) is not None:
                    pass
        except (TimeoutError, ConnectionError):
            pass
