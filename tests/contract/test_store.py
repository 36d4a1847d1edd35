"""The store's contract, over every implementation: what a caller may rely on, whichever store stands behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from common.clock import SystemClock
from common.errors import AlreadyExists, BadRequest, Conflict, Expired, NotFound, Unavailable
from master.store.contract import Cause, Guard, Store
from master.store.memory import MemoryStore
from master.store.retention import Retention
from master.store.sqlite import SqliteStore

CAUSE = Cause("tester", "Request", "because", None)
DEADLINE_S = 20.0


class HandClock(SystemClock):
    """Wall-clock time set by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


Opened = Callable[..., AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def make(clock: Any = None, **settings: Any) -> AsyncIterator[Store]:
        store: Store
        if request.param == "memory":
            store = MemoryStore(clock or SystemClock(), **settings)
        else:
            store = SqliteStore(str(tmp_path / "store.db"), clock or SystemClock(), fatal=lambda: None, **settings)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return make


def run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await body()

    asyncio.run(bounded())


def keys(records: list[Any]) -> list[str]:
    return [record.key for record in records]


async def fill(store: Store, *names: str) -> None:
    for name in names:
        await store.create(name, b"{}", CAUSE)


async def raises(error: type[Exception], work: Awaitable[Any], match: str | None = None) -> None:
    with pytest.raises(error, match=match):
        await work


def test_revisions_rise_by_one_over_all_kinds_and_a_record_knows_its_creation(opened: Opened) -> None:
    async def body() -> None:
        async with opened(HandClock()) as store:
            assert store.revision == 0
            pod = await store.create("pods/a/x", b"1", CAUSE)
            node = await store.create("nodes//n", b"2", CAUSE)
            again = await store.update("pods/a/x", b"3", CAUSE, expected=1)
            assert [pod.revision, node.revision, again.revision, again.created] == [1, 2, 3, 1]
            assert store.get("pods/a/x") == again and again.value == b"3" and again.time == 1000.0
            assert store.revision == 3

    run(body)


def test_lists_are_in_order_and_keep_to_their_prefix(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            await fill(store, "pods/b/x", "pods/a/z", "pods/a/y", "pods.metrics/a/y", "nodes//n", "podsets/a/y", "pods/aa/y")
            assert keys(store.list("pods/")) == ["pods/a/y", "pods/a/z", "pods/aa/y", "pods/b/x"]
            assert keys(store.list("pods/a/")) == ["pods/a/y", "pods/a/z"]
            assert keys(store.list("")) == sorted(keys(store.list(""))) and store.count("") == 7
            assert keys(store.list("pods/", start="pods/a/z")) == ["pods/aa/y", "pods/b/x"]
            assert keys(store.list("pods/", limit=2)) == ["pods/a/y", "pods/a/z"]
            assert keys(store.list("", limit=3)) == sorted(keys(store.list("")))[:3]
            assert store.count("pods/", start="pods/a/z") == 2 and store.count("services/") == 0

    run(body)


def test_a_write_that_may_not_happen_says_why_and_changes_nothing(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            await fill(store, "pods/a/x")
            await raises(AlreadyExists, store.create("pods/a/x", b"", CAUSE), "pods/a/x already exists")
            await raises(NotFound, store.update("pods/a/y", b"", CAUSE, expected=1), "pods/a/y not found")
            await raises(NotFound, store.delete("pods/a/y", CAUSE, expected=1))
            await raises(Conflict, store.update("pods/a/x", b"", CAUSE, expected=7), "expected at revision 7 and stands at 1")
            await raises(Conflict, store.delete("pods/a/x", CAUSE, expected=7))
            await raises(BadRequest, store.create("nothing", b"", CAUSE), "names no resource")
            assert store.revision == 1

    run(body)


@pytest.mark.parametrize(
    ("guard", "allowed"),
    [
        pytest.param(Guard("nodes//n", 1), True, id="a guard at its revision lets the write through"),
        pytest.param(Guard("nodes//n", 9), False, id="a guard at another revision stops it"),
        pytest.param(Guard("nodes//gone", 0), True, id="a guard may demand absence"),
        pytest.param(Guard("nodes//n", 0), False, id="absence demanded of what is there stops it"),
        pytest.param(Guard("nodes//gone", 3), False, id="a guard that is gone stops it"),
    ],
)
def test_guards(opened: Opened, guard: Guard, allowed: bool) -> None:
    async def body() -> None:
        async with opened() as store:
            await fill(store, "nodes//n")
            if allowed:
                assert (await store.create("pods/a/x", b"", CAUSE, guards=[guard])).revision == 2
            else:
                await raises(Conflict, store.create("pods/a/x", b"", CAUSE, guards=[guard]), guard.key)

    run(body)


def test_concurrent_writes_keep_the_order_of_their_calls_and_one_of_two_rivals_wins(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            made = await asyncio.gather(*(store.create(f"pods/a/{n}", b"", CAUSE) for n in range(1200)))
            assert [record.revision for record in made] == list(range(1, 1201))
            rivals = [store.update("pods/a/0", b"%d" % n, CAUSE, expected=1) for n in range(50)]
            answers = await asyncio.gather(*rivals, return_exceptions=True)
            assert [type(answer).__name__ for answer in answers] == ["Record"] + ["Conflict"] * 49
            assert store.revision == 1201

    run(body)


def test_nothing_is_visible_before_it_is_acknowledged(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            watch = store.watch("pods/", after=0)
            write = asyncio.ensure_future(store.create("pods/a/x", b"", CAUSE))
            seen = asyncio.ensure_future(watch.next())
            while store.get("pods/a/x") is None:
                assert not write.done() and not seen.done() and store.revision == 0
                await asyncio.sleep(0)
            assert (await write).revision == 1
            assert (await seen)[1] == 1

    run(body)


def test_a_watch_says_without_waiting_what_is_ready(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            watch = store.watch("pods/", after=0)
            assert watch.ready() == []
            await fill(store, "pods/a/x", "nodes//n", "pods/a/y")
            assert [change.key for change in watch.ready()] == ["pods/a/x", "pods/a/y"]
            assert watch.ready() == []
            await fill(store, "pods/a/z")
            assert [change.key for change in (await watch.next())[0]] == ["pods/a/z"]
            watch.close()
            await raises(Unavailable, watch.next(), "closed")

    run(body)


def test_a_watch_sees_each_change_once_in_order_with_what_was_before(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            watch = store.watch("pods/", after=0)
            await store.create("pods/a/x", b"1", CAUSE)
            await fill(store, "nodes//n")
            await store.update("pods/a/x", b"2", CAUSE, expected=1)
            deleted = await store.delete("pods/a/x", Cause("me", "Clean", "old", 3), expected=3)
            seen: list[Any] = []
            while len(seen) < 3:
                changes, bookmark = await watch.next()
                seen += changes
                assert bookmark >= seen[-1].revision
            assert [(c.revision, c.value, c.previous, c.created) for c in seen] == [
                (1, b"1", None, 1), (3, b"2", b"1", 1), (4, None, b"2", 1),
            ]  # fmt: skip
            assert seen[-1] == deleted and seen[-1].cause == Cause("me", "Clean", "old", 3)
            later = store.watch("pods/", after=1)
            assert [c.revision for c in (await later.next())[0]] == [3, 4]

    run(body)


def test_a_watch_of_one_namespace_or_object_or_everything_keeps_to_it(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            space, one, all_ = (store.watch(prefix, after=0) for prefix in ("pods/a/", "pods/a/y", ""))
            await fill(store, "pods/b/x", "pods/a/x", "pods/a/y", "nodes//n")
            assert keys((await space.next())[0]) == ["pods/a/x", "pods/a/y"]
            assert keys((await one.next())[0]) == ["pods/a/y"]
            assert keys((await all_.next())[0]) == ["pods/b/x", "pods/a/x", "pods/a/y", "nodes//n"]

    run(body)


def test_a_quiet_watch_gives_a_bookmark_and_never_expires(opened: Opened) -> None:
    async def body() -> None:
        async with opened(log_changes=20) as store:
            await fill(store, "pods/a/quiet", "nodes//n")
            elsewhere, other = store.watch("nodes/", after=2), store.watch("pods/a/quiet", after=2)
            waiting = [asyncio.ensure_future(watch.next()) for watch in (elsewhere, other)]
            for n in range(100):
                await store.create(f"pods/b/{n}", b"", CAUSE)
            assert not any(task.done() for task in waiting)
            await store.update("pods/a/quiet", b"1", CAUSE, expected=1)
            await store.update("nodes//n", b"1", CAUSE, expected=2)
            assert [[c.revision for c in (await task)[0]] for task in waiting] == [[104], [103]]
            assert await other.next(timeout_s=0) == ([], 104)

    run(body)


def test_a_watch_that_lags_beyond_the_log_expires_and_so_does_one_from_before_it(opened: Opened) -> None:
    async def body() -> None:
        async with opened(log_changes=20) as store:
            lagging = store.watch("pods/", after=0)
            for n in range(100):
                await store.create(f"pods/b/{n}", b"", CAUSE)
            await raises(Expired, lagging.next())
            with pytest.raises(Expired):
                store.watch("pods/", after=3)
            assert len((await store.watch("pods/", after=95).next())[0]) == 5
            with pytest.raises(BadRequest, match="the newest is 100"):
                store.watch("pods/", after=101)

    run(body)


def test_a_cancelled_wait_loses_nothing(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            watch = store.watch("pods/", after=0)
            seen: list[str] = []
            for n in range(40):
                waiting = asyncio.ensure_future(watch.next())
                write = asyncio.ensure_future(store.create(f"pods/a/{n:02}", b"", CAUSE))
                while not write.done():
                    await asyncio.sleep(0)
                waiting.cancel()
                try:
                    seen += keys((await waiting)[0])
                except asyncio.CancelledError:
                    continue
            while len(seen) < 40:
                seen += keys((await watch.next())[0])
            assert seen == [f"pods/a/{n:02}" for n in range(40)]

    run(body)


def test_a_thousand_watches_see_everything(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            async def follow() -> int:
                watch, seen = store.watch("pods/", after=0), 0
                while seen < 50:
                    seen += len((await watch.next())[0])
                return seen

            watches = [asyncio.ensure_future(follow()) for _ in range(1000)]
            await asyncio.sleep(0)
            for n in range(50):
                await store.create(f"pods/a/{n}", b"", CAUSE)
            assert set(await asyncio.gather(*watches)) == {50}

    run(body)


def test_closing_finishes_accepted_writes_and_stops_watches(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            waiting = asyncio.ensure_future(store.watch("pods/", after=0).next())
            unseen = store.watch("nodes/", after=0)
            write = asyncio.ensure_future(store.create("nodes//n", b"", CAUSE))
            await asyncio.sleep(0)
            await store.close()
            assert (await write).revision == 1
            await raises(Unavailable, waiting)
            await raises(Unavailable, unseen.next())
            await raises(Unavailable, store.create("nodes//m", b"", CAUSE))
            await store.close()

    run(body)


def test_any_kept_revision_can_be_read(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            await store.create("pods/a/x", b"1", CAUSE)
            await store.create("pods/a/y", b"1", CAUSE)
            await store.update("pods/a/x", b"2", CAUSE, expected=1)
            await store.delete("pods/a/y", CAUSE, expected=2)
            assert await store.get_at("pods/a/y", 1) is None
            record = await store.get_at("pods/a/x", 2)
            assert record is not None and (record.value, record.revision) == (b"1", 1)
            assert keys(await store.list_at("pods/", 3)) == ["pods/a/x", "pods/a/y"]
            assert keys(await store.list_at("pods/", 3, limit=1)) == ["pods/a/x"]
            assert keys(await store.list_at("pods/", 3, start="pods/a/x")) == ["pods/a/y"]
            assert keys(await store.list_at("pods/", 4)) == ["pods/a/x"]
            await raises(BadRequest, store.get_at("pods/a/x", 5), "future")
            await raises(BadRequest, store.list_at("pods/", 5), "future")

    run(body)


def test_history_outlives_the_object_and_its_successor_of_the_same_name(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            await store.create("pods/a/x", b"1", Cause("user", "Request"))
            await fill(store, "pods/a/other")
            await store.delete("pods/a/x", Cause("gc", "Orphan", "owner gone", 2), expected=1)
            await store.create("pods/a/x", b"2", CAUSE)
            history = await store.history("pods/a/x")
            assert [(c.revision, c.value, c.cause.rule) for c in history] == [
                (1, b"1", "Request"), (3, None, "Orphan"), (4, b"2", "Request"),
            ]  # fmt: skip
            assert await store.change(3) == history[1] and await store.change(9) is None
            assert await store.history("pods/a/never") == []

    run(body)


def test_a_time_names_a_revision(opened: Opened) -> None:
    async def body() -> None:
        clock = HandClock()
        async with opened(clock) as store:
            for n in range(1, 4):
                clock.time = 1000.0 + n
                await store.create(f"pods/a/{n}", b"", CAUSE)
            found = [await store.revision_at(time) for time in (1000.5, 1001.0, 1002.9, 1003.0, 2000.0)]
            assert found == [0, 1, 2, 3, 3]
            await store.compact(2)
            await raises(Expired, store.revision_at(1001.5))
            assert await store.revision_at(1003.0) == 3

    run(body)


def test_compaction_forgets_what_was_superseded_and_keeps_the_present(opened: Opened) -> None:
    async def body() -> None:
        async with opened() as store:
            await store.create("pods/a/x", b"1", CAUSE)
            await store.update("pods/a/x", b"2", CAUSE, expected=1)
            await store.create("pods/a/y", b"1", CAUSE)
            await store.delete("pods/a/y", CAUSE, expected=3)
            await store.update("pods/a/x", b"3", CAUSE, expected=2)
            watch = store.watch("pods/", after=4)
            await store.compact(4)
            await store.compact(4)
            assert store.compacted == 4
            await raises(Expired, store.get_at("pods/a/x", 4))
            await raises(Expired, store.list_at("pods/", 2))
            with pytest.raises(Expired):
                store.watch("pods/", after=3)
            assert [c.revision for c in (await watch.next())[0]] == [5]
            # Revision 2 was superseded only at 5, and tells what revision 5 changed.
            assert [(c.revision, c.previous) for c in await store.history("pods/a/x")] == [(2, None), (5, b"2")]
            assert await store.history("pods/a/y") == [] and await store.change(3) is None
            await raises(BadRequest, store.compact(6))
            await store.compact(5)
            assert keys(await store.list_at("pods/", 5)) == ["pods/a/x"]

    run(body)


def test_the_store_compacts_itself_beyond_its_retention(opened: Opened) -> None:
    async def body() -> None:
        async with opened(retention=Retention(revisions=10, every_s=0.01)) as store:
            for n in range(50):
                await store.create(f"pods/a/{n}", b"", CAUSE)
            while store.compacted < 40:
                await store.create(f"pods/b/{store.revision}", b"", CAUSE)
            assert store.count("pods/a/") == 50

    run(body)


def test_the_store_forgets_what_is_older_than_its_retention(opened: Opened) -> None:
    async def body() -> None:
        clock = HandClock()
        async with opened(clock, retention=Retention(seconds=60, every_s=0.01)) as store:
            await fill(store, "pods/a/x", "pods/a/y")
            clock.time += 61
            await fill(store, "pods/a/z")
            while store.compacted == 0:
                await asyncio.sleep(0.005)
            assert store.compacted == 2 and await store.get_at("pods/a/z", 3) is not None

    run(body)


def test_what_expires_is_deleted_by_the_store_with_its_cause(opened: Opened) -> None:
    async def body() -> None:
        clock = SystemClock()
        async with opened(clock) as store:
            soon = clock.now() + 0.05
            await store.create("events/a/soon", b"1", CAUSE, expires=soon)
            await store.create("events/a/renewed", b"1", CAUSE, expires=soon)
            await store.create("events/a/late", b"1", CAUSE, expires=soon + 3600)
            await store.update("events/a/renewed", b"2", CAUSE, expected=2, expires=soon + 3600)
            watch = store.watch("events/", after=4)
            [change], _ = await watch.next(timeout_s=10)
            assert (change.key, change.value, change.cause.actor, change.cause.rule) == (
                "events/a/soon", None, "system:store", "Expired",
            )  # fmt: skip
            assert keys(store.list("events/")) == ["events/a/late", "events/a/renewed"]

    run(body)


def test_a_snapshot_is_restored_whole_and_no_revision_is_given_out_twice(opened: Opened, tmp_path: Path) -> None:
    async def body() -> None:
        async with opened() as store:
            await store.create("pods/a/x", b"1", CAUSE)
            await fill(store, "pods/a/y")
            assert await store.snapshot(str(tmp_path / "copy")) == 2
            await raises(BadRequest, store.snapshot(str(tmp_path / "copy")), "exists")
            await store.update("pods/a/x", b"2", CAUSE, expected=1)
            await store.delete("pods/a/y", CAUSE, expected=2)
            watch = store.watch("pods/", after=4)
            waiting = asyncio.ensure_future(watch.next())
            await asyncio.sleep(0)
            await store.restore(str(tmp_path / "copy"))
            await raises(Expired, waiting)
            assert [(r.key, r.value, r.revision) for r in store.list("pods/")] == [("pods/a/x", b"1", 1), ("pods/a/y", b"{}", 2)]
            assert (await store.create("pods/a/z", b"", CAUSE)).revision == 5
            assert len(await store.history("pods/a/x")) == 1
            with pytest.raises(Expired):
                store.watch("pods/", after=3)

    run(body)


def test_a_damaged_snapshot_changes_nothing(opened: Opened, tmp_path: Path) -> None:
    async def body() -> None:
        async with opened() as store:
            for n in range(200):
                await store.create(f"pods/a/{n}", b"x" * 500, CAUSE)
            await store.snapshot(str(tmp_path / "good"))
            content = (tmp_path / "good").read_bytes()
            (tmp_path / "torn").write_bytes(content[: len(content) // 2])
            (tmp_path / "junk").write_bytes(b"junk" * 5000)
            watch = store.watch("pods/", after=200)
            for name in ("torn", "junk", "missing"):
                await raises(BadRequest, store.restore(str(tmp_path / name)), name)
            assert store.count("pods/") == 200 and store.revision == 200
            await fill(store, "pods/a/after")
            assert keys((await watch.next())[0]) == ["pods/a/after"]

    run(body)
