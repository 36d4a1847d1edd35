"""The container runtime's port. Implementations: containerd (CRI), docker, hollow. One suite over all.

A *sandbox* is a pod's shared part (network namespace, cgroup parent, log folder); containers live in it. Every object
we make carries the labels below; `observe` returns only what carries this cluster's id, and nothing else is ever touched.
All operations are idempotent in the sense each states. Each has a timeout inside; it raises Timeout, Unavailable (runtime
away) or RuntimeFault (the runtime's own refusal, with its words).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, AsyncIterator, Collection
from typing import Protocol

import msgspec

from agent.images.collection import StoredImage
from agent.images.keyring import Credential
from agent.images.registries import Registries
from common.errors import SteersmanError

LABEL_CLUSTER = "steersman.io/cluster"
LABEL_POD_UID = "io.kubernetes.pod.uid"
LABEL_POD_NAME = "io.kubernetes.pod.name"
LABEL_POD_NAMESPACE = "io.kubernetes.pod.namespace"
LABEL_CONTAINER = "io.kubernetes.container.name"
LABEL_ATTEMPT = "steersman.io/attempt"
LABEL_DEVICES = "steersman.io/devices"


class RuntimeFault(SteersmanError):
    """The runtime refused; `message` is its own words. kind: "" or a well-known reason (ErrImagePull, ErrImageNeverPull,
    InvalidImageName, CreateContainerError, RunContainerError, CreatePodSandboxError)."""

    reason = "RuntimeFault"


class State(enum.Enum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


class Dns(msgspec.Struct, frozen=True):
    """A resolver: addresses, domains, and options as resolv.conf has them."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class SandboxSpec(msgspec.Struct, frozen=True):
    """handler: which of the runtime's own runtimes runs the pod; "" is its usual one."""

    namespace: str
    name: str
    uid: str
    attempt: int
    hostname: str
    log_directory: str
    cgroup_parent: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_processes: bool = False
    sysctls: dict[str, str] = {}
    handler: str = ""
    dns: Dns | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ResourceLimits(msgspec.Struct, frozen=True):
    """cpu_milli, memory_bytes: limits, 0 for none; cpu_request_milli gives the shares; oom_score_adj as the kubelet computes it.
    memory_request_bytes: what a hollow container says that it uses."""

    cpu_milli: int = 0
    memory_bytes: int = 0
    cpu_request_milli: int = 0
    memory_request_bytes: int = 0
    oom_score_adj: int = 0


class Security(msgspec.Struct, frozen=True):
    """What a container's processes are and may. groups: beside their own. add, drop: capabilities without `CAP_`, or ALL. seccomp:
    RuntimeDefault, Unconfined, the path of a profile, or "" for what the runtime does by itself. unmasked: all of /proc is seen."""

    privileged: bool = False
    read_only_root: bool = False
    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] = ()
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp: str = ""
    unmasked: bool = False


class LocalImage(msgspec.Struct, frozen=True):
    """user: whom it says to run as, by number or name, "" for nobody: that is root."""

    id: str
    user: str = ""
    size_bytes: int = 0


class Mount(msgspec.Struct, frozen=True):
    """A file or folder of the host, seen in the container. propagation: of mounts made later: "", HostToContainer, Bidirectional."""

    host_path: str
    container_path: str
    read_only: bool = False
    propagation: str = ""


class SubPath(msgspec.Struct, frozen=True):
    """A part of a volume, which a container's mount names: to be found in `volume` without leaving it, and to appear at `target`.
    volume, target: the host's. name: of the mount."""

    volume: str
    path: str
    target: str
    name: str


class HostFile(msgspec.Struct, frozen=True):
    """A file of the host that is there before a container which mounts it. content None: whatever it has, or nothing."""

    path: str
    mode: int
    content: bytes | None = None


class ContainerSpec(msgspec.Struct, frozen=True):
    """log_path is relative to the sandbox' log_directory: `NAME/ATTEMPT.log`, CRI format. image is the id that `pull` or `image` returned.
    files: those of the mounts that are made for this container; subpaths: the sources of those that are parts of volumes.
    extended: units of the host's own resources; devices: the files below /dev that these became. pid_of: the id of
    the running container of the same sandbox whose processes it sees, "" for its own or the sandbox'."""

    name: str
    attempt: int
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    log_path: str = ""
    resources: ResourceLimits = ResourceLimits()
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    security: Security = Security()
    labels: dict[str, str] = {}
    mounts: tuple[Mount, ...] = ()
    files: tuple[HostFile, ...] = ()
    subpaths: tuple[SubPath, ...] = ()
    extended: dict[str, int] = {}
    devices: tuple[str, ...] = ()
    pid_of: str = ""


class ObservedContainer(msgspec.Struct, frozen=True):
    """Times are wall-clock seconds, None when it has not happened. reason: OOMKilled, Error, Completed, or ""."""

    id: str
    name: str
    attempt: int
    state: State
    image: str = ""
    image_id: str = ""
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    devices: tuple[str, ...] = ()


class ObservedSandbox(msgspec.Struct, frozen=True):
    id: str
    uid: str
    namespace: str
    name: str
    attempt: int
    ready: bool
    ip: str = ""
    created_at: float | None = None
    containers: tuple[ObservedContainer, ...] = ()


class ContainerStats(msgspec.Struct, frozen=True):
    """What a running container used so far. cpu_ns: nanoseconds of CPU since its start; memory_bytes: its working set now.
    at: when that was measured. Times are wall-clock seconds. written_bytes: in its writable layer, as the runtime counted last, None if
    that is not known."""

    id: str
    uid: str
    name: str
    cpu_ns: int
    memory_bytes: int
    started_at: float | None = None
    at: float | None = None
    written_bytes: int | None = None


class RuntimeEvent(msgspec.Struct, frozen=True):
    """Something about this pod changed: observe it anew. uid "" means: observe everything (events may have been lost)."""

    uid: str = ""


class RuntimeInfo(msgspec.Struct, frozen=True):
    """name: "containerd", "docker", "hollow"; ready/message: the runtime's own conditions (network included)."""

    name: str
    version: str
    ready: bool
    message: str = ""


class Ends(msgspec.Struct, frozen=True):
    """Which of a process' ends a session has. With tty there is no stderr: it is in stdout."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class Ran(msgspec.Struct, frozen=True):
    """A command that came to its end. output: what it wrote, both of its ends together."""

    exit_code: int
    output: bytes = b""


class Session(Protocol):
    """A conversation with a process, or through a port. Channels are those of `common.wire.flow`."""

    def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """What comes out, as it is asked for, until all has ended. Of a process at last STATUS: how it ended, as Kubernetes' Status.
        Raises Unavailable when the runtime broke off."""

    async def send(self, channel: int, data: bytes) -> None:
        """Into STDIN (empty: its end), RESIZE or DATA; returns when there is room for more. Raises OSError when nobody reads it."""

    async def close(self) -> None:
        """Let go of it; its connection is closed. Idempotent."""


class Sessions(Protocol):
    """The way into what runs."""

    async def exec(self, container_id: str, command: tuple[str, ...], ends: Ends) -> Session:
        """Run a command beside a running container's own. Raises RuntimeFault with the runtime's words, BadRequest when it has no
        processes (hollow)."""

    async def run(self, container_id: str, command: tuple[str, ...], timeout_s: float) -> Ran:
        """Run a command to its end. Raises Timeout when it took longer, and it is killed then; RuntimeFault when it cannot be started."""

    async def attach(self, container_id: str, ends: Ends) -> Session:
        """A running container's own process, from now on. Raises as `exec`."""

    async def reopen_log(self, container_id: str) -> None:
        """Go on in a new file under the log's name; what was written before stays where it is. Idempotent. Raises RuntimeFault, BadRequest
        when the runtime rotates logs by itself, or has none."""

    async def netns(self, sandbox_id: str) -> str:
        """The path of a running sandbox' network namespace; "" is the host's. Raises RuntimeFault, BadRequest as `exec`."""


Told = Callable[[int, int], None]
"""Bytes that have come, and of how many as far as is known."""


def unheard(done_bytes: int, whole_bytes: int) -> None:
    pass


class Images(Protocol):
    """What the runtime has to make containers of; others may use it too."""

    async def find(self, image: str) -> LocalImage | None:
        """A local image by name, digest or id; None when it is not there."""

    async def pull(self, image: str, credential: Credential | None = None, told: Told = unheard) -> LocalImage:
        """Pull it, as nobody or with that credential. told: now and then, how much has come. It may take long, as long as it gets on: a
        registry that sends nothing any more is given up on. Broken off, what was fetched may stay. Raises
        RuntimeFault(kind="ErrImagePull" or "InvalidImageName")."""

    async def use_registries(self, registries: Registries) -> tuple[str, ...]:
        """Pull by these from now on. Returns what of them has no effect here, in words. Raises OSError."""

    async def stored(self) -> list[StoredImage]:
        """All that are here, whoever's."""

    async def remove(self, image: StoredImage) -> None:
        """Under all its names. Idempotent. Raises RuntimeFault when it is in use."""

    async def load(self, archive: AsyncIterator[bytes]) -> tuple[str, ...]:
        """Take in the images of an archive, as it comes, and return their names. Raises RuntimeFault with the runtime's words."""

    async def folder(self) -> str:
        """On the disk that they fill."""


class Runtime(Protocol):
    sessions: Sessions
    images: Images

    async def info(self) -> RuntimeInfo: ...

    async def observe(self, uid: str = "") -> list[ObservedSandbox]:
        """All our sandboxes with their containers, or those of one pod; oldest attempt first."""

    async def stats(self, layers: Collection[str] = ()) -> list[ContainerStats]:
        """Of all our running containers that can be measured now. layers: those whose writable layer is wanted too."""

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """Never ends by itself: it reconnects, and yields uid "" first and after each reconnection."""

    async def create_sandbox(self, spec: SandboxSpec) -> str:
        """Create and start; returns its id. Called twice for the same (uid, attempt) it returns the first one's id."""

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in it and take its network away. Idempotent; an unknown id is fine."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """With its containers. Idempotent; an unknown id is fine."""

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str:
        """Returns its id; for the same (sandbox, name, attempt) the first one's id. Raises RuntimeFault(kind="CreateContainerError")."""

    async def start_container(self, container_id: str) -> None:
        """Started already: fine. Raises RuntimeFault(kind="RunContainerError") with the runtime's words."""

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        """SIGTERM, after grace_s SIGKILL; returns when it has ended. Idempotent."""

    async def remove_container(self, container_id: str) -> None:
        """Idempotent."""

    async def close(self) -> None: ...
