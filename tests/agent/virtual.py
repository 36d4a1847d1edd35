"""An event loop whose time jumps to the next timer: back-offs of minutes take no time, and nothing sleeps.

For tests of one worker or one agent over the hollow runtime; no sockets or threads under it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

START_WALL = 1_800_000_000.0


class _Selector(selectors.SelectSelector):
    """Never waits: what the loop would have waited for is added to its time."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list:
        if timeout is None:
            raise RuntimeError("nothing will ever happen any more: the test waits for what cannot come")
        self.skipped += max(0.0, timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return 1000.0 + self._virtual.skipped

    def _write_to_self(self) -> None:  # no other thread wakes it
        pass


class LoopClock:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def now(self) -> float:
        return START_WALL + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()


def run(main: Callable[[LoopClock], Coroutine[Any, Any, None]], *, deadline_s: float = 36000.0) -> None:
    """Run `main(clock)` under virtual time."""
    loop = Loop()

    async def bounded() -> None:
        async with asyncio.timeout(deadline_s):
            await main(LoopClock(loop))

    try:
        loop.run_until_complete(bounded())
    finally:
        loop.close()


async def until(condition: Callable[[], object], *, deadline_s: float = 600.0, what: str = "") -> None:
    """Wait in small steps of virtual time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what or condition}")
        await asyncio.sleep(0.05)
