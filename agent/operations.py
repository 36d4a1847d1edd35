"""One action of the lifecycle, performed on the runtime: which call it is, within which bounds, what came of it.

Owns the limits on what runs at once (starts, pulls; a stop only waits, and has none) and the turning of the runtime's errors into
outcomes: a refusal with the runtime's words, or "not now".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from agent.cgroups import PodCgroups
from agent.lifecycle import learn, life
from agent.lifecycle.life import Action, Host, Note, Outcome
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
    """What all workers of an agent share. starts, pulls: how many operations of that kind run at once."""

    runtime: Runtime
    clock: Clock
    sink: Sink
    host: Callable[[], Host]
    starts: asyncio.Semaphore
    pulls: asyncio.Semaphore
    logs: LogFolders | None = None
    volumes: Volumes | None = None
    cgroups: PodCgroups | None = None
    prefer_local_images: bool = False


class Operations:
    def __init__(self, tools: Tools, tell_pulling: Callable[[life.EnsureImage], None]) -> None:
        self._tools = tools
        self._tell_pulling = tell_pulling

    async def perform(self, action: Action, observed: list[ObservedSandbox]) -> Outcome:
        """Failures are outcomes. Broken off, the operation may or may not have happened."""
        try:
            if isinstance(action, life.EnsureImage):
                return await self._ensure_image(action)
            if isinstance(action, life.StopContainers):
                return await self._stop(action)
            if isinstance(action, life.PrepareVolumes):
                if self._tools.volumes is not None:
                    self._tools.volumes.prepare(action.plan)
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
                return await runtime.create_sandbox(spec)
            case life.CreateContainer(sandbox_id=sandbox_id, spec=spec):
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
        runtime = self._tools.runtime
        if action.policy != "Always" or self._tools.prefer_local_images:
            image_id = await runtime.image(action.image)
            if image_id is not None:
                return Outcome(value=image_id, kind=learn.PRESENT)
            if action.policy == "Never":
                text = f'Container image "{action.image}" is not present with pull policy of Never'
                return Outcome(error=text, kind="ErrImageNeverPull")
        async with self._tools.pulls:
            self._tell_pulling(action)
            return Outcome(value=await runtime.pull(action.image))

    async def _stop(self, action: life.StopContainers) -> Outcome:
        """All at once: they share one grace period."""
        runtime = self._tools.runtime
        await tasks.gather(*(runtime.stop_container(each, action.grace_s) for each in action.container_ids))
        return Outcome()
