"""The store in memory: the reference, and the store of tests and of the simulation.

Its journal is a list of rows. It acknowledges in order after a delay that is passed in (none by default: a turn of the
loop), so everything about it replays exactly under a loop with virtual time; there is no thread in it.

`crash` models a machine that goes down: a new store with every acknowledged write, and with all or nothing of what
was still under way. "Durable" means here: survives `crash`.
"""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter

import msgspec

from common.clock import Clock
from common.errors import BadRequest
from master.store.commit import number
from master.store.contract import Change, Record
from master.store.journal import Loaded, Row
from master.store.local import LocalStore
from master.store.retention import Retention
from master.store.state import LOG_BYTES, LOG_CHANGES, State, record_of

Delay = Callable[[], float]


def at_once() -> float:
    return 0.0


class _Snapshot(msgspec.Struct):
    rows: list[Row]
    revision: int
    compacted: int
    format: str = "steersman-memory-1"


class MemoryJournal:
    def __init__(self, rows: Sequence[Row] = (), *, compacted: int = 0, delay_s: Delay = at_once) -> None:
        self._rows: list[Row] = list(rows)
        self._delay_s = delay_s
        self._compacted, self._swept = compacted, 0
        self._revision = max(compacted, rows[-1].change.revision if rows else 0)
        self._time = rows[-1].change.time if rows else 0.0

    async def open(self) -> Loaded:
        return self.loaded()

    def loaded(self) -> Loaded:
        """Without waiting, as the simulation needs it."""
        present: dict[str, Record | None] = {}
        for row in self._rows:
            present[row.change.key] = None if row.change.packed is None else record_of(row)
        records = [record for record in present.values() if record is not None]
        recent = [row.change for row in self._rows if row.change.revision > self._compacted]
        return Loaded(records, recent, self._compacted, self._revision, self._compacted, self._time)

    async def close(self) -> None:
        pass

    async def append(self, rows: Sequence[Row]) -> None:
        await asyncio.sleep(self._delay_s())
        self._rows.extend(rows)
        self._revision, self._time = rows[-1].change.revision, rows[-1].change.time

    def extended(self, rows: Sequence[Row] = ()) -> MemoryJournal:
        """A copy with more rows: what a disk holds after a crash."""
        return MemoryJournal([*self._rows, *rows], compacted=self._compacted, delay_s=self._delay_s)

    async def record_at(self, key: str, revision: int) -> Record | None:
        found = None
        for row in self._until(revision):
            if row.change.key == key:
                found = row
        return None if found is None or found.change.packed is None else record_of(found)

    async def records_at(self, prefix: str, revision: int, *, start: str, limit: int) -> list[Record]:
        present: dict[str, Row] = {}
        for row in self._until(revision):
            if row.change.key.startswith(prefix) and row.change.key > start:
                present[row.change.key] = row
        found = [record_of(present[key]) for key in sorted(present) if present[key].change.packed is not None]
        return found[:limit] if limit else found

    def _until(self, revision: int) -> list[Row]:
        return self._rows[: bisect_right(self._rows, revision, key=attrgetter("change.revision"))]

    async def newest_at(self, time: float, *, above: int) -> int:
        return max((r.change.revision for r in self._rows if r.change.revision > above and r.change.time <= time), default=0)

    async def first_after(self, time: float, *, above: int) -> int:
        start = bisect_right(self._rows, above, key=attrgetter("change.revision"))
        return next((row.change.revision for row in self._rows[start:] if row.change.time > time), 0)

    async def history(self, key: str) -> list[Change]:
        return self._kept([row for row in self._rows if row.change.key == key])

    async def change(self, revision: int) -> Change | None:
        rows = self._until(revision)
        return self._kept(rows[-1:])[0] if rows and rows[-1].change.revision == revision else None

    def _kept(self, rows: list[Row]) -> list[Change]:
        """Their changes; a previous value whose own row was dropped is forgotten here too."""
        kept = {row.change.revision for row in self._rows}
        return [
            row.change if not row.prior or row.prior in kept else msgspec.structs.replace(row.change, packed_previous=None)
            for row in rows
        ]

    async def forget(self, revision: int, time: float) -> None:
        self._compacted = max(self._compacted, revision)

    async def sweep(self) -> bool:
        if self._swept < self._compacted:
            bound = self._compacted
            superseded = {row.prior for row in self._rows if row.change.revision <= bound}
            self._rows = [
                row for row in self._rows
                if row.change.revision not in superseded and (row.change.packed is not None or row.change.revision > bound)
            ]  # fmt: skip
            self._swept = bound
        return False

    async def snapshot(self, path: str) -> int:
        if os.path.exists(path):
            raise BadRequest(f"{path} exists already; a snapshot is written to a new file")
        with open(path, "xb") as file:
            file.write(msgspec.msgpack.encode(_Snapshot(self._rows, self._revision, self._compacted)))
            file.flush()
            os.fsync(file.fileno())
        return self._revision

    async def restore(self, path: str, floor: int) -> Loaded:
        try:
            with open(path, "rb") as file:
                found = msgspec.msgpack.decode(file.read(), type=_Snapshot)
        except (OSError, msgspec.DecodeError) as error:
            raise BadRequest(f"{path} is no snapshot of this store, or damaged: {error}") from error
        self._rows = found.rows
        self._swept = found.compacted
        self._compacted = max(found.compacted, floor if floor > found.revision else 0)
        self._revision = max(found.revision, floor)
        self._time = max((row.change.time for row in found.rows), default=0.0)
        return self.loaded()


class MemoryStore(LocalStore):
    def __init__(
        self, clock: Clock, *, retention: Retention = Retention(), delay_s: Delay = at_once,
        log_changes: int = LOG_CHANGES, log_bytes: int = LOG_BYTES, journal: MemoryJournal | None = None,
    ) -> None:  # fmt: skip
        self._rows_journal = journal or MemoryJournal(delay_s=delay_s)
        super().__init__(self._rows_journal, clock, retention=retention, log_changes=log_changes, log_bytes=log_bytes)

    def crash(self, keep_tail: bool) -> MemoryStore:
        """The store as it would be found after a power cut, to be opened anew. This one is dead afterwards: who waits on it
        is told Unavailable. keep_tail: whether writes that were not acknowledged yet reached the disk, all or none."""
        journal = self._rows_journal.extended()
        under_way, waiting = self._committer.tail()
        if keep_tail and (under_way or waiting):
            state = State()
            state.load(journal.loaded())
            if under_way:
                state.apply(under_way)
            later = number(waiting, state, self._clock.now())
            journal = journal.extended([*under_way, *(row for row in later if isinstance(row, Row))])
        self._closed = True
        self._expiry.stop()
        self._committer.abandon()
        if self._trimming is not None:
            self._trimming.cancel()
        self._state.wake_all()
        return MemoryStore(self._clock, retention=self._retention, journal=journal)
