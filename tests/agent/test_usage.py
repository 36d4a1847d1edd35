"""What a host and its pods used, from two looks; and when it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from agent.node import Consumed
from agent.parts import Parts
from agent.resources import HollowResources, HostResources
from agent.runtime import cgroup_use
from agent.runtime.contract import ContainerSpec, ContainerStats, ResourceLimits, SandboxSpec
from agent.runtime.hollow import HollowRuntime
from agent.settings import Settings
from agent.usage import Look, UsageReport, by_id, rates
from common.errors import Unavailable
from common.wire import messages
from tests.sim import virtual

S = 10**9
OLD = ContainerStats("a", "u1", "app", cpu_ns=2 * S, memory_bytes=100, started_at=0.0)


def look(at: float, *containers: ContainerStats, host: Consumed = Consumed(0, 50, whole=False)) -> Look:
    return Look(at, 1000.0 + at, host, by_id(containers))


def grown(stats: ContainerStats, cpu_ns: int, **changes: object) -> ContainerStats:
    return msgspec.structs.replace(stats, cpu_ns=stats.cpu_ns + cpu_ns, **changes)


def test_a_rate_is_what_was_used_between_two_looks() -> None:
    cpu, memory, [pod] = rates(look(10, OLD), look(20, grown(OLD, 5 * S, memory_bytes=300)))
    assert pod == messages.PodUse("u1", 10.0, (messages.ContainerUse("app", S // 2, 300),))
    assert (cpu, memory) == (S // 2, 350)


@pytest.mark.parametrize(
    ("at", "nano"),
    [
        pytest.param(1020.0, S // 2, id="as the looks were"),
        pytest.param(1020.5, 5 * S / 10.5, id="a little later than the look"),
        pytest.param(4620.0, S // 2, id="the clock jumped: the looks know better"),
        pytest.param(1010.0, S // 2, id="a measure that is told again"),
        pytest.param(None, S // 2, id="nobody says when"),
    ],
)
def test_a_measure_has_a_time_of_its_own(at: float | None, nano: float) -> None:
    old = msgspec.structs.replace(OLD, at=1010.0)
    _, _, [pod] = rates(look(10, old), look(20, grown(old, 5 * S, at=at)))
    assert pod.containers[0].cpu_nano == round(nano)


@pytest.mark.parametrize("late_s", [0.0, 1e-6, 0.003, 0.2])
def test_what_hollow_containers_declare_is_what_they_use_however_late_the_look(late_s: float) -> None:
    began, now = 1795602221.123456, (1795602231.234567, 1795602236.345678)
    first, second = (ContainerStats("a", "u1", "app", int(200 * (at - began) * 1e6), 100, began, at) for at in now)
    _, _, [pod] = rates(look(10, first), look(10 + now[1] - now[0] + late_s, second))
    assert pod.containers[0].cpu_nano == S // 5


def test_a_whole_host_is_not_counted_twice() -> None:
    before, after = Consumed(100 * S, 0, whole=True), Consumed(120 * S, 7000, whole=True)
    cpu, memory, _ = rates(look(10, OLD, host=before), look(20, grown(OLD, 5 * S), host=after))
    assert (cpu, memory) == (2 * S, 7000)


def test_a_new_container_is_measured_from_its_start() -> None:
    new = ContainerStats("b", "u2", "app", cpu_ns=2 * S, memory_bytes=1, started_at=1016.0)
    _, _, [pod] = rates(look(10), look(20, new))
    assert (pod.window_s, pod.containers[0].cpu_nano) == (4.0, S // 2)


@pytest.mark.parametrize(
    "stats",
    [
        pytest.param(ContainerStats("b", "u1", "side", S, 1, started_at=1019.5), id="it has just begun"),
        pytest.param(ContainerStats("b", "u1", "side", S, 1, started_at=1030.0), id="it begins in the future, since the clock jumped back"),
        pytest.param(ContainerStats("b", "u1", "side", S, 1, started_at=900.0), id="it is old and was not seen before"),
        pytest.param(ContainerStats("b", "u1", "side", S, 1), id="nobody knows when it began"),
    ],
)
def test_a_pod_with_a_container_that_cannot_be_measured_yet_is_left_out(stats: ContainerStats) -> None:
    assert rates(look(10, OLD), look(20, grown(OLD, S), stats))[2] == ()


def test_what_runs_backwards_is_no_measure() -> None:
    assert rates(look(10, OLD), look(20, grown(OLD, -S)))[2] == ()


# When it is told.


def parts(clock: virtual.VirtualClock, runtime: HollowRuntime) -> Parts:
    return Parts("n", Settings(), runtime, HollowResources("n"), journal=None, network=None, clock=clock)  # type: ignore[arg-type]


async def start(runtime: HollowRuntime) -> None:
    sandbox = await runtime.create_sandbox(SandboxSpec("default", "web", "u", 0, "web", "/tmp"))
    spec = ContainerSpec("app", 0, "busybox", command=("sleep", "3600"), resources=ResourceLimits(cpu_request_milli=250, memory_request_bytes=64 << 20))
    await runtime.start_container(await runtime.create_container(sandbox, spec))


def test_it_is_told_as_often_as_the_master_wants_and_in_its_session() -> None:
    async def main() -> None:
        clock = virtual.VirtualClock(asyncio.get_running_loop())
        runtime = HollowRuntime(clock)
        report = UsageReport(parts(clock, runtime))
        said: list[tuple[float, messages.Usage]] = []

        async def send(message: messages.Message) -> None:
            assert isinstance(message, messages.Usage)
            said.append((clock.monotonic() - began, message))
            if len(said) == 2:
                raise Unavailable("no session")

        await start(runtime)
        running = asyncio.ensure_future(report.run(send))
        report.connected(messages.Welcome(7, "c", 10.0))  # a master that does not ask
        await asyncio.sleep(100)
        assert said == []
        began = clock.monotonic()
        report.connected(messages.Welcome(8, "c", 10.0, settings={"usage_s": "15"}))
        await asyncio.sleep(31)
        assert [(round(at), usage.epoch) for at, usage in said] == [(15, 8), (30, 8)]
        assert said[0][1].pods == (messages.PodUse("u", 15.0, (messages.ContainerUse("app", 250_000_000, 64 << 20),)),)
        assert (said[0][1].cpu_nano, said[0][1].memory_bytes) == (250_000_000, 64 << 20)
        report.disconnected()
        await asyncio.sleep(100)
        assert len(said) == 2
        report.connected(messages.Welcome(9, "c", 10.0, settings={"usage_s": "15"}))
        await asyncio.sleep(10)
        runtime.world.set_away(True)
        await asyncio.sleep(21)
        assert len(said) == 2  # the runtime does not answer: nothing is known
        runtime.world.set_away(False)
        await asyncio.sleep(15)
        assert [(usage.epoch, round(usage.window_s)) for _, usage in said[2:]] == [(9, 45)]
        running.cancel()

    virtual.run(main())


# Reading.


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_cgroups_of_version_1(tmp_path: Path) -> None:
    write(
        tmp_path, cpuacct__pod__x__cpuacct_DOT_usage="5000000000\n", memory__pod__x__memory_DOT_usage_in_bytes="9000\n",
        memory__pod__x__memory_DOT_stat="cache 4\ninactive_file 1\ntotal_inactive_file 4000\n",
    )  # fmt: skip
    assert cgroup_use.used("/pod/x", tmp_path) == (5 * S, 5000)


def test_cgroups_of_version_2(tmp_path: Path) -> None:
    write(
        tmp_path, pod__x__cpu_DOT_stat="usage_usec 5000000\nuser_usec 1\n", pod__x__memory_DOT_current="9000\n",
        pod__x__memory_DOT_stat="anon 4\ninactive_file 9500\n",
    )  # fmt: skip
    assert cgroup_use.used("/pod/x", tmp_path) == (5 * S, 0)


def test_a_cgroup_that_is_gone_has_used_nothing_that_is_known(tmp_path: Path) -> None:
    assert cgroup_use.used("/pod/x", tmp_path) is None


def test_a_machine_and_a_part_of_it(tmp_path: Path) -> None:
    whole = HostResources("n", Settings(data_dir=str(tmp_path))).consumed()
    part = HostResources("n", Settings(data_dir=str(tmp_path), cpu="2")).consumed()
    assert (whole.whole, part.whole) == (True, False)
    assert 0 < part.cpu_ns < whole.cpu_ns and 0 < part.memory_bytes < whole.memory_bytes
