"""The link: a session that is kept up, against a master spoken by hand and against the real dispatch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from agent.link import Link, Settings
from agent.link_streams import Stream
from common.aio.tasks import TaskGroup, gather
from common.clock import SeededRng
from common.errors import NotFound, Timeout, Unavailable
from common.wire import codec, flow
from common.wire import messages as m
from common.wire.memory_transport import MemoryListener, Network
from common.wire.transport import Inbound
from common.wire.requests import ExecRequest, LogRequest
from tests.master.dispatch import world as masters
from tests.sim import virtual

DEADLINE_S = 60.0
WELCOME = m.Welcome(5, "c-1", 1.0)
M = TypeVar("M", bound=m.Message)


class Duties:
    """Remembers what it was brought."""

    def __init__(self) -> None:
        self.brought: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.brought.append((name, *arguments))

    def names(self) -> list[str]:
        return [one[0] for one in self.brought]


class Streams:
    """Serves `chunks`, then ends, or waits for ever with follow. Of other kinds, `exec` sends back what it gets, and `hangs` never
    begins."""

    def __init__(self) -> None:
        self.chunks = [b"line\n"]
        self.sent = 0
        self.read = 0
        self.closed = 0
        self.reads = asyncio.Event()

    async def serve(self, kind: str, request: dict[str, Any], stream: Stream) -> None:
        try:
            if request["pod"] == "missing":
                raise NotFound('container "c" in pod "missing" is not available')
            if kind == "logs":
                await self._log(request, stream)
            elif request["pod"] == "hangs":
                await asyncio.Event().wait()
            else:
                await self._echo(stream)
        finally:
            self.closed += 1

    async def _log(self, request: dict[str, Any], stream: Stream) -> None:
        for chunk in self.chunks:
            await stream.send(chunk)
            self.sent += len(chunk)
        if request["follow"]:
            await asyncio.Event().wait()

    async def _echo(self, stream: Stream) -> None:
        """With its channel, until a channel ends; `reads` unset, nothing is read."""
        await stream.accept()
        await self.reads.wait()
        while (received := await stream.receive()) is not None:
            channel, data = received
            self.read += len(data)
            await stream.send(data, channel)
            if not data:
                return


class Master:
    """A listener, and the last agent that spoke to it."""

    def __init__(self, network: Network) -> None:
        self.listener: MemoryListener = network.listener("control", host="master")
        self.peer = b""

    async def hear(self, kind: type[M]) -> M:
        """The next message of that kind; others are passed over."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                inbound: Inbound = await self.listener.receive()
                self.peer = inbound.peer
                message = codec.decode(inbound.body, m.CONTROL_FROM_AGENT)
                if isinstance(message, kind):
                    return message

    async def say(self, message: m.Message) -> None:
        assert await self.listener.send(self.peer, codec.encode(message))

    async def welcome(self, epoch: int = 5) -> m.Hello:
        hello = await self.hear(m.Hello)
        await self.say(m.Welcome(epoch, "c-1", 1.0))
        return hello


class World:
    def __init__(self) -> None:
        self.network = Network()
        self.duties, self.streams = Duties(), Streams()
        self.clock = virtual.VirtualClock(asyncio.get_running_loop())

    def link(self, network: Network | None = None) -> Link:
        return Link(
            (network or self.network).dialer("n1", "node:n1"), node="n1", cluster="c-1", duties=self.duties, streams=self.streams,
            document=lambda: b'{"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}}', clock=self.clock,
            rng=SeededRng("link"), settings=Settings(answer_s=2.0),
        )  # fmt: skip

    async def until(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not (found := condition()):
                await asyncio.sleep(0.05)
            return found


@asynccontextmanager
async def alive(link: Link) -> AsyncIterator[Link]:
    async with TaskGroup() as group:
        task = group.start(link.run())
        yield link
        task.cancel()


def check(test: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await test(World())

    virtual.run(main())


def test_it_says_hello_beats_and_brings_what_the_master_says() -> None:
    async def test(world: World) -> None:
        master = Master(world.network)
        async with alive(world.link()):
            hello = await master.welcome()
            assert (hello.node, hello.cluster, hello.protocol) == ("n1", "c-1", m.PROTOCOL) and hello.instance
            config = m.Config(5, "Secret", "d", "s", 1, b"{}")
            for message in (
                m.Sync(5, ("u",)), m.Assign(5, "u", 7, b"{}"), config, m.Peers(5, (m.Peer("n1", "a", "b"),)), m.Ack(5, (1, 2)),
                m.Ack(5, ()), m.Forget(4, "of an old epoch"), m.Forget(5, "u"),
            ):  # fmt: skip
                await master.say(message)
            assert (await master.hear(m.Heartbeat)).epoch == 5
            assert world.duties.brought == [
                ("connected", WELCOME), ("sync", ("u",)), ("assign", "u", 7, b"{}"), ("config", config),
                ("peers", (m.Peer("n1", "a", "b"),)), ("acknowledged", (1, 2)), ("forget", "u"),
            ]  # fmt: skip

    check(test)


def test_it_waits_for_a_master_that_is_not_there_yet() -> None:
    async def test(world: World) -> None:
        async with alive(world.link()):
            await asyncio.sleep(100)
            await Master(world.network).welcome()
            await world.until(lambda: world.duties.names() == ["connected"])

    check(test)


def test_a_master_that_falls_silent_is_noticed_and_greeted_anew() -> None:
    async def test(world: World) -> None:
        master = Master(world.network)
        async with alive(world.link()) as link:
            first = await master.welcome()
            await world.until(lambda: "disconnected" in world.duties.names())
            assert link.epoch == 0
            with pytest.raises(Unavailable):
                await link.send(m.Heartbeat(5))
            assert (await master.welcome(6)).instance == first.instance
            await world.until(lambda: link.epoch == 6)

    check(test)


def test_it_says_hello_at_once_when_the_master_does_not_know_the_session() -> None:
    async def test(world: World) -> None:
        master = Master(world.network)
        async with alive(world.link()):
            await master.welcome()
            before = world.clock.monotonic()
            await master.say(m.Refused("Expired", "say hello", retry=True))
            await master.hear(m.Hello)
            assert world.clock.monotonic() - before < 1

    check(test)


def test_a_refusal_that_only_people_can_mend_is_not_hammered_at() -> None:
    async def test(world: World) -> None:
        master = Master(world.network)
        async with alive(world.link()):
            await master.hear(m.Hello)
            await master.say(m.Refused("Conflict", "another cluster"))
            before = world.clock.monotonic()
            await master.hear(m.Hello)
            assert world.clock.monotonic() - before > 10

    check(test)


def test_a_word_that_it_does_not_understand_ends_nothing() -> None:
    async def test(world: World) -> None:
        master = Master(world.network)
        async with alive(world.link()) as link:
            await master.welcome()
            assert await master.listener.send(master.peer, b"\x81\xa1t\xa5Dance")
            await master.say(m.Forget(5, "u"))
            await world.until(lambda: "forget" in world.duties.names())
            assert link.epoch == 5

    check(test)


def test_a_report_of_an_old_epoch_is_not_sent() -> None:
    async def test(world: World) -> None:
        master = Master(world.network)
        async with alive(world.link()) as link:
            await master.welcome()
            await world.until(lambda: link.epoch == 5)
            with pytest.raises(Unavailable):
                await link.send(m.PodGone(4, "u", 1))
            await link.send(m.PodGone(5, "u", 2))
            assert (await master.hear(m.PodGone)).sequence == 2

    check(test)


# -- against the real dispatch


def with_master(test: Callable[[World, masters.World, Link], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with masters.running() as master:
            world = World()
            async with alive(world.link(master.network)) as link:
                await world.until(lambda: master.dispatch._hub._peers.get("n1"))
                await test(world, master, link)

    virtual.run(main())


def request(pod: str = "web", *, follow: bool = False) -> LogRequest:
    return LogRequest("default", pod, "u", "c", follow=follow)


def test_a_session_survives_a_partition() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        before = link.epoch
        master.network.partition("n1", "master")
        await world.until(lambda: master.ready(master.get("nodes", "n1")).get("status") == "Unknown")
        await master.pod()
        master.network.heal("n1", "master")
        await world.until(lambda: link.epoch > before)
        await world.until(lambda: "assign" in world.duties.names())

    with_master(test)


def test_a_log_reaches_the_client_and_ends() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        world.streams.chunks = [b"a" * 200_000, b"b", b"c" * 400_000]
        got = b"".join([chunk async for chunk in master.dispatch.logs("n1", request())])
        assert got == b"".join(world.streams.chunks)
        assert not master.dispatch._hub._streams and world.streams.closed == 1

    with_master(test)


def test_a_refusal_of_the_agent_reaches_the_client_as_it_was() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        with pytest.raises(NotFound, match='container "c" in pod "missing" is not available'):
            [chunk async for chunk in master.dispatch.logs("n1", request("missing"))]

    with_master(test)


def test_a_slow_client_stalls_its_own_stream_only() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        world.streams.chunks = [b"x" * 10_000] * 1000
        slow = master.dispatch.logs("n1", request())
        assert await anext(slow)
        await asyncio.sleep(20)
        assert world.streams.sent < 300_000, "no more than its window is under way"
        world.streams.chunks = [b"quick"]
        assert [chunk async for chunk in master.dispatch.logs("n1", request())] == [b"quick"]
        assert link.epoch and master.ready(master.get("nodes", "n1")).get("status") != "Unknown"
        rest = sum([len(chunk) async for chunk in slow])
        assert rest > 9_000_000

    with_master(test)


def test_a_client_that_goes_away_ends_the_agents_work() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        stream = master.dispatch.logs("n1", request(follow=True))
        assert await anext(stream) == b"line\n"
        await stream.aclose()  # type: ignore[attr-defined]
        await world.until(lambda: world.streams.closed == 1)

    with_master(test)


def test_a_log_ends_with_its_nodes_connection() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        stream = master.dispatch.logs("n1", request(follow=True))
        assert await anext(stream) == b"line\n"
        master.network.partition("n1", "master")
        with pytest.raises(Unavailable, match="the connection to node n1 was lost"):
            async with asyncio.timeout(DEADLINE_S):
                await anext(stream)

    with_master(test)


def test_a_node_without_a_session_has_no_logs() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        with pytest.raises(Unavailable, match="node n9 is not connected"):
            await anext(master.dispatch.logs("n9", request()))

    with_master(test)


def command(pod: str = "p") -> ExecRequest:
    return ExecRequest("default", pod, "u", "c", ("sh",), stdin=True)


def test_what_is_said_on_a_channel_comes_back_on_it() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        world.streams.reads.set()
        async with master.dispatch.talk("n1", command()) as conversation:
            await conversation.send(b"in", flow.STDIN)
            assert await conversation.receive() == (flow.STDIN, b"in")
            await conversation.send(b"size", flow.RESIZE)
            assert await conversation.receive() == (flow.RESIZE, b"size")
            await conversation.send(b"", flow.STDIN)
            assert await conversation.receive() == (flow.STDIN, b"")
            assert await conversation.receive() is None
            with pytest.raises(Unavailable, match="has ended"):
                await conversation.send(b"too late")
        assert world.streams.closed == 1 and not master.dispatch._hub._streams

    with_master(test)


def test_a_megabyte_goes_there_and_back_in_both_directions_at_once() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        world.streams.reads.set()
        payload, got = bytes(range(256)) * 8192, bytearray()
        async with master.dispatch.talk("n1", command()) as conversation, TaskGroup() as group:

            async def say() -> None:
                await conversation.send(payload)
                await conversation.send(b"")

            group.start(say())
            while (received := await conversation.receive()) is not None:
                got += received[1]
        assert bytes(got) == payload

    with_master(test)


def test_a_process_that_does_not_read_stalls_who_writes_and_nobody_else() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        async with master.dispatch.talk("n1", command()) as stalled, TaskGroup() as group:
            writing = group.start(stalled.send(b"x" * 1_000_000))
            await asyncio.sleep(20)
            assert not writing.done() and world.streams.read == 0
            assert [chunk async for chunk in master.dispatch.logs("n1", request())] == [b"line\n"]
            assert link.epoch and master.ready(master.get("nodes", "n1")).get("status") != "Unknown"
            writing.cancel()

    with_master(test)


def test_a_refused_conversation_says_why_before_it_begins() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        with pytest.raises(NotFound, match='container "c" in pod "missing"'):
            async with master.dispatch.talk("n1", command("missing")):
                pytest.fail("it began")
        with pytest.raises(Timeout, match="did not begin within"):
            async with master.dispatch.talk("n1", command("hangs")):
                pytest.fail("it began")
        await world.until(lambda: world.streams.closed == 2)

    with_master(test)


def test_a_conversation_ends_when_its_client_leaves_or_its_node_is_lost() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        world.streams.reads.set()
        async with master.dispatch.talk("n1", command()) as conversation:
            await conversation.send(b"a")
        await world.until(lambda: world.streams.closed == 1)
        async with master.dispatch.talk("n1", command()) as conversation:
            master.network.partition("n1", "master")
            with pytest.raises(Unavailable, match="the connection to node n1 was lost"):
                async with asyncio.timeout(DEADLINE_S):
                    await conversation.receive()
        await world.until(lambda: world.streams.closed == 2)
        assert not master.dispatch._hub._streams and not master.dispatch._hub._open_of

    with_master(test)


def test_a_flood_of_streams_does_not_delay_heartbeats() -> None:
    async def test(world: World, master: masters.World, link: Link) -> None:
        world.streams.chunks = [b"x" * 60_000] * 8
        before = link.epoch

        async def read() -> int:
            return sum([len(chunk) async for chunk in master.dispatch.logs("n1", request())])

        assert await gather(*[read() for _ in range(1000)]) == [480_000] * 1000
        assert link.epoch == before and master.ready(master.get("nodes", "n1")).get("status") != "Unknown"

    with_master(test)
