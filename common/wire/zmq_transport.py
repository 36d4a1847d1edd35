"""The real transport: ROUTER and DEALER over TCP, encrypted and authenticated by CURVE. The only module that knows ZeroMQ.

Owns sockets, the ZAP handler and the limits in front of them. Who a key belongs to is asked of `admit`, given by the owner of
the listener: at the handshake, and again at every message (it is a look-up), so that a revoked key is out at once. The key that
libzmq authenticated travels in `Frame["User-Id"]`; routing ids and whatever a peer says are never identities.

    TCP accept ─► Gate: too many silent ones of this address? closed ─► ZMTP handshake within handshake_s ─► ZAP: admit(key)
                                                                      ─► messages of at most max_message_bytes ─► receive()

Subtle: without both ZAP_ENFORCE_DOMAIN and a domain, or with the handler bound after the listener, libzmq lets any key in. It
also has no call to close one connection, and accepts silent ones without limit: we shut the TCP socket underneath, by its
descriptor, after checking that the descriptor still is that connection. Its sockets signal by an edge, so every send is followed by
a look whether a message arrived meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from common.errors import BadRequest, Unavailable
from common.wire import codec
from common.wire.transport import Inbound

log = logging.getLogger(__name__)

Admit = Callable[[str, str], str | None]
"""(public key in Z85, address) -> identity, or None to refuse. Called for every handshake and every message: a look-up. Raises Unavailable
when it is too early to say: it is asked again soon."""

ASK_AGAIN_S = 0.02
ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_DOMAIN = b"steersman"
RECEIVED_IN_A_ROW = 64
"""After so many messages taken without waiting, the other tasks of the loop get their turn."""


class Settings(msgspec.Struct, frozen=True):
    """queue: messages that wait per peer and direction. silent_per_address, silent_total: connections that have not said
    anything yet; silent_s: how long they may. Refused keys are logged once per address and `log_again_s`."""

    max_message_bytes: int = codec.MAX_BYTES
    queue: int = 2000
    handshake_s: float = 5.0
    heartbeat_s: float = 10.0
    silent_s: float = 30.0
    silent_per_address: int = 256
    silent_total: int = 2048
    reconnect_s: float = 0.1
    reconnect_max_s: float = 5.0
    log_again_s: float = 60.0


def _configure(handle: zmq.Socket[bytes], settings: Settings) -> None:
    handle.linger = 0
    handle.maxmsgsize = settings.max_message_bytes
    handle.sndhwm = handle.rcvhwm = settings.queue
    handle.handshake_ivl = int(settings.handshake_s * 1000)
    handle.heartbeat_ivl = int(settings.heartbeat_s * 1000)
    handle.heartbeat_timeout = int(settings.heartbeat_s * 3000)
    handle.heartbeat_ttl = int(settings.heartbeat_s * 3000)


class _Channel:
    """A ZeroMQ socket in the event loop. `receive` is safe to cancel: a message is taken only when it is returned."""

    def __init__(self, handle: zmq.Socket[bytes]) -> None:
        self.handle = handle
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._waiters: list[asyncio.Future[None]] = []
        self._in_a_row = 0
        self._descriptor = handle.getsockopt(zmq.FD)
        self._loop.add_reader(self._descriptor, self._look)

    def _look(self) -> None:
        if not self.closed and self.handle.getsockopt(zmq.EVENTS) & zmq.POLLIN:  # type: ignore[operator]
            self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def receive(self) -> list[zmq.Frame]:
        while True:
            if self.closed:
                raise Unavailable("the connection is closed")
            self._in_a_row += 1
            if self._in_a_row > RECEIVED_IN_A_ROW:
                self._in_a_row = 0
                await asyncio.sleep(0)
                continue
            try:
                return self.handle.recv_multipart(zmq.NOBLOCK, copy=False)  # type: ignore[return-value]
            except zmq.Again:
                self._in_a_row = 0
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def send(self, parts: list[bytes]) -> bool:
        """False when the peer is gone or its queue is full."""
        if self.closed:
            return False
        try:
            self.handle.send_multipart(parts, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            return False
        finally:
            if self._waiters:
                self._look()
        return True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._descriptor)
            self.handle.close(0)
            self._wake()


class _Callback:
    """A ZeroMQ socket whose messages are taken by a plain function, as they come."""

    def __init__(self, handle: zmq.Socket[bytes], take: Callable[[list[bytes]], None]) -> None:
        self.handle = handle
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._descriptor = handle.getsockopt(zmq.FD)
        self._loop.add_reader(self._descriptor, self.drain)
        self._loop.call_soon(self.drain)  # the edge comes only after a look that found nothing

    def drain(self) -> None:
        while not self.handle.closed:
            try:
                parts = self.handle.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._take(parts)

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self.handle.close(0)


class Gate:
    """Connections that have said nothing yet, counted. Pure book-keeping; times are the loop's."""

    def __init__(self, *, per_address: int, total: int) -> None:
        self._per_address = per_address
        self._total = total
        self._silent: dict[int, tuple[str, float]] = {}
        self._counts: dict[str, int] = {}

    def accepted(self, descriptor: int, address: str, now: float) -> bool:
        """Whether there is room for one more; it is counted only then."""
        self.gone(descriptor)
        if len(self._silent) >= self._total or self._counts.get(address, 0) >= self._per_address:
            return False
        self._silent[descriptor] = (address, now)
        self._counts[address] = self._counts.get(address, 0) + 1
        return True

    def gone(self, descriptor: int) -> None:
        """It has spoken, or is closed."""
        known = self._silent.pop(descriptor, None)
        if known is None:
            return
        address = known[0]
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def overdue(self, before: float) -> list[int]:
        """Those that were accepted before that time; in order of acceptance."""
        return [descriptor for descriptor, (_, since) in self._silent.items() if since < before]

    def __len__(self) -> int:
        return len(self._silent)


def _name_of(descriptor: int) -> tuple[str, int] | None:
    """The address at the other end of a TCP descriptor; None when it is not one (any more)."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as duplicate:
        if duplicate.family in (socket.AF_INET, socket.AF_INET6):
            host, port = duplicate.getpeername()[:2]
            return host, port
    return None


def _shut(descriptor: int, name: tuple[str, int]) -> None:
    """End the TCP connection under a ZeroMQ peer; libzmq sees it end, and cleans up. Nothing happens when the descriptor
    has become something else."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as duplicate:
        if duplicate.family in (socket.AF_INET, socket.AF_INET6) and duplicate.getpeername()[:2] == name:
            duplicate.shutdown(socket.SHUT_RDWR)


class ZmqListener:
    """See `transport.Listener`. `await open()` first; `endpoint` then tells the port that was taken.

    address: "tcp://0.0.0.0:6444"; port 0 takes a free one. channel: a name for the logs.
    """

    def __init__(
        self, address: str, *, secret_key: str, admit: Admit, channel: str = "", settings: Settings = Settings()
    ) -> None:  # fmt: skip
        self.endpoint = address
        self._secret_key = secret_key
        self._admit = admit
        self._channel = channel
        self._settings = settings
        self._gate = Gate(per_address=settings.silent_per_address, total=settings.silent_total)
        self._names: dict[int, tuple[str, int]] = {}
        self._descriptors: dict[bytes, int] = {}
        self._peers: dict[int, bytes] = {}
        self._logged: dict[tuple[str, str], float] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._early: list[list[bytes]] = []
        self._again: asyncio.TimerHandle | None = None
        """Handshakes of which `admit` could not say anything yet; as many as the gate lets in."""
        self._context: zmq.Context[Any] | None = None
        self._router: _Channel | None = None
        self._aside: list[_Callback] = []

    async def open(self) -> None:
        """Raises Unavailable when the address cannot be had."""
        context: zmq.Context[Any] = zmq.Context()
        context.set(zmq.MAX_SOCKETS, 65536)
        self._context = context
        zap = context.socket(zmq.ROUTER)
        zap.linger = 0
        zap.rcvhwm = zap.sndhwm = 0
        zap.bind(ZAP_ENDPOINT)
        self._aside.append(_Callback(zap, self._authenticate))
        router = context.socket(zmq.ROUTER)
        _configure(router, self._settings)
        router.router_mandatory = True
        router.ipv6 = "[" in self.endpoint
        router.curve_server = True
        router.curve_secretkey = self._secret_key.encode()
        router.zap_domain = ZAP_DOMAIN
        router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        router.backlog = 512
        self._watch_connections(context, router)
        try:
            router.bind(self.endpoint)
        except zmq.ZMQError as error:
            router.close(0)
            await self.close()
            raise Unavailable(f"cannot listen on {self.endpoint}: {error.strerror}") from None
        self.endpoint = router.last_endpoint.decode().rstrip("\0")
        self._router = _Channel(router)
        self._sweep_later()

    def _watch_connections(self, context: zmq.Context[Any], router: zmq.Socket[bytes]) -> None:
        where = f"inproc://monitor-{id(self)}"
        router.monitor(where, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)
        monitor = context.socket(zmq.PAIR)
        monitor.linger = 0
        monitor.rcvhwm = 0  # a full monitor would block libzmq's own thread
        monitor.connect(where)
        self._aside.append(_Callback(monitor, self._connection_event))

    # -- who may come in

    def _authenticate(self, parts: list[bytes]) -> None:
        """One ZAP request (ZeroMQ RFC 27): [peer, "", version, request, domain, address, routing id, mechanism, key]."""
        if len(parts) != 9:
            return
        envelope, version, request, domain, address, mechanism, key = parts[:2], parts[2], parts[3], parts[4], parts[5], parts[7], parts[8]
        host = address.decode("ascii", "replace")
        verdict = [b"400", b"this key is not known here", b""]
        if version == b"1.0" and domain == ZAP_DOMAIN and mechanism == b"CURVE" and len(key) == 32:
            try:
                if self._admit(z85.encode(key).decode(), host) is not None:
                    verdict = [b"200", b"OK", z85.encode(key)]
            except Unavailable:
                # Subtle: who is refused never tries again on that socket, and libzmq's "temporarily" (300) leaves it hanging until its
                # handshake is over time. So the answer waits.
                self._early.append(parts)
                if self._again is None:
                    self._again = asyncio.get_running_loop().call_later(ASK_AGAIN_S, self._ask_again)
                return
        if verdict[0] == b"400":
            self._log_once("refused-key", host)
        self._aside[0].handle.send_multipart([*envelope, version, request, *verdict, b""], zmq.NOBLOCK)

    def _ask_again(self) -> None:
        waiting, self._early, self._again = self._early, [], None
        for parts in waiting:
            self._authenticate(parts)

    def _log_once(self, event: str, address: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._logged.get((event, address), 0) > now:
            return
        if len(self._logged) > 10_000:
            self._logged.clear()
        self._logged[(event, address)] = now + self._settings.log_again_s
        log.warning("%s channel=%s address=%s", event, self._channel or self.endpoint, address)

    def _connection_event(self, parts: list[bytes]) -> None:
        event = parse_monitor_message(parts)
        descriptor = int(event["value"])
        if event["event"] == zmq.EVENT_ACCEPTED:
            name = _name_of(descriptor)
            if name is None:
                return
            self._forget(descriptor)
            self._names[descriptor] = name
            if not self._gate.accepted(descriptor, name[0], asyncio.get_running_loop().time()):
                self._log_once("too-many-silent-connections", name[0])
                _shut(descriptor, name)
        elif event["event"] == zmq.EVENT_DISCONNECTED:
            self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        self._gate.gone(descriptor)
        self._names.pop(descriptor, None)
        peer = self._peers.pop(descriptor, None)
        if peer is not None and self._descriptors.get(peer) == descriptor:
            del self._descriptors[peer]

    def _sweep_later(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(self._settings.silent_s / 4, self._close_silent)

    def _close_silent(self) -> None:
        now = asyncio.get_running_loop().time()
        for descriptor in self._gate.overdue(now - self._settings.silent_s):
            self._gate.gone(descriptor)
            if descriptor in self._names:
                _shut(descriptor, self._names[descriptor])
        self._sweep_later()

    # -- messages

    async def receive(self) -> Inbound:
        while True:
            if self._router is None:
                raise Unavailable("the listener is not open")
            frames = await self._router.receive()
            inbound = self._checked(frames)
            if inbound is not None:
                return inbound

    def _checked(self, frames: list[zmq.Frame]) -> Inbound | None:
        peer = frames[0].bytes
        last = frames[-1]
        self._remember(peer, last)
        address, key = _property(last, "Peer-Address"), _property(last, "User-Id")
        try:
            identity = self._admit(key, address) if key else None
        except Unavailable:
            identity = None
        if identity is None or len(frames) != 2:
            self._log_once("refused-message", address)
            self.drop(peer)
            return None
        return Inbound(peer, identity, last.bytes, address)

    def _remember(self, peer: bytes, frame: zmq.Frame) -> None:
        try:
            descriptor = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:
            return
        if self._descriptors.get(peer) == descriptor:
            return
        name = self._names.get(descriptor) or _name_of(descriptor)
        if name is None:
            return
        self._names[descriptor] = name
        self._gate.gone(descriptor)
        self._descriptors[peer] = descriptor
        self._peers[descriptor] = peer

    async def send(self, peer: bytes, body: bytes) -> bool:
        return self._router is not None and self._router.send([peer, body])

    def drop(self, peer: bytes) -> None:
        descriptor = self._descriptors.pop(peer, None)
        if descriptor is None:
            return
        self._peers.pop(descriptor, None)
        name = self._names.get(descriptor)
        if name is not None:
            _shut(descriptor, name)

    async def close(self) -> None:
        for timer in (self._sweep, self._again):
            if timer is not None:
                timer.cancel()
        if self._router is not None and not self._router.closed:
            self._router.handle.disable_monitor()
            self._router.close()
        for callback in reversed(self._aside):
            callback.close()
        self._aside = []
        if self._context is not None:
            self._context.term()
            self._context = None


def _property(frame: zmq.Frame, name: str) -> str:
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return ""


class ZmqConnection:
    """See `transport.Connection`. libzmq reconnects underneath; what is queued at `close` is lost."""

    def __init__(self, channel: _Channel, closed: Callable[[ZmqConnection], None]) -> None:
        self._channel = channel
        self._closed = closed

    async def receive(self) -> bytes:
        while True:
            frames = await self._channel.receive()
            if len(frames) == 1:
                return frames[0].bytes

    async def send(self, body: bytes) -> None:
        if not self._channel.send([body]):
            raise Unavailable("the connection is closed, or its queue is full")

    async def close(self) -> None:
        self._channel.close()
        self._closed(self)


class Shared:
    """libzmq's thread and its limits, for many dialers in one process (many hollow hosts). Close it last."""

    def __init__(self) -> None:
        self.context: zmq.Context[Any] = zmq.Context()
        self.context.set(zmq.MAX_SOCKETS, 65536)

    def close(self) -> None:
        self.context.destroy(0)


class ZmqDialer:
    """See `transport.Dialer`. endpoints: channel -> "tcp://HOST:PORT". Keys in Z85: the master's public one, our own pair.
    Only a master that has server_key's secret can answer."""

    def __init__(
        self, endpoints: dict[str, str], *, server_key: str, public_key: str, secret_key: str,
        settings: Settings = Settings(), shared: Shared | None = None,
    ) -> None:  # fmt: skip
        self._endpoints = endpoints
        self._keys = (server_key.encode(), public_key.encode(), secret_key.encode())
        self._settings = settings
        self._shared = shared
        self._own: Shared | None = None
        self._open: dict[ZmqConnection, None] = {}

    async def dial(self, channel: str) -> ZmqConnection:
        """Raises BadRequest for an endpoint that is none."""
        shared = self._shared or self._own
        if shared is None:
            shared = self._own = Shared()
        handle = shared.context.socket(zmq.DEALER)
        _configure(handle, self._settings)
        handle.reconnect_ivl = int(self._settings.reconnect_s * 1000)
        handle.reconnect_ivl_max = int(self._settings.reconnect_max_s * 1000)
        handle.connect_timeout = int(self._settings.handshake_s * 1000)
        handle.ipv6 = "[" in self._endpoints[channel]
        handle.curve_serverkey, handle.curve_publickey, handle.curve_secretkey = self._keys
        try:
            handle.connect(self._endpoints[channel])
        except zmq.ZMQError as error:
            handle.close(0)
            raise BadRequest(f"cannot dial {self._endpoints[channel]}: {error.strerror}") from None
        connection = ZmqConnection(_Channel(handle), self._ended)
        self._open[connection] = None
        return connection

    def _ended(self, connection: ZmqConnection) -> None:
        """The last connection takes the thread of libzmq with it."""
        self._open.pop(connection, None)
        if not self._open and self._own is not None:
            own, self._own = self._own, None
            own.close()
