"""The port beneath a local store: where writes become durable, and where the past is read from.

A local store is three parts: `state` (the present, in memory), `commit` (the order of writes, their checks and groups) and a
journal (this). The first two are the same for every store that lives in one process; only the journal differs:
a list in `memory`, an SQLite file in `sqlite`.

The journal holds rows, one a revision. It never judges: what it is given has been checked and numbered. It is called
by one loop only, and one `append` is under way at a time; reads may come at any moment. What a journal
returns reflects every `append` that returned before the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from master.store.contract import Change, Record


class Row(msgspec.Struct, frozen=True, gc=False):
    """One write as kept. prior: the revision of the version that it replaced or deleted, 0 for a creation."""

    change: Change
    prior: int = 0
    expires: float | None = None


class Loaded(msgspec.Struct, frozen=True):
    """What a journal holds when it is opened. recent: the newest changes, oldest first, without a gap; `floor` is the
    revision before the first of them (all changes after `floor` are in `recent`). time: of the newest revision."""

    records: list[Record]
    recent: list[Change]
    floor: int
    revision: int
    compacted: int
    time: float


class Journal(Protocol):
    async def open(self) -> Loaded:
        """Raises BadRequest for a file that is not ours or too new, Unavailable when another process has it open."""

    async def close(self) -> None:
        """Idempotent."""

    async def append(self, rows: Sequence[Row]) -> None:
        """All or nothing, durable on return. Raises Unavailable when there is no room, and then nothing was written.
        Any other failure to write ends the process. Not to be cancelled."""

    async def record_at(self, key: str, revision: int) -> Record | None: ...

    async def records_at(self, prefix: str, revision: int, *, start: str, limit: int) -> list[Record]: ...

    async def newest_at(self, time: float, *, above: int) -> int:
        """The newest revision > `above` that was written at or before `time`; 0 when there is none."""

    async def first_after(self, time: float, *, above: int) -> int:
        """The oldest revision > `above` that was written after `time`; 0 when there is none."""

    async def history(self, key: str) -> list[Change]: ...

    async def change(self, revision: int) -> Change | None: ...

    async def forget(self, revision: int, time: float) -> None:
        """Note durably that revisions up to this one, the last of them written at `time`, may be dropped."""

    async def sweep(self) -> bool:
        """Drop a bounded number of the rows that may be dropped; whether more remain."""

    async def snapshot(self, path: str) -> int: ...

    async def restore(self, path: str, floor: int) -> Loaded:
        """Replace all rows by those of a snapshot. When `floor` is beyond the snapshot's revision, the journal continues
        from `floor`, so that no revision is ever given out twice."""
