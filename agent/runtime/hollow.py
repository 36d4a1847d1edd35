"""Containers that exist in memory only: for tests, the simulation, and thousands of nodes on one machine.

Owns a believable imitation of what a pod's worker can notice: delays, addresses from the pod CIDR, exit codes, starts that
fail, images that are missing. What a container does is read from its command in a minimal way (`hollow_program`). All waiting is
on the event loop's timers, so it works under virtual time. State and levers (crash, reboot, away) are in `world`, which outlives
the agent. For the simulation, `hook(operation, pod uid or image)` is awaited before each operation; it may raise or never return.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

import msgspec

from agent.images import reference
from agent.images.collection import StoredImage
from agent.images.keyring import Credential
from agent.images.registries import Registries
from agent.runtime import hollow_program
from agent.runtime.contract import (
    ContainerSpec,
    ContainerStats,
    Ends,
    LocalImage,
    ObservedSandbox,
    Ran,
    RuntimeEvent,
    RuntimeFault,
    RuntimeInfo,
    SandboxSpec,
    Session,
    State,
    Told,
    unheard,
)  # fmt: skip
from agent.runtime.hollow_world import (
    IMAGE_ID,
    KILLED,
    START_REFUSED,
    TERMINATED,
    Container,
    HollowWorld,
    Listener,
    Sandbox,
    seen,
)
from common.clock import Clock
from common.errors import BadRequest, Timeout, Unavailable
from common.version import VERSION

OPERATION_TIMEOUT_S = 120.0
LITTLE_CPU_MILLI, LITTLE_MEMORY_BYTES = 1, 8 << 20
"""What a container uses that requested nothing."""
NO_PROCESSES = "the pod runs on a hollow node, whose containers are played in memory: there is no process or port to reach"
IMAGE_BYTES = 8 << 20
IMAGE_USER = "1000"
"""Hollow containers harm nobody, whoever they run as."""
MISSING_IMAGES = ("missing", "nonexistent", "no-such", "does-not-exist")

Hook = Callable[[str, str], Awaitable[None]]


class Delays(msgspec.Struct, frozen=True):
    """Seconds that operations take."""

    pull_s: float = 0.0
    sandbox_s: float = 0.0
    create_s: float = 0.0
    start_s: float = 0.0
    stop_s: float = 0.0


class HollowSessions:
    """See `contract.Sessions`: there are none, and it says so; but a command's end can be played."""

    def __init__(self, world: HollowWorld) -> None:
        self._world = world

    async def run(self, container_id: str, command: tuple[str, ...], timeout_s: float) -> Ran:
        container = self._world.find(container_id)
        if container is None or container.state is not State.RUNNING:
            raise RuntimeFault(f"container {container_id} is not running")
        program = hollow_program.read("", command, ())
        if program.refused:
            raise RuntimeFault(program.refused)
        if program.runs_s is None or program.runs_s > timeout_s:
            await asyncio.sleep(timeout_s)
            raise Timeout(f"the command did not end within {timeout_s:g} s")
        await asyncio.sleep(program.runs_s)
        return Ran(program.exit_code)

    async def exec(self, container_id: str, command: tuple[str, ...], ends: Ends) -> Session:
        raise BadRequest(NO_PROCESSES)

    async def attach(self, container_id: str, ends: Ends) -> Session:
        raise BadRequest(NO_PROCESSES)

    async def reopen_log(self, container_id: str) -> None:
        raise BadRequest("hollow containers have no logs")

    async def netns(self, sandbox_id: str) -> str:
        raise BadRequest(NO_PROCESSES)


class HollowImages:
    """See `contract.Images`. before: `HollowRuntime._before`."""

    def __init__(self, world: HollowWorld, before: Callable[..., Awaitable[None]], delays: Delays) -> None:
        self._world = world
        self._before = before
        self._delays = delays

    async def find(self, image: str) -> LocalImage | None:
        await self._before("image", image)
        return LocalImage(self._world.images[image], IMAGE_USER, IMAGE_BYTES) if image in self._world.images else None

    async def pull(self, image: str, credential: Credential | None = None, told: Told = unheard) -> LocalImage:
        await self._before("pull", image, self._delays.pull_s)
        try:
            reference.parse(image)
        except ValueError as error:
            raise RuntimeFault(f'failed to parse image reference "{image}": {error}', kind="InvalidImageName") from None
        if any(word in image for word in MISSING_IMAGES):
            raise RuntimeFault(f'failed to pull and unpack image "{image}": not found', kind="ErrImagePull")
        self._world.images[image] = IMAGE_ID + image
        told(IMAGE_BYTES, IMAGE_BYTES)
        return LocalImage(self._world.images[image], IMAGE_USER, IMAGE_BYTES)

    async def use_registries(self, registries: Registries) -> tuple[str, ...]:
        return ()

    async def stored(self) -> list[StoredImage]:
        used = {container.spec.image for container in self._world.all()}
        return [
            StoredImage(identity, (reference.parse(name),), size_bytes=IMAGE_BYTES, used=identity in used)
            for name, identity in self._world.images.items()
        ]

    async def remove(self, image: StoredImage) -> None:
        for name in [name for name, identity in self._world.images.items() if identity == image.id]:
            del self._world.images[name]

    async def load(self, archive: AsyncIterator[bytes]) -> tuple[str, ...]:
        raise BadRequest("a hollow node has no room for an archive: its images are names")

    async def folder(self) -> str:
        return "/"


class HollowRuntime:
    def __init__(
        self, clock: Clock, *, pod_cidr: str = "10.244.0.0/24", delays: Delays = Delays(), hook: Hook | None = None,
        world: HollowWorld | None = None,
    ) -> None:  # fmt: skip
        self.delays = delays
        self.hook = hook
        self.world = world or HollowWorld(clock, pod_cidr=pod_cidr)
        self.sessions = HollowSessions(self.world)
        self.images = HollowImages(self.world, self._before, self.delays)

    async def info(self) -> RuntimeInfo:
        if self.world.away:
            raise Unavailable("the hollow runtime is away")
        return RuntimeInfo("hollow", VERSION, True)

    async def observe(self, uid: str = "") -> list[ObservedSandbox]:
        await self._before("observe", uid)
        found = [seen(s) for s in self.world.sandboxes.values() if not uid or s.spec.uid == uid]
        return sorted(found, key=lambda s: s.attempt)

    async def stats(self, layers: Collection[str] = ()) -> list[ContainerStats]:
        """Made up: each uses what it requested, all the time, or a little."""
        await self._before("stats", "")
        now, found = self.world.clock.now(), []
        for container in self.world.all():
            if container.state is State.RUNNING and container.started_at is not None:
                asked = container.spec.resources
                cpu_ns = (asked.cpu_request_milli or LITTLE_CPU_MILLI) * (now - container.started_at) * 1e6
                found.append(ContainerStats(
                    container.id, container.sandbox.spec.uid, container.spec.name, int(cpu_ns),
                    asked.memory_request_bytes or LITTLE_MEMORY_BYTES, container.started_at, now,
                ))  # fmt: skip
        return found

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        listener = Listener()
        self.world.listeners.append(listener)
        try:
            while True:
                yield RuntimeEvent(await listener.next())
        finally:
            self.world.listeners.remove(listener)

    async def create_sandbox(self, spec: SandboxSpec) -> str:
        await self._before("create_sandbox", spec.uid, self.delays.sandbox_s)
        for sandbox in self.world.sandboxes.values():
            if (sandbox.spec.uid, sandbox.spec.attempt) == (spec.uid, spec.attempt):
                return sandbox.id
        address = "" if spec.host_network else self.world.free_address()
        sandbox = Sandbox(self.world.new_id("sandbox"), spec, self.world.clock.now(), address)
        self.world.sandboxes[sandbox.id] = sandbox
        self.world.record("create_sandbox", spec.uid)
        return sandbox.id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self.world.sandboxes.get(sandbox_id)
        await self._before("stop_sandbox", sandbox.spec.uid if sandbox else "", self.delays.stop_s)
        if sandbox is None:
            return
        for container in sandbox.containers.values():
            if container.state is State.RUNNING:
                self.world.exit(container, KILLED)
        if sandbox.ready:
            sandbox.ready, sandbox.ip = False, ""
            self.world.record("stop_sandbox", sandbox.spec.uid)
            self.world.announce(sandbox.spec.uid)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        sandbox = self.world.sandboxes.get(sandbox_id)
        await self._before("remove_sandbox", sandbox.spec.uid if sandbox else "")
        if sandbox is None:
            return
        for container in sandbox.containers.values():
            if container.state is State.RUNNING:
                self.world.exit(container, KILLED)
        self.world.sandboxes.pop(sandbox_id, None)
        self.world.record("remove_sandbox", sandbox.spec.uid)

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str:
        sandbox = self.world.sandboxes.get(sandbox_id)
        await self._before("create_container", sandbox.spec.uid if sandbox else "", self.delays.create_s)
        if sandbox is None or not sandbox.ready:
            raise RuntimeFault(f"sandbox {sandbox_id} is not ready", kind="CreateContainerError")
        for container in sandbox.containers.values():
            if (container.spec.name, container.spec.attempt) == (spec.name, spec.attempt):
                return container.id
        program = hollow_program.read(spec.image.removeprefix(IMAGE_ID), spec.command, spec.args)
        container = Container(self.world.new_id("container"), sandbox, spec, self.world.clock.now(), program)
        sandbox.containers[container.id] = container
        self.world.record("create_container", sandbox.spec.uid)
        return container.id

    async def start_container(self, container_id: str) -> None:
        container = self.world.find(container_id)
        await self._before("start_container", container.sandbox.spec.uid if container else "", self.delays.start_s)
        if container is None:
            raise RuntimeFault(f"container {container_id} not found", kind="RunContainerError")
        if container.state is not State.CREATED:
            return
        if container.program.refused:
            container.reason, container.message = "StartError", container.program.refused
            self.world.exit(container, START_REFUSED, reason="StartError")
            raise RuntimeFault(container.program.refused, kind="RunContainerError")
        container.state = State.RUNNING
        container.started_at = self.world.clock.now()
        self.world.record("start_container", container.sandbox.spec.uid)
        if container.program.runs_s is not None:
            loop = asyncio.get_running_loop()
            container.timer = loop.call_later(container.program.runs_s, self.world.exit, container, container.program.exit_code)

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        container = self.world.find(container_id)
        await self._before("stop_container", container.sandbox.spec.uid if container else "", self.delays.stop_s)
        if container is None or container.state is not State.RUNNING:
            return
        self.world.record("stop_container", container.sandbox.spec.uid)
        if not container.program.ignores_term and grace_s > 0:
            self.world.exit(container, TERMINATED if not container.program.ends_well else 0)
            return
        try:
            async with asyncio.timeout(grace_s):
                await container.ended.wait()
        except TimeoutError:
            self.world.exit(container, KILLED)

    async def remove_container(self, container_id: str) -> None:
        container = self.world.find(container_id)
        await self._before("remove_container", container.sandbox.spec.uid if container else "")
        if container is None:
            return
        if container.state is State.RUNNING:
            self.world.exit(container, KILLED)
        container.sandbox.containers.pop(container_id, None)

    async def close(self) -> None:
        """What runs goes on."""

    async def _before(self, operation: str, about: str, delay_s: float = 0.0) -> None:
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                if self.hook is not None:
                    await self.hook(operation, about)
                if delay_s:
                    await asyncio.sleep(delay_s)
        except TimeoutError:
            raise Timeout(f"{operation} took longer than {OPERATION_TIMEOUT_S:g} s") from None
        if self.world.away:
            raise Unavailable("the hollow runtime is away")
