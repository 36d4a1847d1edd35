"""The world of a hollow runtime: its sandboxes and containers, what ends when, and the levers of tests and simulation.

Owns the state and every change of it; `hollow.py` is the runtime's port on top of it. The world outlives agents: an agent
restarted over the same world finds what runs, as with a real runtime.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.runtime import hollow_program
from agent.runtime.contract import (
    ContainerSpec,
    ObservedContainer,
    ObservedSandbox,
    RuntimeFault,
    SandboxSpec,
    State,
)
from common.clock import Clock

KILLED = 137
TERMINATED = 143
START_REFUSED = 128
IMAGE_ID = "sha256:hollow-"


@dataclass(slots=True)
class Container:
    id: str
    sandbox: Sandbox
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
class Sandbox:
    id: str
    spec: SandboxSpec
    created_at: float
    ip: str
    ready: bool = True
    containers: dict[str, Container] = field(default_factory=dict)


class HollowWorld:
    def __init__(self, clock: Clock, *, pod_cidr: str) -> None:
        self.clock = clock
        self.away = False
        """Set by `set_away`: every operation raises Unavailable, and events break off, until cleared."""
        self.operations: list[tuple[str, str]] | None = None
        """Set to a list: records (operation, pod uid) of every change, for assertions."""
        self.sandboxes: dict[str, Sandbox] = {}
        self.images: dict[str, str] = {}
        self.listeners: list[Listener] = []
        self._network = ipaddress.ip_network(pod_cidr)
        self._count = 0

    def use_pod_cidr(self, pod_cidr: str) -> None:
        """New sandboxes get addresses from it."""
        self._network = ipaddress.ip_network(pod_cidr)

    def crash(self, uid: str, name: str, exit_code: int = 1, reason: str = "Error") -> bool:
        """The running container of that pod ends by itself; False when there is none."""
        for container in self.all():
            if container.sandbox.spec.uid == uid and container.spec.name == name and container.state is State.RUNNING:
                self.exit(container, exit_code, reason=reason)
                return True
        return False

    def reboot(self) -> None:
        """The host went down and came up: all containers dead, no sandbox ready, nothing removed."""
        for container in self.all():
            if container.state is State.RUNNING:
                self.exit(container, KILLED, reason="Error")
        for sandbox in self.sandboxes.values():
            sandbox.ready, sandbox.ip = False, ""
        self.announce("")

    def set_away(self, away: bool) -> None:
        """The runtime's daemon stops answering, or answers again. Containers keep running."""
        self.away = away
        for listener in self.listeners:
            listener.cut()

    def running(self) -> list[tuple[str, str]]:
        """(pod uid, container) of all that runs, in order of creation."""
        return [(c.sandbox.spec.uid, c.spec.name) for c in self.all() if c.state is State.RUNNING]

    def record(self, operation: str, uid: str) -> None:
        if self.operations is not None:
            self.operations.append((operation, uid))

    def new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count:012x}"

    def all(self) -> Iterator[Container]:
        for sandbox in self.sandboxes.values():
            yield from sandbox.containers.values()

    def find(self, container_id: str) -> Container | None:
        return next((c for c in self.all() if c.id == container_id), None)

    def free_address(self) -> str:
        taken = {sandbox.ip for sandbox in self.sandboxes.values()}
        for number in range(2, self._network.num_addresses - 1):
            address = str(self._network[number])
            if address not in taken:
                return address
        raise RuntimeFault(f"no IP addresses available in range set: {self._network}", kind="CreatePodSandboxError")

    def exit(self, container: Container, exit_code: int, reason: str = "") -> None:
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
        self.record("exit", container.sandbox.spec.uid)
        self.announce(container.sandbox.spec.uid)

    def announce(self, uid: str) -> None:
        for listener in self.listeners:
            listener.put(uid)


class Listener:
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


def seen(sandbox: Sandbox) -> ObservedSandbox:
    return ObservedSandbox(
        id=sandbox.id,
        uid=sandbox.spec.uid,
        namespace=sandbox.spec.namespace,
        name=sandbox.spec.name,
        attempt=sandbox.spec.attempt,
        ready=sandbox.ready,
        ip=sandbox.ip,
        created_at=sandbox.created_at,
        containers=tuple(seen_container(c) for c in sandbox.containers.values()),
    )


def seen_container(container: Container) -> ObservedContainer:
    image = container.spec.image.removeprefix(IMAGE_ID)
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
        devices=container.spec.devices,
    )
