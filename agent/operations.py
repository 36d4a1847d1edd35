"""One action of the lifecycle, performed on the runtime: which call it is, within which bounds, what came of it.

Owns the limit on starts at once (pulls have their own, in `images/pulls.py`; a stop only waits, and has none) and the turning of the
runtime's errors into outcomes: a refusal with the runtime's words, or "not now".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from agent.cgroups import PodCgroups
from agent.devices import Devices
from agent.images import reference
from agent.images.pulls import Pulls, Wanted
from agent.last_words import LastWords
from agent.lifecycle import learn, life
from agent.lifecycle.life import Action, Host, Note, Outcome
from agent.lifecycle.volumes import Local
from agent.network.host_ports import HostPort
from agent.probes.contract import Answer, Checks
from agent.runtime.contract import ObservedSandbox, Runtime, RuntimeFault
from agent.volumes.contract import Volumes
from common.aio import tasks
from common.clock import Clock
from common.errors import NotNow


class Sink(Protocol):
    """Where a worker's news goes. Plain calls that neither block nor raise."""

    def status(self, uid: str, generation: int, document: bytes) -> None: ...

    def finished(self, uid: str, phase: str) -> None:
        """The pod ended by itself in that phase: it must not be started again, even by a restarted agent."""

    def gone(self, uid: str, *, confirmed: bool) -> None:
        """Nothing of it is left on this host. confirmed: its object waits for that news."""

    def happened(self, uid: str, note: Note) -> None: ...


class LogFolders(Protocol):
    """The pods' log files, when the runtime writes any."""

    def discard_pod(self, *, namespace: str, name: str, uid: str) -> None: ...

    def discard(self, sandbox: ObservedSandbox, log_path: str) -> None: ...


class Tools(msgspec.Struct, frozen=True):
    """What all workers of an agent share. starts: how many operations of that kind run at once."""

    runtime: Runtime
    clock: Clock
    sink: Sink
    host: Callable[[], Host]
    checks: Checks
    starts: asyncio.Semaphore
    pulls: Pulls
    logs: LogFolders | None = None
    volumes: Volumes | None = None
    last_words: LastWords | None = None
    cgroups: PodCgroups | None = None
    devices: Devices | None = None
    prefer_local_images: bool = False
    use_host_ports: Callable[[str, tuple[HostPort, ...]], None] = lambda uid, ports: None


LEAST_GRACE_S = 2.0
"""What a container has between its preStop hook's end and SIGKILL at the least, as with a kubelet."""
PROGRESS_TOLD_S = 30.0
HOOK_MOST_S = 3600.0
"""A postStart hook may take long, but not for ever."""


class _Far:
    """How far a pull has come, told after half a minute and then after twice as long each time."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._wait_s = PROGRESS_TOLD_S
        self._next = clock.monotonic() + PROGRESS_TOLD_S

    def heard(self, done_bytes: int, whole_bytes: int) -> None:
        if self._clock.monotonic() >= self._next:
            self._wait_s *= 2
            self._next = self._clock.monotonic() + self._wait_s
            self._tell(f"{done_bytes} of {whole_bytes} bytes")


class Operations:
    def __init__(self, uid: str, tools: Tools, tell_pulling: Callable[[life.EnsureImage, str], None]) -> None:
        self._uid = uid
        self._tools = tools
        self._tell_pulling = tell_pulling

    async def perform(self, action: Action, observed: list[ObservedSandbox]) -> Outcome:
        """Failures are outcomes. Broken off, the operation may or may not have happened."""
        try:
            if isinstance(action, life.EnsureImage):
                return await self._ensure_image(action)
            if isinstance(action, life.StopContainers):
                return await self._stop(action)
            if isinstance(action, life.RunHook):
                return await self._run_hook(action.hook)
            if isinstance(action, life.PrepareVolumes):
                if self._tools.volumes is not None:
                    # A group may have to be given many files; in a thread, as no simulation has.
                    prepare = self._tools.volumes.prepare
                    many = any(isinstance(volume, Local) and volume.group is not None for volume in action.plan)
                    await asyncio.to_thread(prepare, action.plan) if many else prepare(action.plan)
                return Outcome()
            if isinstance(action, life.ReleaseVolumes):
                if self._tools.volumes is not None:
                    await asyncio.to_thread(self._tools.volumes.release, self._uid)
                return Outcome()
            async with self._tools.starts:
                return Outcome(value=await self._short(action, observed) or "")
        except RuntimeFault as error:
            return Outcome(error=error.message or error.reason, kind=error.kind)
        except NotNow as error:
            return Outcome(error=error.message, retryable=True)
        except OSError as error:  # the host's own refusal, a full disk above all, is about the pod too
            return Outcome(error=f"{error.strerror}: {error.filename}" if error.filename else str(error))

    async def _short(self, action: Action, observed: list[ObservedSandbox]) -> str | None:
        runtime = self._tools.runtime
        match action:
            case life.CreateSandbox(spec=spec):
                if self._tools.cgroups is not None:
                    self._tools.cgroups.prepare(spec.uid)
                return await runtime.create_sandbox(spec)
            case life.CreateContainer(sandbox_id=sandbox_id, spec=spec):
                if self._tools.volumes is not None:
                    self._tools.volumes.prepare_files(spec.files)
                    self._tools.volumes.prepare_subpaths(spec)
                if self._tools.devices is not None:
                    spec = await self._tools.devices.equip(self._uid, spec)
                return await runtime.create_container(sandbox_id, spec)
            case life.StartContainer(container_id=container_id):
                return await runtime.start_container(container_id)
            case life.StopSandbox(sandbox_id=sandbox_id):
                return await runtime.stop_sandbox(sandbox_id)
            case life.RemoveSandbox(sandbox_id=sandbox_id):
                await runtime.remove_sandbox(sandbox_id)
            case life.RemoveContainer(container_id=container_id, log_path=log_path):
                await runtime.remove_container(container_id)
                self._discard_log(container_id, log_path, observed)
            case _:
                raise TypeError(f"no operation for {action!r}")
        return None

    def _discard_log(self, container_id: str, log_path: str, observed: list[ObservedSandbox]) -> None:
        if self._tools.logs is None or not log_path:
            return
        for sandbox in observed:
            if any(container.id == container_id for container in sandbox.containers):
                self._tools.logs.discard(sandbox, log_path)

    async def _ensure_image(self, action: life.EnsureImage) -> Outcome:
        try:
            reference.parse(action.image)
        except ValueError as error:
            text = f'Failed to apply default image tag "{action.image}": couldn\'t parse image name "{action.image}": {error}'
            return Outcome(error=text, kind=life.INVALID_IMAGE_NAME)
        local_will_do = action.policy != "Always" or self._tools.prefer_local_images
        if local_will_do:
            image = await self._tools.runtime.images.find(action.image)
            if image is not None:
                return Outcome(value=image.id, user=image.user, kind=learn.PRESENT)
            if action.policy == "Never":
                text = f'Container image "{action.image}" is not present with pull policy of Never'
                return Outcome(error=text, kind=life.NEVER_PULL)
        self._tell_pulling(action, "")
        if action.unreadable:
            return Outcome(error=action.unreadable, kind="ErrImagePull")
        far = _Far(self._tools.clock, lambda words: self._tell_pulling(action, words))
        pulled = await self._tools.pulls.pull(Wanted(action.image, action.credentials, unless_present=local_will_do), far.heard)
        image, present = pulled.image, learn.PRESENT if pulled.took_s is None else ""
        return Outcome(value=image.id, user=image.user, size_bytes=image.size_bytes, pull_s=pulled.took_s or 0.0, kind=present)

    async def _stop(self, action: life.StopContainers) -> Outcome:
        """All at once: they share one grace period."""
        hooks = {hook.place.container_id: hook for hook in action.hooks}
        went_well = await tasks.gather(*(self._stop_one(each, action.grace_s, hooks.get(each)) for each in action.container_ids))
        ids = [each for each, well in zip(action.container_ids, went_well, strict=True) if not well]
        return Outcome(unhooked=tuple(hooks[each].container for each in ids))

    async def _stop_one(self, container_id: str, grace_s: float, hook: life.Hook | None) -> bool:
        """Whether its preStop hook, if any, went well."""
        well, left_s = True, grace_s
        if hook is not None:
            began_s = self._tools.clock.monotonic()
            result = await self._tools.checks.check(hook.handler, hook.place, timeout_s=grace_s)
            well = result.answer is Answer.SUCCESS
            left_s = max(LEAST_GRACE_S, grace_s - (self._tools.clock.monotonic() - began_s))
        await self._tools.runtime.stop_container(container_id, left_s)
        return well

    async def _run_hook(self, hook: life.Hook) -> Outcome:
        result = await self._tools.checks.check(hook.handler, hook.place, timeout_s=HOOK_MOST_S)
        return Outcome() if result.answer is Answer.SUCCESS else Outcome(error=result.words or "it ended with an error")
