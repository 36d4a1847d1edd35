"""The transport's promises, over ZeroMQ and over memory; then those that only the real one has to keep.

Order per connection and direction, identity that is the key's, queues that end, silence that disturbs nobody.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from common.clock import SystemRng
from common.errors import Unavailable
from common.wire import codec, keys, memory_transport, zmq_transport
from common.wire.transport import Connection, Dialer, Inbound, Listener

RNG = SystemRng()
DEADLINE_S = 10.0


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test

    asyncio.run(bounded())


async def soon(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        return await awaitable


class ZmqWorld:
    """One listener and dialers for named identities; `known` is what it admits."""

    name = "zmq"

    def __init__(self, **settings: Any) -> None:
        self.settings = zmq_transport.Settings(**{"queue": 50, **settings})
        self.server = keys.new_pair(RNG)
        self.known: dict[str, str] = {}
        self.pairs: dict[str, keys.Pair] = {}
        self.listener: zmq_transport.ZmqListener
        self.connections: list[Connection] = []
        self.early = 0
        """So many questions come too early to be answered."""

    async def start(self) -> Listener:
        self.listener = zmq_transport.ZmqListener(
            "tcp://127.0.0.1:0",
            secret_key=self.server.secret,
            admit=self._admit,
            settings=self.settings,
        )
        await self.listener.open()
        return self.listener

    def _admit(self, key: str, address: str) -> str | None:
        if self.early > 0:
            self.early -= 1
            raise Unavailable("too early to say")
        return self.known.get(key)

    def dialer(self, identity: str, *, admitted: bool = True, server_key: str = "") -> Dialer:
        pair = self.pairs.setdefault(identity, keys.new_pair(RNG))
        if admitted:
            self.known[pair.public] = identity
        return zmq_transport.ZmqDialer(
            {"control": self.listener.endpoint},
            server_key=server_key or self.server.public,
            public_key=pair.public,
            secret_key=pair.secret,
            settings=self.settings,
        )

    def revoke(self, identity: str) -> None:
        del self.known[self.pairs[identity].public]

    async def dial(self, identity: str, **options: Any) -> Connection:
        connection = await self.dialer(identity, **options).dial("control")
        self.connections.append(connection)
        return connection

    async def close(self) -> None:
        for connection in self.connections:
            await connection.close()
        await self.listener.close()

    @property
    def port(self) -> int:
        return int(self.listener.endpoint.rpartition(":")[2])


class MemoryWorld:
    name = "memory"

    def __init__(self) -> None:
        self.network = memory_transport.Network(queue=50)
        self.known: set[str] = set()
        self.connections: list[Connection] = []

    async def start(self) -> Listener:
        self.listener = self.network.listener("control", host="master", admit=lambda identity: identity in self.known)
        return self.listener

    async def dial(self, identity: str, *, admitted: bool = True) -> Connection:
        if admitted:
            self.known.add(identity)
        connection = await self.network.dialer(identity, identity).dial("control")
        self.connections.append(connection)
        return connection

    async def close(self) -> None:
        for connection in self.connections:
            await connection.close()
        await self.listener.close()


World = ZmqWorld | MemoryWorld


@asynccontextmanager
async def opened(make: Callable[[], World]) -> AsyncIterator[tuple[World, Listener]]:
    world = make()
    listener = await world.start()
    try:
        yield world, listener
    finally:
        await world.close()


both = pytest.mark.parametrize("make", [ZmqWorld, MemoryWorld], ids=["zmq", "memory"])


@both
def test_a_message_arrives_with_the_identity_of_its_key(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            one, two = await world.dial("node:n1"), await world.dial("node:n2")
            await one.send(b"from one")
            first: Inbound = await soon(listener.receive())
            await two.send(b"from two")
            second: Inbound = await soon(listener.receive())
            assert (first.identity, first.body) == ("node:n1", b"from one")
            assert (second.identity, second.body) == ("node:n2", b"from two")
            assert first.peer != second.peer and first.address
            assert await listener.send(first.peer, b"to one")
            assert await soon(one.receive()) == b"to one"

    run(test())


@both
def test_order_is_kept_in_both_directions(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            connection = await world.dial("node:n1")
            for number in range(40):
                await connection.send(b"%d" % number)
            received = [await soon(listener.receive()) for _ in range(40)]
            assert [r.body for r in received] == [b"%d" % number for number in range(40)]
            for number in range(40):
                assert await listener.send(received[0].peer, b"%d" % number)
            assert [await soon(connection.receive()) for _ in range(40)] == [b"%d" % number for number in range(40)]

    run(test())


@both
def test_a_message_cancelled_while_it_is_waited_for_is_not_lost(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            connection = await world.dial("node:n1")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await listener.receive()
            await connection.send(b"late")
            assert (await soon(listener.receive())).body == b"late"

    run(test())


@both
def test_nobody_hears_from_a_key_that_is_not_admitted(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            stranger, friend = await world.dial("node:evil", admitted=False), await world.dial("node:n1")
            await stranger.send(b"let me in")
            await friend.send(b"hello")
            assert (await soon(listener.receive())).body == b"hello"

    run(test())


@both
def test_sending_to_a_connection_that_is_gone_says_so(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            connection = await world.dial("node:n1")
            await connection.send(b"hello")
            peer = (await soon(listener.receive())).peer
            await connection.close()
            async with asyncio.timeout(DEADLINE_S):
                while await listener.send(peer, b"?"):
                    await asyncio.sleep(0)
            assert not await listener.send(b"nobody", b"?")

    run(test())


@both
def test_a_dropped_connection_comes_back_under_another_peer(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            connection = await world.dial("node:n1")
            await connection.send(b"hello")
            peer = (await soon(listener.receive())).peer
            listener.drop(peer)
            listener.drop(peer)
            async with asyncio.timeout(DEADLINE_S):
                while await listener.send(peer, b"?"):
                    await asyncio.sleep(0)
            await connection.send(b"again")
            inbound = await soon(listener.receive())
            assert inbound.body == b"again" and inbound.peer != peer

    run(test())


@both
def test_a_full_queue_is_said_and_never_waited_for(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            connection = await world.dial("node:n1")
            await connection.send(b"hello")
            peer = (await soon(listener.receive())).peer
            sent = 0
            while await listener.send(peer, b"x" * 50_000):
                sent += 1
                assert sent < 1000
            with pytest.raises(Unavailable):
                for _ in range(1000):
                    await connection.send(b"x" * 50_000)

    run(test())


@both
def test_what_is_closed_says_so(make: Callable[[], World]) -> None:
    async def test() -> None:
        async with opened(make) as (world, listener):
            connection = await world.dial("node:n1")
            await connection.close()
            with pytest.raises(Unavailable):
                await connection.receive()
            with pytest.raises(Unavailable):
                await connection.send(b"x")
            await listener.close()
            with pytest.raises(Unavailable):
                await listener.receive()

    run(test())


# -- ZeroMQ alone


def test_a_revoked_key_is_out_at_once() -> None:
    async def test() -> None:
        async with opened(ZmqWorld) as (world, listener):
            assert isinstance(world, ZmqWorld)
            revoked, friend = await world.dial("node:n1"), await world.dial("node:n2")
            await revoked.send(b"hello")
            peer = (await soon(listener.receive())).peer
            world.revoke("node:n1")
            await revoked.send(b"still here")
            await friend.send(b"hello")
            assert (await soon(listener.receive())).body == b"hello"
            async with asyncio.timeout(DEADLINE_S):
                while await listener.send(peer, b"?"):
                    await asyncio.sleep(0)

    run(test())


def test_an_agent_does_not_talk_to_a_master_without_the_right_key() -> None:
    async def test() -> None:
        async with opened(ZmqWorld) as (world, listener):
            assert isinstance(world, ZmqWorld)
            deceived = await world.dial("node:n1", server_key=keys.new_pair(RNG).public)
            await deceived.send(b"secret")
            friend = await world.dial("node:n2")
            await friend.send(b"hello")
            assert (await soon(listener.receive())).body == b"hello"

    run(test())


GARBAGE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)) * 8,
    "ZMTP without encryption": b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 32),
    "a CURVE greeting and noise": b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15 + 32) + b"\x04\xc8" + b"\xaa" * 200,
    "a frame that claims terabytes": b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15 + 32) + b"\x02" + b"\x7f" * 8,
}


def test_garbage_on_the_port_disturbs_nobody() -> None:
    async def test() -> None:
        async with opened(ZmqWorld) as (world, listener):
            assert isinstance(world, ZmqWorld)
            friend = await world.dial("node:n1")
            await friend.send(b"before")
            assert (await soon(listener.receive())).body == b"before"
            sockets = []
            for garbage in GARBAGE.values():
                raw = socket.create_connection(("127.0.0.1", world.port))
                raw.sendall(garbage)
                sockets.append(raw)
            await friend.send(b"after")
            assert (await soon(listener.receive())).body == b"after"
            for raw in sockets:
                raw.close()

    run(test())


def test_a_message_beyond_the_limit_ends_its_connection_and_no_other() -> None:
    async def test() -> None:
        async with opened(ZmqWorld) as (world, listener):
            huge, friend = await world.dial("node:n1"), await world.dial("node:n2")
            await huge.send(b"x" * (codec.MAX_BYTES + 1))
            await friend.send(b"hello")
            assert (await soon(listener.receive())).body == b"hello"

    run(test())


async def _closed(raw: socket.socket) -> None:
    """Read until the other side closed."""
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        while await loop.sock_recv(raw, 4096):
            pass
    except OSError:
        pass


def test_silent_connections_are_limited_and_then_closed() -> None:
    async def test() -> None:
        make = lambda: ZmqWorld(silent_per_address=20, handshake_s=0.5)  # noqa: E731
        async with opened(make) as (world, listener):
            assert isinstance(world, ZmqWorld)
            friend = await world.dial("node:n1")
            await friend.send(b"before")
            peer = (await soon(listener.receive())).peer
            raws = [socket.create_connection(("127.0.0.1", world.port)) for _ in range(200)]
            await friend.send(b"meanwhile")
            assert (await soon(listener.receive())).body == b"meanwhile"
            assert len(world.listener._gate) <= 20
            async with asyncio.timeout(DEADLINE_S):
                for raw in raws:
                    await _closed(raw)
            for raw in raws:
                raw.close()
            late = await world.dial("node:n2")
            await late.send(b"after")
            assert (await soon(listener.receive())).body == b"after"
            assert await listener.send(peer, b"still there")
            assert await soon(friend.receive()) == b"still there"

    run(test())


def test_a_connection_that_is_let_in_and_says_nothing_is_closed() -> None:
    async def test() -> None:
        async with opened(lambda: ZmqWorld(silent_s=0.2)) as (world, listener):
            assert isinstance(world, ZmqWorld)
            await world.dial("node:n1")
            names = world.listener._names
            async with asyncio.timeout(DEADLINE_S):
                while not names:
                    await asyncio.sleep(0.01)
                first = list(names.values())
                while list(names.values()) == first:
                    await asyncio.sleep(0.01)

    run(test())


def test_an_occupied_port_is_one_sentence() -> None:
    async def test() -> None:
        async with opened(ZmqWorld) as (world, _):
            assert isinstance(world, ZmqWorld)
            second = zmq_transport.ZmqListener(
                world.listener.endpoint, secret_key=world.server.secret, admit=lambda key, address: None
            )
            with pytest.raises(Unavailable, match="cannot listen on tcp://127.0.0.1:"):
                await second.open()

    run(test())


def test_who_comes_too_early_is_let_in_later_with_what_it_has_to_say(caplog: pytest.LogCaptureFixture) -> None:
    """A master that starts does not know yet whose keys these are; an agent that it refused would be silent until it dials anew."""

    async def test() -> None:
        async with opened(ZmqWorld) as (world, listener):
            world.early = 3
            friend = await world.dial("node:n1")
            await friend.send(b"hello")
            assert (await soon(listener.receive())).body == b"hello"
            assert world.early == 0

    run(test())
    assert not [record for record in caplog.records if "refused" in record.message]


def test_refused_keys_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with opened(ZmqWorld) as (world, listener):
            strangers = [await world.dial(f"node:evil{n}", admitted=False) for n in range(5)]
            for stranger in strangers:
                await stranger.send(b"let me in")
            friend = await world.dial("node:n1")
            await friend.send(b"hello")
            await soon(listener.receive())

    run(test())
    assert sum("refused-key" in record.message for record in caplog.records) == 1


# -- memory alone: the faults that the simulation makes


def test_a_partition_loses_what_is_under_way_and_heals_under_another_peer() -> None:
    async def test() -> None:
        network = memory_transport.Network(delay=lambda a, b: 0.01)
        listener = network.listener("control", host="master")
        connection = await network.dialer("n1", "node:n1").dial("control")
        await connection.send(b"one")
        before = await soon(listener.receive())
        await connection.send(b"lost")
        network.partition("n1", "master")
        await connection.send(b"queued")
        assert not await listener.send(before.peer, b"?")
        network.heal("master", "n1")
        after = await soon(listener.receive())
        assert after.body == b"queued" and after.peer != before.peer

    run(test())


def test_a_crashed_master_takes_its_listeners_with_it_and_is_found_again() -> None:
    async def test() -> None:
        network = memory_transport.Network()
        old = network.listener("control", host="master")
        connection = await network.dialer("n1", "node:n1").dial("control")
        network.crash("master")
        with pytest.raises(Unavailable):
            await old.receive()
        await connection.send(b"anyone?")
        new = network.listener("control", host="master")
        assert (await soon(new.receive())).body == b"anyone?"

    run(test())


def test_a_crashed_agent_says_nothing_more() -> None:
    async def test() -> None:
        network = memory_transport.Network(delay=lambda a, b: 0.01)
        listener = network.listener("control", host="master")
        dying = await network.dialer("n1", "node:n1").dial("control")
        await dying.send(b"last words")
        network.crash("n1")
        living = await network.dialer("n2", "node:n2").dial("control")
        await living.send(b"hello")
        assert (await soon(listener.receive())).body == b"hello"
        with pytest.raises(Unavailable):
            await dying.send(b"?")

    run(test())


def test_a_breaking_connection_loses_its_message_and_comes_back() -> None:
    async def test() -> None:
        breaking = [True, False]
        network = memory_transport.Network(breaks=lambda a, b: breaking.pop(0) if breaking else False)
        listener = network.listener("control", host="master")
        connection = await network.dialer("n1", "node:n1").dial("control")
        await connection.send(b"lost")
        await connection.send(b"kept")
        assert (await soon(listener.receive())).body == b"kept"

    run(test())
