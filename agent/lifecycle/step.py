"""`step`: given a pod, what is remembered of it and what the runtime shows, the one operation to do next.

                      deletion asked, or evicted, or object gone
      ┌────────────────────────────────────────────────────────────┐
      │                                                            ▼
    run: sandbox → init containers in order → app containers     stop: containers (SIGTERM, grace, SIGKILL)
      │                                                            │    → sandbox stopped
      │ all ended and none is to run again                         │    → (deletion) sandbox removed → gone
      ▼                                                            │
    finished: sandbox stopped, containers kept for their logs ◄────┘ (but for those evicted, who leave room)

A pod that must be at most one is never started before a master confirmed its assignment to this process.
What is superfluous (tries older than the previous one, sandboxes without containers) is removed when nothing else is to do.
"""

from __future__ import annotations

import math

from agent.lifecycle import containers, environment, hooks, life, probing, security, specs, status, volumes
from agent.lifecycle.life import (
    Action,
    Host,
    Moment,
    Note,
    PodLife,
    Step,
    Wait,
    Waiting,
    replace,
)
from agent.lifecycle.scene import (
    Observation,
    Scene,
    container_path,
    initialized,
    is_sidecar,
    is_started,
    succeeded_here,
    wanted,
)
from agent.runtime.contract import ObservedContainer, State
from common.objects import meta
from common.objects import pod as pods

DEADLINE_EXCEEDED = "DeadlineExceeded"
DEADLINE_WORDS = "Pod was active on the node longer than the specified deadline"
AT_MOST_ONE = "steersman.io/at-most-one"
KEPT_TRIES = 2
"""Per container: the newest and the one before it, for `kubectl logs --previous`."""


def step(pod: pods.Pod, memory: PodLife, observed: Observation, *, now: Moment, host: Host) -> Step:
    """Pure. The same input gives the same output; doing nothing is `action=None`, doing nothing yet is `Wait`."""
    memory = _settled(Scene(pod, memory, observed, now, host))
    scene = Scene(pod, memory, observed, now, host)
    if memory.forgotten:
        return _end(scene, grace_s=0.0, remove=True)
    if pod.metadata.deletion_timestamp is not None:
        given = pod.metadata.deletion_grace_period_seconds
        return _end(scene, grace_s=_own_grace_s(pod) if given is None else float(given), remove=True)
    if scene.phase_given or memory.finished:
        return _end(scene, grace_s=_own_grace_s(pod), remove=False)
    return _run(scene)


def end_orphan(memory: PodLife, observed: Observation, *, now: Moment) -> Step:
    """For a pod of which nothing is known but what runs: end it at once."""
    return _end(Scene(pods.Pod(metadata=meta.Meta()), memory, observed, now, Host()), grace_s=0.0, remove=True)


def _own_grace_s(pod: pods.Pod) -> float:
    return float(pod.spec.termination_grace_period_seconds)


def _settled(scene: Scene) -> PodLife:
    """Forget the troubles of what now runs."""
    memory = scene.life
    for container in scene.running:
        mine = memory.of(container.name)
        if mine.waiting is not None or mine.retry_s or mine.pull_backoff_s or mine.image_id:
            calm = replace(mine, waiting=None, retry_s=0.0, retry_at=0.0, pull_backoff_s=0.0, pull_until=0.0, image_id="")
            memory = memory.having(container.name, calm)
    if not memory.start_time:
        memory = replace(memory, start_time=scene.pod.status.start_time or status.when(scene.now.wall))
    return memory


def _run(scene: Scene) -> Step:
    pod, memory = scene.pod, scene.life
    if pod.metadata.annotations.get(AT_MOST_ONE) == "true" and not memory.live:
        return Step(memory, None)
    phase = status.final_phase(scene)
    if phase:
        return _end(_with(scene, replace(memory, finished=phase)), grace_s=_own_grace_s(pod), remove=False)
    if memory.evicted is not None:
        return _fail(scene, memory.evicted, "Warning", grace_s=0.0)
    forbidden = security.forbidden_sysctl(pod)
    if forbidden is not None:
        return _fail(scene, forbidden, "Warning")
    deadline = _deadline(scene)
    if deadline is not None and scene.now.mono >= deadline:
        return _fail(scene, Waiting(DEADLINE_EXCEEDED, DEADLINE_WORDS), "Normal")
    forward = _start(scene)
    if deadline is not None and (forward.action is None or isinstance(forward.action, Wait)):
        until = forward.action.until if forward.action is not None else deadline
        return replace(forward, action=Wait(min(until, deadline)))
    return forward


def _fail(scene: Scene, why: Waiting, kind: str, *, grace_s: float | None = None) -> Step:
    """The pod is over, by the agent's own decision; kind: the event's type. grace_s None: the pod's own."""
    memory = replace(scene.life, finished="Failed", ended_for=why)
    forward = _end(_with(scene, memory), grace_s=_own_grace_s(scene.pod) if grace_s is None else grace_s, remove=False)
    return replace(forward, notes=(Note(kind, why.reason, why.message), *forward.notes))


def _deadline(scene: Scene) -> float | None:
    """When the pod's active time is over (`Moment.mono`)."""
    seconds = scene.pod.spec.active_deadline_seconds
    if seconds is None:
        return None
    return scene.now.mono + status.moment(scene.life.start_time) + seconds - scene.now.wall


def _start(scene: Scene) -> Step:
    """Towards all containers running."""
    pod, memory = scene.pod, scene.life
    if memory.blocked:
        return Step(memory, None)
    if pod.spec.volumes:
        prepared = _prepare_volumes(scene)
        if isinstance(prepared, Step):
            return prepared
        scene = _with(scene, prepared)
    if scene.sandbox is None:
        return _make_sandbox(scene)
    forward = _advance_containers(scene)
    if forward.action is None or isinstance(forward.action, Wait):
        rubbish = _rubbish(scene)
        if rubbish is not None:
            return replace(forward, action=rubbish)
    return forward


def _prepare_volumes(scene: Scene) -> Step | PodLife:
    """The volumes before anything else; anew when a ConfigMap or Secret in them changed."""
    memory = scene.life
    made = volumes.plan(scene.pod, scene.host)
    if isinstance(made, Waiting):
        if memory.volumes or any(scene.tries(c.name) for c in scene.pod.spec.containers):
            return memory  # they were made before, and what is missing now changes nothing for those who have them
        notes: tuple[Note, ...] = ()
        if memory.volumes_waiting != made and made.reason == environment.CONFIG_ERROR:
            notes = (Note("Warning", "FailedMount", made.message),)
        return Step(replace(memory, volumes_waiting=made), None, notes)
    fingerprint = volumes.fingerprint(made)
    if fingerprint == memory.volumes:
        return memory
    if scene.now.mono < memory.retry_at:
        return Step(memory, Wait(memory.retry_at))
    return Step(memory, life.PrepareVolumes(made, fingerprint))


def _with(scene: Scene, memory: PodLife) -> Scene:
    return Scene(scene.pod, memory, scene.observed, scene.now, scene.host)


def _make_sandbox(scene: Scene) -> Step:
    """Clear away the network of what was before, then the next sandbox."""
    memory = scene.life
    for sandbox in scene.observed:
        if sandbox.id not in memory.stopped:
            return Step(memory, life.StopSandbox(sandbox.id))
    if scene.now.mono < memory.retry_at:
        return Step(memory, Wait(memory.retry_at))
    try:
        handler = specs.handler(scene.pod, scene.host)
    except LookupError as error:
        note = Note("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
        return Step(replace(memory, sandbox_error=str(error)), None, () if memory.sandbox_error == str(error) else (note,))
    if handler is None:
        return Step(memory, None)
    attempt = max((s.attempt for s in scene.observed), default=-1) + 1
    return Step(memory, life.CreateSandbox(specs.sandbox(scene.pod, attempt, scene.host, handler=handler)))


def _advance_containers(scene: Scene) -> Step:
    memory, soonest, notes = scene.life, None, ()
    for container, init in _due(scene):
        if not wanted(scene, container, init=init):
            tended = _tend(_with(scene, memory), container)
            if tended is not None:
                return replace(tended, notes=notes + tended.notes)
            continue
        advance = containers.advance(_with(scene, memory), container)
        memory = memory.having(container.name, advance.life)
        notes += advance.notes
        if isinstance(advance.action, Wait):
            soonest = min(soonest, advance.action.until) if soonest is not None else advance.action.until
        elif advance.action is not None:
            return Step(memory, advance.action, notes)
    return Step(memory, Wait(soonest) if soonest is not None else None, notes)


def _tend(scene: Scene, container: pods.Container) -> Step | None:
    """What a running container needs: its postStart hook, or an end, when a probe or that hook failed."""
    latest, memory = scene.latest(container.name), scene.life
    if latest is None or latest.container.state is not State.RUNNING:
        return None
    observed = latest.container
    verdict = probing.condemned(scene, container, observed)
    if verdict is None:
        hook = hooks.post_start(scene, container, observed)
        return None if hook is None else Step(memory, life.RunHook(hook))
    if scene.now.mono < memory.retry_at:
        return Step(memory, Wait(memory.retry_at))
    grace_s, note = verdict
    begun = hooks.begin(scene, [observed])
    stop = life.StopContainers((observed.id,), grace_s, (observed.name,), begun.hooks if grace_s > 0 else ())
    return Step(begun.life, stop, (note,) if begun.fresh else ())


def _due(scene: Scene) -> list[tuple[pods.Container, bool]]:
    """The containers whose turn it is, with whether each is an init container. Ephemeral ones first: a pod may not come up."""
    apps = [(container, False) for container in scene.pod.spec.containers]
    done = initialized(scene)
    due = [(container, False) for container in scene.pod.spec.ephemeral_containers]
    for container in scene.pod.spec.init_containers:
        if is_sidecar(container):
            due.append((container, True))
            if not done and not is_started(scene, container):
                return due
        elif not done and not succeeded_here(scene, container.name):
            return [*due, (container, True)]
    return due + apps


def _rubbish(scene: Scene) -> Action | None:
    """A superfluous try or sandbox to remove, oldest first."""
    for name in dict.fromkeys(c.name for s in scene.observed for c in s.containers):
        for tried in scene.tries(name)[:-KEPT_TRIES]:
            if tried.container.state is not State.RUNNING:
                return life.RemoveContainer(tried.container.id, specs.log_path(name, tried.container.attempt))
    current = scene.sandbox
    for sandbox in scene.observed:
        if sandbox is not current and not sandbox.containers and not sandbox.ready:
            return life.RemoveSandbox(sandbox.id)
    return None


def _end(scene: Scene, *, grace_s: float, remove: bool) -> Step:
    memory, now_s = scene.life, scene.now.mono
    running = _ending_order(scene)
    if now_s < memory.retry_at:
        return Step(memory, Wait(memory.retry_at))
    if running:
        return _stop(scene, running, deadline=min(now_s + grace_s, memory.kill_until if memory.kill_until is not None else math.inf))
    for sandbox in scene.observed:
        if sandbox.id not in memory.stopped:
            if sandbox.ready or remove:
                return Step(memory, life.StopSandbox(sandbox.id))
    if not remove:
        if scene.pod.spec.volumes and scene.host.tokens is not None and not memory.released:
            return Step(memory, life.ReleaseVolumes())
        if memory.evicted is None:
            return Step(memory, None)  # its containers are kept for their logs
    memory = replace(memory, removing=True)
    for sandbox in scene.observed:
        return Step(memory, life.RemoveSandbox(sandbox.id))
    return Step(memory, None, gone=remove)


def _stop(scene: Scene, running: list[ObservedContainer], *, deadline: float) -> Step:
    begun, grace_s = hooks.begin(scene, running), max(0.0, deadline - scene.now.mono)
    stop = life.StopContainers(
        tuple(c.id for c in running), grace_s, tuple(c.name for c in running), begun.hooks if grace_s > 0 else ()
    )
    notes = tuple(Note("Normal", "Killing", f"Stopping container {c.name}", container_path(scene.pod, c.name)) for c in begun.fresh)
    return Step(replace(begun.life, kill_until=deadline), stop, notes)


def _ending_order(scene: Scene) -> list[ObservedContainer]:
    """What to stop now: sidecars last, so that they serve the others to the end."""
    sidecars = {c.name for c in scene.pod.spec.init_containers if is_sidecar(c)}
    others = [c for c in scene.running if c.name not in sidecars]
    return others or scene.running
