"""The transport within one event loop: for tests, and for the simulation under virtual time.

A `Network` carries everything; its randomness and delays are given, so the same seed gives the same run. It behaves as TCP
does underneath ZeroMQ: order is kept per connection and direction, a message is lost only together with its connection, and
a dialer whose connection broke connects anew by itself, under a new peer id, as soon as it can. What it sends meanwhile waits in
a bounded queue.

Faults, each a plain call: `partition` and `heal` two names, `cut` a name's connections, `crash` a name for good (a later
`listener` or `dialer` of that name is a new life). `breaks` is asked at every message whether the connection breaks instead.

Identity is what the dialer was made with, as an authenticated key would give; `admit` may still refuse it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from common.errors import Unavailable
from common.wire.transport import Inbound

T = TypeVar("T")

QUEUE = 1000
"""Messages that wait at either end of one connection, in one direction."""

Delay = Callable[[str, str], float]
Breaks = Callable[[str, str], bool]
Admit = Callable[[str], bool]


class Network:
    """delay(source, target): seconds that a message travels. breaks(source, target): whether the connection breaks
    instead of carrying this message."""

    def __init__(self, *, delay: Delay | None = None, breaks: Breaks | None = None, queue: int = QUEUE) -> None:
        self.delay: Delay = delay or (lambda source, target: 0.0)
        self.breaks: Breaks = breaks or (lambda source, target: False)
        self.queue = queue
        self._listeners: dict[str, MemoryListener] = {}
        self._connections: dict[MemoryConnection, None] = {}
        self._walls: dict[frozenset[str], None] = {}
        self._peers = 0

    def listener(self, name: str, *, host: str = "", admit: Admit | None = None) -> MemoryListener:
        """One that dialers reach by `name`. host: whose fault domain it lies in (its name when empty), so that the several
        listeners of one master are cut off and crash together."""
        listener = MemoryListener(self, name, host=host or name, admit=admit or (lambda identity: True))
        self._listeners[name] = listener
        self._reconnect()
        return listener

    def dialer(self, name: str, identity: str, *, channels: dict[str, str] | None = None) -> MemoryDialer:
        """name: its fault domain. channels: the listener's name for each channel; by default the channel's own name."""
        return MemoryDialer(self, name, identity=identity, channels=channels or {})

    def partition(self, a: str, b: str) -> None:
        """Nothing passes between the two any more; what was under way is lost, with the connections."""
        self._walls[frozenset((a, b))] = None
        for connection in self._between(a, b):
            connection.lose()

    def heal(self, a: str, b: str) -> None:
        self._walls.pop(frozenset((a, b)), None)
        self._reconnect()

    def heal_all(self) -> None:
        self._walls.clear()
        self._reconnect()

    def cut(self, name: str) -> None:
        """Break all of this name's connections, once."""
        for connection in self._of(name):
            connection.lose()
        self._reconnect()

    def crash(self, name: str) -> None:
        """End this name's listeners and connections. The others see broken connections, and wait for its return."""
        for listener in [one for one in self._listeners.values() if one.host == name]:
            listener.shut()
        for connection in self._of(name):
            if connection.name == name:
                connection.shut()
            else:
                connection.lose()

    def separated(self, a: str, b: str) -> bool:
        return frozenset((a, b)) in self._walls

    def reach(self, connection: MemoryConnection) -> tuple[MemoryListener, bytes] | None:
        """The listener that this connection can reach now, with a new peer id."""
        listener = self._listeners.get(connection.target)
        if listener is None or self.separated(connection.name, listener.host) or not listener.admit(connection.identity):
            return None
        self._peers += 1
        return listener, self._peers.to_bytes(5, "big")

    def join(self, connection: MemoryConnection) -> None:
        self._connections[connection] = None

    def leave(self, connection: MemoryConnection) -> None:
        self._connections.pop(connection, None)

    def remove(self, listener: MemoryListener) -> None:
        if self._listeners.get(listener.name) is listener:
            del self._listeners[listener.name]

    def _of(self, name: str) -> list[MemoryConnection]:
        return [c for c in self._connections if c.name == name or (c.listener is not None and c.listener.host == name)]

    def _between(self, a: str, b: str) -> list[MemoryConnection]:
        return [c for c in self._of(a) if c.name == b or (c.listener is not None and c.listener.host == b)]

    def _reconnect(self) -> None:
        for connection in list(self._connections):
            connection.connect()


class _Pipe:
    """One direction of one connection's life: delivers in order, each message after its delay. `unread` counts what the
    receiver has not taken yet, so that a slow receiver fills the queue."""

    def __init__(self, deliver: Callable[[_Pipe, bytes], None], limit: int) -> None:
        self.unread = 0
        self._deliver = deliver
        self._limit = limit
        self._travelling: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    @property
    def full(self) -> bool:
        return len(self._travelling) + self.unread >= self._limit

    def put(self, body: bytes, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._last = max(self._last, loop.time() + delay_s)
        self._travelling.append((self._last, body))
        if self._timer is None:
            self._timer = loop.call_at(self._last, self._arrive)

    def _arrive(self) -> None:
        # Subtle: the loop calls timers up to its clock's resolution early, so the first message is due by definition.
        self._timer = None
        now = max(asyncio.get_running_loop().time(), self._travelling[0][0])
        while self._travelling and self._travelling[0][0] <= now:
            self.unread += 1
            self._deliver(self, self._travelling.popleft()[1])
        if self._travelling:
            self._timer = asyncio.get_running_loop().call_at(self._travelling[0][0], self._arrive)

    def lose(self) -> None:
        self._travelling.clear()
        if self._timer is not None:
            self._timer.cancel()


class _Inbox(Generic[T]):
    """Received messages and whoever waits for them. Safe to cancel: a message is taken only when it is returned."""

    def __init__(self) -> None:
        self._items: deque[tuple[_Pipe, T]] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def put(self, pipe: _Pipe, item: T) -> None:
        if not self._closed:
            self._items.append((pipe, item))
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def get(self) -> T:
        while not self._items:
            if self._closed:
                raise Unavailable("the connection is closed")
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # woken and cancelled at once: the wake-up belongs to somebody else
                raise
        pipe, item = self._items.popleft()
        pipe.unread -= 1
        return item

    def close(self) -> None:
        self._closed = True
        self._items.clear()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


class MemoryListener:
    """See `transport.Listener`."""

    def __init__(self, network: Network, name: str, *, host: str, admit: Admit) -> None:
        self.name = name
        self.host = host
        self.admit = admit
        self._network = network
        self._inbox: _Inbox[Inbound] = _Inbox()
        self._peers: dict[bytes, MemoryConnection] = {}
        self._pipes: dict[bytes, _Pipe] = {}

    async def receive(self) -> Inbound:
        return await self._inbox.get()

    async def send(self, peer: bytes, body: bytes) -> bool:
        connection, pipe = self._peers.get(peer), self._pipes.get(peer)
        if connection is None or pipe is None or pipe.full:
            return False
        if self._network.breaks(self.host, connection.name):
            connection.lose()
            connection.connect()
            return False
        pipe.put(body, self._network.delay(self.host, connection.name))
        return True

    def drop(self, peer: bytes) -> None:
        connection = self._peers.get(peer)
        if connection is not None:
            connection.lose()
            asyncio.get_running_loop().call_soon(connection.connect)

    def accept(self, peer: bytes, connection: MemoryConnection) -> None:
        self._peers[peer] = connection
        self._pipes[peer] = _Pipe(connection.arrived, self._network.queue)

    def forget(self, peer: bytes) -> None:
        self._peers.pop(peer, None)
        pipe = self._pipes.pop(peer, None)
        if pipe is not None:
            pipe.lose()

    def arrived(self, pipe: _Pipe, inbound: Inbound) -> None:
        self._inbox.put(pipe, inbound)

    def shut(self) -> None:
        self._network.remove(self)
        self._inbox.close()
        for connection in list(self._peers.values()):
            connection.lose()

    async def close(self) -> None:
        self.shut()


class MemoryConnection:
    """See `transport.Connection`."""

    def __init__(self, network: Network, name: str, *, identity: str, target: str) -> None:
        self.name = name
        self.identity = identity
        self.target = target
        self.listener: MemoryListener | None = None
        self._network = network
        self._peer = b""
        self._inbox: _Inbox[bytes] = _Inbox()
        self._waiting: deque[bytes] = deque()
        self._pipe: _Pipe | None = None
        self._closed = False

    async def receive(self) -> bytes:
        return await self._inbox.get()

    async def send(self, body: bytes) -> None:
        if self._closed:
            raise Unavailable("the connection is closed")
        self.connect()
        if self.listener is not None and self._network.breaks(self.name, self.listener.host):
            self.lose()
            self.connect()
            return  # lost with its connection
        if self._pipe is None or self.listener is None:
            if len(self._waiting) >= self._network.queue:
                raise Unavailable("the connection's queue is full")
            self._waiting.append(body)
        elif self._pipe.full:
            raise Unavailable("the connection's queue is full")
        else:
            self._pipe.put(body, self._network.delay(self.name, self.listener.host))

    def connect(self) -> None:
        if self._closed or self.listener is not None:
            return
        reached = self._network.reach(self)
        if reached is None:
            return
        listener, peer = reached
        self.listener, self._peer = listener, peer
        listener.accept(peer, self)
        self._pipe = _Pipe(
            lambda pipe, body: listener.arrived(pipe, Inbound(peer, self.identity, body, self.name)), self._network.queue
        )
        while self._waiting:
            self._pipe.put(self._waiting.popleft(), self._network.delay(self.name, listener.host))

    def arrived(self, pipe: _Pipe, body: bytes) -> None:
        self._inbox.put(pipe, body)

    def lose(self) -> None:
        """The connection breaks: what is under way in either direction is lost."""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.forget(self._peer)
        if self._pipe is not None:
            self._pipe.lose()
            self._pipe = None

    def shut(self) -> None:
        self._closed = True
        self.lose()
        self._inbox.close()
        self._network.leave(self)

    async def close(self) -> None:
        """What is still under way is lost."""
        self.shut()


class MemoryDialer:
    """See `transport.Dialer`."""

    def __init__(self, network: Network, name: str, *, identity: str, channels: dict[str, str]) -> None:
        self._network = network
        self._name = name
        self._identity = identity
        self._channels = channels

    async def dial(self, channel: str) -> MemoryConnection:
        target = self._channels.get(channel, channel)
        connection = MemoryConnection(self._network, self._name, identity=self._identity, target=target)
        self._network.join(connection)
        connection.connect()
        return connection
