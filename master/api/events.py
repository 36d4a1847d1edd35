"""The recorder of Events: what happened to an object, told to people.

Repeats of one thing (same object, reason, message and component) are one Event with a count. The first few repeats are written as
they come; after that at most one write a minute, which carries the count so far, so that a crash loop does not fill the
store. Events expire by the store's own means. An Event about an object in a namespace that is gone or going is dropped:
it must not keep the namespace from ending, and failing to write one must never stop a decision.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from common.clock import Clock, Rng, rfc3339
from common.errors import AlreadyExists, Conflict, NotFound
from common.objects import cluster
from master.api import causes, documents
from master.api.contract import Actor, Document, EmitEvent, Ref, Stored, Views
from master.api.registry import BY_KEY
from master.api.settings import DoorSettings
from master.store.contract import Store

REMEMBERED = 4096
WRITTEN_AT_ONCE = 10
LATER_S = 60.0
MAX_MESSAGE = 1024

_Identity = tuple[str, str, str, str, str, str]


class _Series(msgspec.Struct):
    """One Event under way. written: wall-clock seconds of its last write."""

    ref: Ref
    document: Document
    count: int
    written: float
    revision: int


class Recorder:
    """Used by the door alone. What it remembers is bounded; forgetting only means a second Event instead of a count."""

    def __init__(self, store: Store, views: Views, clock: Clock, *, rng: Rng, settings: DoorSettings) -> None:
        self._store = store
        self._views = views
        self._clock = clock
        self._rng = rng
        self._ttl_s = settings.event_ttl_s
        self._series: OrderedDict[_Identity, _Series] = OrderedDict()

    async def emit(self, actor: Actor, event: EmitEvent) -> Stored | None:
        """The Event as written, or None when nothing was written now."""
        identity = (event.regarding.key, event.uid, event.type, event.reason, event.message, event.component)
        now = self._clock.now()
        series = self._series.get(identity)
        if series is not None and now - series.written < self._ttl_s:
            self._series.move_to_end(identity)
            return await self._repeat(actor, event, identity, series=series)
        return await self._begin(actor, event, identity)

    async def _repeat(self, actor: Actor, event: EmitEvent, identity: _Identity, *, series: _Series) -> Stored | None:
        now = self._clock.now()
        series.count += 1
        if not series.revision or (series.count > WRITTEN_AT_ONCE and now - series.written < LATER_S):
            return None  # its first write is still under way, or the last was a moment ago: the next carries the count
        series.document = {**series.document, "count": series.count, "lastTimestamp": rfc3339(now)}
        series.written = now
        cause = causes.of(actor, event.cause, verb="update", what="events")
        try:
            record = await self._store.update(
                series.ref.key, documents.encode(series.document), cause, expected=series.revision, expires=now + self._ttl_s
            )
        except Conflict:
            # Another repeat is being written, or a user touched it: the count goes out with the next.
            standing = self._store.get(series.ref.key)
            series.revision = series.revision if standing is None else standing.revision
            return None
        except NotFound:
            self._series.pop(identity, None)
            return await self._begin(actor, event, identity)
        series.revision = record.revision
        return Stored(record.packed, record.revision)

    async def _begin(self, actor: Actor, event: EmitEvent, identity: _Identity) -> Stored | None:
        namespace = event.regarding.namespace or "default"
        if not self._open(namespace):
            return None
        now = self._clock.now()
        ref = Ref("events", f"{event.regarding.name}.{self._rng.token_bytes(8).hex()}", namespace)
        document = _document(event, ref, uid=self._rng.uuid(), now=now)
        series = self._series[identity] = _Series(ref, document, 1, now, 0)
        while len(self._series) > REMEMBERED:
            self._series.popitem(last=False)
        cause = causes.of(actor, event.cause, verb="create", what="events")
        try:
            record = await self._store.create(ref.key, documents.encode(document), cause, expires=now + self._ttl_s)
        except AlreadyExists:
            self._series.pop(identity, None)
            return None
        series.revision = record.revision
        return Stored(record.packed, record.revision)

    def _open(self, namespace: str) -> bool:
        found = self._views.get(cluster.Namespace, Ref("namespaces", namespace))
        return found is not None and found.metadata.deletion_timestamp is None


def _document(event: EmitEvent, ref: Ref, *, uid: str, now: float) -> Document:
    regarding, resource = event.regarding, BY_KEY.get(event.regarding.resource)
    about = {
        "kind": event.kind, "namespace": regarding.namespace, "name": regarding.name, "uid": event.uid,
        "apiVersion": resource.api_version if resource is not None else "",
    }  # fmt: skip
    time = rfc3339(now)
    return {
        "metadata": {"name": ref.name, "namespace": ref.namespace, "uid": uid, "creationTimestamp": time},
        "kind": "Event",
        "apiVersion": "v1",
        "involvedObject": {key: value for key, value in about.items() if value},
        "reason": event.reason,
        "message": event.message[:MAX_MESSAGE],
        "type": event.type,
        "source": {"component": event.component},
        "reportingComponent": event.component,
        "reportingInstance": "",
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
