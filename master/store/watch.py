"""A cursor over the log: what `Store.watch` returns.

It holds a position (a revision), no queue. `next` reads on from there in the stream of its resource, or of everything for
a prefix that names no resource, and waits there when it has seen all. It never looks at other resources' changes.
A cursor that is slower than the log is long expires; one whose prefix is quiet does not (see `state`).

Used by one task at a time. Wake-ups come from `State.apply` in the same loop: no polling, no timers but the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from common.errors import Expired, Unavailable
from master.store.contract import Change
from master.store.state import State, Waiter

BATCH = 500


def expired(after: int, oldest: int) -> Expired:
    return Expired(f"too old resource version: {after} ({oldest})")


class Cursor:
    def __init__(self, state: State, prefix: str, *, after: int, closed: Callable[[], bool]) -> None:
        self._state = state
        self._stream = state.stream(prefix)
        self._generation = state.generation
        self._waiter = Waiter(prefix, after)
        self._store_closed = closed
        self._closed = False

    async def next(self, timeout_s: float | None = None) -> tuple[list[Change], int]:
        ready = self._read()
        if ready is not None:
            return ready
        waiter = self._waiter
        waiter.future = asyncio.get_running_loop().create_future()
        self._stream.waiting[waiter] = None
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.future
        except TimeoutError:
            pass
        finally:
            self._stream.waiting.pop(waiter, None)
            waiter.future = None
        return self._read() or ([], waiter.after)

    def ready(self) -> list[Change]:
        found = self._read()
        return found[0] if found is not None else []

    def _read(self) -> tuple[list[Change], int] | None:
        """What is ready, with its bookmark; None when there is nothing."""
        waiter, stream = self._waiter, self._stream
        if self._closed or self._store_closed():
            raise Unavailable("the store is closed")
        if self._generation != self._state.generation:
            raise expired(waiter.after, self._state.revision)
        if waiter.after < stream.dropped:
            raise expired(waiter.after, stream.dropped)
        found: list[Change] = []
        index, changes = stream.after(waiter.after), stream.changes
        while index < len(changes) and len(found) < BATCH:
            if changes[index].key.startswith(waiter.prefix):
                found.append(changes[index])
            index += 1
        waiter.after = self._state.revision if index == len(changes) else changes[index - 1].revision
        return (found, waiter.after) if found else None

    def close(self) -> None:
        self._closed = True
        self._stream.wake(self._waiter)
