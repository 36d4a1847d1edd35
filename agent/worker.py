"""One pod's worker: observe, step, perform one operation, learn from it; again and again until the pod is gone.

An actor: it alone writes what is remembered of its pod. What reaches it from outside (a new assignment, the object's end,
something that happened in the runtime) is kept as the newest value and a wake-up, so nothing queues up. It has no
policy: what to do is `lifecycle.step`'s answer, what an outcome means is `lifecycle.learn`'s.

Woken by assignments, runtime events and its own timer; once in RESYNC_S it looks by itself, in case an event was lost.
Subtle: a pull and a stop take as long as they take, so they are broken off when the pod's fate changed (deleted while
pulling, a shorter grace period while stopping); all other operations are short and run to their end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from agent.assignment import Assignment
from agent.lifecycle import learn, life, status
from agent.lifecycle.life import Action, Host, Moment, Note, Outcome, PodLife, Step, replace
from agent.lifecycle.scene import Scene
from agent.lifecycle.step import end_orphan, step
from agent.runtime.contract import ObservedSandbox, Runtime, RuntimeFault
from common.aio import tasks
from common.clock import Clock
from common.errors import NotNow
from common.objects import meta
from common.objects import pod as pods

log = logging.getLogger(__name__)

RESYNC_S = 300.0
AWAY_FIRST_S = 0.5
AWAY_MAX_S = 10.0
INTERRUPTIBLE = (life.EnsureImage, life.StopContainers)


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


class Worker:
    def __init__(self, uid: str, assignment: Assignment | None, tools: Tools, *, finished: str = "") -> None:
        """assignment None: an orphan, of which nothing is known; it is ended at once."""
        self.uid = uid
        self.assignment = assignment
        self._tools = tools
        self._life = PodLife(finished=finished)
        if assignment is None:
            self._life = replace(self._life, forgotten=True)
        else:
            self._life = status.recalled(assignment.pod, self._life)
            self._take(assignment, first=True)
        self._wake = asyncio.Event()
        self._scope: asyncio.Timeout | None = None
        self._reported: tuple[int, bytes] | None = None
        self._told: set[Note] = set()
        self._observed: list[ObservedSandbox] = []

    # What comes from outside.

    def assign(self, assignment: Assignment) -> None:
        """The pod as it is now. Idempotent."""
        before, self.assignment = self.assignment, assignment
        self._take(assignment, first=False)
        if before is None or _fate(before) != _fate(assignment):
            self._interrupt()
        self._wake.set()

    def forget(self) -> None:
        """The object is gone: end the containers at once."""
        self._life = replace(self._life, forgotten=True, kill_until=self._now().mono, retry_at=0.0)
        self._interrupt()
        self._wake.set()

    def wake(self, *, recovered: bool = False) -> None:
        """Something about the pod changed. recovered: the runtime came back, so back-offs of its failures are void."""
        if recovered:
            self._life = learn.recovered(self._life)
        self._wake.set()

    @property
    def observed(self) -> list[ObservedSandbox]:
        """What the runtime showed last."""
        return self._observed

    def _take(self, assignment: Assignment, *, first: bool) -> None:
        self._life = replace(self._life, live=self._life.live or assignment.live, blocked=assignment.blocked)
        if not first:
            self._life = replace(self._life, forgotten=False)

    def _interrupt(self) -> None:
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    # The loop.

    async def run(self) -> None:
        """Until nothing of the pod is left. Cancelled, it leaves the containers as they are."""
        away_s = 0.0
        while True:
            self._wake.clear()
            try:
                self._observed = await self._tools.runtime.observe(self.uid)
            except NotNow as error:
                if not away_s:
                    log.warning("pod-unobserved uid=%s why=%s", self.uid, error)
                away_s = life.doubled(away_s, first_s=AWAY_FIRST_S, most_s=AWAY_MAX_S)
                await self._rest(self._now().mono + away_s)
                continue
            away_s = 0.0
            forward = self._step(self._observed)
            if forward.gone:
                self._end()
                return
            if forward.action is None or isinstance(forward.action, life.Wait):
                await self._rest(None if forward.action is None else forward.action.until)
            else:
                await self._act(forward.action)

    def _now(self) -> Moment:
        clock = self._tools.clock
        return Moment(clock.now(), clock.monotonic())

    def _step(self, observed: list[ObservedSandbox]) -> Step:
        now, host, assignment = self._now(), self._tools.host(), self.assignment
        if assignment is None:
            forward = end_orphan(self._life, observed, now=now)
            self._life = forward.life
            return forward
        for note in assignment.notes:
            if note not in self._told:
                self._told.add(note)
                self._tools.sink.happened(self.uid, note)
        forward = step(assignment.pod, self._life, observed, now=now, host=host)
        if forward.life.finished and not self._life.finished:
            log.info("pod-finished uid=%s phase=%s", self.uid, forward.life.finished)
            self._tools.sink.finished(self.uid, forward.life.finished)
        self._life, document = status.build(Scene(assignment.pod, forward.life, observed, now, host))
        self._tell(forward.notes)
        if document is not None:
            self._report(assignment.generation, msgspec.json.encode(document))
        return forward

    def _report(self, generation: int, document: bytes) -> None:
        if self._reported != (generation, document):
            self._reported = (generation, document)
            self._tools.sink.status(self.uid, generation, document)

    def _tell(self, notes: tuple[Note, ...]) -> None:
        for note in notes:
            self._tools.sink.happened(self.uid, note)

    def _end(self) -> None:
        assignment = self.assignment
        if assignment is not None and self._tools.logs is not None:
            about = assignment.pod.metadata
            self._tools.logs.discard_pod(namespace=about.namespace, name=about.name, uid=self.uid)
        log.info("pod-gone uid=%s", self.uid)
        self._tools.sink.gone(self.uid, confirmed=assignment is not None and not self._life.forgotten)

    async def _rest(self, until: float | None) -> None:
        limit_s = RESYNC_S if until is None else min(until - self._now().mono, RESYNC_S)
        try:
            async with asyncio.timeout(max(0.0, limit_s)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _act(self, action: Action) -> None:
        """Perform, and learn from it; broken off, there is nothing to learn."""
        began_s = self._now().mono
        if isinstance(action, INTERRUPTIBLE):
            try:
                async with asyncio.timeout(None) as self._scope:
                    outcome = await self._perform(action)
            except TimeoutError:
                log.info("operation-broken-off uid=%s what=%s", self.uid, type(action).__name__)
                return
            finally:
                self._scope = None
        else:
            outcome = await self._perform(action)
        took_s = self._now().mono - began_s
        what = type(action).__name__
        if outcome.error:
            log.warning("operation-failed uid=%s what=%s kind=%s why=%s", self.uid, what, outcome.kind, outcome.error)
        else:
            log.info("operation uid=%s what=%s took_ms=%d", self.uid, what, took_s * 1000)
        pod = self.assignment.pod if self.assignment is not None else _NOBODY
        self._life, notes = learn.learn(pod, self._life, action, outcome=replace(outcome, took_s=took_s), now=self._now())
        self._tell(notes)

    async def _perform(self, action: Action) -> Outcome:
        try:
            if isinstance(action, life.EnsureImage):
                return await self._ensure_image(action)
            if isinstance(action, life.StopContainers):
                return await self._stop(action)
            async with self._tools.starts:
                return Outcome(value=await self._short(action) or "")
        except RuntimeFault as error:
            return Outcome(error=error.message or error.reason, kind=error.kind)
        except NotNow as error:
            return Outcome(error=error.message, retryable=True)

    async def _short(self, action: Action) -> str | None:
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
                self._discard_log(container_id, log_path)
            case _:
                raise TypeError(f"no operation for {action!r}")
        return None

    def _discard_log(self, container_id: str, log_path: str) -> None:
        if self._tools.logs is None or not log_path:
            return
        for sandbox in self._observed:
            if any(container.id == container_id for container in sandbox.containers):
                self._tools.logs.discard(sandbox, log_path)

    async def _ensure_image(self, action: life.EnsureImage) -> Outcome:
        runtime = self._tools.runtime
        if action.policy != "Always":
            image_id = await runtime.image(action.image)
            if image_id is not None:
                return Outcome(value=image_id, kind=learn.PRESENT)
            if action.policy == "Never":
                text = f'Container image "{action.image}" is not present with pull policy of Never'
                return Outcome(error=text, kind="ErrImageNeverPull")
        async with self._tools.pulls:
            if self.assignment is not None:
                self._tell((learn.pulling(self.assignment.pod, action),))
            return Outcome(value=await runtime.pull(action.image))

    async def _stop(self, action: life.StopContainers) -> Outcome:
        """All at once: they share one grace period."""
        runtime = self._tools.runtime
        await tasks.gather(*(runtime.stop_container(each, action.grace_s) for each in action.container_ids))
        return Outcome()


def _fate(assignment: Assignment) -> tuple[object, ...]:
    """What, when it changes, makes a pull or a stop under way pointless."""
    about = assignment.pod.metadata
    return about.deletion_timestamp is not None, about.deletion_grace_period_seconds, assignment.pod.finished


_NOBODY = pods.Pod(metadata=meta.Meta())
