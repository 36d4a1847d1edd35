"""Probes and hooks: what an answer means (tables), and what a user sees of it in the pod's status (a worker under virtual time)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent.lifecycle import life, probing
from agent.lifecycle.life import ContainerLife, Health, Moment, PodLife
from agent.lifecycle.scene import Scene
from agent.lifecycle.step import step
from agent.probes.contract import Answer, Place, Result
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from common.objects.handlers import HTTPGetAction
from tests.agent import pods
from tests.agent.test_lifecycle import HOST, NOW, ran, sandbox
from tests.agent.test_worker import Bench, on_a_bench
from tests.agent.virtual import until

GOOD, BAD, LOST = Result(Answer.SUCCESS), Result(Answer.FAILURE, "no"), Result(Answer.UNKNOWN, "away")
EXEC = {"exec": {"command": ["true"]}}


def probed(kind: str, **fields: object) -> dict:
    return pods.document(containers=[pods.container("app", **{f"{kind}Probe": {**EXEC, **fields}})])


def scene_of(document: dict, memory: PodLife = PodLife(live=True), *containers: ObservedContainer) -> Scene:  # noqa: B008
    return Scene(pods.view(document), memory, [sandbox(*(containers or (ran(),)))], NOW, HOST)


def asked(document: dict, memory: PodLife = PodLife(live=True), *, ending: bool = False) -> list[str]:  # noqa: B008
    return [target.kind for target in probing.targets(scene_of(document, memory), ending=ending)]


def answered(document: dict, kind: str, *results: Result) -> tuple[PodLife, list[str]]:
    """The memory after these answers in a row, and the events."""
    memory, events = PodLife(live=True), []
    for result in results:
        container = pods.view(document).spec.containers[0]
        probe = {"startup": container.startup_probe, "liveness": container.liveness_probe, "readiness": container.readiness_probe}[kind]
        assert probe is not None
        target = probing.Target("app", kind, probe, Place("app-0"), NOW.wall)
        memory, notes = probing.learned(pods.view(document), memory, target, result)
        events += [f"{note.reason}: {note.message} {note.field_path}" for note in notes]
    return memory, events


@pytest.mark.parametrize(
    ("document", "results", "ready"),
    [
        pytest.param(probed("readiness"), [], False, id="not asked yet: not ready"),
        pytest.param(probed("readiness"), [GOOD], True, id="one success makes ready"),
        pytest.param(probed("readiness", successThreshold=3), [GOOD, GOOD], False, id="two of three successes do not"),
        pytest.param(probed("readiness", successThreshold=2), [GOOD, BAD, GOOD], False, id="a failure between begins the count anew"),
        pytest.param(probed("readiness"), [GOOD, BAD, BAD], True, id="two of three failures leave it ready"),
        pytest.param(probed("readiness"), [GOOD, BAD, BAD, BAD], False, id="three failures make unready"),
        pytest.param(probed("readiness", failureThreshold=1), [GOOD, BAD], False, id="a threshold of one"),
        pytest.param(probed("readiness"), [GOOD, BAD, BAD, LOST, LOST], True, id="a question that could not be asked counts as nothing"),
        pytest.param(probed("readiness"), [GOOD, BAD, BAD, BAD, GOOD], True, id="and ready again"),
    ],
)
def test_readiness(document: dict, results: list[Result], ready: bool) -> None:
    memory, _ = answered(document, "readiness", *results)
    assert (memory.of("app").health.ready if results else asked(document) != ["readiness"]) is ready
    assert not memory.of("app").health.condemned


def test_answers_are_told_as_kubernetes_does() -> None:
    path = "spec.containers{app}"
    assert answered(probed("liveness"), "liveness", GOOD, BAD)[1] == [f"Unhealthy: Liveness probe failed: no {path}"]
    lost = f"Unhealthy: Startup probe errored and resulted in unknown state: away {path}"
    assert answered(probed("startup"), "startup", LOST)[1] == [lost]


@pytest.mark.parametrize(
    ("document", "health", "ending", "kinds"),
    [
        pytest.param(pods.document(), Health(), False, [], id="no probe: nothing is asked"),
        pytest.param(
            pods.document(containers=[pods.container("app", startupProbe=EXEC, livenessProbe=EXEC, readinessProbe=EXEC)]),
            Health(), False, ["startup"], id="only the startup probe until it succeeded",
        ),
        pytest.param(
            pods.document(containers=[pods.container("app", startupProbe=EXEC, livenessProbe=EXEC, readinessProbe=EXEC)]),
            Health("app-0", hooked=True, started=True), False, ["readiness", "liveness"], id="then the others",
        ),
        pytest.param(
            pods.document(containers=[pods.container("app", livenessProbe=EXEC, readinessProbe=EXEC)]),
            Health(), True, ["readiness"], id="an ending pod is asked only whether it is ready",
        ),
        pytest.param(probed("liveness"), Health("app-0", hooked=True, started=True, condemned="liveness"), False, [], id="a condemned one is left alone"),
        pytest.param(probed("liveness"), Health("app-9", condemned="liveness"), False, ["liveness"], id="a new start begins anew"),
        pytest.param(
            pods.document(containers=[pods.container("app", livenessProbe=EXEC, lifecycle={"postStart": EXEC})]),
            Health(), False, [], id="nothing is asked before postStart is over",
        ),
    ],
)  # fmt: skip
def test_which_probes_are_asked(document: dict, health: Health, ending: bool, kinds: list[str]) -> None:
    memory = PodLife(live=True, containers={"app": ContainerLife(health=health)})
    assert asked(document, memory, ending=ending) == kinds


@pytest.mark.parametrize(
    ("document", "kind", "grace_s", "event"),
    [
        pytest.param(probed("liveness"), "liveness", 30.0, "Container app failed liveness probe, will be restarted", id="liveness"),
        pytest.param(probed("startup", terminationGracePeriodSeconds=4), "startup", 4.0, "Container app failed startup probe, will be restarted",
                     id="startup, with a grace of its own"),
        pytest.param(probed("liveness"), "postStart", 30.0, "FailedPostStartHook", id="a failed hook"),
    ],
)  # fmt: skip
def test_a_condemned_container_is_stopped(document: dict, kind: str, grace_s: float, event: str) -> None:
    memory = PodLife(live=True, containers={"app": ContainerLife(health=Health("app-0", hooked=True, started=True, condemned=kind))})
    forward = step(pods.view(document), memory, [sandbox(ran())], now=NOW, host=HOST)
    assert isinstance(forward.action, life.StopContainers)
    assert (forward.action.container_ids, forward.action.grace_s) == (("app-0",), grace_s)
    assert [(note.reason, note.message) for note in forward.notes] == [("Killing", event)]
    again = step(pods.view(document), forward.life, [sandbox(ran())], now=NOW, host=HOST)
    assert again.notes == (), "told once"


def test_named_ports_and_the_pods_address_are_where_a_probe_goes() -> None:
    container = pods.container("app", ports=[{"name": "web", "containerPort": 8080}], readinessProbe={"httpGet": {"port": "web"}})
    target = probing.targets(scene_of(pods.document(containers=[container])), ending=False)[0]
    assert target.place == Place("app-0", "10.0.0.5", (("web", 8080),))
    hosts = probing.targets(scene_of(pods.document(containers=[container], hostNetwork=True)), ending=False)[0]
    assert hosts.place.address == "192.0.2.1"


def test_an_end_by_the_deadline_says_so() -> None:
    document = pods.document(activeDeadlineSeconds=60)
    memory = PodLife(live=True, start_time="2027-01-15T08:00:00Z")
    early = step(pods.view(document), memory, [sandbox(ran())], now=Moment(1_800_000_030.0, 1000.0), host=HOST)
    assert early.action == life.Wait(1030.0)
    late = step(pods.view(document), memory, [sandbox(ran())], now=Moment(1_800_000_061.0, 1031.0), host=HOST)
    assert isinstance(late.action, life.StopContainers) and late.life.finished == "Failed"
    assert [note.reason for note in late.notes] == ["DeadlineExceeded", "Killing"]


# A worker under virtual time.


class Door:
    """A network in which each path answers as it is told; `hollow` answers all."""

    def __init__(self) -> None:
        self.well: dict[str, bool] = {}
        self.asked: list[tuple[float, str]] = []

    async def http(self, ask: HTTPGetAction, *, host: str, port: int) -> Result:
        self.asked.append((asyncio.get_running_loop().time(), ask.path))
        return GOOD if self.well.get(ask.path, True) else Result(Answer.FAILURE, "HTTP probe failed with statuscode: 500")


def with_door(test: Callable) -> None:
    async def prepared(bench: Bench) -> None:
        door = Door()
        bench.tools.checks._reach = door  # type: ignore[attr-defined]
        await test(bench, door)

    on_a_bench(prepared)


def http(path: str, **fields: object) -> dict:
    return {"httpGet": {"path": path, "port": 80}, **fields}


def test_a_pod_is_ready_when_its_probe_says_so_and_unready_when_it_fails() -> None:
    async def test(bench: Bench, door: Door) -> None:
        door.well["/ready"] = False
        bench.begin(pods.document(containers=[pods.container("app", readinessProbe=http("/ready", initialDelaySeconds=5, periodSeconds=2))]))
        await until(lambda: len(door.asked) == 3)
        begun = bench.news.state()
        assert begun["started"] is True and begun["ready"] is False and not bench.news.ready()
        gaps = [round(later - earlier, 1) for (earlier, _), (later, _) in zip(door.asked, door.asked[1:], strict=False)]
        assert gaps == [2.0, 2.0]
        assert bench.news.reasons().count("Unhealthy") == 3
        door.well["/ready"] = True
        await until(bench.news.ready)
        door.well["/ready"] = False
        failed = bench.clock.monotonic()
        await until(lambda: not bench.news.ready())
        assert bench.clock.monotonic() - failed <= 6.1, "three failures, two seconds apart"
        assert bench.news.state()["restartCount"] == 0

    with_door(test)


def test_a_container_that_fails_its_liveness_probe_is_restarted_with_back_off() -> None:
    async def test(bench: Bench, door: Door) -> None:
        door.well["/live"] = False
        bench.begin(pods.document(containers=[pods.container("app", "sleep", "100000", livenessProbe=http("/live", periodSeconds=1))]))
        await until(lambda: bench.news.state().get("restartCount") == 1)
        assert bench.news.state()["lastState"]["terminated"]["exitCode"] == 143
        assert any("failed liveness probe, will be restarted" in note.message for _, note in bench.news.notes)
        await until(lambda: bench.news.waiting() == "CrashLoopBackOff")
        door.well["/live"] = True
        await until(lambda: bench.news.ready() and bench.news.state()["restartCount"] == 2)

    with_door(test)


def test_liveness_waits_for_a_slow_start() -> None:
    async def test(bench: Bench, door: Door) -> None:
        door.well |= {"/start": False, "/live": True}
        probes = {"startupProbe": http("/start", failureThreshold=30, periodSeconds=10), "livenessProbe": http("/live", periodSeconds=1)}
        bench.begin(pods.document(containers=[pods.container("app", **probes)]))
        await until(lambda: len(door.asked) == 20, deadline_s=1000)
        assert {path for _, path in door.asked} == {"/start"} and bench.news.state()["started"] is False
        door.well["/start"] = True
        await until(bench.news.ready)
        await until(lambda: any(path == "/live" for _, path in door.asked))
        count = sum(path == "/start" for _, path in door.asked)
        await asyncio.sleep(60)
        assert sum(path == "/start" for _, path in door.asked) == count, "never asked again"

    with_door(test)


def test_a_start_that_never_succeeds_is_ended() -> None:
    async def test(bench: Bench, door: Door) -> None:
        door.well["/start"] = False
        probe = http("/start", failureThreshold=2, periodSeconds=5)
        bench.begin(pods.document(restartPolicy="Never", containers=[pods.container("app", "sleep", "100000", startupProbe=probe)]))
        await until(lambda: bench.news.phase() == "Failed")

    with_door(test)


def test_a_sidecar_is_waited_for_until_it_has_started() -> None:
    async def test(bench: Bench, door: Door) -> None:
        door.well["/start"] = False
        sidecar = pods.container("proxy", restartPolicy="Always", startupProbe=http("/start", failureThreshold=100, periodSeconds=1))
        bench.begin(pods.document(initContainers=[sidecar]))
        await until(lambda: len(door.asked) > 5)
        assert bench.runtime.world.running() == [("uid-web", "proxy")] and bench.news.phase() == "Pending"
        door.well["/start"] = True
        await until(bench.news.ready)

    with_door(test)


def test_a_restarted_agent_changes_nothing_by_looking() -> None:
    async def test(bench: Bench, door: Door) -> None:
        made = pods.document(containers=[pods.container("app", readinessProbe=http("/ready"), startupProbe=http("/start"))])
        bench.begin(made)
        await until(bench.news.ready)
        known = bench.news.last()
        bench.workers.clear()
        bench.news.statuses.clear()
        bench.begin({**made, "status": known})
        await until(lambda: bench.news.statuses)
        assert all(status == known for status in bench.news.statuses["uid-web"])

    with_door(test)


def test_a_start_hook_holds_back_what_follows_and_its_failure_ends_the_container() -> None:
    async def test(bench: Bench) -> None:
        slow = pods.container("app", lifecycle={"postStart": {"exec": {"command": ["sleep", "5"]}}})
        bench.begin(pods.document(containers=[slow, pods.container("side")]))
        await until(lambda: bench.runtime.world.running())
        await asyncio.sleep(3)
        assert bench.runtime.world.running() == [("uid-web", "app")] and bench.news.waiting() == "ContainerCreating"
        await until(bench.news.ready)
        failing = pods.container("app", lifecycle={"postStart": {"exec": {"command": ["false"]}}})
        bench.begin(pods.document("other", containers=[failing]))
        await until(lambda: "FailedPostStartHook" in bench.news.reasons())
        await until(lambda: bench.news.state(uid="uid-other").get("restartCount", 0) >= 1)

    on_a_bench(test)


@pytest.mark.parametrize(
    ("command", "grace_s", "least_s", "most_s"),
    [
        pytest.param(["sleep", "4"], 30, 4.0, 4.5, id="a hook, then the stop"),
        pytest.param(["sleep", "60"], 10, 10.0, 12.5, id="a hook that is late is broken off at the end of the grace period"),
        pytest.param(["false"], 30, 0.0, 0.5, id="a hook that fails stops nothing"),
        pytest.param(["sleep", "4"], 0, 0.0, 0.5, id="by force: no hook"),
    ],
)
def test_a_stop_hook_runs_within_the_grace_period(command: list[str], grace_s: int, least_s: float, most_s: float) -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(containers=[pods.container("app", lifecycle={"preStop": {"exec": {"command": command}}})])
        worker = bench.begin(made)
        await until(bench.news.ready)
        began = bench.clock.monotonic()
        worker.assign(pods.assigned(pods.deleted(made, grace_s), 2))
        await until(lambda: bench.news.ended)
        assert least_s <= bench.clock.monotonic() - began <= most_s
        failed = "FailedPreStopHook" in bench.news.reasons()
        assert failed is (command == ["false"] or grace_s == 10)

    on_a_bench(test)


def test_a_shorter_grace_period_breaks_a_stop_hook_off_and_does_not_run_it_again() -> None:
    async def test(bench: Bench) -> None:
        made = pods.document(containers=[pods.container("app", lifecycle={"preStop": {"exec": {"command": ["sleep", "100"]}}})])
        worker = bench.begin(made)
        await until(bench.news.ready)
        worker.assign(pods.assigned(pods.deleted(made, 300), 2))
        await asyncio.sleep(5)
        began = bench.clock.monotonic()
        worker.assign(pods.assigned(pods.deleted(made, 1), 3))
        await until(lambda: bench.news.ended)
        assert bench.clock.monotonic() - began < 3

    on_a_bench(test)


def test_observed_states_are_what_the_scene_needs() -> None:
    """A sandbox that is not ready, or a container of a former one, is not probed."""
    old = ObservedSandbox("s0", "uid-web", "default", "web", 0, False, containers=(ran(),))
    scene = Scene(pods.view(probed("liveness")), PodLife(live=True), [old], NOW, HOST)
    assert probing.targets(scene, ending=False) == ()
    exited = Scene(pods.view(probed("liveness")), PodLife(live=True), [sandbox(ran(state=State.EXITED))], NOW, HOST)
    assert probing.targets(exited, ending=False) == ()
