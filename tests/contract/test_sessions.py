"""The way into what runs, over every runtime: exec, attach, and connections into a pod's network.

containerd's streams are on the loopback of its host, so these tests run where the agent would: in the host's network namespace.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from agent.runtime.contract import Ends, RuntimeFault, Session
from agent.runtime.hollow import HollowRuntime
from agent.streams import ports
from common.aio.tasks import TaskGroup
from common.clock import SystemClock
from common.errors import BadRequest
from common.wire.flow import DATA, RESIZE, STATUS, STDERR, STDIN, STDOUT, TROUBLE
from tests.agent import containerd_host, docker_host
from tests.contract.test_runtime import Bench, Test, containerd, docker, host

__all__ = ["containerd", "docker", "host"]
pytestmark = pytest.mark.containerd
DEADLINE_S = 20.0
OUT = Ends(stdout=True, stderr=True)
IN = Ends(stdin=True, stdout=True, stderr=True)


@contextmanager
def inside(netns: str) -> Iterator[None]:
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    ports._enter(f"/run/netns/{netns}")
    try:
        yield
    finally:
        ports._enter(f"/proc/self/fd/{own}")
        os.close(own)


@pytest.fixture
def real(host: containerd_host.ContainerdHost | docker_host.DockerHost) -> Callable[[Test], None]:
    """Runs a test with a pod's bench, and looks for descriptors that were left open."""

    def run(test: Test) -> None:
        async def main() -> None:
            bench = Bench(host.runtime(), host.log_root, host.cgroup_root, host.name)
            try:
                async with asyncio.timeout(4 * DEADLINE_S):
                    await test(bench)
                await bench.clear()
            finally:
                await bench.runtime.close()

        with inside(host.netns):
            asyncio.run(main())

    return run


def sockets() -> int:
    return sum(os.readlink(f"/proc/self/fd/{name}").startswith("socket:") for name in os.listdir("/proc/self/fd") if _is_open(name))


def _is_open(name: str) -> bool:
    return Path(f"/proc/self/fd/{name}").is_symlink()


@asynccontextmanager
async def entered(opening: Awaitable[Session]) -> AsyncIterator[Session]:
    session = await opening
    try:
        yield session
    finally:
        await session.close()


async def heard(session: Session) -> dict[int, bytes]:
    """All that comes out, by channel."""
    got: dict[int, bytes] = {}
    async with asyncio.timeout(DEADLINE_S), aclosing(session.frames()) as frames:  # type: ignore[type-var]
        async for channel, data in frames:
            got[channel] = got.get(channel, b"") + data
    return got


def exit_code(status: bytes) -> int:
    document = json.loads(status)
    if document["status"] == "Success":
        return 0
    assert document["reason"] == "NonZeroExitCode", document
    return int(document["details"]["causes"][0]["message"])


@pytest.mark.parametrize("code", [0, 3])
def test_a_commands_outputs_stay_apart_and_its_exit_code_is_told(real: Callable, code: int) -> None:
    async def test(bench: Bench) -> None:
        _, container = await bench.run("sleep", "60")
        async with entered(bench.runtime.sessions.exec(container, ("sh", "-c", f"echo out; echo err >&2; exit {code}"), OUT)) as session:
            got = await heard(session)
        assert (got[STDOUT], got[STDERR], exit_code(got[STATUS])) == (b"out\n", b"err\n", code)

    real(test)


def test_the_end_of_stdin_is_not_the_end_of_the_command(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container = await bench.run("sleep", "60")
        async with entered(bench.runtime.sessions.exec(container, ("sh", "-c", "cat; echo after"), IN)) as session:
            await session.send(STDIN, b"before\n")
            await session.send(STDIN, b"")
            got = await heard(session)
        assert got[STDOUT] == b"before\nafter\n" and exit_code(got[STATUS]) == 0

    real(test)


def test_a_terminal_has_the_size_that_it_was_given(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container = await bench.run("sleep", "60")
        ends = Ends(stdin=True, stdout=True, tty=True)
        # Sizes and input take different ways, and neither waits for the other: the command asks until its size has come.
        asks = "until stty size 2>/dev/null | grep '33 101'; do sleep 0.05; done"
        async with entered(bench.runtime.sessions.exec(container, ("sh", "-c", asks), ends)) as session:
            await session.send(RESIZE, b'{"Width":10,"Height":5}{"Width":101')
            await session.send(RESIZE, b',"Height":33}\n')
            got = await heard(session)
        assert got[STDOUT] == b"33 101\r\n" and STDERR not in got and exit_code(got[STATUS]) == 0

    real(test)


def test_a_command_that_is_not_there_is_named(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container = await bench.run("sleep", "60")
        try:
            async with entered(bench.runtime.sessions.exec(container, ("nonesuch",), OUT)) as session:
                words = b"".join((await heard(session)).values()).decode()
        except RuntimeFault as fault:
            words = fault.message
        assert "nonesuch" in words and "executable file not found" in words

    real(test)


def test_megabytes_come_through_whole_in_both_directions(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container = await bench.run("sleep", "60")
        payload = os.urandom(3_000_000)
        async with entered(bench.runtime.sessions.exec(container, ("cat",), IN)) as session, TaskGroup() as group:

            async def say() -> None:
                for at in range(0, len(payload), 60_000):
                    await session.send(STDIN, payload[at : at + 60_000])
                await session.send(STDIN, b"")

            group.start(say())
            got = await heard(session)
        assert got[STDOUT] == payload and exit_code(got[STATUS]) == 0

    real(test)


def test_attach_reaches_the_containers_own_process(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container = await bench.run("sh", "-c", "read x; echo heard $x", stdin=True, stdin_once=True)
        async with entered(bench.runtime.sessions.attach(container, IN)) as session:
            await session.send(STDIN, b"word\n")
            got = await heard(session)
        assert got[STDOUT] == b"heard word\n"

    real(test)


def test_who_leaves_early_leaves_nothing_open(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container = await bench.run("sleep", "60")
        await bench.runtime.observe(bench.uid)
        before = sockets()
        for _ in range(5):
            async with entered(bench.runtime.sessions.exec(container, ("sh", "-c", "while cat; do :; done"), IN)) as session:
                await session.send(STDIN, b"hello")
                async with asyncio.timeout(DEADLINE_S), aclosing(session.frames()) as frames:  # type: ignore[type-var]
                    assert await anext(frames) == (STDOUT, b"hello")
        async with asyncio.timeout(DEADLINE_S):
            while sockets() > before:
                await asyncio.sleep(0.02)

    real(test)


def test_a_port_is_reached_inside_the_pods_network(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox, _ = await bench.run("sh", "-c", "nc -l -p 8080 -e cat")
        netns = await bench.runtime.sessions.netns(sandbox)
        async with asyncio.timeout(DEADLINE_S):
            while TROUBLE in (got := await _exchange(netns, 8080)):
                await asyncio.sleep(0.02)  # it does not listen yet
        assert got == {DATA: b"there and back"}
        refused = await _exchange(netns, 81)
        assert refused == {TROUBLE: b"failed to connect to localhost:81 inside the pod: connection refused"}

    real(test)


async def _exchange(netns: str, port: int) -> dict[int, bytes]:
    session = ports.PortSession(netns, port)
    try:
        async with TaskGroup() as group:
            saying = group.start(_say(session))
            got = await heard(session)
            saying.cancel()
        return got
    finally:
        await session.close()


async def _say(session: Session) -> None:
    await session.send(DATA, b"there and back")
    await session.send(DATA, b"")


def test_what_is_gone_or_never_was_is_refused(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox, container = await bench.run("sleep", "60")
        await bench.runtime.stop_container(container, 0)
        for identity in (container, "f" * 64):
            with pytest.raises(RuntimeFault):
                await bench.runtime.sessions.exec(identity, ("true",), OUT)
        await bench.runtime.stop_sandbox(sandbox)
        with pytest.raises(RuntimeFault):
            await bench.runtime.sessions.netns(sandbox)

    real(test)


def test_hollow_containers_say_that_there_is_nothing_to_enter() -> None:
    async def main() -> None:
        sessions = HollowRuntime(SystemClock()).sessions
        for call in (sessions.exec("c", ("ls",), OUT), sessions.attach("c", OUT), sessions.netns("s")):
            with pytest.raises(BadRequest, match="hollow"):
                await call

    asyncio.run(main())
