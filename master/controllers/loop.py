"""List, watch, queue, reconcile, perform: the shell around every controller, once for all.

One watch per resource serves all controllers. Its events bring the shared `ReadView` up to date and wake keys in the
queues of the controllers that asked for that resource; each controller's workers take a key, call the pure `reconcile`
and perform its changes through the door, in order. Nothing starts to work before every resource has been listed once.

    watch(resource) ─► note + wake ─► WorkQueue ─► worker: reconcile ─► door.perform ─► note, feedback

What happens when a change fails: Conflict, AlreadyExists and NotFound are the normal course of a lost race: the key comes
back after a back-off and is decided anew. Not now: the same, with a warning. A refusal (Forbidden, Invalid): the same,
and the controller is told, so that it can emit an Event. A bug ends the worker; the supervisor logs and restarts it, and the
key is not lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from common.aio.tasks import TaskGroup, gather, supervise
from common.aio.workqueue import WorkQueue
from common.clock import Clock
from common.errors import AlreadyExists, Conflict, Expired, NotFound, NotNow, SteersmanError
from common.objects import meta
from master.api.contract import (
    Actor, CreateObject, DeleteObject, Door, EmitEvent, EventType, ObjectChange, PatchObject, Ref, Role, Stored, WatchEvent,
)  # fmt: skip
from master.api.metrics import COUNTER, GAUGE, Family
from master.controllers.controller import Controller, Seen
from master.controllers.view import ReadView

log = logging.getLogger(__name__)

WATCHER = Actor("system:kube-controller-manager", Role.API)
"""Who reads on behalf of all controllers; it writes nothing."""

FIRST_BATCH, LARGEST_BATCH = 4, 128
"""Creates in a row go out together, as many at a time as doubled from the first: what is refused is refused early."""

LOST_RACES = (Conflict, AlreadyExists, NotFound)


class _Running:
    """A controller with its queue."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.queue: WorkQueue[Ref] = WorkQueue()


class Loop:
    """Runs the given controllers over one door. `run` returns only by cancellation."""

    def __init__(self, door: Door, clock: Clock, controllers: Sequence[Controller]) -> None:
        self._door = door
        self._clock = clock
        self._running = [_Running(controller) for controller in controllers]
        self._view = ReadView(door.views, door.catalog)
        self._seen: dict[Ref, Stored] = {}
        resources = dict.fromkeys(resource for running in self._running for resource in running.controller.wakes)
        self._listening = {
            resource: [(r.queue, r.controller.wakes[resource]) for r in self._running if resource in r.controller.wakes]
            for resource in resources
        }
        self._unlisted = dict(resources)
        self._custom = [(r.queue, r.controller.custom) for r in self._running if r.controller.custom is not None]
        self._following: dict[str, asyncio.Task[None]] = {}
        self._all_listed = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Nothing is queued, worked on or timed."""
        return self._all_listed.is_set() and all(running.queue.idle for running in self._running)

    @property
    def listed(self) -> bool:
        """Everything has been read once, so the controllers work."""
        return self._all_listed.is_set()

    async def until_listed(self) -> None:
        await self._all_listed.wait()

    def metrics(self) -> Iterator[Family]:
        queues = [((running.controller.name,), running.queue) for running in self._running]
        yield Family("workqueue_depth", GAUGE, "Keys that wait.", ("name",), [(name, len(queue)) for name, queue in queues])
        yield Family("workqueue_adds_total", COUNTER, "Keys queued so far.", ("name",), [(name, queue.adds) for name, queue in queues])
        yield Family(
            "workqueue_retries_total", COUNTER, "Keys queued after a failure.", ("name",), [(name, queue.retries) for name, queue in queues]
        )

    async def run(self) -> None:
        try:
            async with TaskGroup() as group:
                self._follow_custom(group)
                group.start(supervise("controllers-custom", partial(self._watch_catalog, group)))
                for resource in self._listening:
                    group.start(supervise(f"controllers-watch-{resource}", partial(self._follow, resource)))
                await self._all_listed.wait()
                log.info("controllers-started count=%d", len(self._running))
                for running in self._running:
                    for number in range(running.controller.workers):
                        name = f"{running.controller.name}-{number}"
                        group.start(supervise(name, partial(self._work, running)), name=name)
        finally:
            for running in self._running:
                running.queue.close()

    # ------------------------------------------------------------------ watch

    async def _follow(self, resource: str) -> None:
        while True:
            batches = self._door.watch(WATCHER, resource, bookmarks=True, initial=True)
            try:
                async for batch in batches:
                    for event in batch:
                        self._observe(resource, event)
            except Expired:
                log.info("watch-expired resource=%s next=list", resource)
            finally:
                await batches.aclose()  # type: ignore[attr-defined]

    async def _watch_catalog(self, group: TaskGroup) -> None:
        while True:
            await self._door.catalog.changed(self._generation)
            self._follow_custom(group)

    def _follow_custom(self, group: TaskGroup) -> None:
        """One watch for each custom resource, while it is defined; the objects of one that is gone are forgotten."""
        catalog = self._door.catalog
        self._generation = catalog.generation
        wanted = {resource.key: None for resource in catalog.custom()} if self._custom else {}
        for resource in [resource for resource in self._following if resource not in wanted]:
            self._following.pop(resource).cancel()
            for ref in [ref for ref in self._seen if ref.resource == resource]:
                self._look(ref)
        for resource in wanted:
            if resource not in self._following:
                self._unlisted[resource] = None
                watch = supervise(f"controllers-watch-{resource}", partial(self._follow, resource))
                self._following[resource] = group.start(watch)

    def _observe(self, resource: str, event: WatchEvent) -> None:
        if event.type is EventType.BOOKMARK:
            if event.initial_end:
                self._listed(resource)
            return
        _, namespace, name = event.key.split("/", 2)
        ref = Ref(resource, name, namespace)
        if event.type is EventType.DELETED and ref not in self._seen and event.stored is not None:
            # It came and went between two looks: those who wait for its end must still hear of it.
            self._seen[ref] = event.stored
        self._look(ref)

    def _listed(self, resource: str) -> None:
        """A list is complete: what was seen before it and is no longer there went while nobody watched."""
        for ref in [ref for ref in self._seen if ref.resource == resource]:
            if self._view.stored(ref) is None:
                self._look(ref)
        self._unlisted.pop(resource, None)
        if not self._unlisted:
            self._all_listed.set()

    def _look(self, ref: Ref) -> None:
        """Read what stands at `ref` now, index it, and wake who cares.

        Subtle: the present object is read, not the event's, so several events may show the same state; an object that was
        deleted and made anew between two looks shows as changed, with another uid.
        """
        then, now = self._seen.get(ref), self._view.stored(ref)
        old = None if then is None else self._view.of(ref, then)
        new = None if now is None else self._view.of(ref, now)
        self._view.index(ref, new)
        if now is None:
            self._seen.pop(ref, None)
        else:
            self._seen[ref] = now
        if then is None and now is None:
            return
        seen = Seen(ref, old, new)
        for queue, wake in self._listening.get(ref.resource, self._custom):
            for key in wake(self._view, seen):
                queue.add(key)

    # ------------------------------------------------------------------- work

    async def _work(self, running: _Running) -> None:
        while True:
            key = await running.queue.get()
            finished = False
            try:
                await self._reconcile(running, key)
                finished = True
            finally:
                running.queue.done(key)
                if not finished:
                    running.queue.add_rate_limited(key)

    async def _reconcile(self, running: _Running, key: Ref) -> None:
        controller, queue = running.controller, running.queue
        outcome = controller.reconcile(self._view, key, self._clock.now())
        error = await self._perform_all(controller, key, outcome.changes)
        if error is None:
            queue.forget(key)
            if outcome.requeue_after_s is not None:
                queue.add_after(key, max(outcome.requeue_after_s, 0.001))
            return
        delay_s = queue.add_rate_limited(key)
        level = logging.DEBUG if isinstance(error, LOST_RACES) else logging.WARNING
        log.log(level, "reconcile-failed controller=%s key=%s retry_s=%.3f why=%s", controller.name, key.key, delay_s, error)

    async def _perform_all(self, controller: Controller, key: Ref, changes: Sequence[ObjectChange]) -> SteersmanError | None:
        """All in order, creates in a row together; the first error ends it and is returned."""
        position, batch = 0, FIRST_BATCH
        while position < len(changes):
            end = position + 1
            if isinstance(changes[position], CreateObject):
                while end < len(changes) and end - position < batch and isinstance(changes[end], CreateObject):
                    end += 1
                batch = min(batch * 2, LARGEST_BATCH)
            group = changes[position:end]
            if len(group) == 1:
                errors = [await self._perform(controller, key, group[0])]
            else:
                errors = await gather(*(self._perform(controller, key, change) for change in group))
            failed = next((error for error in errors if error is not None), None)
            if failed is not None:
                return failed
            position = end
        return None

    async def _perform(self, controller: Controller, key: Ref, change: ObjectChange) -> SteersmanError | None:
        made: meta.View | None = None
        try:
            stored = await self._door.perform(controller.actor, change)
        except SteersmanError as error:
            if isinstance(change, EmitEvent) or (isinstance(change, DeleteObject) and isinstance(error, NotFound)):
                return None  # an Event is best effort; what was to be deleted is gone
            if not isinstance(error, (*LOST_RACES, NotNow)):
                await self._feed_back(controller, key, change, error)
            return error
        if isinstance(change, CreateObject) and stored is not None:
            made = msgspec.json.decode(stored.value, type=meta.Object)
            self._view.note(Ref(change.resource, made.metadata.name, made.metadata.namespace))
        elif isinstance(change, PatchObject):
            self._view.note(change.ref)
        if not isinstance(change, EmitEvent):
            if not (isinstance(change, PatchObject) and change.subresource):
                target, why = _target(change, made), change.cause
                log.info("change controller=%s rule=%s object=%s why=%r", controller.name, why.rule, target, why.why)
            await self._feed_back(controller, key, change, made)
        return None

    async def _feed_back(
        self, controller: Controller, key: Ref, change: ObjectChange, result: meta.View | SteersmanError | None
    ) -> None:
        if controller.feedback is None:
            return
        for answer in controller.feedback(self._view, key, change, result, now=self._clock.now()):
            try:
                await self._door.perform(controller.actor, answer)
            except SteersmanError as error:
                log.debug("event-lost controller=%s key=%s why=%s", controller.name, key.key, error)


def _target(change: ObjectChange, made: meta.Object | None) -> str:
    if isinstance(change, CreateObject):
        return f"{change.resource}/{change.namespace}/{made.metadata.name if made else ''}"
    return change.ref.key if isinstance(change, (PatchObject, DeleteObject)) else ""
