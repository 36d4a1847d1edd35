"""Probes: which are to be asked now, and what their answers mean for a container.

      runs ─► startup probe (if any) ─ succeeded ─► started ─► readiness: ready or not, again and again
                   │ failed too often                    └──► liveness ─ failed too often ─┐
                   └────────────────────────► condemned: stopped, and run again by the restart policy

Owns the counting of answers in a row (after the kubelet's `prober.worker`). What is remembered of a container holds for one start of it
(`Health.id`); a restarted agent begins with what the pod's status said, so that nothing turns unready by its looking.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agent.lifecycle.life import Health, Note, PodLife, replace
from agent.lifecycle.scene import Scene, container_path, health, is_sidecar, new_health
from agent.probes.contract import Answer, Place, Result
from agent.runtime.contract import ObservedContainer, State
from common.objects import pod as pods
from common.objects.handlers import Probe

STARTUP, LIVENESS, READINESS = "startup", "liveness", "readiness"
CONDEMNING = (STARTUP, LIVENESS)
POST_START = "postStart"


class Target(msgspec.Struct, frozen=True):
    """One probe of one start of a container. started_at: wall-clock seconds."""

    container: str
    kind: str
    probe: Probe
    place: Place
    started_at: float


def place(scene: Scene, container: pods.Container, container_id: str) -> Place:
    sandbox = scene.sandbox
    address = next(iter(scene.host.addresses), "") if scene.pod.spec.host_network else sandbox.ip if sandbox is not None else ""
    return Place(container_id, address, tuple((port.name, port.container_port) for port in container.ports if port.name))


def targets(scene: Scene, *, ending: bool) -> tuple[Target, ...]:
    """The probes to be asked now; of a pod that ends, only whether it is ready."""
    return tuple(_targets(scene, ending=ending))


def _targets(scene: Scene, *, ending: bool) -> Iterator[Target]:
    sidecars = [container for container in scene.pod.spec.init_containers if is_sidecar(container)]
    for container in (*sidecars, *scene.pod.spec.containers):
        latest = scene.latest(container.name)
        if latest is None or not latest.here or latest.container.state is not State.RUNNING:
            continue
        now = health(scene, container, latest.container)
        if not now.hooked or now.condemned:
            continue
        if now.started:
            asked = ((READINESS, container.readiness_probe), (LIVENESS, None if ending else container.liveness_probe))
        else:
            asked = ((STARTUP, None if ending else container.startup_probe),)
        for kind, probe in asked:
            if probe is not None:
                where = place(scene, container, latest.container.id)
                yield Target(container.name, kind, probe, where, latest.container.started_at or scene.now.wall)


def learned(pod: pods.Pod, memory: PodLife, target: Target, result: Result) -> tuple[PodLife, tuple[Note, ...]]:
    """An answer: the memory that follows, and what to tell. An answer about a former start is nothing."""
    container = pods.container_of(pod.spec, target.container)
    if container is None:
        return memory, ()
    mine = memory.of(container.name)
    before = mine.health if mine.health.id == target.place.container_id else new_health(container, target.place.container_id)
    notes = _unhealthy(pod, target, result)
    if result.answer is Answer.UNKNOWN:
        return memory, notes
    well = result.answer is Answer.SUCCESS
    said, times = before.counts.get(target.kind, (well, 0))
    times = times + 1 if said is well else 1
    after = replace(before, counts={**before.counts, target.kind: (well, times)})
    if times >= (target.probe.success_threshold if well else target.probe.failure_threshold):
        after = _judged(after, container, target.kind, well=well)
    return memory.having(container.name, replace(mine, health=after)), notes


def _judged(now: Health, container: pods.Container, kind: str, *, well: bool) -> Health:
    if kind == READINESS:
        return replace(now, ready=well)
    if not well:
        return replace(now, condemned=kind, counts={})
    if kind == STARTUP:
        return replace(now, started=True, ready=container.readiness_probe is None)
    return now


def _unhealthy(pod: pods.Pod, target: Target, result: Result) -> tuple[Note, ...]:
    what, path = f"{target.kind.capitalize()} probe", container_path(pod, target.container)
    if result.answer is Answer.FAILURE:
        return (Note("Warning", "Unhealthy", f"{what} failed: {result.words}", path),)
    if result.answer is Answer.UNKNOWN:
        return (Note("Warning", "Unhealthy", f"{what} errored and resulted in unknown state: {result.words}", path),)
    return ()


def condemned(scene: Scene, container: pods.Container, observed: ObservedContainer) -> tuple[float, Note] | None:
    """The grace in seconds and the event with which a running container is to be stopped, if a probe or its hook demands it."""
    kind = health(scene, container, observed).condemned
    if not kind:
        return None
    path = container_path(scene.pod, container.name)
    own = float(scene.pod.spec.termination_grace_period_seconds)
    if kind == POST_START:
        return own, Note("Normal", "Killing", "FailedPostStartHook", path)
    probe = container.startup_probe if kind == STARTUP else container.liveness_probe
    given = probe.termination_grace_period_seconds if probe is not None else None
    return own if given is None else float(given), Note(
        "Normal", "Killing", f"Container {container.name} failed {kind} probe, will be restarted", path
    )


def recalled(pod: pods.Pod) -> dict[str, Health]:
    """By container: what the pod's status said of those that ran when it was written."""
    found = {}
    for status in pod.status.init_container_statuses + pod.status.container_statuses:
        if status.state.running is not None and status.container_id:
            identity = status.container_id.partition("://")[2]
            found[status.name] = Health(identity, hooked=True, started=bool(status.started), ready=status.ready)
    return found


def hooked(memory: PodLife, pod: pods.Pod, *, name: str, container_id: str, error: str) -> tuple[PodLife, tuple[Note, ...]]:
    """The postStart hook is over."""
    container = pods.container_of(pod.spec, name)
    assert container is not None, "the hook is a container's of this pod"
    mine = memory.of(name)
    now = mine.health if mine.health.id == container_id else new_health(container, container_id)
    if not error:
        return memory.having(name, replace(mine, health=replace(now, hooked=True))), ()
    note = Note("Warning", "FailedPostStartHook", f"PostStartHook failed: {error}", container_path(pod, name))
    return memory.having(name, replace(mine, health=replace(now, condemned=POST_START))), (note,)
