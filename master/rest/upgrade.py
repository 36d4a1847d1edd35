"""A request that becomes something else: the connection is taken over, as raw bytes or as a WebSocket.

Owns what both have in common with other streams (they end with their client, and with the server) and the reading side of a raw
connection, whose bytes wait here, bounded, until somebody asks for them: while they wait, nothing more is read from the client.

Subtle: aiohttp has no public way to take a connection over. Like its own WebSocket code we give its protocol a parser of ours;
that hook is stable but not promised, so `test_streams.py` fails first when it changes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from aiohttp import WSMsgType, hdrs, web

from common.errors import BadRequest
from master.rest import accesses
from master.rest.call import Call

SPDY = "SPDY/3.1"
VERSION_HEADER = "X-Stream-Protocol-Version"
WAITING_BYTES = 128 * 1024
MAX_MESSAGE = 4 << 20
CLOSE_S = 3.0
NO_UPGRADE = "Upgrade request required"


class Pipe(Protocol):
    """Bytes both ways."""

    async def read(self) -> bytes:
        """The next ones; none at the end."""

    async def write(self, data: bytes) -> None:
        """Waits while the client is slow. Raises ConnectionError when it is gone."""


def is_websocket(call: Call) -> bool:
    """Raises BadRequest unless the request asks for one of the two upgrades."""
    wanted = call.request.headers.get(hdrs.UPGRADE, "").strip().lower()
    if wanted not in ("websocket", SPDY.lower()) or "upgrade" not in call.request.headers.get(hdrs.CONNECTION, "").lower():
        raise BadRequest(NO_UPGRADE)
    return wanted == "websocket"


def offered(call: Call, header: str) -> list[str]:
    """Protocols that the client speaks, as it prefers them: one header or several, with commas or without."""
    return [word.strip() for value in call.request.headers.getall(header, []) for word in value.split(",") if word.strip()]


def agreed(client: Sequence[str], server: Sequence[str]) -> str:
    """The first of ours that the client speaks. Raises BadRequest."""
    for protocol in server:
        if protocol in client:
            return protocol
    raise BadRequest(f"unable to negotiate protocol: client supports {list(client)}, server accepts {list(server)}")


def _begin(call: Call) -> None:
    """From here on the connection's end cancels this task."""
    connection = call.request.protocol
    connection.stream = asyncio.current_task()  # type: ignore[attr-defined]
    if call.request.transport is None or connection.over:  # type: ignore[attr-defined]
        raise ConnectionError("the connection ended before the stream began")


class _Inbox:
    """What aiohttp's protocol feeds once the connection is ours."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._over = False
        self._news = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._waiting.append(bytes(data))
        self._size += len(data)
        if self._size > WAITING_BYTES:
            self._transport.pause_reading()
        self._news.set()
        return False, b""

    def feed_eof(self) -> None:
        self._over = True
        self._news.set()

    async def read(self) -> bytes:
        while not self._waiting:
            if self._over:
                return b""
            self._news.clear()
            await self._news.wait()
        data = self._waiting.popleft()
        self._size -= len(data)
        if self._size <= WAITING_BYTES and not self._transport.is_closing():
            self._transport.resume_reading()
        return data


class RawPipe:
    """`response` is what the request's answer must return at the end."""

    def __init__(self, response: web.StreamResponse, inbox: _Inbox) -> None:
        self.response = response
        self._inbox = inbox

    async def read(self) -> bytes:
        return await self._inbox.read()

    async def write(self, data: bytes) -> None:
        await self.response.write(data)


async def raw(call: Call, *, protocol: str) -> RawPipe:
    """Answer 101 and take the connection over. protocol "": the client named none."""
    request = call.request
    _begin(call)
    headers = {hdrs.UPGRADE: SPDY, hdrs.CONNECTION: "Upgrade", **({VERSION_HEADER: protocol} if protocol else {})}
    response = web.StreamResponse(status=101, headers=headers)
    response.force_close()
    assert request.transport is not None
    inbox = _Inbox(request.transport)
    request.protocol.set_parser(inbox)  # type: ignore[arg-type]
    request.protocol.keep_alive(False)
    accesses.note(request, response.status)
    await response.prepare(request)
    return RawPipe(response, inbox)


async def websocket(call: Call, *, protocol: str) -> web.WebSocketResponse:
    """Answer 101 and speak WebSocket."""
    _begin(call)
    response = web.WebSocketResponse(
        protocols=(protocol,) if protocol else (), max_msg_size=MAX_MESSAGE, compress=False, timeout=CLOSE_S
    )
    try:
        await response.prepare(call.request)
    except web.HTTPException as error:
        raise BadRequest(error.text or "not a WebSocket handshake") from None
    accesses.note(call.request, response.status)
    return response


async def message(response: web.WebSocketResponse) -> bytes | None:
    """The next message, text taken as its bytes; None when the client has ended it."""
    received = await response.receive()
    if received.type is WSMsgType.BINARY:
        return bytes(received.data)
    if received.type is WSMsgType.TEXT:
        return str(received.data).encode()
    return None


class WebSocketPipe:
    """A byte stream in WebSocket messages."""

    def __init__(self, response: web.WebSocketResponse) -> None:
        self.response = response

    async def read(self) -> bytes:
        while (data := await message(self.response)) is not None:
            if data:
                return data
        return b""

    async def write(self, data: bytes) -> None:
        await self.response.send_bytes(data)
