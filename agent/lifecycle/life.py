"""The nouns of a pod's life on its node: memory, actions, outcomes, notes.

`PodLife` is what a worker remembers between two steps. It is replaced, never changed; losing it (a restart of the agent)
costs back-off times and the words of past errors, nothing else, since the rest is read from the runtime.

An `Action` is one operation towards the runtime; its outcome comes back through `learn`. A `Note` becomes a Kubernetes
Event. `Moment` carries two times: `mono`, the event loop's, for delays; `wall` for what people read.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agent.images.keyring import Credential
from agent.probes.contract import Place
from agent.runtime import contract
from common.objects.handlers import Handler

CRASH_BACKOFF_FIRST_S = 10.0
CRASH_BACKOFF_MAX_S = 300.0
CRASH_BACKOFF_RESET_S = 600.0
PULL_BACKOFF_FIRST_S = 10.0
PULL_BACKOFF_MAX_S = 300.0
LOOK_AGAIN_S = 10.0
"""How often it is looked for an image that may not be pulled."""
PULL_ERROR_SHOWN_S = 2.5
"""How long ErrImagePull is shown before it becomes ImagePullBackOff."""
RETRY_FIRST_S = 1.0
RETRY_MAX_S = 60.0


class TokenKey(msgspec.Struct, frozen=True):
    """A ServiceAccount token of a pod's volume. audience "": the API's own. lifetime_s: as the pod asks for."""

    uid: str
    audience: str
    lifetime_s: int


class Moment(msgspec.Struct, frozen=True):
    wall: float
    mono: float


class Host(msgspec.Struct, frozen=True):
    """What a pod's life depends on besides the pod. configs: (kind, namespace, name) to the document, None when the master
    says there is none; what has not arrived yet is missing. memory_bytes, cpu_milli: the node's allocatable.
    hosts: its own /etc/hosts; dns: its resolver. tokens: those that the master gave, or why it gave none; None: this host makes no
    files of volumes, so it needs none. api: where pods reach the API, `HOST:PORT`, "" while that is not known."""

    node: str = ""
    addresses: tuple[str, ...] = ()
    log_root: str = "/var/log/pods"
    cgroup_root: str = ""
    volume_root: str = "/var/lib/kagent/pods"
    profile_root: str = "/var/lib/kagent/seccomp"
    memory_root: str = "/run/kagent/pods"
    cpu_milli: int = 0
    memory_bytes: int = 0
    runtime: str = "containerd"
    hosts: str = ""
    dns: contract.Dns = contract.Dns()
    configs: Mapping[tuple[str, str, str], dict | None] = {}
    tokens: Mapping[TokenKey, str | Waiting] | None = None
    api: str = ""


INVALID_IMAGE_NAME, NEVER_PULL = "InvalidImageName", "ErrImageNeverPull"


class Waiting(msgspec.Struct, frozen=True):
    """Why a container does not run, in Kubernetes' words."""

    reason: str
    message: str = ""


class Health(msgspec.Struct, frozen=True):
    """Of one start of a container, known by its id in the runtime. hooked: its postStart hook is over. started, ready: what the
    startup and readiness probes said last. condemned: what demands that it be stopped (a probe's kind, or postStart), or "".
    counts: by kind of probe the last answer, and how often in a row."""

    id: str = ""
    hooked: bool = False
    started: bool = False
    ready: bool = False
    condemned: str = ""
    counts: dict[str, tuple[bool, int]] = {}


class ContainerLife(msgspec.Struct, frozen=True):
    """Of one container. image_id, image_user: of the image for the next start, "" until looked for. judged_exit: the container id whose end
    has been answered with a back-off; start_failed: the one that the runtime refused to start. Times are `Moment.mono`."""

    image_id: str = ""
    image_user: str = ""
    waiting: Waiting | None = None
    judged_exit: str = ""
    start_failed: str = ""
    crash_backoff_s: float = 0.0
    crash_until: float = 0.0
    pull_backoff_s: float = 0.0
    pull_until: float = 0.0
    pull_shown_until: float = 0.0
    pull_error: str = ""
    retry_s: float = 0.0
    retry_at: float = 0.0
    health: Health = Health()


class Condition(msgspec.Struct, frozen=True):
    """A pod condition with the time of its last change of status, as text."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: str = ""


class PodLife(msgspec.Struct, frozen=True):
    """live: a master confirmed the assignment to this very process. forgotten: the object is gone, end it at once.
    finished: the phase in which it ended by itself. blocked: it asks for what it cannot have. stopped: sandboxes already stopped.
    restarts: counts known from an earlier status, a floor for containers that the runtime no longer shows.
    volumes: the fingerprint of those made, by this process; volumes_waiting: why they cannot be made.
    removing: sandboxes are being removed, so that the last status stays as it is. kill_until: when the grace period ends.
    ending: containers whose stop has begun, with event and hook. ended_for: why it was made to finish, if it was. evicted: why it is to be.
    released: of a pod that ended, the volumes are gone."""

    live: bool = False
    forgotten: bool = False
    finished: str = ""
    blocked: bool = False
    volumes: str = ""
    volumes_waiting: Waiting | None = None
    containers: dict[str, ContainerLife] = {}
    restarts: dict[str, int] = {}
    stopped: tuple[str, ...] = ()
    removing: bool = False
    kill_until: float | None = None
    ending: tuple[str, ...] = ()
    ended_for: Waiting | None = None
    evicted: Waiting | None = None
    released: bool = False
    retry_s: float = 0.0
    retry_at: float = 0.0
    sandbox_error: str = ""
    start_time: str = ""
    ip: str = ""
    conditions: tuple[Condition, ...] = ()

    def of(self, name: str) -> ContainerLife:
        return self.containers.get(name, _NEW)

    def having(self, name: str, container: ContainerLife) -> PodLife:
        return msgspec.structs.replace(self, containers={**self.containers, name: container})


_NEW = ContainerLife()
replace = msgspec.structs.replace


class Action(msgspec.Struct, frozen=True):
    """The root of all operations."""


class PrepareVolumes(Action):
    """Make the pod's volumes on the host; `plan` is what `volumes.plan` returned, fingerprint what it is known by."""

    plan: tuple[msgspec.Struct, ...]
    fingerprint: str


class ReleaseVolumes(Action):
    """Of a pod that ended: what it kept on the host goes, as with a kubelet, though its object stays."""


class EnsureImage(Action):
    """policy: Always, IfNotPresent, Never. credentials: of the pod, to be tried in order. unreadable: why they cannot be used."""

    container: str
    image: str
    policy: str
    credentials: tuple[Credential, ...] = ()
    unreadable: str = ""


class CreateSandbox(Action):
    spec: contract.SandboxSpec


class CreateContainer(Action):
    sandbox_id: str
    spec: contract.ContainerSpec


class StartContainer(Action):
    container: str
    container_id: str


class Hook(msgspec.Struct, frozen=True):
    """What is done to a container at its start or before its end."""

    container: str
    handler: Handler
    place: Place


class RunHook(Action):
    """A postStart hook. It takes as long as it takes."""

    hook: Hook


class StopContainers(Action):
    """All at once, so that they share one grace period, in which their preStop hooks run first. names: for the log."""

    container_ids: tuple[str, ...]
    grace_s: float
    names: tuple[str, ...] = ()
    hooks: tuple[Hook, ...] = ()


class StopSandbox(Action):
    sandbox_id: str


class RemoveContainer(Action):
    """log_path: the container's log below the pod's log folder, which goes with it; "" keeps it."""

    container_id: str
    log_path: str = ""


class RemoveSandbox(Action):
    sandbox_id: str


class Wait(Action):
    """Nothing to do before this time (`Moment.mono`), unless something happens."""

    until: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of an action. value: an id, if it returns one; user, size_bytes: an image's. error, kind: the runtime's words and
    well-known reason. retryable: the runtime was away or late, which says nothing about the pod. took_s: how long it took; pull_s: the
    pull of it, without waiting. unhooked: containers whose preStop hook failed."""

    value: str = ""
    user: str = ""
    size_bytes: int = 0
    pull_s: float = 0.0
    error: str = ""
    kind: str = ""
    retryable: bool = False
    took_s: float = 0.0
    unhooked: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return bool(self.error or self.kind)


class Note(msgspec.Struct, frozen=True):
    """type: Normal or Warning. field_path as in Kubernetes' Events: `spec.containers{web}`."""

    type: str
    reason: str
    message: str
    field_path: str = ""


class Step(msgspec.Struct, frozen=True):
    """action None: nothing to do until something happens. gone: nothing of the pod is left on this host."""

    life: PodLife
    action: Action | None = None
    notes: tuple[Note, ...] = ()
    gone: bool = False


def doubled(current_s: float, *, first_s: float, most_s: float) -> float:
    """The back-off that follows `current_s`."""
    return first_s if current_s <= 0 else min(current_s * 2, most_s)


def duration(seconds: float) -> str:
    """As Go prints a duration of whole seconds: 10s, 1m20s, 5m0s, 1h0m0s."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
