"""The one thread that touches the store's file, and the one connection in it.

Everything on the file runs here, in the order of the calls: writes, reads of the past, checkpoints, snapshots. So no two connections
ever race. The thread also holds the file's lock, and judges what an error of the disk means:

    no room              the transaction is rolled back, the caller is told Unavailable, the store goes on
    anything else        `fatal`: after a failed write or fsync the kernel may have dropped the data, and only
                         what is read back at the next start is true

Checkpoints are ours (`wal_autocheckpoint` is off), because SQLite's automatic ones swallow their errors.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import apsw

from common.errors import Unavailable
from master.store import database

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


class FileThread:
    def __init__(self, path: str, fatal: Fatal) -> None:
        self.path = path
        self._fatal = fatal
        self._lock = Lock(path)
        self._executor: ThreadPoolExecutor | None = None
        self._connection: apsw.Connection | None = None
        self._wal_pages = 0

    async def open(self) -> None:
        """Lock, open, check and migrate the file."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            await self.call(self._open)
        except BaseException:
            await self.close()
            raise

    def _open(self) -> None:
        self._lock.acquire()
        old_mask = os.umask(0o077)
        try:
            self._connection = database.connect(self.path)
        finally:
            os.umask(old_mask)
        self._connection.set_wal_hook(self._note_wal)

    def _note_wal(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    async def close(self) -> None:
        """After everything that was asked of it. Idempotent."""
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

    @property
    def connection(self) -> apsw.Connection:
        """For jobs in the thread only."""
        if self._connection is None:
            raise Unavailable("the store is closed")
        return self._connection

    async def call(self, job: Callable[[], T]) -> T:
        """Run in the thread, after everything that was asked of it before."""
        if self._executor is None:
            raise Unavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._guarded, job)

    def later(self, job: Callable[[], object]) -> None:
        """Run in the thread without waiting for it; its errors are judged as all are. Nothing once it is closed."""
        if self._executor is not None:
            self._executor.submit(self._guarded, job)

    def _guarded(self, job: Callable[[], T]) -> T:
        try:
            return job()
        except apsw.FullError as error:
            database.rollback(self.connection)
            log.error("store-disk-full path=%s why=%s", self.path, error)
            raise Unavailable(f"the disk that holds {self.path} is full: free some space and try again") from error
        except apsw.Error as error:
            log.critical("store-failed path=%s why=%s; ending the process, so that nothing untrue is served", self.path, error)
            self._fatal()
            raise Unavailable(f"the store's file {self.path} failed: {error}") from error

    def checkpoint_if_large(self) -> None:
        """Writers need not wait for it."""
        if self._wal_pages >= database.CHECKPOINT_PAGES:
            self._wal_pages = 0
            self.later(self._checkpoint)

    def _checkpoint(self) -> None:
        try:
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.FullError as error:
            log.error("store-checkpoint-postponed path=%s why=%s", self.path, error)
