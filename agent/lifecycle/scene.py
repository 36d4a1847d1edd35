"""What a step looks at, put together: the pod, what is remembered, what the runtime shows, the time, the host.

Owns the questions that several rules ask of an observation: which sandbox is the current one, what the newest try of
a container is, whether a container is to run again.
"""

from __future__ import annotations

import msgspec

from agent.lifecycle.life import Health, Host, Moment, PodLife
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from common.objects import pod as pods

Observation = list[ObservedSandbox]


class Tried(msgspec.Struct, frozen=True):
    """One try of a container, and whether it is in the current sandbox."""

    container: ObservedContainer
    here: bool


class Scene(msgspec.Struct, frozen=True):
    pod: pods.Pod
    life: PodLife
    observed: Observation
    now: Moment
    host: Host

    @property
    def sandbox(self) -> ObservedSandbox | None:
        """The sandbox in which containers may be started: the newest, if it is ready."""
        newest = max(self.observed, key=lambda s: s.attempt, default=None)
        return newest if newest is not None and newest.ready else None

    def tries(self, name: str) -> list[Tried]:
        """All tries of that container that the runtime still has, oldest first."""
        current = self.sandbox
        found = [
            Tried(container, sandbox is current)
            for sandbox in self.observed
            for container in sandbox.containers
            if container.name == name
        ]
        return sorted(found, key=lambda tried: (tried.container.attempt, tried.container.created_at or 0.0))

    def latest(self, name: str) -> Tried | None:
        tries = self.tries(name)
        return tries[-1] if tries else None

    def attempt(self, name: str) -> int:
        """The number of the next try."""
        latest = self.latest(name)
        floor = self.life.restarts.get(name, -1) + 1
        return max(floor, latest.container.attempt + 1 if latest else 0)

    @property
    def running(self) -> list[ObservedContainer]:
        """Whatever may still run, in any sandbox; oldest sandbox first."""
        return [c for s in self.observed for c in s.containers if c.state is State.RUNNING]

    @property
    def phase_given(self) -> str:
        """The terminal phase that the API's pod already has (evicted, or finished before), or ""."""
        return self.pod.status.phase if self.pod.finished else ""


def container_path(pod: pods.Pod, name: str) -> str:
    """As in Events: `spec.containers{web}`."""
    for field, group in (("initContainers", pod.spec.init_containers), ("ephemeralContainers", pod.spec.ephemeral_containers)):
        if any(each.name == name for each in group):
            return f"spec.{field}{{{name}}}"
    return f"spec.containers{{{name}}}"


def is_ephemeral(pod: pods.Pod, container: pods.Container) -> bool:
    """It was added to a running pod, to look into it; it runs once and counts for nothing."""
    return any(each.name == container.name for each in pod.spec.ephemeral_containers)


def is_sidecar(container: pods.Container) -> bool:
    """An init container that keeps running."""
    return container.restart_policy == "Always"


def restarts(pod: pods.Pod, container: pods.Container, exit_code: int, *, init: bool) -> bool:
    """Whether a container that ended with this code is to run again."""
    if init and is_sidecar(container):
        return True
    if init:
        return exit_code != 0 and pod.spec.restart_policy != "Never"
    return pod.spec.restart_policy == "Always" or (pod.spec.restart_policy == "OnFailure" and exit_code != 0)


def wanted(scene: Scene, container: pods.Container, *, init: bool) -> bool:
    """Whether this container has to be started (again), leaving aside back-offs and order."""
    latest = scene.latest(container.name)
    if latest is None:
        return True
    if is_ephemeral(scene.pod, container):
        return latest.here and latest.container.state is State.CREATED
    if latest.container.state is State.EXITED:
        if init and not latest.here and not is_sidecar(container):
            return not (latest.container.exit_code and pod_never(scene.pod))
        return restarts(scene.pod, container, latest.container.exit_code, init=init)
    return not latest.here or latest.container.state is State.CREATED


def pod_never(pod: pods.Pod) -> bool:
    return pod.spec.restart_policy == "Never"


def initialized(scene: Scene) -> bool:
    """All init containers have done their part in the current sandbox. An app container there is proof of it."""
    if any(tried.here for app in scene.pod.spec.containers for tried in scene.tries(app.name)):
        return True
    if scene.life.finished or scene.phase_given:
        return not failed_initialization(scene)
    return all(is_started(scene, c) if is_sidecar(c) else succeeded_here(scene, c.name) for c in scene.pod.spec.init_containers)


def failed_initialization(scene: Scene) -> bool:
    """An init container failed for good."""
    if not pod_never(scene.pod):
        return False
    for container in scene.pod.spec.init_containers:
        latest = scene.latest(container.name)
        if latest is not None and not is_sidecar(container) and latest.container.state is State.EXITED and latest.container.exit_code:
            return True
    return False


def succeeded_here(scene: Scene, name: str) -> bool:
    latest = scene.latest(name)
    return latest is not None and latest.here and latest.container.state is State.EXITED and latest.container.exit_code == 0


def health(scene: Scene, container: pods.Container, observed: ObservedContainer) -> Health:
    """What is known of this start of the container: at its beginning, all that no probe speaks of is well."""
    known = scene.life.of(container.name).health
    return known if known.id == observed.id else new_health(container, observed.id)


def new_health(container: pods.Container, container_id: str) -> Health:
    hooked = container.lifecycle is None or container.lifecycle.post_start is None
    started = container.startup_probe is None
    return Health(container_id, hooked=hooked, started=started, ready=started and container.readiness_probe is None)


def is_started(scene: Scene, container: pods.Container) -> bool:
    """It runs in the current sandbox, its postStart hook is over and its startup probe succeeded."""
    latest = scene.latest(container.name)
    if latest is None or not latest.here or latest.container.state is not State.RUNNING:
        return False
    now = health(scene, container, latest.container)
    return now.hooked and now.started
