"""The runtime's contract, over every implementation: hollow containers, and real ones in a containerd and in a Docker of the test's own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from agent.log_lines import Lines
from agent.runtime.contract import (
    ContainerSpec,
    Ends,
    Mount,
    ObservedContainer,
    ResourceLimits,
    Runtime,
    RuntimeFault,
    SandboxSpec,
    State,
)
from agent.runtime.hollow import HollowRuntime
from common.aio.tasks import TaskGroup
from common.clock import SystemClock
from common.errors import Timeout, Unavailable
from tests.agent import containerd_host, docker_host

IMAGE = "busybox:1.36"
_numbers = itertools.count(1)


class Bench:
    """One runtime in one test, with the shortest words for common things."""

    def __init__(self, runtime: Runtime, log_root: str, cgroup_root: str, name: str) -> None:
        self.runtime = runtime
        self.name = name
        self.log_root = log_root
        self.cgroup_root = cgroup_root
        self.uid = f"uid-{next(_numbers)}"

    def sandbox(self, attempt: int = 0, **changes: object) -> SandboxSpec:
        values = {
            "namespace": "default", "name": "web", "uid": self.uid, "attempt": attempt, "hostname": "web",
            "log_directory": f"{self.log_root}/default_web_{self.uid}",
            "cgroup_parent": f"{self.cgroup_root}/pod{self.uid}" if self.cgroup_root else "", "labels": {"app": "web"},
        }  # fmt: skip
        return SandboxSpec(**{**values, **changes})

    async def container(self, *command: str, name: str = "app", attempt: int = 0, **changes: object) -> ContainerSpec:
        image = await self.runtime.images.find(IMAGE) or await self.runtime.images.pull(IMAGE)
        values = {"name": name, "attempt": attempt, "image": image.id, "command": command, "log_path": f"{name}/{attempt}.log"}
        return ContainerSpec(**{**values, **changes})

    async def run(self, *command: str, **changes: object) -> tuple[str, str]:
        """A sandbox and a started container: their ids."""
        sandbox_id = await self.runtime.create_sandbox(self.sandbox())
        container_id = await self.runtime.create_container(sandbox_id, await self.container(*command, **changes))
        await self.runtime.start_container(container_id)
        return sandbox_id, container_id

    async def only(self) -> ObservedContainer:
        sandboxes = await self.runtime.observe(self.uid)
        return sandboxes[-1].containers[-1]

    async def until_ended(self) -> ObservedContainer:
        """Woken by the runtime's events alone."""
        async with asyncio.timeout(20):
            async for event in self.runtime.events():
                if event.uid not in ("", self.uid):
                    continue
                seen = await self.only()
                if seen.state is State.EXITED:
                    return seen
        raise AssertionError("the events ended")

    async def clear(self) -> None:
        for sandbox in await self.runtime.observe(self.uid):
            await self.runtime.remove_sandbox(sandbox.id)


@pytest.fixture(scope="module")
def containerd() -> Iterator[containerd_host.ContainerdHost]:
    why = containerd_host.missing()
    if why:
        pytest.skip(f"no containerd for the runtime's contract: {why}")
    with containerd_host.containerd_host() as host:
        yield host


@pytest.fixture(scope="module")
def docker() -> Iterator[docker_host.DockerHost]:
    why = docker_host.missing()
    if why:
        pytest.skip(f"no Docker for the runtime's contract: {why}")
    with docker_host.docker_host() as host:
        yield host


Test = Callable[[Bench], Awaitable[None]]
REAL = [pytest.param(name, marks=pytest.mark.containerd) for name in ("containerd", "docker")]


@pytest.fixture(params=["hollow", *REAL])
def on(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Test], None]:
    """Runs a test on this implementation, and removes what it made."""

    def run(test: Test) -> None:
        async def main() -> None:
            if request.param == "hollow":
                bench = Bench(HollowRuntime(SystemClock()), str(tmp_path), "", "hollow")
            else:
                host = request.getfixturevalue(request.param)
                bench = Bench(host.runtime(), host.log_root, host.cgroup_root, request.param)
            try:
                await test(bench)
                await bench.clear()
            finally:
                await bench.runtime.close()

        if request.param != "hollow":
            request.getfixturevalue(request.param)
        asyncio.run(main())

    return run


def test_info_names_the_runtime_and_says_it_is_ready(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        info = await bench.runtime.info()
        assert (info.name, info.ready, info.message) == (bench.name, True, "")
        assert info.version

    on(test)


def test_a_container_runs_in_a_sandbox_with_an_address(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id, container_id = await bench.run("sleep", "1000")
        (sandbox,) = await bench.runtime.observe(bench.uid)
        assert (sandbox.id, sandbox.uid, sandbox.namespace, sandbox.name, sandbox.attempt) == (sandbox_id, bench.uid, "default", "web", 0)
        assert sandbox.ready and sandbox.ip.startswith("10.24")
        (container,) = sandbox.containers
        assert (container.id, container.name, container.attempt, container.state) == (container_id, "app", 0, State.RUNNING)
        assert container.started_at and container.created_at and container.image_id and "busybox" in container.image
        assert [s.id for s in await bench.runtime.observe()] == [sandbox_id]

    on(test)


def test_making_the_same_twice_gives_the_first_ones_id(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id = await bench.runtime.create_sandbox(bench.sandbox())
        assert await bench.runtime.create_sandbox(bench.sandbox()) == sandbox_id
        spec = await bench.container("sleep", "1000")
        container_id = await bench.runtime.create_container(sandbox_id, spec)
        assert await bench.runtime.create_container(sandbox_id, spec) == container_id
        await bench.runtime.start_container(container_id)
        await bench.runtime.start_container(container_id)

    on(test)


def test_an_end_is_told_by_an_event_and_carries_its_exit_code(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        events = bench.runtime.events()
        async with asyncio.timeout(20):
            assert (await anext(events)).uid == "", "first of all, everything is to be observed"
            await bench.run("sh", "-c", "sleep 0.2; exit 3")
            assert (await anext(events)).uid == bench.uid
        await events.aclose()
        ended = await bench.only()
        assert ended.state is State.EXITED, "what an event tells, an observation made at once shows"
        assert (ended.exit_code, ended.reason) == (3, "Error")
        assert ended.finished_at and ended.started_at and ended.finished_at >= ended.started_at

    on(test)


def test_a_good_end_is_completed(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        await bench.run("sh", "-c", "sleep 0.1")
        ended = await bench.until_ended()
        assert (ended.exit_code, ended.reason) == (0, "Completed")

    on(test)


def test_a_second_try_stands_beside_the_first(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id, _ = await bench.run("sh", "-c", "exit 1")
        await bench.until_ended()
        second = await bench.runtime.create_container(sandbox_id, await bench.container("sleep", "1000", attempt=1))
        await bench.runtime.start_container(second)
        (sandbox,) = await bench.runtime.observe(bench.uid)
        assert [(c.attempt, c.state) for c in sandbox.containers] == [(0, State.EXITED), (1, State.RUNNING)]
        await bench.runtime.remove_container(sandbox.containers[0].id)
        await bench.runtime.remove_container(sandbox.containers[0].id)
        (sandbox,) = await bench.runtime.observe(bench.uid)
        assert [c.attempt for c in sandbox.containers] == [1]

    on(test)


def test_a_command_that_is_missing_ends_as_a_start_error(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id = await bench.runtime.create_sandbox(bench.sandbox())
        container_id = await bench.runtime.create_container(sandbox_id, await bench.container("/bin/nonexistent"))
        with pytest.raises(RuntimeFault) as caught:
            await bench.runtime.start_container(container_id)
        assert caught.value.kind == "RunContainerError" and "nonexistent" in caught.value.message
        seen = await bench.only()
        assert (seen.state, seen.exit_code, seen.reason) == (State.EXITED, 128, "StartError")

    on(test)


@pytest.mark.parametrize("image", ["127.0.0.1:1/missing:1", "127.0.0.1:1/does-not-exist:1"])
def test_an_image_that_cannot_be_pulled(on: Callable, image: str) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.runtime.images.find(image) is None
        with pytest.raises(RuntimeFault) as caught:
            await bench.runtime.images.pull(image)
        assert caught.value.kind == "ErrImagePull" and image in caught.value.message

    on(test)


def test_an_image_name_that_is_none(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.runtime.images.find("Not A Name") is None
        with pytest.raises(RuntimeFault) as caught:
            await bench.runtime.images.pull("Not A Name")
        assert caught.value.kind == "InvalidImageName"

    on(test)


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_runs_to_its_end_beside_the_containers_own(on: Callable, code: int) -> None:
    async def test(bench: Bench) -> None:
        _, container_id = await bench.run("sleep", "1000")
        ran = await bench.runtime.sessions.run(container_id, ("sh", "-c", f"echo out; echo err >&2; exit {code}"), 10)
        assert ran.exit_code == code
        assert bench.name == "hollow" or sorted(ran.output.split()) == [b"err", b"out"]

    on(test)


def test_a_commands_end_is_not_taken_for_the_containers(on: Callable) -> None:
    """Nothing waits for the container to be seen as ended: a pod whose probe runs each second would stand still otherwise."""

    async def test(bench: Bench) -> None:
        _, container_id = await bench.run("sleep", "1000")
        told: list[str] = []
        async with TaskGroup() as group:
            listening = group.start(_collect(bench.runtime, told))
            while not told:
                await asyncio.sleep(0)
            for _ in range(3):
                await bench.runtime.sessions.run(container_id, ("true",), 10)
            await bench.runtime.sessions.run(container_id, ("sleep", "0.3"), 10)  # for the others' events to arrive
            listening.cancel()
        assert [uid for uid in told if uid] == []

    on(test)


async def _collect(runtime: Runtime, told: list[str]) -> None:
    async for event in runtime.events():
        told.append(event.uid)


def test_a_command_that_is_late_is_killed(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container_id = await bench.run("sleep", "1000")
        with pytest.raises(Timeout):
            await bench.runtime.sessions.run(container_id, ("sleep", "4321"), 1)
        if bench.name != "hollow":
            left = await bench.runtime.sessions.run(container_id, ("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"), 10)
            assert b"1000" in left.output and b"sleep 4321" not in left.output

    on(test)


def test_a_command_that_is_not_there_cannot_be_started(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container_id = await bench.run("sleep", "1000")
        with pytest.raises(RuntimeFault, match="nonexistent"):
            await bench.runtime.sessions.run(container_id, ("nonexistent",), 10)

    on(test)


def test_stopping_sends_sigterm_and_later_sigkill(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container_id = await bench.run("sh", "-c", "trap '' TERM; while true; do sleep 0.1; done")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await bench.runtime.stop_container(container_id, 1.0)
        assert 0.9 <= loop.time() - began < 10
        ended = await bench.until_ended()
        assert ended.exit_code == 137
        await bench.runtime.stop_container(container_id, 1.0)

    on(test)


def test_stopping_without_grace_kills_at_once(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        _, container_id = await bench.run("sh", "-c", "trap '' TERM; while true; do sleep 0.1; done")
        async with asyncio.timeout(5):
            await bench.runtime.stop_container(container_id, 0.0)
        assert (await bench.until_ended()).exit_code == 137

    on(test)


def test_what_running_containers_used_grows_and_is_of_those_that_run(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        limits = ResourceLimits(cpu_request_milli=500, memory_request_bytes=32 << 20)
        busy = "while true; do :; done" if bench.name != "hollow" else "sleep 1000"
        sandbox_id, container_id = await bench.run("sh", "-c", busy, resources=limits)
        ended = await bench.runtime.create_container(sandbox_id, await bench.container("true", name="short"))
        await bench.runtime.start_container(ended)
        await bench.runtime.stop_container(ended, 0)
        await bench.runtime.observe()
        first = {each.id: each for each in await bench.runtime.stats()}
        assert set(first) == {container_id}
        found = first[container_id]
        assert (found.uid, found.name) == (bench.uid, "app")
        assert found.started_at is not None and abs(found.started_at - SystemClock().now()) < 60
        assert found.memory_bytes > 0
        async with asyncio.timeout(20):
            while (await bench.runtime.stats())[0].cpu_ns < found.cpu_ns + 50_000_000:
                await asyncio.sleep(0.05)
        await bench.runtime.stop_container(container_id, 0)
        await bench.runtime.observe()
        assert await bench.runtime.stats() == []

    on(test)


def test_a_stopped_sandbox_is_not_ready_and_its_containers_have_ended(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id, _ = await bench.run("sleep", "1000")
        await bench.runtime.stop_sandbox(sandbox_id)
        await bench.runtime.stop_sandbox(sandbox_id)
        (sandbox,) = await bench.runtime.observe(bench.uid)
        assert not sandbox.ready and sandbox.ip == ""
        assert sandbox.containers[0].state is State.EXITED and sandbox.containers[0].exit_code == 137
        again = await bench.runtime.create_sandbox(bench.sandbox(attempt=1))
        assert [s.attempt for s in await bench.runtime.observe(bench.uid)] == [0, 1] and again != sandbox_id

    on(test)


def test_a_removed_sandbox_leaves_nothing(on: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id, container_id = await bench.run("sleep", "1000")
        await bench.runtime.remove_sandbox(sandbox_id)
        await bench.runtime.remove_sandbox(sandbox_id)
        assert await bench.runtime.observe(bench.uid) == []
        await bench.runtime.stop_container(container_id, 1)
        if bench.cgroup_root:
            assert not list(Path("/sys/fs/cgroup").glob(f"**/pod{bench.uid}"))

    on(test)


def test_a_runtime_object_made_anew_sees_what_the_former_one_made(on: Callable, request: pytest.FixtureRequest) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id, container_id = await bench.run("sleep", "1000")
        if bench.name == "hollow":
            fresh: Runtime = HollowRuntime(SystemClock(), world=bench.runtime.world)
        else:
            fresh = request.getfixturevalue(bench.name).runtime()
        try:
            assert await fresh.observe(bench.uid) == await bench.runtime.observe(bench.uid)
            side = await fresh.create_container(sandbox_id, await bench.container("sleep", "1000", name="side"))
            await fresh.start_container(side)
            await fresh.stop_container(container_id, 0)
        finally:
            await fresh.close()

    on(test)


# What only real containers can show.


@pytest.fixture(params=REAL)
def host(request: pytest.FixtureRequest) -> containerd_host.ContainerdHost | docker_host.DockerHost:
    return request.getfixturevalue(request.param)


@pytest.fixture
def real(host: containerd_host.ContainerdHost | docker_host.DockerHost) -> Callable[[Test], None]:
    def run(test: Test) -> None:
        async def main() -> None:
            bench = Bench(host.runtime(), host.log_root, host.cgroup_root, host.name)
            try:
                await test(bench)
                await bench.clear()
            finally:
                await bench.runtime.close()

        asyncio.run(main())

    return run


def test_env_args_directory_and_logs_reach_a_real_container(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        command = ("sh", "-c", "echo $GREETING $0 $PWD; hostname; echo wrong >&2")
        await bench.run(*command, args=("world",), env=(("GREETING", "hello"),), working_dir="/tmp")
        await bench.until_ended()
        written = Path(bench.sandbox().log_directory, "app/0.log").read_bytes()
        assert sorted(Lines(False, None).feed(written).decode().splitlines()) == ["hello world /tmp", "web", "wrong"]

    on = real
    on(test)


def test_mounts_are_seen_and_read_only_ones_not_written(real: Callable, tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "color").write_text("blue")
        mounts = (Mount(str(tmp_path / "data"), "/data"), Mount(str(tmp_path / "config"), "/etc/config", read_only=True))
        await bench.run("sh", "-c", "cat /etc/config/color > /data/copy; touch /etc/config/x || echo refused > /data/told", mounts=mounts)
        await bench.until_ended()
        assert (tmp_path / "data" / "copy").read_text() == "blue"
        assert (tmp_path / "data" / "told").read_text() == "refused\n"

    real(test)


def test_limits_are_set_in_the_cgroup(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        limits = ResourceLimits(cpu_milli=500, memory_bytes=64 << 20, cpu_request_milli=250, oom_score_adj=900)
        _, container_id = await bench.run("sleep", "1000", resources=limits)
        values = {
            path.name: path.read_text().strip()
            for path in Path("/sys/fs/cgroup").glob(f"**/pod{bench.uid}/{container_id}/*")
            if path.name in ("memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max", "cpu.shares")
        }
        assert str(64 << 20) in (values.get("memory.limit_in_bytes"), values.get("memory.max"))
        assert values.get("cpu.cfs_quota_us") == "50000" or values.get("cpu.max") == "50000 100000"
        assert values.get("cpu.shares", "256") == "256"

    real(test)


def test_too_much_memory_ends_as_oomkilled(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        limits = ResourceLimits(memory_bytes=16 << 20)
        await bench.run("sh", "-c", "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done", resources=limits)
        ended = await bench.until_ended()
        assert (ended.reason, ended.exit_code) == ("OOMKilled", 137)

    real(test)


def test_containers_of_a_pod_share_its_network(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id, _ = await bench.run("sh", "-c", "echo served | nc -l -p 8080")
        ask = ("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do nc 127.0.0.1 8080 </dev/null && exit 0; sleep 0.1; done; exit 1")
        side = await bench.runtime.create_container(sandbox_id, await bench.container(*ask, name="side"))
        await bench.runtime.start_container(side)
        async with asyncio.timeout(20):
            async for _ in bench.runtime.events():
                (sandbox,) = await bench.runtime.observe(bench.uid)
                if all(c.state is State.EXITED for c in sandbox.containers):
                    break
        assert "served" in Path(bench.sandbox().log_directory, "side/0.log").read_text()

    real(test)


PROCESSES = ("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


@pytest.mark.parametrize(
    ("sandbox", "target", "seen"),
    [
        pytest.param({}, False, False, id="its own alone"),
        pytest.param({}, True, True, id="its target's"),
        pytest.param({"share_processes": True}, False, True, id="the pod's"),
        pytest.param({"host_pid": True, "host_ipc": True}, False, True, id="the host's"),
    ],
)
def test_whose_processes_a_container_sees(real: Callable, sandbox: dict[str, bool], target: bool, seen: bool) -> None:
    async def test(bench: Bench) -> None:
        runtime = bench.runtime
        sandbox_id = await runtime.create_sandbox(bench.sandbox(**sandbox))
        app = await runtime.create_container(sandbox_id, await bench.container("sleep", "1234"))
        await runtime.start_container(app)
        look = await bench.container(*PROCESSES, name="look", pid_of=app if target else "")
        await runtime.start_container(await runtime.create_container(sandbox_id, look))
        async with asyncio.timeout(20):
            async for _ in runtime.events():
                (observed,) = await runtime.observe(bench.uid)
                if any(c.name == "look" and c.state is State.EXITED for c in observed.containers):
                    break
        written = Path(bench.sandbox().log_directory, "look/0.log").read_text()
        assert ("sleep 1234" in written) is seen, written

    real(test)


def test_what_carries_another_clusters_id_is_neither_seen_nor_touched(real: Callable, host: containerd_host.ContainerdHost) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id, container_id = await bench.run("sleep", "1000")
        created = await bench.runtime.create_container(sandbox_id, await bench.container("sleep", "1000", name="side"))
        before = await bench.runtime.observe(bench.uid)
        other = host.runtime(cluster="other")
        try:
            assert await other.observe() == []
            await other.stop_container(container_id, 0)
            await other.remove_container(container_id)
            await other.stop_sandbox(sandbox_id)
            await other.remove_sandbox(sandbox_id)
            for forbidden in (
                other.start_container(created),
                other.create_container(sandbox_id, await bench.container("true", name="third")),
                other.sessions.exec(container_id, ("true",), Ends(stdout=True)),
                other.sessions.run(container_id, ("true",), 5),
                other.sessions.attach(container_id, Ends(stdout=True)),
                other.sessions.netns(sandbox_id),
            ):
                with pytest.raises(RuntimeFault, match="not found"):
                    await forbidden
        finally:
            await other.close()
        assert await bench.runtime.observe(bench.uid) == before

    real(test)


@pytest.mark.containerd
def test_a_name_that_somebody_else_took_on_docker_is_not_taken_from_him(docker: docker_host.DockerHost) -> None:
    async def main() -> None:
        bench = Bench(docker.runtime(), docker.log_root, docker.cgroup_root, "docker")
        name = f"k8s_POD_web_default_{bench.uid}_0"
        options = ["--detach", "--name", name, "--network=none", "--cgroup-parent", docker.cgroup_root]
        stranger = docker.docker("run", *options, IMAGE, "sleep", "1000").stdout.strip()
        try:
            with pytest.raises(RuntimeFault, match=f"the name {name} is in use by a container that is not this cluster's"):
                await bench.runtime.create_sandbox(bench.sandbox())
            assert docker.docker("inspect", "--format", "{{.State.Status}}", stranger).stdout.strip() == "running"
        finally:
            docker.docker("rm", "--force", stranger)
        await bench.runtime.create_sandbox(bench.sandbox())
        await bench.clear()
        await bench.runtime.close()

    asyncio.run(main())


def test_a_stopped_runtime_is_unavailable_and_its_return_is_told(real: Callable, host: containerd_host.ContainerdHost) -> None:
    async def test(bench: Bench) -> None:
        await bench.run("sleep", "1000")
        events = bench.runtime.events()
        async with asyncio.timeout(60):
            assert (await anext(events)).uid == ""
            await asyncio.to_thread(host.stop)
            with pytest.raises(Unavailable):
                await bench.runtime.observe(bench.uid)
            starting = asyncio.to_thread(host.start)
            await starting
            while True:
                assert (await anext(events)).uid == ""
                try:
                    seen = await bench.only()
                except Unavailable:
                    continue
                break
        assert seen.state is State.RUNNING, "containers outlive their daemon"
        await events.aclose()

    real(test)


@pytest.mark.containerd
def test_containers_of_other_people_on_the_same_docker_are_left_alone(docker: docker_host.DockerHost, tmp_path: Path) -> None:
    async def main() -> None:
        bench = Bench(docker.runtime(), docker.log_root, docker.cgroup_root, "docker")
        try:
            sandbox_id, _ = await bench.run("sleep", "1000")
            assert [s.id for s in await bench.runtime.observe()] == [sandbox_id]
            await bench.runtime.stop_sandbox(stranger)
            await bench.runtime.remove_sandbox(stranger)
            with pytest.raises(RuntimeFault):
                await bench.runtime.create_container(stranger, await bench.container("true"))
            await bench.clear()
        finally:
            await bench.runtime.close()

    stranger = docker.docker("run", "--detach", "--network=none", "--cgroup-parent", docker.cgroup_root, IMAGE, "sleep", "1000").stdout.strip()
    try:
        asyncio.run(main())
        assert docker.docker("inspect", "--format", "{{.State.Status}}", stranger).stdout.strip() == "running"
    finally:
        docker.docker("rm", "--force", stranger)
