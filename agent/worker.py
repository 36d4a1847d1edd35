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

import msgspec

from agent.assignment import Assignment
from agent.last_words import PodWords
from agent.lifecycle import learn, life, probing, status
from agent.lifecycle.life import Action, Moment, Note, PodLife, Step, Waiting, replace
from agent.lifecycle.scene import Scene
from agent.lifecycle.step import end_orphan, step
from agent.logs import Look
from agent.network import host_ports
from agent.operations import Operations, Tools
from agent.probes.contract import Result
from agent.probes.prober import Prober
from agent.runtime.contract import ObservedSandbox
from common.aio import tasks
from common.errors import NotNow
from common.objects import meta
from common.objects import pod as pods

log = logging.getLogger(__name__)

RESYNC_S = 300.0
AWAY_FIRST_S = 0.5
AWAY_MAX_S = 10.0
INTERRUPTIBLE = (life.EnsureImage, life.RunHook, life.StopContainers)


class Worker:
    def __init__(self, uid: str, assignment: Assignment | None, tools: Tools, *, finished: str = "") -> None:
        """assignment None: an orphan, of which nothing is known; it is ended at once."""
        self.uid = uid
        self._who = uid
        """For the log: the pod's namespace and name, once they are known."""
        self.assignment = assignment
        self._tools = tools
        self._life = PodLife(finished=finished)
        if assignment is None:
            self._life = replace(self._life, forgotten=True)
        else:
            self._life = status.recalled(assignment.pod, self._life)
            self._take(assignment)
        self._wake = asyncio.Event()
        self._scope: asyncio.Timeout | None = None
        self._reported: tuple[int, bytes] | None = None
        self._told: set[Note] = set()
        self._operations = Operations(uid, tools, self._tell_pulling)
        self._observed: list[ObservedSandbox] = []
        self._prober: Prober | None = None
        self._words = PodWords(tools.last_words)

    # What comes from outside.

    def assign(self, assignment: Assignment) -> None:
        """The pod as it is now. Idempotent."""
        before, self.assignment = self.assignment, assignment
        if before is None or self._life.forgotten:
            # It was being ended as unknown, and is ours after all (a master restored from an older state).
            self._life = status.recalled(assignment.pod, PodLife(stopped=self._life.stopped))
        self._take(assignment)
        if before is None or _fate(before) != _fate(assignment):
            self._interrupt()
        self._wake.set()

    def forget(self) -> None:
        """The object is gone: end the containers at once."""
        self._life = replace(self._life, forgotten=True, kill_until=self._now().mono, retry_at=0.0)
        self._interrupt()
        self._wake.set()

    def evict(self, why: Waiting) -> None:
        """End it at once, as failed; it stays so."""
        if self._life.evicted is None:
            log.warning("pod-evicted pod=%s why=%s", self._who, why.message)
            self._life = replace(self._life, evicted=why)
            self._interrupt()
            self._wake.set()

    def wake(self, *, recovered: bool = False) -> None:
        """Something about the pod changed. recovered: the runtime came back, so back-offs of its failures are void."""
        if recovered:
            self._life = learn.recovered(self._life)
        self._wake.set()

    @property
    def finished(self) -> str:
        """The phase in which it ended by itself, or ""."""
        return self._life.finished

    def look(self) -> Look | None:
        """What is known of the pod now; None of an orphan."""
        if self.assignment is None:
            return None
        return Look(self.assignment.pod, self._life, self._observed)

    def _take(self, assignment: Assignment) -> None:
        self._who = f"{assignment.pod.metadata.namespace}/{assignment.pod.metadata.name}"
        self._life = replace(self._life, live=self._life.live or assignment.live, blocked=assignment.blocked)

    def _interrupt(self) -> None:
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    # The loop.

    async def run(self) -> None:
        """Until nothing of the pod is left. Cancelled, it leaves the containers as they are."""
        async with tasks.TaskGroup() as group:
            self._prober = Prober(group, self._tools.checks, self._tools.clock, self._probed)
            await self._work()
            self._prober.want(())

    async def _work(self) -> None:
        away_s = 0.0
        while True:
            self._wake.clear()
            try:
                observed = await self._tools.runtime.observe(self.uid)
            except NotNow as error:
                if not away_s:
                    log.warning("pod-unobserved uid=%s why=%s", self.uid, error)
                away_s = life.doubled(away_s, first_s=AWAY_FIRST_S, most_s=AWAY_MAX_S)
                await self._rest(self._now().mono + away_s)
                continue
            away_s = 0.0
            self._observed = self._words.heard(self.assignment.pod, observed) if self.assignment is not None else observed
            forward = self._step(self._observed)
            if forward.gone:
                await self._end()
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
            log.info("pod-finished pod=%s phase=%s", self._who, forward.life.finished)
            self._tools.sink.finished(self.uid, forward.life.finished)
        self._life = forward.life
        self._tell(forward.notes)
        self._show(assignment, observed, now, host)
        return forward

    def _show(self, assignment: Assignment, observed: list[ObservedSandbox], now: Moment, host: life.Host) -> None:
        """The pod's status as it is now, and the probes that follow from it."""
        scene = Scene(assignment.pod, self._life, observed, now, host)
        self._life, document = status.build(scene)
        if document is not None:
            report = (assignment.generation, msgspec.json.encode(document))
            if self._reported != report:
                self._reported = report
                self._tools.sink.status(self.uid, *report)
        self._tools.use_host_ports(self.uid, host_ports.of(assignment.pod, scene.sandbox.ip if scene.sandbox is not None else ""))
        if self._prober is not None:
            self._prober.want(probing.targets(scene, ending=status.ending(scene)))

    def _probed(self, target: probing.Target, result: Result) -> None:
        """A probe was answered. Shown at once, also while an operation takes its time."""
        if self.assignment is None:
            return
        before = self._life
        self._life, notes = probing.learned(self.assignment.pod, before, target, result)
        self._tell(notes)
        if _verdicts(before) != _verdicts(self._life):
            self._show(self.assignment, self._observed, self._now(), self._tools.host())
            self._wake.set()

    def _tell(self, notes: tuple[Note, ...]) -> None:
        for note in notes:
            self._tools.sink.happened(self.uid, note)

    def _tell_pulling(self, action: life.EnsureImage, far: str) -> None:
        if self.assignment is not None:
            self._tell((learn.pulling(self.assignment.pod, action, far),))

    async def _end(self) -> None:
        assignment = self.assignment
        self._tools.use_host_ports(self.uid, ())
        if assignment is not None and self._tools.logs is not None:
            about = assignment.pod.metadata
            self._tools.logs.discard_pod(namespace=about.namespace, name=about.name, uid=self.uid)
        if self._tools.volumes is not None:
            # A big volume takes long to remove; in a thread, which no simulation has since it has no volumes.
            await asyncio.to_thread(self._tools.volumes.discard, self.uid)
        if self._tools.cgroups is not None:
            self._tools.cgroups.discard(self.uid)
        if self._tools.devices is not None:
            self._tools.devices.release(self.uid)
        log.info("pod-gone pod=%s uid=%s", self._who, self.uid)
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
                    outcome = await self._operations.perform(action, self._observed)
            except TimeoutError:
                log.info("operation-broken-off pod=%s what=%s", self._who, type(action).__name__)
                return
            finally:
                self._scope = None
        else:
            outcome = await self._operations.perform(action, self._observed)
        took_s = self._now().mono - began_s
        what = type(action).__name__
        if outcome.error:
            log.warning("operation-failed pod=%s what=%s kind=%s why=%s", self._who, what, outcome.kind, outcome.error)
        else:
            log.info("operation pod=%s what=%s took_ms=%d", self._who, what, took_s * 1000)
        pod = self.assignment.pod if self.assignment is not None else _NOBODY
        self._life, notes = learn.learn(pod, self._life, action, outcome=replace(outcome, took_s=took_s), now=self._now())
        self._tell(notes)


def _verdicts(memory: life.PodLife) -> list[tuple[str, bool, bool, str]]:
    return [(each.health.id, each.health.started, each.health.ready, each.health.condemned) for each in memory.containers.values()]


def _fate(assignment: Assignment) -> tuple[object, ...]:
    """What, when it changes, makes a pull or a stop under way pointless."""
    about = assignment.pod.metadata
    return about.deletion_timestamp is not None, about.deletion_grace_period_seconds, assignment.pod.finished


_NOBODY = pods.Pod(metadata=meta.Meta())
