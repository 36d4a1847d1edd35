"""The store in an SQLite file: the default.

The present is served from memory and never touches the file. The journal below is the file's side of it: rows are appended
in groups, one transaction each, in WAL mode with `synchronous=FULL`, so that `append` returns after the fsync; the past is read
back from there. The statements are in `database`, snapshots in `snapshots`, and all of them run in the one thread of
`file_thread`, which also decides what happens when the disk fails.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.clock import Clock
from master.store import database, snapshots
from master.store.contract import Change, Record
from master.store.file_thread import Fatal, FileThread, end_process
from master.store.journal import Loaded, Row
from master.store.local import LocalStore
from master.store.retention import Retention
from master.store.state import LOG_BYTES, LOG_CHANGES


class SqliteJournal:
    def __init__(self, path: str, *, fatal: Fatal = end_process, recent: int = LOG_CHANGES) -> None:
        self._file = FileThread(path, fatal)
        self._recent = recent

    async def open(self) -> Loaded:
        await self._file.open()
        try:
            return await self._file.call(lambda: database.load(self._file.connection, self._recent))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        await self._file.close()

    async def append(self, rows: Sequence[Row]) -> None:
        await self._file.call(lambda: database.append(self._file.connection, rows))
        self._file.checkpoint_if_large()

    async def record_at(self, key: str, revision: int) -> Record | None:
        return await self._file.call(lambda: database.record_at(self._file.connection, key, revision))

    async def records_at(self, prefix: str, revision: int, *, start: str, limit: int) -> list[Record]:
        return await self._file.call(lambda: database.records_at(self._file.connection, (prefix, start, revision), limit))

    async def newest_at(self, time: float, *, above: int) -> int:
        return await self._file.call(lambda: database.newest_at(self._file.connection, time, above))

    async def first_after(self, time: float, *, above: int) -> int:
        return await self._file.call(lambda: database.first_after(self._file.connection, time, above))

    async def history(self, key: str) -> list[Change]:
        return await self._file.call(lambda: database.history(self._file.connection, key))

    async def change(self, revision: int) -> Change | None:
        return await self._file.call(lambda: database.change(self._file.connection, revision))

    async def forget(self, revision: int, time: float) -> None:
        await self._file.call(lambda: database.forget(self._file.connection, revision, time))

    async def sweep(self) -> bool:
        return await self._file.call(lambda: database.sweep(self._file.connection))

    async def snapshot(self, path: str) -> int:
        copy = await self._file.call(lambda: snapshots.Copy(self._file.connection, path))
        try:
            while not await self._file.call(copy.step):
                pass
            return await self._file.call(copy.finish)
        finally:
            self._file.later(copy.abandon)

    async def restore(self, path: str, floor: int) -> Loaded:
        def replace() -> Loaded:
            snapshots.validate(path)
            database.replace(self._file.connection, path, floor)
            return database.load(self._file.connection, self._recent)

        return await self._file.call(replace)


class SqliteStore(LocalStore):
    """path: the file, in a folder of its own that exists. fatal: called when the file fails; it does not return."""

    def __init__(
        self, path: str, clock: Clock, *, retention: Retention = Retention(), fatal: Fatal = end_process,
        log_changes: int = LOG_CHANGES, log_bytes: int = LOG_BYTES,
    ) -> None:  # fmt: skip
        journal = SqliteJournal(path, fatal=fatal, recent=log_changes)
        super().__init__(journal, clock, retention=retention, log_changes=log_changes, log_bytes=log_bytes)
