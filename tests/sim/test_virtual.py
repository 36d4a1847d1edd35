"""Virtual time itself: it jumps, it is exact, it sees a deadlock."""

from __future__ import annotations

import asyncio

import pytest

from tests.sim import virtual


def test_time_jumps_to_the_next_timer_and_nothing_waits():
    async def main() -> list[float]:
        loop, seen = asyncio.get_running_loop(), []
        for delay_s in (3600.0, 0.5, 86400.0):
            await asyncio.sleep(delay_s)
            seen.append(loop.time())
        return seen

    assert virtual.run(main()) == [3600.0, 3600.5, 90000.5]


def test_timeouts_count_virtual_time():
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(120):
                await asyncio.get_running_loop().create_future()
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == pytest.approx(120)


def test_waiting_for_nothing_is_a_deadlock_and_not_a_hang():
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual.Deadlock):
        virtual.run(main())
