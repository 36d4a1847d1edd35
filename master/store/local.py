"""A store that lives in one process: `Store` over a state in memory and a journal.

`Present` is what is served from memory and what writes it: reads, writes, watches. `LocalStore` adds the past, which the
journal knows, and the life cycle. The two implementations, `MemoryStore` and `SqliteStore`, only choose the journal.

Reads of the present are plain calls on `State`. Writes go through `Committer`, one queue for all. Background work
(the committer, trimming) runs in a task group that `open` starts and `close` ends: if the committer dies of a bug, so does the
task that opened the store, since nothing can be written any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from common.aio.tasks import TaskGroup, supervise
from common.clock import Clock
from common.errors import BadRequest, Expired, Unavailable
from master.store.commit import Barrier, Committer, Write
from master.store.contract import Cause, Change, Guard, Record, Watch
from master.store.packing import pack
from master.store.journal import Journal, Row
from master.store.retention import Expiry, Retention, keep_trimmed
from master.store.state import LOG_BYTES, LOG_CHANGES, State, record_of, resource_of
from master.store.watch import Cursor, expired


STALLED_S = 10.0
"""A disk that takes no write for so long is not well."""


class Present:
    """The present state: reads from memory, checked and ordered writes, watches."""

    def __init__(self, state: State, committer: Committer) -> None:
        self._state = state
        self._committer = committer
        self._closed = True

    @property
    def revision(self) -> int:
        return self._state.revision

    @property
    def compacted(self) -> int:
        return self._state.compacted

    def trouble(self) -> str:
        """What keeps it from taking writes; "" when all is well."""
        if self._closed or not self._committer.accepting:
            return "the store is closed"
        busy_s = self._committer.busy_s
        return f"a write has been waiting for the disk for {busy_s:.0f} s" if busy_s > STALLED_S else ""

    def get(self, key: str) -> Record | None:
        return self._state.get(key)

    def list(self, prefix: str, *, start: str = "", limit: int = 0) -> list[Record]:
        return self._state.list(prefix, start, limit)

    def count(self, prefix: str, *, start: str = "") -> int:
        return self._state.count(prefix, start)

    async def create(
        self, key: str, value: bytes, cause: Cause, *, expires: float | None = None, guards: Sequence[Guard] = ()
    ) -> Record:
        return record_of(await self._write(Write(key, pack(value), cause, None, expires, guards)))

    async def update(
        self, key: str, value: bytes, cause: Cause, *, expected: int, expires: float | None = None,
        guards: Sequence[Guard] = (),
    ) -> Record:  # fmt: skip
        return record_of(await self._write(Write(key, pack(value), cause, expected, expires, guards)))

    async def delete(self, key: str, cause: Cause, *, expected: int, guards: Sequence[Guard] = ()) -> Change:
        return (await self._write(Write(key, None, cause, expected, None, guards))).change

    async def _write(self, write: Write) -> Row:
        resource_of(write.key)
        write.done = asyncio.get_running_loop().create_future()
        self._committer.submit(write)
        return await write.done

    def watch(self, prefix: str, *, after: int) -> Watch:
        state = self._state
        if self._closed:
            raise Unavailable("the store is closed")
        if after > state.revision:
            raise BadRequest(f"cannot watch from revision {after}: the newest is {state.revision}")
        oldest = max(state.compacted, state.stream(prefix).dropped)
        if after < oldest:
            raise expired(after, oldest)
        return Cursor(state, prefix, after=after, closed=lambda: self._closed)

    async def fresh(self) -> None:
        """The state is the only replica."""


class LocalStore(Present):
    """`Store`, whole. `journal` is opened and closed with it."""

    def __init__(
        self, journal: Journal, clock: Clock, *, retention: Retention, log_changes: int = LOG_CHANGES,
        log_bytes: int = LOG_BYTES,
    ) -> None:  # fmt: skip
        state = State(log_changes=log_changes, log_bytes=log_bytes)
        super().__init__(state, Committer(state, journal, clock))
        self._journal = journal
        self._clock = clock
        self._retention = retention
        self._expiry = Expiry(state, clock, self._committer.submit)
        self._committer.committed = self._expiry.note
        self._stack = AsyncExitStack()
        self._trimming: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._state.load(await self._journal.open())
        self._closed, self._committer.accepting = False, True
        group = await self._stack.enter_async_context(TaskGroup())
        group.start(self._committer.run(), name="store-commit")
        self._trimming = group.start(supervise("store-retention", self._trim), name="store-retention")
        self._expiry.load(self._state.all())

    async def close(self) -> None:
        self._expiry.stop()
        self._committer.stop()
        if self._trimming is not None:
            self._trimming.cancel()
            self._trimming = None
        await self._stack.aclose()
        self._closed = True
        self._state.wake_all()
        await self._journal.close()

    async def _trim(self) -> None:
        await keep_trimmed(self._state, self._journal, self._clock, retention=self._retention, compact=self._forget)

    def _must_be_readable(self, revision: int) -> None:
        if revision > self._state.revision:
            raise BadRequest(f"revision {revision} lies in the future: the newest is {self._state.revision}")
        if revision <= self._state.compacted:
            raise Expired(f"revision {revision} is no longer kept: the oldest that is is {self._state.compacted + 1}")

    async def get_at(self, key: str, revision: int) -> Record | None:
        if revision == self._state.revision:
            return self._state.get(key)
        self._must_be_readable(revision)
        return await self._journal.record_at(key, revision)

    async def list_at(self, prefix: str, revision: int, *, start: str = "", limit: int = 0) -> list[Record]:
        if revision == self._state.revision:
            return self._state.list(prefix, start, limit)
        self._must_be_readable(revision)
        return await self._journal.records_at(prefix, revision, start=start, limit=limit)

    async def revision_at(self, time: float) -> int:
        state = self._state
        if time >= state.time:
            return state.revision
        found = await self._journal.newest_at(time, above=state.compacted)
        if not found and state.compacted:
            raise Expired(f"nothing from that time is kept: the oldest revision that is is {state.compacted + 1}")
        return found

    async def history(self, key: str) -> list[Change]:
        return await self._journal.history(key)

    async def change(self, revision: int) -> Change | None:
        return self._state.recent(revision) or await self._journal.change(revision)

    async def compact(self, revision: int) -> None:
        if revision > self._state.revision:
            raise BadRequest(f"cannot compact up to revision {revision}: the newest is {self._state.revision}")
        if revision > self._state.compacted:
            await self._forget(revision)
        while await self._journal.sweep():
            await asyncio.sleep(0)

    async def _forget(self, revision: int) -> None:
        change = await self.change(revision)
        await self._journal.forget(revision, self._state.time if change is None else change.time)
        self._state.compact(revision)

    async def snapshot(self, path: str) -> int:
        return await self._journal.snapshot(path)

    async def restore(self, path: str) -> None:
        async def replace() -> None:
            self._state.load(await self._journal.restore(path, self._state.revision))
            self._expiry.load(self._state.all())

        barrier = Barrier(replace)
        self._committer.submit(barrier)
        await barrier.done
