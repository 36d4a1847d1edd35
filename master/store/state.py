"""The present state of a store in memory, and the log of its newest changes.

Owns the map from keys to records, the order of keys, and the changes that watches walk. Written only by `commit` (through
`apply`) and when a store is opened or restored; everything happens in the loop's thread, in plain calls.

    State ── records            key → Record
          ├─ "pods/" ── keys    sorted, so that a prefix is a slice
          │          └─ stream  the newest changes of pods, and the cursors that wait for more
          ├─ "nodes//"…
          └─ stream             the newest changes of everything, which sets what the others may drop

Subtle: a cursor may wait on a prefix in which nothing happens while its resource's stream is trimmed beyond it.
It has missed nothing. Therefore `publish` moves waiting cursors that a change does not concern forward, and
only a cursor that really lags expires.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from common.errors import BadRequest
from master.store.contract import Change, Record
from master.store.journal import Loaded, Row

LAST = "\U0010ffff"
"""Sorts after every character that a key may hold, so that `prefix + LAST` ends a prefix's slice."""

LOG_CHANGES = 10_000
LOG_BYTES = 32 * 1024 * 1024

_by_revision: Callable[[Change], int] = attrgetter("revision")


class Waiter:
    """The waiting side of one cursor: woken when a change under `prefix` comes, moved forward when another does."""

    __slots__ = ("after", "future", "prefix")

    def __init__(self, prefix: str, after: int) -> None:
        self.prefix = prefix
        self.after = after
        self.future: asyncio.Future[None] | None = None


class Stream:
    """Changes in order of revision, the oldest dropped: none at or before `dropped` is here."""

    __slots__ = ("changes", "dropped", "waiting")

    def __init__(self, dropped: int) -> None:
        self.changes: list[Change] = []
        self.dropped = dropped
        self.waiting: dict[Waiter, None] = {}

    def after(self, revision: int) -> int:
        """The index of the first change beyond `revision`."""
        return bisect_right(self.changes, revision, key=_by_revision)

    def drop(self, revision: int) -> None:
        cut = self.after(revision)
        if cut:
            self.dropped = self.changes[cut - 1].revision
            del self.changes[:cut]

    def publish(self, changes: Sequence[Change]) -> None:
        """Append, and wake the cursors that these changes concern."""
        self.changes.extend(changes)
        newest = changes[-1].revision
        for waiter in list(self.waiting):
            prefix = waiter.prefix
            if any(change.key.startswith(prefix) for change in changes):
                self.wake(waiter)
            else:
                waiter.after = newest

    def wake(self, waiter: Waiter) -> None:
        self.waiting.pop(waiter, None)
        if waiter.future is not None and not waiter.future.done():
            waiter.future.set_result(None)

    def wake_all(self) -> None:
        for waiter in list(self.waiting):
            self.wake(waiter)


class Bucket:
    """One resource: its keys in order, and its stream."""

    __slots__ = ("keys", "stream")

    def __init__(self, dropped: int) -> None:
        self.keys: list[str] = []
        self.stream = Stream(dropped)


def resource_of(key: str) -> str:
    """`pods/` of `pods/default/web`. Raises BadRequest when there is no resource in it."""
    resource, slash, _ = key.partition("/")
    if not slash:
        raise BadRequest(f'the key or prefix "{key}" names no resource; keys are RESOURCE/NAMESPACE/NAME')
    return resource + "/"


class State:
    def __init__(self, *, log_changes: int = LOG_CHANGES, log_bytes: int = LOG_BYTES) -> None:
        self._log_changes = log_changes
        self._log_bytes = log_bytes
        self._clear()
        self.generation = 0
        """Rises when everything was replaced: cursors of an older generation are expired."""

    def _clear(self) -> None:
        self.revision = 0
        self.compacted = 0
        self.time = 0.0
        self._base = 0
        self._bytes = 0
        self._records: dict[str, Record] = {}
        self._buckets: dict[str, Bucket] = {}
        self._all = Stream(0)

    def load(self, loaded: Loaded) -> None:
        """Replace everything by what a journal holds; every cursor expires."""
        old = [self._all, *(bucket.stream for bucket in self._buckets.values())]
        self._clear()
        self.generation += 1
        self.revision, self.compacted, self.time = loaded.revision, loaded.compacted, loaded.time
        self._base = self._all.dropped = loaded.floor
        self._records = {record.key: record for record in loaded.records}
        for key in sorted(self._records):
            self._bucket(resource_of(key)).keys.append(key)
        for change in loaded.recent:
            self._bucket(resource_of(change.key)).stream.changes.append(change)
        self._all.changes = list(loaded.recent)
        self._bytes = sum(map(_size, loaded.recent))
        self._trim_if_large()
        for stream in old:
            stream.wake_all()

    def _bucket(self, resource: str) -> Bucket:
        bucket = self._buckets.get(resource)
        if bucket is None:
            bucket = self._buckets[resource] = Bucket(self._base)
        return bucket

    # Reading

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def all(self) -> Iterable[Record]:
        return self._records.values()

    def list(self, prefix: str, start: str, limit: int) -> list[Record]:
        records = self._records
        found: list[Record] = []
        for keys, low, high in self._slices(prefix, start):
            if limit:
                high = min(high, low + limit - len(found))
            found.extend(records[key] for key in keys[low:high])
            if limit and len(found) >= limit:
                break
        return found

    def count(self, prefix: str, start: str) -> int:
        return sum(high - low for _, low, high in self._slices(prefix, start))

    def _slices(self, prefix: str, start: str) -> Iterable[tuple[Sequence[str], int, int]]:
        for keys in self._keys_under(prefix):
            low = bisect_left(keys, prefix)
            if start >= prefix:
                low = max(low, bisect_right(keys, start))
            high = bisect_left(keys, prefix + LAST)
            if low < high:
                yield keys, low, high

    def _keys_under(self, prefix: str) -> Iterable[Sequence[str]]:
        if "/" in prefix:
            bucket = self._buckets.get(resource_of(prefix))
            return [] if bucket is None else [bucket.keys]
        # A resource's keys share its name and slash, so resources in order give keys in order.
        return [self._buckets[name].keys for name in sorted(self._buckets) if name.startswith(prefix)]

    def stream(self, prefix: str) -> Stream:
        """The narrowest stream that holds every change under `prefix`."""
        return self._bucket(resource_of(prefix)).stream if "/" in prefix else self._all

    def recent(self, revision: int) -> Change | None:
        """The change that made `revision`, if the log still has it."""
        index = self._all.after(revision) - 1
        if index >= 0 and self._all.changes[index].revision == revision:
            return self._all.changes[index]
        return None

    # Writing

    def apply(self, rows: Sequence[Row]) -> None:
        """Make committed rows visible, all at once, and wake the watches that they concern."""
        touched: dict[str, list[Change]] = {}
        for row in rows:
            change = row.change
            resource = resource_of(change.key)
            bucket = self._bucket(resource)
            if change.packed is None:
                del self._records[change.key]
                del bucket.keys[bisect_left(bucket.keys, change.key)]
            else:
                if change.key not in self._records:
                    insort(bucket.keys, change.key)
                self._records[change.key] = record_of(row)
            touched.setdefault(resource, []).append(change)
            self._bytes += _size(change)
        self.revision, self.time = rows[-1].change.revision, rows[-1].change.time
        for resource, changes in touched.items():
            self._buckets[resource].stream.publish(changes)
        self._all.publish([row.change for row in rows])
        self._trim_if_large()

    def _trim_if_large(self) -> None:
        """Drop the oldest changes, many at once and rarely: until the log is within its count and a tenth below its bytes."""
        changes = self._all.changes
        if len(changes) <= self._log_changes * 5 // 4 and self._bytes <= self._log_bytes:
            return
        cut = max(0, len(changes) - self._log_changes)
        size = self._bytes - sum(map(_size, changes[:cut]))
        if size > self._log_bytes:
            while cut < len(changes) - 1 and size > self._log_bytes * 9 // 10:
                size -= _size(changes[cut])
                cut += 1
        if cut:
            self._drop(changes[cut - 1].revision)

    def _drop(self, revision: int) -> None:
        cut = self._all.after(revision)
        self._bytes -= sum(map(_size, self._all.changes[:cut]))
        self._all.drop(revision)
        self._base = max(self._base, revision)
        for bucket in self._buckets.values():
            bucket.stream.drop(revision)

    def compact(self, revision: int) -> None:
        """Revisions up to this one are gone."""
        self.compacted = max(self.compacted, revision)
        self._drop(self.compacted)

    def wake_all(self) -> None:
        """Let every waiting cursor look again: the store closes."""
        for stream in [self._all, *(bucket.stream for bucket in self._buckets.values())]:
            stream.wake_all()


def record_of(row: Row) -> Record:
    change = row.change
    assert change.packed is not None
    return Record(change.key, change.packed, change.revision, change.created, change.time, row.expires)


def _size(change: Change) -> int:
    # `previous` is the value of an earlier change and mostly shared with it; a deletion holds the last one alive.
    return len(change.packed if change.packed is not None else change.packed_previous or b"") + 400
