"""The scheduler's shell: follows pods and nodes, lets `decide` decide, and writes what was decided. No policy here.

    watch of nodes ─► snapshot ─┐                           ┌─► door.bind, event Scheduled
                                ├─► decide (all that waits) ┤
    watch of pods ─► snapshot,  │                           └─► condition PodScheduled=False, event FailedScheduling
                     queue ─────┘

One round takes all pods that are due, decides on them together and assumes the placements at once, without an await in
between; the writes then go on side by side, so that the store commits them in groups. A binding that fails is taken back and the pod looked
at again as it is then: a lost race is nothing special.

A watch event only says that something changed; what it is now is read through the views. So an event that comes late, twice or
out of order between the two watches does no harm, and after an expired watch everything is simply read anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import aclosing

import msgspec

from common.aio.tasks import TaskGroup
from common.clock import Clock, Rng, rfc3339
from common.errors import CallerFault, Expired, NotNow, SteersmanError
from common.objects import node as nodes
from common.objects import pod as pods
from common.objects import storage
from master.api.contract import Actor, Door, EmitEvent, PatchType, Ref, Role, WriteOptions
from master.api.metrics import COUNTER, GAUGE, Family
from master.scheduler import ask as asks
from master.scheduler import explain, volumes
from master.scheduler.decide import Placement, Unschedulable, decide
from master.scheduler.queue import ROOM_PLUGINS, PendingQueue, Stir
from master.scheduler.snapshot import Snapshot
from master.store.contract import Cause

log = logging.getLogger(__name__)

ACTOR = Actor("system:kube-scheduler", Role.SCHEDULER)
COMPONENT = "default-scheduler"


class Settings(msgspec.Struct, frozen=True):
    """scheduler_name: pods of another name are left alone. round: pods decided on at once, which bounds how long the loop
    is held. in_flight: pods with writes under way at most; others wait. Those that wait for their volumes do not count."""

    scheduler_name: str = "default-scheduler"
    round: int = 64
    in_flight: int = 512


class _Report(msgspec.Struct, frozen=True):
    """What people are to be told of one pod. trigger: the revision that led to the attempt."""

    ask: asks.Ask
    text: str
    trigger: int

STEP = 500
"""Pods taken over at a time when it starts. A batch of a watch has as many, so who else reads all pods then finds them decoded."""


def _age(item: pods.Pod) -> tuple[str, int]:
    """The order in which pods came, as far as it can still be told."""
    return item.metadata.creation_timestamp, int(item.metadata.resource_version)


def _key(item: pods.Pod) -> str:
    return Ref("pods", item.metadata.name, item.metadata.namespace).key


class Scheduler:
    def __init__(self, door: Door, clock: Clock, rng: Rng, settings: Settings = Settings()) -> None:
        self._door = door
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._snapshot = Snapshot()
        self._queue = PendingQueue()
        self._volumes = volumes.Volumes(door, ACTOR, lambda: self._woken.set())
        self._binding: dict[str, Placement] = {}
        self._reporting: dict[str, _Report] = {}
        self._attempts = {"scheduled": 0, "unschedulable": 0, "error": 0}
        self._running = False
        self._woken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Until cancelled. Starts from what stands in the store, so it may be stopped and run again at any time."""
        self._binding.clear()
        self._reporting.clear()
        revision = self._door.views.revision  # what changes while it reads is told by the watches, which begin here
        for _ in self._load():
            await asyncio.sleep(0)
        try:
            async with TaskGroup() as group:
                self._running = True
                group.start(self._follow("nodes", self._note_node, revision), name="scheduler-nodes")
                group.start(self._follow("pods", self._note_pod, revision), name="scheduler-pods")
                for resource in (storage.CLAIMS, storage.VOLUMES, storage.CLASSES):
                    group.start(self._follow(resource, self._note_volume, revision), name=f"scheduler-{resource}")
                while True:
                    self._woken.clear()
                    self._round(group)
                    await self._woken.wait()
        finally:
            self._running = False
            self._set_timer(None)

    def trouble(self) -> str:
        """What keeps it from placing pods; "" when all is well."""
        return "" if self._running else "it does not run"

    def metrics(self) -> Iterator[Family]:
        waiting = self._queue.counts(asyncio.get_running_loop().time())
        yield Family(
            "scheduler_pending_pods", GAUGE, "Pods that wait for a node, by the queue they are in.", ("queue",),
            [((queue,), count) for queue, count in waiting.items()],
        )  # fmt: skip
        yield Family(
            "scheduler_schedule_attempts_total", COUNTER, "Attempts to place a pod, by result.", ("profile", "result"),
            [((self._settings.scheduler_name, result), count) for result, count in self._attempts.items()],
        )  # fmt: skip

    # What there is

    def _load(self) -> Iterator[None]:
        """Read everything anew, step by step. Bindings under way stay assumed."""
        views = self._door.views
        self._snapshot, self._queue = Snapshot(), PendingQueue()
        for node in views.list(nodes.Node, "nodes"):
            self._snapshot.set_node(node)
        waiting: list[pods.Pod] = []
        for number, item in enumerate(views.each(pods.Pod, "pods")):
            if not number % STEP:
                yield
            if item.spec.node_name:
                self._take_over(_key(item), item)
            else:
                waiting.append(item)
        for item in sorted(waiting, key=_age):
            self._take_over(_key(item), item)
        for placement in self._binding.values():
            if not self._snapshot.standing(placement.ask.key):
                self._snapshot.assume(placement.ask, placement.node)
                self._queue.hold(placement.ask.key)
        self._woken.set()

    async def _follow(self, resource: str, note: Callable[[str, int], None], after: int) -> None:
        while True:
            try:
                async with aclosing(self._door.watch(ACTOR, resource, after=after)) as batches:  # type: ignore[type-var]
                    async for batch in batches:
                        for event in batch:
                            after = event.revision
                            if event.key:
                                note(event.key, event.revision)
            except Expired:
                log.info("scheduler-resync resource=%s after=%s", resource, after)
                after = self._door.views.revision
                for _ in self._load():
                    pass  # at one go: the other watch goes on meanwhile

    def _note_node(self, key: str, revision: int) -> None:
        name = key.rpartition("/")[2]
        node = self._door.views.get(nodes.Node, Ref("nodes", name))
        if node is None:
            self._snapshot.remove_node(name)
        elif self._snapshot.set_node(node):
            self._queue.stir(Stir.NODE, revision)
            self._woken.set()

    def _note_pod(self, key: str, revision: int) -> None:
        _, namespace, name = key.split("/", 2)
        if key in self._binding:
            self._volumes.changed()
        if self._take_over(key, self._door.views.get(pods.Pod, Ref("pods", name, namespace))):
            self._queue.stir(Stir.ROOM, revision)
            self._woken.set()

    def _note_volume(self, key: str, revision: int) -> None:
        self._volumes.changed()
        if len(self._queue):
            self._queue.stir(Stir.VOLUME, revision)
            self._woken.set()

    def _take_over(self, key: str, item: pods.Pod | None) -> bool:
        """Count a pod as it is now; whether room was freed."""
        if item is None:
            self._queue.remove(key)
            return self._snapshot.remove_pod(key)
        if item.spec.node_name:
            self._queue.remove(key)
            return self._snapshot.set_pod(key, item)
        freed = False
        assumed = self._binding.get(key)
        if assumed is None or assumed.ask.uid != item.metadata.uid:
            freed = self._snapshot.remove_pod(key)
        if item.finished or item.metadata.deletion_timestamp or item.spec.scheduler_name != self._settings.scheduler_name:
            self._queue.remove(key)
        elif self._queue.set(asks.of(item)):
            self._woken.set()
        return freed

    # What to do

    def _round(self, group: TaskGroup) -> None:
        """Decide on what is due, and start the writes."""
        now = asyncio.get_running_loop().time()
        room = self._settings.in_flight - (len(self._binding) - self._volumes.waiting) - len(self._reporting)
        due = self._queue.take(now, max(0, min(room, self._settings.round)))
        if due:
            plan = decide(self._resolved([waiting.ask for waiting in due]), self._snapshot.table, rotation=self._rng.random())
            self._attempts["unschedulable"] += len(plan.unschedulable)
            triggers = {waiting.ask.key: waiting.trigger for waiting in due}
            for placement in plan.placed:
                self._snapshot.assume(placement.ask, placement.node)
                self._binding[placement.ask.key] = placement
                group.start(self._bind(placement, triggers[placement.ask.key]), name="scheduler-bind")
            for verdict in plan.unschedulable:
                self._queue.park(verdict.ask, frozenset(rejected.plugin for rejected in verdict.rejected), now)
                self._start_report(group, verdict, triggers[verdict.ask.key])
        # When there is no room, the next write that ends wakes the loop.
        self._set_timer(self._queue.next_time(now) if room > 0 else None)

    def _resolved(self, due: list[asks.Ask]) -> list[asks.Ask]:
        """With what their claims ask for, as it is now."""
        if not any(ask.claims for ask in due):
            return due
        taken: dict[str, str] = {}
        for ask in [placement.ask for placement in self._binding.values()]:
            taken.update((f"{ask.namespace}/{name}", ask.uid) for name in ask.claims)
        found = []
        for ask in due:
            found.append(msgspec.structs.replace(ask, need=volumes.need(self._door.views, ask, taken)))
            for name in ask.claims:
                taken.setdefault(f"{ask.namespace}/{name}", ask.uid)
        return found

    def _start_report(self, group: TaskGroup, verdict: Unschedulable, trigger: int) -> None:
        key = verdict.ask.key
        running = key in self._reporting
        self._reporting[key] = _Report(verdict.ask, explain.message(verdict), trigger)
        if not running:
            group.start(self._report(key), name="scheduler-report")

    def _set_timer(self, when: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = asyncio.get_running_loop().call_at(when, self._woken.set)

    async def _bind(self, placement: Placement, trigger: int) -> None:
        ask = placement.ask
        pod = Ref("pods", ask.name, ask.namespace)
        cause = Cause(ACTOR.name, "Bind", why=explain.why_placed(placement), revision=trigger or None)
        try:
            await self._volumes.bind(ask, placement.node)
            await self._door.bind(ACTOR, pod, placement.node, uid=ask.uid, cause=cause)
        except SteersmanError as error:
            self._attempts["error"] += 1
            self._take_back(placement, error)
            return
        self._attempts["scheduled"] += 1
        log.info("pod-bound pod=%s/%s node=%s why=%r", ask.namespace, ask.name, placement.node, cause.why)
        # Subtle: the assumption stands until the watch shows the pod bound, which may be before or after this line.
        if self._binding.get(ask.key) is placement:
            del self._binding[ask.key]
        self._woken.set()
        await self._emit(ask, "Normal", "Scheduled", explain.scheduled(placement))

    def _take_back(self, placement: Placement, error: SteersmanError) -> None:
        """The binding failed: look at the pod as it is now."""
        ask = placement.ask
        log.info("pod-not-bound pod=%s/%s node=%s why=%s", ask.namespace, ask.name, placement.node, error)
        if self._binding.get(ask.key) is placement:
            del self._binding[ask.key]
        self._snapshot.forget(ask)
        # Subtle: parked before it is read again, so that a pod which is still pending does not come back at once, for ever.
        self._queue.park(ask, ROOM_PLUGINS, asyncio.get_running_loop().time(), retry=True)
        self._take_over(ask.key, self._door.views.get(pods.Pod, Ref("pods", ask.name, ask.namespace)))
        self._queue.stir(Stir.ROOM, self._door.views.revision)
        self._woken.set()

    async def _report(self, key: str) -> None:
        """Tell people why the pod waits; once more if the reason changed meanwhile."""
        try:
            told = None
            while told is not self._reporting[key]:
                told = self._reporting[key]
                await self._tell(told)
        except (CallerFault, NotNow) as error:
            # The pod has moved on, or will be tried again: then this is written anew.
            log.info("report-not-written pod=%s why=%s", key, error)
        finally:
            self._reporting.pop(key, None)
            self._woken.set()

    async def _tell(self, report: _Report) -> None:
        """The condition, if it says something else so far, and the Event."""
        ask, text = report.ask, report.text
        pod = Ref("pods", ask.name, ask.namespace)
        item = self._door.views.get(pods.Pod, pod)
        if item is None or item.metadata.uid != ask.uid or item.spec.node_name:
            return
        old = item.condition("PodScheduled")
        if old is None or (old.status, old.reason, old.message) != ("False", "Unschedulable", text):
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
            if old is None or old.status != "False":
                condition["lastTransitionTime"] = rfc3339(self._clock.now())
            body = {"metadata": {"uid": ask.uid}, "status": {"conditions": [condition]}}
            options = WriteOptions(cause=Cause(ACTOR.name, "Unschedulable", why=text, revision=report.trigger or None))
            await self._door.patch(ACTOR, pod, PatchType.STRATEGIC, body, options, subresource="status")
            log.info("pod-unschedulable pod=%s/%s why=%r", ask.namespace, ask.name, text)
        await self._emit(ask, "Warning", "FailedScheduling", text)

    async def _emit(self, ask: asks.Ask, type_: str, reason: str, message: str) -> None:
        event = EmitEvent(
            Ref("pods", ask.name, ask.namespace), "Pod", ask.uid, type_, reason, message, COMPONENT,
            Cause(ACTOR.name, reason, why=message, revision=ask.revision or None),
        )  # fmt: skip
        try:
            await self._door.perform(ACTOR, event)
        except (CallerFault, NotNow) as error:
            log.info("event-not-written pod=%s/%s reason=%s why=%s", ask.namespace, ask.name, reason, error)
