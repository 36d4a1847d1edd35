"""One container: what it needs next in order to run.

      no try, or the last one ended and is to run again
                │ crash back-off over? (10 s doubling to 300 s; forgotten after 10 min of running; the first restart is at once)
                │ environment complete? else CreateContainerConfigError
                │ image there? else ErrImagePull, ImagePullBackOff
                ▼
            CreateContainer ── refused: CreateContainerError, tried again with back-off
                ▼
            StartContainer ─── refused: the try counts as ended (StartError), so the crash back-off applies
                ▼
             running
"""

from __future__ import annotations

import msgspec

from agent.images import reference
from agent.lifecycle import environment, life, pull_secrets, security, specs, volumes
from agent.lifecycle.life import Action, ContainerLife, Note, Wait, Waiting, replace
from agent.lifecycle.scene import Scene, Tried, container_path
from agent.runtime.contract import ObservedContainer, State
from common.objects import pod as pods


class Advance(msgspec.Struct, frozen=True):
    """action None: it runs, or waits for something that will be noticed."""

    life: ContainerLife
    action: Action | None = None
    notes: tuple[Note, ...] = ()


def advance(scene: Scene, container: pods.Container) -> Advance:
    """The next operation for a container that is wanted. The scene has a ready sandbox."""
    memory = scene.life.of(container.name)
    latest = scene.latest(container.name)
    if latest is not None and latest.here and latest.container.state is State.CREATED:
        if memory.start_failed != latest.container.id:
            if scene.now.mono < memory.retry_at:
                return Advance(memory, Wait(memory.retry_at))
            return Advance(memory, life.StartContainer(container.name, latest.container.id))
    memory, notes = _judge_exit(scene, container, memory, latest)
    if scene.now.mono < memory.crash_until:
        return Advance(memory, Wait(memory.crash_until), notes)
    return _create(scene, container, memory, notes=notes)


def _judge_exit(
    scene: Scene, container: pods.Container, memory: ContainerLife, latest: Tried | None
) -> tuple[ContainerLife, tuple[Note, ...]]:
    """Answer an end that was not answered yet with a back-off. A sandbox' own end is not the container's fault."""
    if latest is None or latest.container.id == memory.judged_exit or latest.container.state is State.RUNNING:
        return memory, ()
    ended = latest.container
    if not latest.here:
        return replace(memory, judged_exit=ended.id), ()
    delay_s, elapsed_s = memory.crash_backoff_s, 0.0
    if delay_s <= 0 and not memory.judged_exit and ended.attempt > 0:
        # A restarted agent must not start a crash loop's container sooner than the one before it would have.
        delay_s = min(life.CRASH_BACKOFF_FIRST_S * 2 ** min(ended.attempt - 1, 10), life.CRASH_BACKOFF_MAX_S)
        elapsed_s = max(0.0, min(delay_s, scene.now.wall - (ended.finished_at or scene.now.wall)))
    if delay_s <= 0 or ran_s(ended) >= life.CRASH_BACKOFF_RESET_S:
        return replace(memory, judged_exit=ended.id, crash_backoff_s=life.CRASH_BACKOFF_FIRST_S, crash_until=0.0), ()
    meta = scene.pod.metadata
    who = f"{meta.name}_{meta.namespace}({meta.uid})"
    message = f"back-off {life.duration(delay_s)} restarting failed container={container.name} pod={who}"
    memory = replace(
        memory,
        judged_exit=ended.id,
        crash_until=scene.now.mono + delay_s - elapsed_s,
        crash_backoff_s=life.doubled(delay_s, first_s=life.CRASH_BACKOFF_FIRST_S, most_s=life.CRASH_BACKOFF_MAX_S),
        waiting=Waiting("CrashLoopBackOff", message),
    )
    text = f"Back-off restarting failed container {container.name} in pod {who}"
    return memory, (Note("Warning", "BackOff", text, container_path(scene.pod, container.name)),)


def ran_s(ended: ObservedContainer) -> float:
    return max(0.0, (ended.finished_at or 0.0) - ended.started_at) if ended.started_at else 0.0


def _create(
    scene: Scene, container: pods.Container, memory: ContainerLife, *, notes: tuple[Note, ...]
) -> Advance:
    sandbox = scene.sandbox
    assert sandbox is not None
    pod_ip = "" if scene.pod.spec.host_network else sandbox.ip
    env = environment.resolve(scene.pod, container, host=scene.host, pod_ip=pod_ip)
    if isinstance(env, Waiting):
        return _held_up(scene, container, memory, env, notes=notes)
    parts = volumes.sub_paths(scene.pod, container, env, scene.host)
    if isinstance(parts, Waiting):
        return _held_up(scene, container, memory, parts, notes=notes)
    if not memory.image_id:
        memory, action, more = _image(scene, container, memory)
        return Advance(memory, action, notes + more)
    trouble = security.root_trouble(scene.pod, container, memory.image_user)
    if trouble is not None:
        return _held_up(scene, container, memory, trouble, notes=notes)
    if scene.now.mono < memory.retry_at:
        return Advance(memory, Wait(memory.retry_at), notes)
    target, wanted = scene.latest(container.target_container_name), container.target_container_name
    if wanted and (target is None or not target.here or target.container.state is not State.RUNNING):
        missing = Waiting("CreateContainerError", f'target container "{wanted}" does not run')
        return _held_up(scene, container, memory, missing, notes=notes)
    spec = specs.container(
        scene.pod, container, attempt=scene.attempt(container.name), image=memory.image_id, env=env, ip=sandbox.ip,
        host=scene.host, parts=parts,
    )  # fmt: skip
    if target is not None and wanted:
        spec = replace(spec, pid_of=target.container.id)
    return Advance(memory, life.CreateContainer(sandbox.id, spec), notes)


def _held_up(scene: Scene, container: pods.Container, memory: ContainerLife, why: Waiting, *, notes: tuple[Note, ...]) -> Advance:
    """By what it names; told once."""
    if memory.waiting != why and why.reason == environment.CONFIG_ERROR:
        notes += (Note("Warning", "Failed", f"Error: {why.message}", container_path(scene.pod, container.name)),)
    return Advance(replace(memory, waiting=why), None, notes)


def _image(
    scene: Scene, container: pods.Container, memory: ContainerLife
) -> tuple[ContainerLife, Action, tuple[Note, ...]]:
    notes: tuple[Note, ...] = ()
    if scene.now.mono < memory.pull_until:
        if memory.waiting is not None and memory.waiting.reason in (life.INVALID_IMAGE_NAME, life.NEVER_PULL):
            return memory, Wait(memory.pull_until), ()
        if scene.now.mono < memory.pull_shown_until:
            return memory, Wait(memory.pull_shown_until), ()
        backing_off = Waiting("ImagePullBackOff", f'Back-off pulling image "{container.image}": {memory.pull_error}')
        if memory.waiting != backing_off:
            path = container_path(scene.pod, container.name)
            notes = (
                Note("Normal", "BackOff", f'Back-off pulling image "{container.image}"', path),
                Note("Warning", "Failed", "Error: ImagePullBackOff", path),
            )
        return replace(memory, waiting=backing_off), Wait(memory.pull_until), notes
    if scene.now.mono < memory.retry_at:
        return memory, Wait(memory.retry_at), ()
    try:
        image = reference.parse(container.image)
    except ValueError:
        return memory, life.EnsureImage(container.name, container.image, "Always"), ()
    secrets = pull_secrets.find(scene.pod, scene.host, live=scene.life.live)
    if secrets.awaited:
        return replace(memory, waiting=Waiting("ContainerCreating", f'waiting for secret "{secrets.awaited}" from the master')), None, ()
    policy = container.image_pull_policy or default_pull_policy(image)
    ensure = life.EnsureImage(container.name, container.image, policy, secrets.keyring.of(image), secrets.unreadable)
    return memory, ensure, secrets.notes


def default_pull_policy(image: reference.Reference) -> str:
    """Always for `:latest` or no tag at all."""
    return "Always" if image.tag == reference.DEFAULT_TAG and not image.digest else "IfNotPresent"
