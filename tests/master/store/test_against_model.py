"""Random operations on both stores and on a model that is nothing but a list of changes: all three must agree.

The model is written from the contract's words, without any of the stores' structures.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.clock import SystemClock
from common.errors import AlreadyExists, BadRequest, Conflict, Expired, NotFound, SteersmanError
from master.store.contract import Cause, Change, Guard, Record
from master.store.memory import MemoryStore
from master.store.sqlite import SqliteStore

KEYS = ["pods/a/x", "pods/a/y", "pods/ab/x", "pods.m/a/x", "nodes//n"]
PREFIXES = ["", "pods/", "pods/a/", "pods/a/x", "po", "nodes/", "services/"]


class TickingClock(SystemClock):
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


class Model:
    """Every change ever, in order; `dropped` are the revisions that compaction forgot."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.compacted = 0

    @property
    def revision(self) -> int:
        return len(self.changes)

    def at(self, revision: int) -> dict[str, Record]:
        present: dict[str, Record] = {}
        for c in self.changes[:revision]:
            if c.value is None:
                present.pop(c.key)
            else:
                present[c.key] = Record(c.key, c.value, c.revision, c.created, c.time)
        return {key: present[key] for key in sorted(present)}

    def write(self, key: str, value: bytes | None, expected: int | None, guards: list[Guard], time: float) -> Any:
        present = self.at(self.revision)
        standing = {**{k: 0 for k in KEYS}, **{k: r.revision for k, r in present.items()}}
        if any(standing[guard.key] != guard.revision for guard in guards):
            return Conflict
        current = present.get(key)
        if expected is None and current is not None:
            return AlreadyExists
        if expected is not None and current is None:
            return NotFound
        if current is not None and current.revision != expected:
            return Conflict
        revision = self.revision + 1
        created = revision if current is None else current.created
        change = Change(key, revision, value, current.value if current else None, CAUSE, time, created)
        self.changes.append(change)
        return change if value is None else self.at(revision)[key]

    def kept(self) -> list[Change]:
        """A version superseded, or a deletion, at or before `compacted` is gone, and no successor knows it any more."""
        superseded: dict[int, int] = {}
        newest: dict[str, Change] = {}
        for c in self.changes:
            if c.previous is not None:
                superseded[newest[c.key].revision] = c.revision
            newest[c.key] = c
        gone = {r for r, by in superseded.items() if by <= self.compacted}
        gone |= {c.revision for c in self.changes if c.value is None and c.revision <= self.compacted}
        before = {by: r for r, by in superseded.items()}
        return [
            Change(c.key, c.revision, c.value, None if before.get(c.revision) in gone else c.previous, c.cause, c.time, c.created)
            for c in self.changes if c.revision not in gone
        ]  # fmt: skip

    def readable(self, revision: int) -> Any:
        if revision > self.revision:
            return BadRequest
        return Expired if revision <= self.compacted and revision != self.revision else None

    def revision_at(self, time: float) -> Any:
        found = max((c.revision for c in self.changes if c.time <= time), default=0)
        if found == self.revision or found > self.compacted:
            return found
        return Expired if self.compacted else found


CAUSE = Cause("tester", "Request")
revisions = st.integers(0, 30)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.sampled_from(KEYS), revisions),
        st.tuples(st.just("update"), st.sampled_from(KEYS), st.sampled_from(["right", "right", "stale", "guarded", "unguarded"])),
        st.tuples(st.just("delete"), st.sampled_from(KEYS), st.sampled_from(["right", "right", "stale", "guarded", "unguarded"])),
        st.tuples(st.just("group"), st.sampled_from(KEYS), st.integers(2, 4)),
        st.tuples(st.just("get_at"), st.sampled_from(KEYS), revisions),
        st.tuples(st.just("list_at"), st.sampled_from(PREFIXES), revisions),
        st.tuples(st.just("list"), st.sampled_from(PREFIXES), st.sampled_from(["", *KEYS])),
        st.tuples(st.just("revision_at"), st.floats(99, 130), st.just(0)),
        st.tuples(st.just("history"), st.sampled_from(KEYS), revisions),
        st.tuples(st.just("watch"), st.sampled_from(PREFIXES), revisions),
        st.tuples(st.just("compact"), st.just(""), revisions),
        st.tuples(st.just("restart"), st.just(""), st.just(0)),
    ),
    max_size=40,
)


async def outcome(work: Any) -> Any:
    try:
        return await work
    except SteersmanError as error:
        return type(error)


class Trial:
    """One run of operations over one store beside the model."""

    def __init__(self, folder: str | None) -> None:
        self.clock = TickingClock()
        self.path = folder and str(Path(folder) / "store.db")
        self.model = Model()
        self.store: MemoryStore | SqliteStore = self.fresh()

    def fresh(self) -> MemoryStore | SqliteStore:
        if self.path:
            return SqliteStore(self.path, self.clock, fatal=lambda: None)
        return MemoryStore(self.clock)

    async def restart(self) -> None:
        if isinstance(self.store, MemoryStore):
            self.store = self.store.crash(keep_tail=False)
        else:
            await self.store.close()
            self.store = self.fresh()
        await self.store.open()

    async def write(self, verb: str, key: str, how: Any) -> None:
        now, value = self.clock.time, b"%d" % self.model.revision
        if verb == "create":
            self.expect(await outcome(self.store.create(key, value, CAUSE)), self.model.write(key, value, None, [], now))
            return
        present = self.model.at(self.model.revision)
        expected = present[key].revision if key in present and how != "stale" else 1
        other = "nodes//n"
        guards = [Guard(other, present[other].revision if other in present else 0)] if how == "guarded" else []
        if how == "unguarded":
            guards = [Guard(other, 29)]
        if verb == "update":
            made = self.store.update(key, value, CAUSE, expected=expected, guards=guards)
            self.expect(await outcome(made), self.model.write(key, value, expected, guards, now))
        else:
            gone = await outcome(self.store.delete(key, CAUSE, expected=expected, guards=guards))
            self.expect(gone, self.model.write(key, None, expected, guards, now))

    async def group(self, key: str, size: int) -> None:
        """Several writes at once, of which some depend on others of the same group."""
        work, wanted = [], []
        for n in range(size):
            name, value = KEYS[(KEYS.index(key) + n // 2) % len(KEYS)], b"g%d" % n
            work.append(outcome(self.store.create(name, value, CAUSE)))
            wanted.append(self.model.write(name, value, None, [], self.clock.time))
        for found, want in zip(await asyncio.gather(*work), wanted, strict=True):
            self.expect(found, want)

    async def read(self, verb: str, where: Any, revision: Any) -> None:
        model, store = self.model, self.store
        if verb == "get_at":
            self.expect(await outcome(store.get_at(where, revision)), model.readable(revision) or model.at(revision).get(where))
        elif verb == "list_at":
            records = [r for k, r in model.at(revision).items() if k.startswith(where)]
            self.expect(await outcome(store.list_at(where, revision)), model.readable(revision) or records)
        elif verb == "list":
            wanted = [r for k, r in model.at(model.revision).items() if k.startswith(where) and k > revision]
            self.expect(store.list(where, start=revision), wanted)
            self.expect(store.list(where, start=revision, limit=2), wanted[:2])
            self.expect(store.count(where, start=revision), len(wanted))
        elif verb == "revision_at":
            self.expect(await outcome(store.revision_at(where)), model.revision_at(where))
        elif verb == "history":
            self.expect(await store.history(where), [c for c in model.kept() if c.key == where])
        elif verb == "watch" and model.compacted <= revision <= model.revision:
            wanted = [c for c in model.changes[revision:] if c.key.startswith(where)]
            found = await store.watch(where, after=revision).next(timeout_s=0)
            self.expect(found, (wanted, model.revision))

    def expect(self, found: Any, wanted: Any) -> None:
        assert found == wanted
        assert (self.store.revision, self.store.compacted) == (self.model.revision, self.model.compacted)

    async def run(self, steps: list[Any]) -> None:
        await self.store.open()
        for verb, where, how in steps:
            self.clock.time += 1
            if verb in ("create", "update", "delete"):
                await self.write(verb, where, how)
            elif verb == "group":
                await self.group(where, how)
            elif verb == "compact":
                wanted = BadRequest if how > self.model.revision else None
                self.model.compacted = max(self.model.compacted, how if wanted is None else 0)
                self.expect(await outcome(self.store.compact(how)), wanted)
            elif verb == "restart":
                await self.restart()
            else:
                await self.read(verb, where, how)
        await self.store.close()


@pytest.mark.parametrize("implementation", ["memory", "sqlite"])
def test_the_store_does_what_the_model_does(implementation: str) -> None:
    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(operations)
    def trial(steps: list[Any]) -> None:
        if implementation == "memory":
            asyncio.run(Trial(None).run(steps))
            return
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(Trial(folder).run(steps))

    trial()
