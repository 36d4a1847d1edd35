"""The order of writes: one queue, judged and committed in groups.

Writes are queued in the order of the calls. The committer takes as many as wait (bounded), judges each against the present state and
the writes before it in the same group, numbers those that pass, appends them to the journal in one go, and only
then makes them visible and answers all callers of the group. One group is under way at a time, so a verdict is always about what is
durable: nobody is told "already exists" of an object that a crash may still take away.

When the journal has no room, the whole group fails with Unavailable and nothing of it is visible, those that lost
against it included, since their verdict rested on it.

`judge` and `number` are pure; `Committer` is the shell. Barriers (restore) run alone, between groups.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from common.clock import Clock
from common.errors import AlreadyExists, Conflict, NotFound, SteersmanError, Unavailable
from master.store.contract import Cause, Change, Guard, Record
from master.store.journal import Journal, Row
from master.store.state import State, record_of

GROUP_WRITES = 500
GROUP_BYTES = 4 * 1024 * 1024
QUEUE_WRITES = 20_000

Look = Callable[[str], Record | None]


@dataclass(slots=True, eq=False)
class Write:
    """One write as asked for. expected: None creates. packed: None deletes. done: None when nobody waits."""

    key: str
    packed: bytes | None
    cause: Cause
    expected: int | None = None
    expires: float | None = None
    guards: Sequence[Guard] = ()
    done: asyncio.Future[Row] | None = None

    def answer(self, verdict: Row | SteersmanError) -> None:
        if self.done is None or self.done.done():
            return
        if isinstance(verdict, Row):
            self.done.set_result(verdict)
        else:
            self.done.set_exception(verdict)


@dataclass(slots=True, eq=False)
class Barrier:
    """Work that must not overlap with any commit."""

    run: Callable[[], Awaitable[None]]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


def judge(write: Write, look: Look) -> SteersmanError | None:
    """Whether the write may happen in the state that `look` shows; None if so."""
    for guard in write.guards:
        standing = look(guard.key)
        revision = 0 if standing is None else standing.revision
        if revision != guard.revision:
            return Conflict(f"{write.key}: {guard.key} was expected at revision {guard.revision} and stands at {revision}")
    current = look(write.key)
    if write.expected is None:
        return None if current is None else AlreadyExists(f"{write.key} already exists")
    if current is None:
        return NotFound(f"{write.key} not found")
    if current.revision != write.expected:
        return Conflict(f"{write.key} was expected at revision {write.expected} and stands at {current.revision}; read it anew")
    return None


def number(writes: Sequence[Write], state: State, now: float) -> list[Row | SteersmanError]:
    """A verdict for each write, in order; those that pass get the revisions after the state's."""
    ahead: dict[str, Record | None] = {}
    revision = state.revision

    def look(key: str) -> Record | None:
        return ahead[key] if key in ahead else state.get(key)

    verdicts: list[Row | SteersmanError] = []
    for write in writes:
        error = judge(write, look)
        if error is not None:
            verdicts.append(error)
            continue
        revision += 1
        current = look(write.key)
        created = revision if current is None else current.created
        previous = None if current is None else current.packed
        change = Change(write.key, revision, write.packed, previous, write.cause, now, created)
        row = Row(change, 0 if current is None else current.revision, write.expires if write.packed is not None else None)
        ahead[write.key] = None if write.packed is None else record_of(row)
        verdicts.append(row)
    return verdicts


class Committer:
    def __init__(self, state: State, journal: Journal, clock: Clock) -> None:
        self._state = state
        self._journal = journal
        self._clock = clock
        self._queue: deque[Write | Barrier] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._group: list[Write] = []
        self._rows: list[Row] = []
        self._since = 0.0
        self._abandoned = False
        self.accepting = False
        self.committed: Callable[[Sequence[Row]], None] = lambda rows: None
        """Called with each group's rows after they are visible, in the loop."""

    @property
    def busy_s(self) -> float:
        """How long the group under way has been so; 0 when there is none."""
        return self._clock.monotonic() - self._since if self._group else 0.0

    def submit(self, item: Write | Barrier) -> None:
        """Queue. Raises Unavailable when the store is closed or the queue full."""
        if not self.accepting:
            raise Unavailable("the store is closed")
        if len(self._queue) >= QUEUE_WRITES:
            raise Unavailable(f"{QUEUE_WRITES} writes are waiting for the disk already; try again later", retry_after_s=1)
        self._queue.append(item)
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def stop(self) -> None:
        """Accept nothing more; `run` returns when all that was accepted is committed."""
        self.accepting = False
        self._rouse()

    async def run(self) -> None:
        try:
            while True:
                while self._queue:
                    item = self._queue[0]
                    if isinstance(item, Barrier):
                        self._queue.popleft()
                        await self._alone(item)
                    else:
                        await self._commit()
                if not self.accepting:
                    return
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
        finally:
            self.abandon()

    def tail(self) -> tuple[list[Row], list[Write]]:
        """What was accepted and not acknowledged: the rows under way, then the writes that wait. For crash models."""
        return self._rows, [item for item in self._queue if isinstance(item, Write)]

    def abandon(self) -> None:
        """Nothing will be committed any more: tell all who wait that the outcome is unknown."""
        self.accepting, self._abandoned = False, True
        error = Unavailable("the store stopped before the write was acknowledged; it may have happened")
        for item in [*self._group, *self._queue]:
            if isinstance(item, Write):
                item.answer(error)
            elif not item.done.done():
                item.done.set_exception(error)
        self._group, self._rows = [], []
        self._queue.clear()
        self._rouse()

    async def _commit(self) -> None:
        group = self._group = self._take()
        self._since = self._clock.monotonic()
        verdicts: Sequence[Row | SteersmanError] = number(group, self._state, self._clock.now())
        rows = self._rows = [verdict for verdict in verdicts if isinstance(verdict, Row)]
        if rows:
            try:
                await self._journal.append(rows)
            except Unavailable as error:
                verdicts, rows = [error] * len(group), []
        if self._abandoned:
            return
        self._group, self._rows = [], []
        if rows:
            self._state.apply(rows)
            self.committed(rows)
        for write, verdict in zip(group, verdicts, strict=True):
            write.answer(verdict)

    def _take(self) -> list[Write]:
        group: list[Write] = []
        size = 0
        while self._queue and len(group) < GROUP_WRITES and size < GROUP_BYTES:
            item = self._queue[0]
            if isinstance(item, Barrier):
                break
            self._queue.popleft()
            group.append(item)
            size += len(item.packed or b"")
        return group

    async def _alone(self, barrier: Barrier) -> None:
        try:
            await barrier.run()
        except SteersmanError as error:
            if not barrier.done.done():
                barrier.done.set_exception(error)
        else:
            if not barrier.done.done():
                barrier.done.set_result(None)
