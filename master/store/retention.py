"""What a store deletes by itself: objects whose time has come, and versions beyond the retention.

`Expiry` keeps one timer, set for the earliest `expires`; nothing is scanned. What has expired is deleted by an ordinary write with
the cause `system:store`/`Expired`, so that watches see it. An object that was written anew meanwhile is left alone: the
write expects the revision that was due.

`keep_trimmed` looks once a minute (a setting) what is older than the retention (an age and a count of revisions, whichever keeps less),
says so to the store, and lets the journal drop rows in small steps, so that no writer waits long behind it.

Subtle: `expires` is wall-clock time, which jumps. A timer therefore never sleeps longer than `RECHECK_S`.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from common.clock import Clock
from common.errors import NotNow
from master.store.commit import Write
from master.store.contract import Cause, Record
from master.store.journal import Journal, Row
from master.store.state import State

EXPIRED = Cause(actor="system:store", rule="Expired", why="its time to live has passed")
RECHECK_S = 60.0
STEP_PAUSE_S = 0.01
EXPIRE_BATCH = 200
BUSY_S = 1.0


class Retention(msgspec.Struct, frozen=True):
    """How much of the past is kept: whichever of the two keeps less. every_s: how often that is looked at."""

    seconds: float = 24 * 3600.0
    revisions: int = 100_000
    every_s: float = 60.0


class Expiry:
    def __init__(self, state: State, clock: Clock, submit: Callable[[Write], None]) -> None:
        self._state = state
        self._clock = clock
        self._submit = submit
        self._due: list[tuple[float, str, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = 0.0
        self._stopped = False

    def load(self, records: Iterable[Record]) -> None:
        self._due = [(record.expires, record.key, record.revision) for record in records if record.expires is not None]
        heapq.heapify(self._due)
        self._arm()

    def note(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.expires is not None:
                heapq.heappush(self._due, (row.expires, row.change.key, row.change.revision))
        if self._due and (self._timer is None or self._due[0][0] < self._set_for):
            self._arm()

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due.clear()

    def _arm(self, at_least_s: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due and not self._stopped:
            self._set_for = self._due[0][0]
            delay_s = min(max(self._set_for - self._clock.now(), at_least_s), RECHECK_S)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now, deleted = self._clock.now(), 0
        while self._due and self._due[0][0] <= now and deleted < EXPIRE_BATCH:
            _, key, revision = self._due[0]
            record = self._state.get(key)
            # What was written anew has an entry of its own.
            if record is not None and record.revision == revision:
                try:
                    self._submit(Write(key, None, EXPIRED, expected=revision))
                except NotNow:
                    self._arm(at_least_s=BUSY_S)
                    return
                deleted += 1
            heapq.heappop(self._due)
        # Subtle: at least a moment, since a timer may ring a little before the wall clock reaches its time.
        self._arm(at_least_s=0.001)


async def floor(state: State, journal: Journal, retention: Retention, now: float) -> int:
    """The revision up to which nothing needs to be kept; never the newest one's own."""
    by_count = state.revision - retention.revisions
    young = await journal.first_after(now - retention.seconds, above=state.compacted)
    by_age = young - 1 if young else state.revision
    return max(by_count, by_age, state.compacted)


async def keep_trimmed(
    state: State, journal: Journal, clock: Clock, *, retention: Retention, compact: Callable[[int], Awaitable[None]]
) -> None:
    """Runs until cancelled."""
    while True:
        revision = await floor(state, journal, retention, clock.now())
        if revision > state.compacted:
            await compact(revision)
        while await journal.sweep():
            await asyncio.sleep(STEP_PAUSE_S)
        await asyncio.sleep(retention.every_s)
