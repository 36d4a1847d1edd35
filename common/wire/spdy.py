"""SPDY/3.1, as much of it as exec, attach and port-forward use: frames to events and back. No input or output of its own.

    bytes in ─► Session.feed ─► Opened, Replied, Received, Reset, Pinged, Gone       open, reply, data, reset, pong, goaway ─► bytes out

After the SPDY/3.1 draft. The master is a server to kubectl with it, the agent a client of containerd. Headers of one direction share
one zlib stream, with the dictionary that the draft gives, so a session's frames must be fed and sent in order. Data is handed on as
it arrives, in pieces, so no frame is ever held whole but those with headers, which are bounded before and after unpacking.

Subtle: windows are not kept. The peers (kubectl, client-go, containerd) neither send nor heed them; the connection's own back-pressure
holds for all its streams.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import msgspec

from common.errors import BadRequest

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 0x01
PROTOCOL_ERROR, REFUSED, CANCEL = 1, 3, 5
"""Status codes of RST_STREAM."""
MAX_CONTROL = 16 * 1024
MAX_HEADERS = 16 * 1024
MAX_PAIRS = 64
MAX_DATA = (1 << 24) - 1
_HEAD = 8

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length content-location "
    "content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer "
    "retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
).split() + ["200 OK"] + "version HTTP/1.1 url public set-cookie keep-alive origin".split()  # fmt: skip
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(name)) + name.encode() for name in _NAMES) + _REST.encode()


class Fault(BadRequest):
    """The peer does not speak SPDY/3.1 as it should: the connection is of no more use."""


class Opened(msgspec.Struct, frozen=True):
    """The peer began a stream. Header names are in lower case; several values of one are separated by NUL."""

    stream: int
    headers: dict[str, str]
    fin: bool = False


class Replied(msgspec.Struct, frozen=True):
    stream: int


class Received(msgspec.Struct, frozen=True):
    """A piece of a stream. fin: the peer's last; data may then be empty."""

    stream: int
    data: bytes
    fin: bool = False


class Reset(msgspec.Struct, frozen=True):
    stream: int
    status: int


class Pinged(msgspec.Struct, frozen=True):
    """To be answered by `pong`; what answers a ping of ours looks alike, and we send none."""

    ping: int


class Gone(msgspec.Struct, frozen=True):
    """The peer opens no more streams; those that are open go on."""


Event = Opened | Replied | Received | Reset | Pinged | Gone


class Session:
    """One connection. client: the streams that `open` makes have odd numbers, and the peer's even ones."""

    def __init__(self, *, client: bool) -> None:
        self._last = -1 if client else 0
        self._peers_last = 0 if client else -1
        self._buffer = bytearray()
        self._data_left = 0
        self._data_stream = 0
        self._data_fin = False
        self._pack = zlib.compressobj(level=6, zdict=DICTIONARY)
        self._unpack = zlib.decompressobj(zdict=DICTIONARY)

    # In.

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete, in order. Raises Fault; the session cannot be used after that."""
        self._buffer += data
        events: list[Event] = []
        while (event := self._next()) is not None:
            if event is not _NOTHING:
                events.append(event)
        return events

    def _next(self) -> Event | None:
        """None: more bytes are needed."""
        buffer = self._buffer
        if self._data_left:
            return self._piece() if buffer else None
        if len(buffer) < _HEAD:
            return None
        first, second = struct.unpack_from(">II", buffer)
        flags, length = second >> 24, second & 0xFFFFFF
        if not first >> 31:
            return self._data_frame(first, flags, length)
        if length > MAX_CONTROL:
            raise Fault(f"a SPDY frame of {length} bytes; at most {MAX_CONTROL} are accepted")
        if first >> 16 & 0x7FFF != VERSION:
            raise Fault(f"SPDY version {first >> 16 & 0x7FFF}; only {VERSION} is spoken here")
        if len(buffer) < _HEAD + length:
            return None
        body = bytes(buffer[_HEAD : _HEAD + length])
        del buffer[: _HEAD + length]
        return self._control(first & 0xFFFF, bool(flags & FIN), body)

    def _data_frame(self, stream: int, flags: int, length: int) -> Event:
        del self._buffer[:_HEAD]
        self._data_left, self._data_stream, self._data_fin = length, stream, bool(flags & FIN)
        if length:
            return _NOTHING
        return Received(stream, b"", self._data_fin)

    def _piece(self) -> Event:
        piece = bytes(self._buffer[: self._data_left])
        del self._buffer[: len(piece)]
        self._data_left -= len(piece)
        return Received(self._data_stream, piece, self._data_fin and not self._data_left)

    def _control(self, kind: int, fin: bool, body: bytes) -> Event:
        least = {SYN_STREAM: 10, SYN_REPLY: 4, RST_STREAM: 8, PING: 4, GOAWAY: 8, HEADERS: 4}.get(kind, 0)
        if len(body) < least:
            raise Fault(f"a SPDY frame of kind {kind} with {len(body)} bytes")
        number = int.from_bytes(body[:4], "big") & 0x7FFFFFFF
        match kind:
            case 1:  # SYN_STREAM
                headers = self._headers(body[10:])
                if number <= self._peers_last or number % 2 != self._peers_last % 2:
                    raise Fault(f"stream {number} cannot begin after {max(0, self._peers_last)}")
                self._peers_last = number
                return Opened(number, headers, fin)
            case 2:  # SYN_REPLY
                self._headers(body[4:])
                return Replied(number)
            case 8:  # HEADERS: read, as they share the zlib stream; nobody here has a use for them
                self._headers(body[4:])
                return Received(number, b"", True) if fin else _NOTHING
            case 3:  # RST_STREAM
                return Reset(number, int.from_bytes(body[4:8], "big"))
            case 6:  # PING
                return Pinged(int.from_bytes(body[:4], "big"))
            case 7:  # GOAWAY
                return Gone()
        return _NOTHING

    def _headers(self, packed: bytes) -> dict[str, str]:
        try:
            raw = self._unpack.decompress(packed, MAX_HEADERS)
        except zlib.error as error:
            raise Fault(f"SPDY headers that cannot be unpacked: {error}") from None
        if self._unpack.unconsumed_tail:
            raise Fault(f"SPDY headers of more than {MAX_HEADERS} bytes")
        return _pairs(raw)

    # Out.

    def open(self, headers: Mapping[str, str], *, fin: bool = False) -> tuple[int, bytes]:
        """A new stream's number, and its SYN_STREAM."""
        self._last += 2
        body = struct.pack(">IIH", self._last, 0, 0) + self._packed(headers)
        return self._last, _frame(SYN_STREAM, body, FIN if fin else 0)

    def reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        return _frame(SYN_REPLY, struct.pack(">I", stream) + self._packed(headers or {}))

    def _packed(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                parts.append(struct.pack(">I", len(text)) + text)
        return self._pack.compress(b"".join(parts)) + self._pack.flush(zlib.Z_SYNC_FLUSH)


_NOTHING = Gone()  # compared by identity: a frame that is no event


def _pairs(raw: bytes) -> dict[str, str]:
    at = 0

    def number() -> int:
        nonlocal at
        if at + 4 > len(raw):
            raise Fault("SPDY headers that end too early")
        at += 4
        return int.from_bytes(raw[at - 4 : at], "big")

    def text() -> str:
        nonlocal at
        length = number()
        if at + length > len(raw):
            raise Fault("SPDY headers that end too early")
        at += length
        return raw[at - length : at].decode("utf-8", "replace")

    count = number()
    if count > MAX_PAIRS:
        raise Fault(f"{count} SPDY headers; at most {MAX_PAIRS} are accepted")
    found = {}
    for _ in range(count):
        name = text()
        found[name.lower()] = text()
    if at != len(raw):
        raise Fault("SPDY headers with something after them")
    return found


def _frame(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, flags << 24 | len(body)) + body


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    """At most MAX_DATA bytes of payload."""
    return struct.pack(">II", stream, (FIN if fin else 0) << 24 | len(payload)) + payload


def reset(stream: int, status: int = CANCEL) -> bytes:
    return _frame(RST_STREAM, struct.pack(">II", stream, status))


def pong(ping: int) -> bytes:
    return _frame(PING, struct.pack(">I", ping))


def goaway(last: int = 0) -> bytes:
    return _frame(GOAWAY, struct.pack(">II", last, 0))
