"""What agents report, written through the door: the newest per pod and node, many side by side, acknowledged when durable.

    report ─► pending[key] (a newer one replaces an older one) ─► one of `workers` ─► door ─► acknowledge

Owns the order of writes per pod and per node, and their repetition when the store says "not now". What a report changes is decided by
`status`; whether it counts at all (epoch, generation, node) was decided before it came here. Bounded by the number of pods and
nodes, because it keeps one entry for each.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from common.aio.tasks import TaskGroup, supervise
from common.aio.workqueue import WorkQueue
from common.clock import Clock
from common.errors import CallerFault, Conflict, NotFound, NotNow
from common.objects.meta import Object
from master.api.contract import Actor, DeleteOptions, Document, Door, EmitEvent, PatchObject, Ref, Role
from master.dispatch import status
from master.store.contract import Cause

log = logging.getLogger(__name__)

ACTOR = Actor("system:dispatch", Role.DISPATCH)
NODES = "system:nodes"
EVENTS_WAITING = 2000
"""Events that wait to be written; the oldest are dropped first: they are best effort."""


def agent(node: str) -> Actor:
    """Whoever's report it is writes it: the node's own user, through dispatch."""
    return Actor(f"system:node:{node}", Role.DISPATCH, (NODES,))


class Origin(msgspec.Struct, frozen=True):
    """Whose report it is, so that it can be acknowledged to that session and no other."""

    node: str
    epoch: int
    sequence: int = 0


@dataclass(slots=True)
class _PodWork:
    """silent_at: revision at which its node was declared silent, 0 otherwise."""

    ref: Ref
    uid: str
    node: str
    status: Document | None = None
    generation: int = 0
    gone: bool = False
    silent_at: int = 0
    origins: list[Origin] = field(default_factory=list)


@dataclass(slots=True)
class _NodeWork:
    name: str
    labels: Document = field(default_factory=dict)
    status: Document = field(default_factory=dict)
    registers: bool = False
    silent: bool = False
    origins: list[Origin] = field(default_factory=list)


class _Identity(msgspec.Struct):
    uid: str = ""


class _Standing(msgspec.Struct):
    """What a report is compared with; the rest of the object is not decoded."""

    metadata: _Identity
    status: Document = {}


_standing = msgspec.json.Decoder(_Standing)


class _Events:
    """Events, one after the other: they are best effort, and never in the way of a status."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._waiting: deque[EmitEvent] = deque(maxlen=EVENTS_WAITING)
        self._some = asyncio.Event()
        self._writing = False

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._writing

    def put(self, event: EmitEvent) -> None:
        self._waiting.append(event)
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                event = self._waiting.popleft()
                self._writing = True
                try:
                    await self._door.perform(ACTOR, event)
                except (CallerFault, NotNow) as error:
                    log.debug("event-dropped reason=%s why=%s", event.reason, error)
                finally:
                    self._writing = False


class ReportWriter:
    """acknowledge: called once a report is durable, or void. still_silent: asked before silence is written, because the node may
    have spoken meanwhile. fell_silent: called after it, with the revision of that write. grace_s: how long silence is borne,
    for the words of its cause."""

    def __init__(
        self, door: Door, clock: Clock, *, workers: int, grace_s: float, acknowledge: Callable[[Origin], None],
        still_silent: Callable[[str], bool], fell_silent: Callable[[str, int], None],
    ) -> None:  # fmt: skip
        self._door = door
        self._clock = clock
        self._workers = workers
        self._grace_s = grace_s
        self._acknowledge = acknowledge
        self._still_silent = still_silent
        self._fell_silent = fell_silent
        self._pods: dict[str, _PodWork] = {}
        self._nodes: dict[str, _NodeWork] = {}
        self._events = _Events(door)
        self._queue: WorkQueue[tuple[str, str]] = WorkQueue(max_delay_s=10.0)
        self.event = self._events.put

    @property
    def idle(self) -> bool:
        return self._queue.idle and self._events.idle

    async def run(self) -> None:
        try:
            async with TaskGroup() as group:
                for number in range(self._workers):
                    name = f"dispatch-writer-{number}"
                    group.start(supervise(name, self._work), name=name)
                group.start(supervise("dispatch-events", self._events.run), name="dispatch-events")
        finally:
            self._queue.close()

    # -- what is to be written

    def pod_status(self, ref: Ref, uid: str, *, origin: Origin, generation: int, reported: Document) -> None:
        work = self._pod(ref, uid, origin)
        work.status, work.generation, work.silent_at = reported, generation, 0

    def pod_gone(self, ref: Ref, uid: str, *, origin: Origin) -> None:
        self._pod(ref, uid, origin).gone = True

    def pod_unready(self, ref: Ref, uid: str, *, node: str, silent_at: int) -> None:
        work = self._pod(ref, uid, Origin(node, 0))
        work.silent_at = silent_at

    def _pod(self, ref: Ref, uid: str, origin: Origin) -> _PodWork:
        work = self._pods.get(uid)
        if work is None:
            work = self._pods[uid] = _PodWork(ref, uid, origin.node)
        work.origins.append(origin)
        self._queue.add(("pod", uid))
        return work

    def node_registers(self, name: str, document: Document) -> None:
        """The partial Node that a Hello carries."""
        work = self._node(name)
        work.registers, work.silent = True, False
        work.labels = (document.get("metadata") or {}).get("labels") or {}
        # Subtle: a Hello says what the host is, not how it is; Ready comes with the next report.
        work.status = {**work.status, **{k: v for k, v in (document.get("status") or {}).items() if k != "conditions"}}

    def node_status(self, name: str, *, origin: Origin, reported: Document) -> None:
        work = self._node(name)
        work.status, work.silent = {**work.status, **reported}, False
        work.origins.append(origin)

    def node_silent(self, name: str) -> None:
        self._node(name).silent = True

    def _node(self, name: str) -> _NodeWork:
        self._queue.add(("node", name))
        return self._nodes.setdefault(name, _NodeWork(name))

    # -- writing it

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await (self._write_pod(key) if key[0] == "pod" else self._write_node(key))
            finally:
                self._queue.done(key)

    async def _write_pod(self, key: tuple[str, str]) -> None:
        work = self._pods.pop(key[1], None)
        if work is None:
            return
        try:
            await self._pod_patch(work)
            if work.gone:
                await self._pod_delete(work)
        except (NotNow, Conflict) as error:
            self._again(key, error)
            newer = self._pods.setdefault(key[1], work)
            if newer is not work:
                newer.origins = work.origins + newer.origins
                newer.gone = newer.gone or work.gone
                if newer.status is None:
                    newer.status, newer.generation = work.status, work.generation
            return
        except NotFound:
            pass  # the object is gone: there is nothing left to say about it
        except CallerFault as error:
            log.warning("report-refused pod=%s/%s node=%s why=%s", work.ref.namespace, work.ref.name, work.node, error)
        self._settled(key, work.origins)

    async def _pod_patch(self, work: _PodWork) -> None:
        if work.status is None and not (work.silent_at and self._still_silent(work.node)):
            return
        stored = self._door.get(ACTOR, work.ref)
        standing = _standing.decode(stored.value)
        if standing.metadata.uid != work.uid:
            return
        old, now = standing.status, self._clock.now()
        if work.status is not None:
            changed = status.pod_status(old, work.status, now=now)
            cause = Cause(f"system:node:{work.node}", "PodStatus", status.describe(old, changed or {}), work.generation or None)
        else:
            changed = status.pod_unready(old, now=now)
            cause = Cause(ACTOR.name, "NodeSilent", f"node {work.node} stopped posting status", work.silent_at)
        if changed is not None:
            patch = PatchObject(work.ref, {"status": changed}, cause, "status", uid=work.uid, expected=stored.revision)
            await self._door.perform(agent(work.node) if work.status is not None else ACTOR, patch)

    async def _pod_delete(self, work: _PodWork) -> None:
        why = f"the agent on {work.node} confirmed that all its containers are gone"
        pod = self._door.views.get(Object, work.ref)
        if pod is None or pod.metadata.uid != work.uid or pod.metadata.deletion_timestamp is None:
            return
        cause = Cause(f"system:node:{work.node}", "PodGone", why, int(pod.metadata.resource_version))
        await self._door.delete(agent(work.node), work.ref, DeleteOptions(uid=work.uid, grace_s=0, confirmed=True, cause=cause))
        log.info("pod-gone pod=%s/%s uid=%s node=%s", work.ref.namespace, work.ref.name, work.uid, work.node)

    async def _write_node(self, key: tuple[str, str]) -> None:
        work = self._nodes.pop(key[1], None)
        if work is None:
            return
        try:
            await self._node_patch(work)
        except (NotNow, Conflict) as error:
            self._again(key, error)
            newer = self._nodes.setdefault(key[1], work)
            if newer is not work:
                newer.origins = work.origins + newer.origins
                newer.status = {**work.status, **newer.status}
                newer.labels = newer.labels if newer.registers else work.labels
                newer.registers = newer.registers or work.registers
            return
        except NotFound:
            pass
        except CallerFault as error:
            log.warning("report-refused node=%s why=%s", work.name, error)
        self._settled(key, work.origins)

    async def _node_patch(self, work: _NodeWork) -> None:
        ref = Ref("nodes", work.name)
        if work.registers:
            stored = self._door.get(ACTOR, ref)
            labels = status.node_labels(stored.document()["metadata"].get("labels") or {}, work.labels, node=work.name)
            if labels:
                cause = Cause(f"system:node:{work.name}", "Register", "the agent said hello")
                patch = PatchObject(ref, {"metadata": {"labels": labels}}, cause, expected=stored.revision)
                await self._door.perform(agent(work.name), patch)
        stored = self._door.get(ACTOR, ref)
        old, now = _standing.decode(stored.value).status, self._clock.now()
        if work.silent and self._still_silent(work.name):
            changed = status.node_silent(old, now=now)
            writer, cause = ACTOR, Cause(ACTOR.name, "NodeSilent", f"no heartbeat for {self._grace_s:g} s")
        else:
            changed = status.node_status(old, work.status, now=now)
            writer = agent(work.name)
            cause = Cause(writer.name, "NodeStatus", status.describe(old, changed or {}))
        revision = stored.revision
        if changed is not None:
            written = await self._door.perform(writer, PatchObject(ref, {"status": changed}, cause, "status", expected=revision))
            revision = written.revision if written is not None else revision
        if work.silent and self._still_silent(work.name):
            self._fell_silent(work.name, revision)

    def _again(self, key: tuple[str, str], error: Exception) -> None:
        delay_s = self._queue.add_rate_limited(key)
        level = logging.DEBUG if isinstance(error, Conflict) else logging.WARNING
        log.log(level, "report-waits key=%s/%s retry_s=%.3f why=%s", *key, delay_s, error)

    def _settled(self, key: tuple[str, str], origins: list[Origin]) -> None:
        self._queue.forget(key)
        for origin in origins:
            if origin.sequence:
                self._acknowledge(origin)
