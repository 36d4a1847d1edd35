"""The queue of a control loop: fair, no duplicates, one worker per key, re-queued while it runs.

After client-go's `util/workqueue`: a key that is added while it waits is not added again; a key that is added while a
worker has it is queued once more when the worker is done; failures come back with a back-off per key. Bounded by the number of
distinct keys, hence by the number of objects.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")


class WorkQueue(Generic[K]):
    def __init__(self, *, first_delay_s: float = 0.005, max_delay_s: float = 60.0) -> None:
        self._first_delay_s = first_delay_s
        self._max_delay_s = max_delay_s
        self._order: deque[K] = deque()
        self._waiting: set[K] = set()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._ready: deque[asyncio.Future[None]] = deque()
        self.adds = 0
        self.retries = 0
        """How many keys were queued, and how many of them after a failure, since the beginning."""

    def __len__(self) -> int:
        return len(self._order)

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing is worked on, nothing is timed."""
        return not (self._order or self._working or self._timers)

    def add(self, key: K) -> None:
        """Queue now; a timer set for this key is dropped, since the work is done sooner."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._working:
            self._again.add(key)
            return
        if key in self._waiting:
            return
        self.adds += 1
        self._waiting.add(key)
        self._order.append(key)
        while self._ready:
            waiter = self._ready.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    def add_after(self, key: K, delay_s: float) -> None:
        """Queue after a delay; of several timers of a key the earliest counts."""
        if delay_s <= 0:
            self.add(key)
            return
        if key in self._waiting:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + delay_s:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(delay_s, self.add, key)

    def add_rate_limited(self, key: K) -> float:
        """Queue after this key's back-off, which doubles with each call until `forget`; returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retries += 1
        delay_s = min(self._first_delay_s * 2 ** min(failures, 30), self._max_delay_s)
        self.add_after(key, delay_s)
        return delay_s

    def failures(self, key: K) -> int:
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """The key's work succeeded: its back-off starts anew."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key, which the caller then owns until `done`. Safe to cancel."""
        while not self._order:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._ready.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                # Subtle: if we were woken and cancelled at once, the wake-up must reach another worker.
                if waiter.done() and not waiter.cancelled() and self._order:
                    while self._ready:
                        other = self._ready.popleft()
                        if not other.done():
                            other.set_result(None)
                            break
                raise
        key = self._order.popleft()
        self._waiting.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """The worker is finished with the key; if it was added meanwhile, it is queued again."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Drop all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
