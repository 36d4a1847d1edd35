"""The store in an SQLite file: the default.

One connection, in one thread, does everything on the file: it writes, reads the past and checkpoints. So no two
connections ever race, and the order of jobs is the order of their calls. WAL with `synchronous=FULL`: `append` returns after
the fsync. The present is served from memory and never touches the thread.

Errors of the disk. No room: the group of writes is rolled back and refused (Unavailable), the store goes on. Anything else
(a failed write or fsync, a damaged file) ends the process at once by `fatal`: after a failed fsync the kernel may have
dropped the data, and only what is read back at the next start is true.

Checkpoints are ours (`wal_autocheckpoint` is off), because SQLite's automatic ones swallow their errors.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import apsw

from common.clock import Clock
from common.errors import Unavailable
from master.store import database, snapshots
from master.store.contract import Change, Record
from master.store.journal import Loaded, Row
from master.store.local import LocalStore
from master.store.retention import Retention
from master.store.state import LOG_BYTES, LOG_CHANGES

log = logging.getLogger(__name__)
T = TypeVar("T")
Fatal = Callable[[], object]


def end_process() -> None:
    """Without any clean-up: what is in memory must not reach anybody any more."""
    logging.shutdown()
    os._exit(1)


class Lock:
    """The data file's owner: a lock file beside it, held as long as the process lives."""

    def __init__(self, path: str) -> None:
        self._path = path + ".lock"
        self._descriptor = -1

    def acquire(self) -> None:
        """Raises Unavailable when another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Unavailable(f"{self._path} is held by another kmaster (process {owner}); stop that one first") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SqliteJournal:
    def __init__(self, path: str, *, fatal: Fatal = end_process, recent: int = LOG_CHANGES) -> None:
        self._path = path
        self._fatal = fatal
        self._recent = recent
        self._lock = Lock(path)
        self._executor: ThreadPoolExecutor | None = None
        self._connection: apsw.Connection | None = None
        self._wal_pages = 0

    async def open(self) -> Loaded:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            return await self._call(self._open)
        except BaseException:
            await self.close()
            raise

    def _open(self) -> Loaded:
        self._lock.acquire()
        old_mask = os.umask(0o077)
        try:
            self._connection = database.connect(self._path)
        finally:
            os.umask(old_mask)
        self._connection.set_wal_hook(self._note_wal)
        return database.load(self._connection, self._recent)

    def _note_wal(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    async def close(self) -> None:
        executor, self._executor = self._executor, None
        if executor is None:
            return
        await asyncio.get_running_loop().run_in_executor(executor, self._close)
        executor.shutdown(wait=True)

    def _close(self) -> None:
        if self._connection is not None:
            # The last connection's close checkpoints and removes the WAL.
            self._connection.close(True)
            self._connection = None
        self._lock.release()

    async def _call(self, job: Callable[[], T]) -> T:
        """Run in the thread, after everything that was asked of it before."""
        if self._executor is None:
            raise Unavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._guarded, job)

    def _guarded(self, job: Callable[[], T]) -> T:
        try:
            return job()
        except apsw.FullError as error:
            database.rollback(self._here)
            log.error("store-disk-full path=%s why=%s", self._path, error)
            raise Unavailable(f"the disk that holds {self._path} is full: free some space and try again") from error
        except apsw.Error as error:
            log.critical("store-failed path=%s why=%s; ending the process, so that nothing untrue is served", self._path, error)
            self._fatal()
            raise Unavailable(f"the store's file {self._path} failed: {error}") from error

    @property
    def _here(self) -> apsw.Connection:
        if self._connection is None:
            raise Unavailable("the store is closed")
        return self._connection

    async def append(self, rows: Sequence[Row]) -> None:
        await self._call(lambda: database.append(self._here, rows))
        if self._wal_pages >= database.CHECKPOINT_PAGES and self._executor is not None:
            self._wal_pages = 0
            # Not awaited: writers need not wait for it, and its errors are the thread's own affair.
            self._executor.submit(self._guarded, self._checkpoint)

    def _checkpoint(self) -> None:
        try:
            self._here.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.FullError as error:
            log.error("store-checkpoint-postponed path=%s why=%s", self._path, error)

    async def record_at(self, key: str, revision: int) -> Record | None:
        return await self._call(lambda: database.record_at(self._here, key, revision))

    async def records_at(self, prefix: str, revision: int, *, start: str, limit: int) -> list[Record]:
        return await self._call(lambda: database.records_at(self._here, (prefix, start, revision), limit))

    async def newest_at(self, time: float, *, above: int) -> int:
        return await self._call(lambda: database.newest_at(self._here, time, above))

    async def first_after(self, time: float, *, above: int) -> int:
        return await self._call(lambda: database.first_after(self._here, time, above))

    async def history(self, key: str) -> list[Change]:
        return await self._call(lambda: database.history(self._here, key))

    async def change(self, revision: int) -> Change | None:
        return await self._call(lambda: database.change(self._here, revision))

    async def forget(self, revision: int, time: float) -> None:
        await self._call(lambda: database.forget(self._here, revision, time))

    async def sweep(self) -> bool:
        return await self._call(lambda: database.sweep(self._here))

    async def snapshot(self, path: str) -> int:
        copy = await self._call(lambda: snapshots.Copy(self._here, path))
        try:
            while not await self._call(copy.step):
                pass
            return await self._call(copy.finish)
        finally:
            if self._executor is not None:
                self._executor.submit(copy.abandon)

    async def restore(self, path: str, floor: int) -> Loaded:
        def replace() -> Loaded:
            snapshots.validate(path)
            database.replace(self._here, path, floor)
            return database.load(self._here, self._recent)

        return await self._call(replace)


class SqliteStore(LocalStore):
    """path: the file, in a folder of its own that exists. fatal: called when the file fails; it does not return."""

    def __init__(
        self, path: str, clock: Clock, *, retention: Retention = Retention(), fatal: Fatal = end_process,
        log_changes: int = LOG_CHANGES, log_bytes: int = LOG_BYTES,
    ) -> None:  # fmt: skip
        journal = SqliteJournal(path, fatal=fatal, recent=log_changes)
        super().__init__(journal, clock, retention=retention, log_changes=log_changes, log_bytes=log_bytes)
