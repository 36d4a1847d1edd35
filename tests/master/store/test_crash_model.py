"""The memory store's model of a crash, and its order under a slow disk: what the simulation builds on."""

from __future__ import annotations

import asyncio

import pytest

from common.clock import SystemClock
from common.errors import Unavailable
from master.store.contract import Cause
from master.store.memory import MemoryStore

CAUSE = Cause("tester", "Request")


@pytest.mark.parametrize(
    ("keep_tail", "survives"),
    [
        pytest.param(False, ["pods/a/acknowledged"], id="the unacknowledged tail is lost whole"),
        pytest.param(True, ["pods/a/acknowledged", "pods/a/under-way", "pods/a/waiting"], id="or kept whole"),
    ],
)
def test_what_a_crash_leaves(keep_tail: bool, survives: list[str]) -> None:
    async def body() -> None:
        delay_s = 0.0
        store = MemoryStore(SystemClock(), delay_s=lambda: delay_s)
        await store.open()
        await store.create("pods/a/acknowledged", b"", CAUSE)
        delay_s = 3600.0
        under_way = asyncio.ensure_future(store.create("pods/a/under-way", b"", CAUSE))
        for _ in range(5):
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(store.create("pods/a/waiting", b"", CAUSE))
        refused = asyncio.ensure_future(store.create("pods/a/acknowledged", b"", CAUSE))
        watching = asyncio.ensure_future(store.watch("pods/", after=1).next())
        await asyncio.sleep(0)
        assert store.revision == 1

        delay_s = 0.0
        after = store.crash(keep_tail)
        for told in (under_way, waiting, refused, watching):
            with pytest.raises(Unavailable):
                await told
        await after.open()
        assert [record.key for record in after.list("pods/")] == survives
        assert after.revision == len(survives)
        assert (await after.create("pods/b/next", b"", CAUSE)).revision == len(survives) + 1
        await after.close()

    asyncio.run(body())


def test_all_acknowledged_writes_survive_any_number_of_crashes() -> None:
    async def body() -> None:
        store = MemoryStore(SystemClock())
        await store.open()
        for n in range(5):
            await store.create(f"pods/a/{n}", b"", CAUSE)
            if n % 2:
                await store.compact(n)
            store = store.crash(keep_tail=False)
            await store.open()
        assert store.revision == 5 and store.count("pods/") == 5
        await store.close()

    asyncio.run(body())
