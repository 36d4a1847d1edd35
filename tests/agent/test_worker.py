"""A pod's worker over hollow containers, under virtual time: what a user would see in the pod's status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from agent.images.pulls import Pulls
from agent.lifecycle.life import Host, Note
from agent.operations import Tools
from agent.probes.checks import HostChecks
from agent.probes.hollow import HollowReach
from agent.runtime.contract import LocalImage, RuntimeFault
from agent.runtime.hollow import Delays, HollowRuntime
from agent.worker import Worker
from common.aio.tasks import TaskGroup
from tests.agent import pods, virtual
from tests.agent.virtual import until


class News:
    """What workers told, newest status decoded."""

    def __init__(self) -> None:
        self.statuses: dict[str, list[dict]] = {}
        self.notes: list[tuple[str, Note]] = []
        self.ended: list[tuple[str, bool]] = []
        self.finished_pods: dict[str, str] = {}

    def status(self, uid: str, generation: int, document: bytes) -> None:
        self.statuses.setdefault(uid, []).append(msgspec.json.decode(document))

    def finished(self, uid: str, phase: str) -> None:
        self.finished_pods[uid] = phase

    def gone(self, uid: str, *, confirmed: bool) -> None:
        self.ended.append((uid, confirmed))

    def happened(self, uid: str, note: Note) -> None:
        self.notes.append((uid, note))

    def reasons(self) -> list[str]:
        return [note.reason for _, note in self.notes]

    def last(self, uid: str = "uid-web") -> dict:
        return self.statuses.get(uid, [{}])[-1]

    def phase(self, uid: str = "uid-web") -> str:
        return self.last(uid).get("phase", "")

    def state(self, name: str = "app", uid: str = "uid-web") -> dict:
        group = self.last(uid).get("containerStatuses", []) + self.last(uid).get("initContainerStatuses", [])
        return next((c for c in group if c["name"] == name), {})

    def waiting(self, name: str = "app") -> str:
        return self.state(name).get("state", {}).get("waiting", {}).get("reason", "")

    def ready(self, uid: str = "uid-web") -> bool:
        return any(c["type"] == "Ready" and c["status"] == "True" for c in self.last(uid).get("conditions", []))


class Bench:
    """Workers, their runtime and their news."""

    def __init__(self, clock: virtual.LoopClock, group: TaskGroup, *, delays: Delays = Delays(), runtime: HollowRuntime | None = None) -> None:
        self.clock = clock
        self.group = group
        self.news = News()
        self.runtime = runtime or HollowRuntime(clock, delays=delays)
        self.host = Host(node="host-1", addresses=("192.0.2.1",), memory_bytes=4 << 30, cpu_milli=2000, runtime="hollow", configs={})
        self.workers: dict[str, Worker] = {}
        self.tools = Tools(self.runtime, clock, self.news, lambda: self.host, HostChecks(self.runtime.sessions, HollowReach()), asyncio.Semaphore(8), Pulls(self.runtime.images, clock, at_once=4))
        group.start(self._listen())

    async def _listen(self) -> None:
        async for event in self.runtime.events():
            for uid, worker in self.workers.items():
                if event.uid in ("", uid):
                    worker.wake(recovered=event.uid == "")

    def begin(self, document: dict, *, live: bool = True, finished: str = "") -> Worker:
        assignment = pods.assigned(document, live=live)
        worker = Worker(assignment.uid, assignment, self.tools, finished=finished)
        self.workers[assignment.uid] = worker
        self.group.start(worker.run())
        return worker


def on_a_bench(test: Callable, **options: object) -> None:
    async def main(clock: virtual.LoopClock) -> None:
        async with TaskGroup() as group:
            bench = Bench(clock, group, **options)
            await test(bench)
            raise _Done

    class _Done(Exception):
        pass

    with pytest.raises(_Done):
        virtual.run(main)


def test_a_pod_runs_and_is_ready() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document())
        await until(bench.news.ready)
        status = bench.news.last()
        assert status["phase"] == "Running"
        assert status["podIP"] == "10.244.0.2" and status["podIPs"] == [{"ip": "10.244.0.2"}]
        assert status["hostIP"] == "192.0.2.1"
        assert status["qosClass"] == "BestEffort"
        assert status["containerStatuses"][0]["containerID"].startswith("hollow://")
        assert [c["type"] for c in status["conditions"]] == ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"]
        assert bench.news.reasons() == ["Pulling", "Pulled", "Created", "Started"]

    on_a_bench(test)


GATES = {
    "nobody has spoken": ([], 'corresponding condition of pod readiness gate "example.com/ok" does not exist.'),
    "closed": (
        [{"type": "example.com/ok", "status": "False"}],
        'the status of pod readiness gate "example.com/ok" is not "True", but False',
    ),
    "open": ([{"type": "example.com/ok", "status": "True"}], ""),
}


@pytest.mark.parametrize(("conditions", "message"), GATES.values(), ids=GATES.keys())
def test_a_pod_waits_for_its_readiness_gates(conditions: list[dict], message: str) -> None:
    async def test(bench: Bench) -> None:
        document = pods.document(readinessGates=[{"conditionType": "example.com/ok"}])
        document["status"] = {"conditions": conditions}
        bench.begin(document)
        await until(lambda: bench.news.phase() == "Running")
        found = {c["type"]: c for c in bench.news.last()["conditions"]}
        assert found["ContainersReady"]["status"] == "True" and "example.com/ok" not in found
        assert (found["Ready"].get("reason", ""), found["Ready"].get("message", "")) == ("ReadinessGatesNotReady" if message else "", message)
        assert bench.news.ready() is (message == "")

    on_a_bench(test)


def test_a_crashing_container_is_restarted_with_growing_delays() -> None:
    async def test(bench: Bench) -> None:
        started: list[float] = []

        async def hook(operation: str, _: str) -> None:
            if operation == "start_container":
                started.append(bench.clock.monotonic())

        bench.runtime.hook = hook
        bench.begin(pods.document(containers=[pods.container("app", "sh", "-c", "sleep 1; exit 3")]))
        await until(lambda: len(started) == 8, deadline_s=3000)
        gaps = [round(b - a - 1) for a, b in zip(started, started[1:], strict=False)]
        assert gaps == [0, 10, 20, 40, 80, 160, 300]
        await until(lambda: bench.news.waiting() == "CrashLoopBackOff")
        state = bench.news.state()
        assert state["lastState"]["terminated"]["exitCode"] == 3 and state["lastState"]["terminated"]["reason"] == "Error"
        assert state["restartCount"] == 7
        assert state["state"]["waiting"]["message"] == "back-off 5m0s restarting failed container=app pod=web_default(uid-web)"
        assert bench.news.phase() == "Running" and not bench.news.ready()

    on_a_bench(test)


def test_ten_minutes_of_running_forgive_earlier_crashes() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document())
        await until(bench.news.ready)
        for crash in range(1, 4):
            bench.runtime.world.crash("uid-web", "app")
            await until(lambda crash=crash: bench.news.state().get("restartCount") == crash and bench.news.ready())
        await asyncio.sleep(700)
        began = bench.clock.monotonic()
        bench.runtime.world.crash("uid-web", "app")
        await until(lambda: bench.news.state().get("restartCount") == 4)
        assert bench.clock.monotonic() - began < 1

    on_a_bench(test)


@pytest.mark.parametrize(
    ("policy", "command", "phase", "reason", "restarts"),
    [
        pytest.param("Never", "exit 0", "Succeeded", "Completed", 0, id="never, succeeds: Succeeded"),
        pytest.param("Never", "exit 7", "Failed", "Error", 0, id="never, fails: Failed, not restarted"),
        pytest.param("OnFailure", "exit 0", "Succeeded", "Completed", 0, id="on failure, succeeds: Succeeded"),
    ],
)
def test_a_pod_that_ends_by_itself(policy: str, command: str, phase: str, reason: str, restarts: int) -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document(restartPolicy=policy, containers=[pods.container("app", "sh", "-c", command)]))
        await until(lambda: bench.news.phase() == phase)
        await until(lambda: not (bench.workers["uid-web"].look().observed or [None])[0].ready)
        assert bench.news.state()["state"]["terminated"]["reason"] == reason
        assert bench.news.state()["restartCount"] == restarts
        assert bench.news.finished_pods == {"uid-web": phase}
        assert bench.news.last()["podIP"] == "10.244.0.2", "the address stays readable after the end"

    on_a_bench(test)


def test_a_finished_pod_is_not_started_again_by_a_restarted_agent_on_a_rebooted_host() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document(restartPolicy="Never"), finished="Succeeded")
        await asyncio.sleep(1000)
        assert bench.runtime.world.running() == [] and bench.news.phase() in ("Succeeded", "")

    on_a_bench(test)


def test_deletion_stops_removes_and_confirms() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(containers=[pods.container("app"), pods.container("side")])
        worker = bench.begin(made)
        await until(bench.news.ready)
        worker.assign(pods.assigned(pods.deleted(made), 2))
        await until(lambda: bench.news.ended)
        assert bench.news.ended == [("uid-web", True)]
        assert await bench.runtime.observe() == []
        assert bench.news.reasons()[-2:] == ["Killing", "Killing"]
        assert all("terminated" in c["state"] for c in bench.news.last()["containerStatuses"])

    on_a_bench(test)


def test_a_container_that_ignores_sigterm_is_killed_when_its_grace_is_over() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(containers=[pods.container("app", "sh", "-c", "trap '' TERM; while true; do sleep 1; done")])
        worker = bench.begin(made)
        await until(bench.news.ready)
        began = bench.clock.monotonic()
        worker.assign(pods.assigned(pods.deleted(made, 20), 2))
        await until(lambda: bench.news.ended)
        assert 20 <= bench.clock.monotonic() - began < 21
        assert bench.news.state()["state"]["terminated"]["exitCode"] == 137

    on_a_bench(test)


def test_a_second_deletion_with_a_shorter_grace_cuts_the_first_short() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(containers=[pods.container("app", "sh", "-c", "trap '' TERM; while true; do sleep 1; done")])
        worker = bench.begin(made)
        await until(bench.news.ready)
        began = bench.clock.monotonic()
        worker.assign(pods.assigned(pods.deleted(made, 600), 2))
        await asyncio.sleep(5)
        worker.assign(pods.assigned(pods.deleted(made, 1), 3))
        await until(lambda: bench.news.ended)
        assert bench.clock.monotonic() - began < 7

    on_a_bench(test)


def test_a_pod_deleted_while_its_image_is_pulled_is_gone_at_once() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document()
        worker = bench.begin(made)
        await until(lambda: "Pulling" in bench.news.reasons())
        began = bench.clock.monotonic()
        worker.assign(pods.assigned(pods.deleted(made), 2))
        await until(lambda: bench.news.ended)
        assert bench.clock.monotonic() - began < 1

    on_a_bench(test, delays=Delays(pull_s=100))


def test_a_long_pull_tells_how_far_it_has_come_less_and_less_often() -> None:
    class Slow:
        """100 bytes, one a second."""

        def __init__(self, hollow: HollowRuntime) -> None:
            self.find, self._pull = hollow.images.find, hollow.images.pull

        async def pull(self, image: str, credential: None, told: Callable[[int, int], None]) -> LocalImage:
            for second in range(100):
                await asyncio.sleep(1)
                told(second + 1, 100)
            return await self._pull(image)

    async def test(bench: Bench) -> None:
        bench.tools.pulls._images = Slow(bench.runtime)
        bench.begin(pods.document())
        await until(bench.news.ready)
        told = [note.message.removeprefix('Pulling image "example/app:1"') for _, note in bench.news.notes if note.reason == "Pulling"]
        assert [far[2:4] for far in told] in (["", "30", "90"], ["", "31", "91"], ["", "31", "92"])
        assert told[1].endswith(" of 100 bytes")

    on_a_bench(test)


def test_a_missing_image_is_told_in_kubernetes_words() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document(containers=[pods.container("app", image="example/missing:1")]))
        await until(lambda: bench.news.waiting() == "ErrImagePull")
        assert "not found" in bench.news.state()["state"]["waiting"]["message"]
        await until(lambda: bench.news.waiting() == "ImagePullBackOff")
        assert bench.news.state()["state"]["waiting"]["message"].startswith('Back-off pulling image "example/missing:1"')
        await until(lambda: bench.news.reasons().count("Pulling") == 3)
        assert bench.news.phase() == "Pending"

    on_a_bench(test)


def test_a_missing_command_becomes_a_crash_loop_with_its_reason() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document(containers=[pods.container("app", "/bin/nonexistent")]))
        await until(lambda: bench.news.waiting() == "CrashLoopBackOff")
        last = bench.news.state()["lastState"]["terminated"]
        assert last["exitCode"] == 128 and last["reason"] == "StartError" and "executable file not found" in last["message"]

    on_a_bench(test)


def test_init_containers_run_in_order_before_the_others() -> None:
    async def test(bench: Bench) -> None:
        bench.runtime.world.operations = []
        made = pods.document(
            initContainers=[pods.container("first", "sh", "-c", "sleep 2"), pods.container("second", "true")],
            containers=[pods.container("app")],
        )
        bench.begin(made)
        await until(lambda: "running" in bench.news.state("first").get("state", {}))
        assert bench.news.waiting() == "PodInitializing" and bench.news.phase() == "Pending"
        await until(bench.news.ready)
        assert [op for op, _ in bench.runtime.world.operations if op in ("start_container", "exit")] == [
            "start_container", "exit", "start_container", "exit", "start_container",
        ]  # fmt: skip
        assert [s["state"]["terminated"]["reason"] for s in bench.news.last()["initContainerStatuses"]] == ["Completed"] * 2

    on_a_bench(test)


def test_a_failing_init_container_of_a_pod_that_never_restarts_fails_the_pod() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(restartPolicy="Never", initContainers=[pods.container("first", "false")])
        bench.begin(made)
        await until(lambda: bench.news.phase() == "Failed")
        assert bench.runtime.world.running() == []

    on_a_bench(test)


def test_a_restarted_agent_adopts_what_runs_and_touches_nothing() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document())
        await until(bench.news.ready)
        status = bench.news.last()
        bench.runtime.world.operations = []
        async with TaskGroup() as group:
            second = Bench(bench.clock, group, runtime=bench.runtime)
            second.begin(pods.document(status=status), live=False)
            await until(second.news.ready)
            await asyncio.sleep(1000)
            assert bench.runtime.world.operations == []
            assert second.news.statuses["uid-web"] == [status], "not even a condition's time changed"
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        on_a_bench(test)


def test_a_restarted_agent_keeps_to_the_back_off_of_the_one_before() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document(containers=[pods.container("app", "sh", "-c", "exit 1")]))
        await until(lambda: bench.news.state().get("restartCount") == 3 and bench.news.waiting() == "CrashLoopBackOff")
        async with TaskGroup() as group:
            second = Bench(bench.clock, group, runtime=bench.runtime)
            second.begin(pods.document(status=bench.news.last()), live=False)
            await until(second.news.waiting)
            assert second.news.waiting() == "CrashLoopBackOff" and second.news.state()["restartCount"] == 3
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        on_a_bench(test)


def test_a_lost_sandbox_is_replaced_and_the_restart_counts() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document())
        await until(bench.news.ready)
        bench.runtime.world.reboot()
        await until(lambda: bench.news.state().get("restartCount") == 1 and bench.news.ready())
        assert "SandboxChanged" in bench.news.reasons()
        assert bench.news.state()["lastState"]["terminated"]["exitCode"] == 137

    on_a_bench(test)


def test_an_at_most_one_pod_is_never_started_from_the_journal() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(meta={"annotations": {"steersman.io/at-most-one": "true"}})
        worker = bench.begin(made, live=False)
        await asyncio.sleep(1000)
        assert await bench.runtime.observe() == []
        worker.assign(pods.assigned(made, 1))
        await until(bench.news.ready)

    on_a_bench(test)


def test_a_runtime_that_is_away_changes_no_status_and_is_used_again_at_once_when_back() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document())
        await until(bench.news.ready)
        told = len(bench.news.statuses["uid-web"])
        bench.runtime.world.set_away(True)
        await asyncio.sleep(300)
        assert len(bench.news.statuses["uid-web"]) == told
        bench.runtime.world.crash("uid-web", "app")
        bench.runtime.world.set_away(False)
        began = bench.clock.monotonic()
        await until(lambda: bench.news.state().get("restartCount") == 1)
        assert bench.clock.monotonic() - began < 1

    on_a_bench(test)


def test_a_refused_sandbox_is_told_once_and_tried_again() -> None:
    async def test(bench: Bench) -> None:
        refusals = 3

        async def hook(operation: str, _: str) -> None:
            nonlocal refusals
            if operation == "create_sandbox" and refusals:
                refusals -= 1
                raise RuntimeFault("no network for sandbox", kind="CreatePodSandboxError")

        bench.runtime.hook = hook
        bench.begin(pods.document())
        await until(bench.news.ready)
        assert bench.news.reasons().count("FailedCreatePodSandBox") == 1

    on_a_bench(test)


def test_a_container_that_cannot_be_created_does_not_hold_up_its_neighbour() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(
            containers=[
                pods.container("app", env=[{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "x"}}}]),
                pods.container("side"),
            ]
        )
        bench.host = msgspec.structs.replace(bench.host, configs={("ConfigMap", "default", "settings"): None})
        worker = bench.begin(made)
        await until(lambda: "running" in bench.news.state("side").get("state", {}))
        assert bench.news.waiting() == "CreateContainerConfigError"
        assert bench.news.state()["state"]["waiting"]["message"] == 'configmap "settings" not found'
        bench.host = msgspec.structs.replace(bench.host, configs={("ConfigMap", "default", "settings"): {"data": {"x": "1"}}})
        worker.wake()
        await until(bench.news.ready)

    on_a_bench(test)


def test_what_the_agent_cannot_honour_is_told() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(containers=[pods.container("app", securityContext={"seLinuxOptions": {"level": "s0"}})], resourceClaims=[{"name": "gpu"}])
        bench.begin(made)
        await until(bench.news.ready)
        told = [note.message for _, note in bench.news.notes if note.reason == "UnsupportedFeature"]
        assert told == ["These fields have no effect on this node: spec.resourceClaims, spec.containers{app}.securityContext.seLinuxOptions"]

    on_a_bench(test)


def test_an_evicted_pod_is_stopped_and_its_status_left_alone() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document()
        worker = bench.begin(made)
        await until(bench.news.ready)
        evicted = {**made, "status": {"phase": "Failed", "reason": "Evicted", "message": "too full"}}
        worker.assign(pods.assigned(evicted, 2))
        await until(lambda: bench.runtime.world.running() == [])
        await until(lambda: "terminated" in bench.news.state().get("state", {}))
        assert (bench.news.phase(), bench.news.last()["reason"]) == ("Failed", "Evicted")

    on_a_bench(test)


def test_an_object_that_is_gone_ends_its_containers_without_grace() -> None:
    async def test(bench: Bench) -> None:
        worker = bench.begin(pods.document(containers=[pods.container("app", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")]))
        await until(bench.news.ready)
        began = bench.clock.monotonic()
        worker.forget()
        await until(lambda: bench.news.ended)
        assert bench.clock.monotonic() - began < 1 and bench.news.ended == [("uid-web", False)]

    on_a_bench(test)


def test_old_tries_are_cleared_away_but_for_the_previous_one() -> None:
    async def test(bench: Bench) -> None:
        bench.begin(pods.document(containers=[pods.container("app", "sh", "-c", "exit 1")]))
        await until(lambda: bench.news.state().get("restartCount") == 4, deadline_s=1000)
        await until(lambda: bench.news.waiting() == "CrashLoopBackOff")
        await until(lambda: len(bench.workers["uid-web"].look().observed[0].containers) == 2)

    on_a_bench(test)
