"""What an operation's outcome means: the memory that follows, and the Kubernetes Events to tell.

A refusal (the runtime's own words) is about the pod and is shown in its status; a runtime that is away or late says nothing
about the pod, which then just waits. Either way the operation is tried again later, with a back-off of its own.
"""

from __future__ import annotations

from agent.lifecycle import life, probing
from agent.lifecycle.life import (
    Action,
    Moment,
    Note,
    Outcome,
    PodLife,
    Waiting,
    replace,
)
from agent.lifecycle.scene import container_path
from common.objects import pod as pods

Learned = tuple[PodLife, tuple[Note, ...]]


def learn(pod: pods.Pod, memory: PodLife, action: Action, *, outcome: Outcome, now: Moment) -> Learned:
    if isinstance(action, life.EnsureImage):
        return _image(pod, memory, action, outcome=outcome, now=now)
    if isinstance(action, life.CreateContainer):
        return _created(pod, memory, action, outcome=outcome, now=now)
    if isinstance(action, life.StartContainer):
        return _started(pod, memory, action, outcome=outcome, now=now)
    if isinstance(action, life.RunHook):
        hook = action.hook
        return probing.hooked(memory, pod, name=hook.container, container_id=hook.place.container_id, error=outcome.error)
    if outcome.failed:
        return _pod_trouble(memory, action, outcome=outcome, now=now)
    memory = replace(memory, retry_s=0.0, retry_at=0.0)
    if isinstance(action, life.StopSandbox):
        memory = replace(memory, stopped=(*memory.stopped, action.sandbox_id))
    elif isinstance(action, life.RemoveSandbox):
        memory = replace(memory, stopped=tuple(s for s in memory.stopped if s != action.sandbox_id))
    elif isinstance(action, life.CreateSandbox):
        memory = replace(memory, sandbox_error="")
        if action.spec.attempt > 0:
            note = Note("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
            return memory, (note,)
    elif isinstance(action, life.ReleaseVolumes):
        memory = replace(memory, released=True)
    elif isinstance(action, life.PrepareVolumes):
        memory = replace(memory, volumes=action.fingerprint, volumes_waiting=None)
    elif isinstance(action, life.StopContainers):
        return memory, tuple(Note("Warning", "FailedPreStopHook", "PreStopHook failed", container_path(pod, n)) for n in outcome.unhooked)
    return memory, ()


def recovered(memory: PodLife) -> PodLife:
    """The runtime came back: what waits because of its absence need not wait longer."""
    containers = {name: replace(mine, retry_at=0.0) for name, mine in memory.containers.items()}
    return replace(memory, retry_at=0.0, containers=containers)


def pulling(pod: pods.Pod, action: life.EnsureImage, far: str = "") -> Note:
    """far: how far it has come, of one that takes long."""
    text = f'Pulling image "{action.image}"' + (f": {far}" if far else "")
    return Note("Normal", "Pulling", text, container_path(pod, action.container))


PRESENT = "present"
"""`Outcome.kind` of an EnsureImage that needed no pull."""


def _image(pod: pods.Pod, memory: PodLife, action: life.EnsureImage, *, outcome: Outcome, now: Moment) -> Learned:
    mine, path = memory.of(action.container), container_path(pod, action.container)
    if not outcome.error:
        # Subtle: retry_s stays, or a container that cannot be created would be tried again each second for ever.
        calm = replace(mine, image_id=outcome.value, image_user=outcome.user)
        calm = replace(calm, waiting=None, pull_backoff_s=0.0, pull_until=0.0, retry_at=0.0)
        text = f'Container image "{action.image}" already present on machine'
        if outcome.kind != PRESENT:
            times = f"in {_took(outcome.pull_s)} ({_took(outcome.took_s)} including waiting)"
            text = f'Successfully pulled image "{action.image}" {times}. Image size: {outcome.size_bytes} bytes.'
        return memory.having(action.container, calm), (Note("Normal", "Pulled", text, path),)
    if outcome.retryable:
        return memory.having(action.container, _later(mine, now)), ()
    kind = outcome.kind or "ErrImagePull"
    if kind in (life.INVALID_IMAGE_NAME, life.NEVER_PULL):
        return _not_to_be_pulled(memory, action, Waiting(kind, outcome.error), path=path, now=now)
    delay_s = life.doubled(mine.pull_backoff_s, first_s=life.PULL_BACKOFF_FIRST_S, most_s=life.PULL_BACKOFF_MAX_S)
    mine = replace(
        mine,
        waiting=Waiting(kind, outcome.error),
        pull_error=f"{kind}: {outcome.error}",
        pull_backoff_s=delay_s,
        pull_until=now.mono + delay_s,
        pull_shown_until=now.mono + life.PULL_ERROR_SHOWN_S,
    )
    text = f'Failed to pull image "{action.image}": {outcome.error}'
    notes = (Note("Warning", "Failed", text, path), Note("Warning", "Failed", f"Error: {kind}", path))
    return memory.having(action.container, mine), notes


def _not_to_be_pulled(memory: PodLife, action: life.EnsureImage, why: Waiting, *, path: str, now: Moment) -> Learned:
    """No pull was tried, so there is no back-off: it is looked again now and then, and told once."""
    mine = memory.of(action.container)
    event = "InspectFailed" if why.reason == life.INVALID_IMAGE_NAME else why.reason
    told = mine.waiting == why
    mine = replace(mine, waiting=why, pull_until=now.mono + life.LOOK_AGAIN_S)
    notes = () if told else (Note("Warning", event, why.message, path), Note("Warning", "Failed", f"Error: {why.reason}", path))
    return memory.having(action.container, mine), notes


def _took(seconds: float) -> str:
    """As Go prints a duration that was cut to milliseconds."""
    if seconds < 1:
        return f"{int(seconds * 1000)}ms" if seconds >= 0.001 else "0s"
    whole = life.duration(seconds)
    fraction = f"{int(seconds * 1000) % 1000 / 1000:g}"[1:] if int(seconds * 1000) % 1000 else ""
    return f"{whole[:-1]}{fraction}s"


def _later(mine: life.ContainerLife, now: Moment) -> life.ContainerLife:
    delay_s = life.doubled(mine.retry_s, first_s=life.RETRY_FIRST_S, most_s=life.RETRY_MAX_S)
    return replace(mine, retry_s=delay_s, retry_at=now.mono + delay_s)


def _created(pod: pods.Pod, memory: PodLife, action: life.CreateContainer, *, outcome: Outcome, now: Moment) -> Learned:
    name = action.spec.name
    mine, path = memory.of(name), container_path(pod, name)
    if not outcome.failed:
        calm = replace(mine, waiting=None, retry_s=0.0, retry_at=0.0, image_id="")
        return memory.having(name, calm), (Note("Normal", "Created", f"Created container: {name}", path),)
    later = _later(mine, now)
    if outcome.retryable:
        return memory.having(name, later), ()
    # Subtle: the image may have been removed meanwhile; looking for it again costs little.
    later = replace(later, image_id="", waiting=Waiting(outcome.kind or "CreateContainerError", outcome.error))
    return memory.having(name, later), (Note("Warning", "Failed", f"Error: {outcome.error}", path),)


def _started(pod: pods.Pod, memory: PodLife, action: life.StartContainer, *, outcome: Outcome, now: Moment) -> Learned:
    name = action.container
    mine, path = memory.of(name), container_path(pod, name)
    if not outcome.failed:
        calm = replace(mine, waiting=None, retry_s=0.0, retry_at=0.0)
        return memory.having(name, calm), (Note("Normal", "Started", f"Started container {name}", path),)
    if outcome.retryable:
        return memory.having(name, _later(mine, now)), ()
    failed = replace(mine, start_failed=action.container_id, waiting=Waiting(outcome.kind or "RunContainerError", outcome.error))
    return memory.having(name, failed), (Note("Warning", "Failed", f"Error: {outcome.error}", path),)


def _pod_trouble(memory: PodLife, action: Action, *, outcome: Outcome, now: Moment) -> Learned:
    delay_s = life.doubled(memory.retry_s, first_s=life.RETRY_FIRST_S, most_s=life.RETRY_MAX_S)
    memory = replace(memory, retry_s=delay_s, retry_at=now.mono + delay_s)
    if outcome.retryable:
        return memory, ()
    notes: tuple[Note, ...] = ()
    if isinstance(action, life.CreateSandbox):
        if memory.sandbox_error != outcome.error:
            notes = (Note("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {outcome.error}"),)
        memory = replace(memory, sandbox_error=outcome.error)
    elif isinstance(action, life.PrepareVolumes):
        notes = (Note("Warning", "FailedMount", outcome.error),)
    elif isinstance(action, life.StopContainers):
        notes = (Note("Warning", "FailedKillPod", f"error killing pod: {outcome.error}"),)
    return memory, notes
