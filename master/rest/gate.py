"""The gate: who may connect, how many at once, and how long a handshake may take.

Owns the listening socket, the TLS handshake and the bounds on both; who speaks HTTP behind it is `connection.py`. A
connection is counted from its first packet on; over a bound it is closed at once, and what is already open is not touched.

    TCP accepted ── over a bound ──► closed
        │ counted, not yet read from; waits in line for its handshake
        ▼
    TLS handshake ── wrong certificate, garbage, 10 s with the waiting ──► closed, one line a minute and address
        ▼
    the HTTP connection, with its caller (from the client certificate) set

Handshakes at the same time are bounded, in all and to half of that for one address: so a burst of clients waits in line, while an
address that opens connections and says nothing stands in its own way only.

Subtle: asyncio hands over bytes that came with the end of the handshake before `start_tls` returns, so the arrival keeps
them until there is an HTTP connection to give them to.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from asyncio import sslproto
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import msgspec

from common.aio.tasks import TaskGroup
from common.errors import Unavailable
from master.rest import callers
from master.rest.complaints import Complaints


BACKLOG = 512
TLS_READ_BYTES = 64 * 1024
"""Four of the largest records of TLS."""
KEEPALIVE_IDLE_S, KEEPALIVE_EVERY_S, KEEPALIVE_TRIES = 30, 10, 3


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much strangers may take. per_address: of all connections; handshakes: at the same time, of one address half of it.
    handshake_s: from the connection's first packet on."""

    connections: int = 4096
    per_address: int = 2048
    handshakes: int = 256
    handshake_s: float = 10.0


class Guest(Protocol):
    """What the gate makes for each authenticated connection: an asyncio protocol that knows its caller."""

    caller: callers.Certified | None
    left: Callable[[], None] | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def data_received(self, data: bytes) -> None: ...


class _Arrival(asyncio.Protocol):
    """A connection until its handshake is over."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.early = b""
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._gate.arrived(self, transport)

    def data_received(self, data: bytes) -> None:
        self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


def _notice_death(transport: asyncio.Transport) -> None:
    """A peer that vanished without a word (power, cable) is noticed within a minute, though nothing is sent to it."""
    wire = transport.get_extra_info("socket")
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_EVERY_S)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_TRIES)


class Gate:
    """`listen()`, then `run()` until cancelled. `close()` stops accepting; what is open stays."""

    def __init__(
        self, guest: Callable[[], Guest], *, context: ssl.SSLContext, bounds: Bounds, complaints: Complaints
    ) -> None:
        # Subtle: asyncio gives every TLS connection a buffer of this size for as long as it is open; its own choice is 256 KB.
        sslproto.SSLProtocol.max_size = TLS_READ_BYTES
        self._guest = guest
        self._context = context
        self._bounds = bounds
        self._complaints = complaints
        self._open: Counter[str] = Counter()
        self._total = 0
        self._handshakes = asyncio.Semaphore(bounds.handshakes)
        self._in_line: dict[str, asyncio.Semaphore] = {}
        self._group: TaskGroup | None = None
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Bind, and queue who comes until `run`. Returns the port (0 asks for a free one). Raises Unavailable with a sentence."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise Unavailable(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from None
        listening.setblocking(False)
        self._server = await asyncio.get_running_loop().create_server(lambda: _Arrival(self), sock=listening, start_serving=False)
        return listening.getsockname()[1]

    async def run(self) -> None:
        assert self._server is not None, "listen first"
        async with TaskGroup() as group:
            self._group = group
            try:
                await self._server.start_serving()
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None
                self.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def arrived(self, arrival: _Arrival, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else "unknown"
        why = self._refusal(address)
        if why or self._group is None:
            self._complaints.about(address, "https-refused", why or "stopping")
            transport.abort()
            return
        _notice_death(transport)
        self._total += 1
        self._open[address] += 1
        self._in_line.setdefault(address, asyncio.Semaphore(max(1, self._bounds.handshakes // 2)))
        self._group.start(self._shake_hands(arrival, transport, address), name=f"tls-{address}")

    def _refusal(self, address: str) -> str:
        if self._total >= self._bounds.connections:
            return f"{self._total} connections are open"
        if self._open[address] >= self._bounds.per_address:
            return f"{self._open[address]} connections from this address are open"
        return ""

    def _left(self, address: str) -> None:
        self._total -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
            del self._in_line[address]

    async def _shake_hands(self, arrival: _Arrival, transport: asyncio.Transport, address: str) -> None:
        entered = False
        try:
            async with asyncio.timeout(self._bounds.handshake_s), self._in_line[address], self._handshakes:
                tls = await asyncio.get_running_loop().start_tls(
                    transport, arrival, self._context, server_side=True,
                    ssl_handshake_timeout=self._bounds.handshake_s, ssl_shutdown_timeout=2.0,
                )  # fmt: skip
            if tls is None or arrival.lost:
                return
            guest = self._guest()
            guest.caller = callers.of_certificate(tls.get_extra_info("peercert"))
            guest.left = lambda: self._left(address)
            tls.set_protocol(guest)  # type: ignore[arg-type]
            entered = True
            guest.connection_made(tls)
            if arrival.early:
                guest.data_received(arrival.early)
        except TimeoutError:
            self._complaints.about(address, "https-handshake-failed", f"not done within {self._bounds.handshake_s:g} s")
        except OSError as error:
            self._complaints.about(address, "https-handshake-failed", error or type(error).__name__)
        finally:
            if not entered:
                self._left(address)
                transport.abort()
