"""Containers that exist in memory only: for tests, the simulation, and thousands of nodes on one machine.

Owns a believable imitation of what a pod's worker can notice: delays, addresses from the pod CIDR, exit codes, starts that
fail, images that are missing. What a container does is read from its command in a minimal way (`hollow_program`). All waiting is
on the event loop's timers, so it works under virtual time. The object outlives the agent: a "restarted" agent given the same
object finds what it left, as with a real runtime.

For the simulation: `hook` is awaited before each operation and may raise or never return; `crash`, `reboot`, `away`.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from agent.runtime import hollow_program
from agent.runtime.contract import (
    ContainerSpec, ObservedContainer, ObservedSandbox, RuntimeEvent, RuntimeFault, RuntimeInfo, SandboxSpec, State,
)  # fmt: skip
from common.clock import Clock
from common.errors import Timeout, Unavailable
from common.version import VERSION

OPERATION_TIMEOUT_S = 120.0
MISSING_IMAGES = ("missing", "nonexistent", "no-such", "does-not-exist")
KILLED = 137
TERMINATED = 143
START_REFUSED = 128

Hook = Callable[[str, str], Awaitable[None]]


class Delays(msgspec.Struct, frozen=True):
    """Seconds that operations take."""

    pull_s: float = 0.0
    sandbox_s: float = 0.0
    create_s: float = 0.0
    start_s: float = 0.0
    stop_s: float = 0.0


@dataclass(slots=True)
class _Container:
    id: str
    sandbox: _Sandbox
    spec: ContainerSpec
    created_at: float
    program: hollow_program.Program
    state: State = State.CREATED
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    timer: asyncio.TimerHandle | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Sandbox:
    id: str
    spec: SandboxSpec
    created_at: float
    ip: str
    ready: bool = True
    containers: dict[str, _Container] = field(default_factory=dict)


class HollowRuntime:
    def __init__(
        self, clock: Clock, *, pod_cidr: str = "10.244.0.0/24", delays: Delays = Delays(), hook: Hook | None = None
    ) -> None:
        self.clock = clock
        self.delays = delays
        self.hook = hook
        self.away = False
        """Set: every operation raises Unavailable, and events break off, until cleared."""
        self.operations: list[tuple[str, str]] | None = None
        """Set to a list: records (operation, pod uid) of every change, for assertions."""
        self._network = ipaddress.ip_network(pod_cidr)
        self._sandboxes: dict[str, _Sandbox] = {}
        self._images: dict[str, str] = {}
        self._count = 0
        self._listeners: list[_Listener] = []

    # The network, and the simulation's levers.

    def use_pod_cidr(self, pod_cidr: str) -> None:
        """New sandboxes get addresses from it."""
        self._network = ipaddress.ip_network(pod_cidr)

    def crash(self, uid: str, name: str, exit_code: int = 1, reason: str = "Error") -> bool:
        """The running container of that pod ends by itself; False when there is none."""
        for container in self._all():
            if container.sandbox.spec.uid == uid and container.spec.name == name and container.state is State.RUNNING:
                self._exit(container, exit_code, reason=reason)
                return True
        return False

    def reboot(self) -> None:
        """The host went down and came up: all containers dead, no sandbox ready, nothing removed."""
        for container in self._all():
            if container.state is State.RUNNING:
                self._exit(container, KILLED, reason="Error")
        for sandbox in self._sandboxes.values():
            sandbox.ready, sandbox.ip = False, ""
        self._announce("")

    def set_away(self, away: bool) -> None:
        """The runtime's daemon stops answering, or answers again. Containers keep running."""
        self.away = away
        for listener in self._listeners:
            listener.cut()

    def running(self) -> list[tuple[str, str]]:
        """(pod uid, container) of all that runs, in order of creation."""
        return [(c.sandbox.spec.uid, c.spec.name) for c in self._all() if c.state is State.RUNNING]

    # The port.

    async def info(self) -> RuntimeInfo:
        if self.away:
            raise Unavailable("the hollow runtime is away")
        return RuntimeInfo("hollow", VERSION, True)

    async def observe(self, uid: str = "") -> list[ObservedSandbox]:
        await self._before("observe", uid)
        found = [_seen(s) for s in self._sandboxes.values() if not uid or s.spec.uid == uid]
        return sorted(found, key=lambda s: s.attempt)

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        listener = _Listener()
        self._listeners.append(listener)
        try:
            while True:
                yield RuntimeEvent(await listener.next())
        finally:
            self._listeners.remove(listener)

    async def image(self, image: str) -> str | None:
        await self._before("image", image)
        return self._images.get(image)

    async def pull(self, image: str) -> str:
        await self._before("pull", image, self.delays.pull_s)
        if not image or image != image.strip() or any(c.isspace() or c.isupper() for c in image.partition(":")[0]):
            raise RuntimeFault(f'Failed to apply default image tag "{image}": couldn\'t parse image reference', kind="InvalidImageName")
        if any(word in image for word in MISSING_IMAGES):
            raise RuntimeFault(f'failed to pull and unpack image "{image}": not found', kind="ErrImagePull")
        self._images[image] = f"sha256:hollow-{image}"
        return self._images[image]

    async def create_sandbox(self, spec: SandboxSpec) -> str:
        await self._before("create_sandbox", spec.uid, self.delays.sandbox_s)
        for sandbox in self._sandboxes.values():
            if (sandbox.spec.uid, sandbox.spec.attempt) == (spec.uid, spec.attempt):
                return sandbox.id
        sandbox = _Sandbox(self._id("sandbox"), spec, self.clock.now(), "" if spec.host_network else self._free_address())
        self._sandboxes[sandbox.id] = sandbox
        self._record("create_sandbox", spec.uid)
        return sandbox.id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        await self._before("stop_sandbox", sandbox.spec.uid if sandbox else "", self.delays.stop_s)
        if sandbox is None:
            return
        for container in sandbox.containers.values():
            if container.state is State.RUNNING:
                self._exit(container, KILLED)
        if sandbox.ready:
            sandbox.ready, sandbox.ip = False, ""
            self._record("stop_sandbox", sandbox.spec.uid)
            self._announce(sandbox.spec.uid)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        await self._before("remove_sandbox", sandbox.spec.uid if sandbox else "")
        if sandbox is None:
            return
        for container in sandbox.containers.values():
            if container.state is State.RUNNING:
                self._exit(container, KILLED)
        self._sandboxes.pop(sandbox_id, None)
        self._record("remove_sandbox", sandbox.spec.uid)

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str:
        sandbox = self._sandboxes.get(sandbox_id)
        await self._before("create_container", sandbox.spec.uid if sandbox else "", self.delays.create_s)
        if sandbox is None or not sandbox.ready:
            raise RuntimeFault(f"sandbox {sandbox_id} is not ready", kind="CreateContainerError")
        for container in sandbox.containers.values():
            if (container.spec.name, container.spec.attempt) == (spec.name, spec.attempt):
                return container.id
        program = hollow_program.read(spec.image.removeprefix("sha256:hollow-"), spec.command, spec.args)
        container = _Container(self._id("container"), sandbox, spec, self.clock.now(), program)
        sandbox.containers[container.id] = container
        self._record("create_container", sandbox.spec.uid)
        return container.id

    async def start_container(self, container_id: str) -> None:
        container = self._find(container_id)
        await self._before("start_container", container.sandbox.spec.uid if container else "", self.delays.start_s)
        if container is None:
            raise RuntimeFault(f"container {container_id} not found", kind="RunContainerError")
        if container.state is not State.CREATED:
            return
        if container.program.refused:
            container.reason, container.message = "StartError", container.program.refused
            self._exit(container, START_REFUSED, reason="StartError")
            raise RuntimeFault(container.program.refused, kind="RunContainerError")
        container.state = State.RUNNING
        container.started_at = self.clock.now()
        self._record("start_container", container.sandbox.spec.uid)
        if container.program.runs_s is not None:
            loop = asyncio.get_running_loop()
            container.timer = loop.call_later(container.program.runs_s, self._exit, container, container.program.exit_code)

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        container = self._find(container_id)
        await self._before("stop_container", container.sandbox.spec.uid if container else "", self.delays.stop_s)
        if container is None or container.state is not State.RUNNING:
            return
        self._record("stop_container", container.sandbox.spec.uid)
        if not container.program.ignores_term and grace_s > 0:
            self._exit(container, TERMINATED if not container.program.ends_well else 0)
            return
        try:
            async with asyncio.timeout(grace_s):
                await container.ended.wait()
        except TimeoutError:
            self._exit(container, KILLED)

    async def remove_container(self, container_id: str) -> None:
        container = self._find(container_id)
        await self._before("remove_container", container.sandbox.spec.uid if container else "")
        if container is None:
            return
        if container.state is State.RUNNING:
            self._exit(container, KILLED)
        container.sandbox.containers.pop(container_id, None)

    async def close(self) -> None:
        """What runs goes on."""

    # Inside.

    async def _before(self, operation: str, about: str, delay_s: float = 0.0) -> None:
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                if self.hook is not None:
                    await self.hook(operation, about)
                if delay_s:
                    await asyncio.sleep(delay_s)
        except TimeoutError:
            raise Timeout(f"{operation} took longer than {OPERATION_TIMEOUT_S:g} s") from None
        if self.away:
            raise Unavailable("the hollow runtime is away")

    def _record(self, operation: str, uid: str) -> None:
        if self.operations is not None:
            self.operations.append((operation, uid))

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count:012x}"

    def _all(self) -> Iterator[_Container]:
        for sandbox in self._sandboxes.values():
            yield from sandbox.containers.values()

    def _find(self, container_id: str) -> _Container | None:
        return next((c for c in self._all() if c.id == container_id), None)

    def _free_address(self) -> str:
        taken = {sandbox.ip for sandbox in self._sandboxes.values()}
        for number in range(2, self._network.num_addresses - 1):
            address = str(self._network[number])
            if address not in taken:
                return address
        raise RuntimeFault(f"no IP addresses available in range set: {self._network}", kind="CreatePodSandboxError")

    def _exit(self, container: _Container, exit_code: int, reason: str = "") -> None:
        if container.state is State.EXITED:
            return
        if container.timer is not None:
            container.timer.cancel()
            container.timer = None
        container.state = State.EXITED
        container.exit_code = exit_code
        container.reason = reason or ("Error" if exit_code else "Completed")
        container.finished_at = self.clock.now()
        container.ended.set()
        self._record("exit", container.sandbox.spec.uid)
        self._announce(container.sandbox.spec.uid)

    def _announce(self, uid: str) -> None:
        for listener in self._listeners:
            listener.put(uid)


class _Listener:
    """One reader's events, each pod at most once; bounded by the number of pods."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {"": None}
        self._arrived = asyncio.Event()
        self._arrived.set()

    def put(self, uid: str) -> None:
        self._waiting[uid] = None
        self._arrived.set()

    def cut(self) -> None:
        """As after a reconnection: what was to be told is lost, so everything is to be looked at."""
        self._waiting = {"": None}
        self._arrived.set()

    async def next(self) -> str:
        await self._arrived.wait()
        uid = next(iter(self._waiting))
        del self._waiting[uid]
        if not self._waiting:
            self._arrived.clear()
        return uid


def _seen(sandbox: _Sandbox) -> ObservedSandbox:
    return ObservedSandbox(
        id=sandbox.id,
        uid=sandbox.spec.uid,
        namespace=sandbox.spec.namespace,
        name=sandbox.spec.name,
        attempt=sandbox.spec.attempt,
        ready=sandbox.ready,
        ip=sandbox.ip,
        created_at=sandbox.created_at,
        containers=tuple(_seen_container(c) for c in sandbox.containers.values()),
    )


def _seen_container(container: _Container) -> ObservedContainer:
    image = container.spec.image.removeprefix("sha256:hollow-")
    return ObservedContainer(
        id=container.id,
        name=container.spec.name,
        attempt=container.spec.attempt,
        state=container.state,
        image=image,
        image_id=container.spec.image,
        created_at=container.created_at,
        started_at=container.started_at,
        finished_at=container.finished_at,
        exit_code=container.exit_code,
        reason=container.reason,
        message=container.message,
    )
