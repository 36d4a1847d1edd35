"""Snapshots of the SQLite store: a consistent copy made beside running writes, and the check of one before it is restored.

A copy is made in steps of a few hundred pages through SQLite's backup interface, from the store's own connection, so that
writes go on between steps and are part of the copy. It is built under another name, made a single file (no WAL beside it),
synced and renamed: a file of the wanted name is always whole.

Errors here concern another file than the store's: they are raised to the caller and never end the process.
"""

from __future__ import annotations

import os
from contextlib import suppress

import apsw

from common.errors import BadRequest, Unavailable
from master.store import database

STEP_PAGES = 512
RESTORED = (1, 2)
"""Formats whose tables are those of today."""


class Copy:
    """One snapshot in the making. Made and used in the store's thread."""

    def __init__(self, source: apsw.Connection, path: str) -> None:
        if os.path.exists(path):
            raise BadRequest(f"{path} exists already; a snapshot is written to a new file")
        self._path = path
        self._partial = path + ".partial"
        with suppress(FileNotFoundError):
            os.unlink(self._partial)
        try:
            # Secrets are in it: nobody else may read it, from the first byte on.
            os.close(os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._target = apsw.Connection(self._partial)
            self._backup = self._target.backup("main", source, "main")
        except (OSError, apsw.Error) as error:
            raise Unavailable(f"cannot write the snapshot {path}: {error}") from error

    def step(self) -> bool:
        """Copy some pages; whether all are there."""
        try:
            return self._backup.step(STEP_PAGES)
        except apsw.Error as error:
            raise Unavailable(f"cannot write the snapshot {self._path}: {error}") from error

    def finish(self) -> int:
        """Make it durable under its name; the revision that it holds."""
        try:
            self._backup.finish()
            self._target.execute("PRAGMA journal_mode=DELETE")
            revision = database.newest(self._target)
            self._target.close()
            descriptor = os.open(self._partial, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(self._partial, self._path)
            database.sync_folder(self._path)
        except (OSError, apsw.Error) as error:
            raise Unavailable(f"cannot write the snapshot {self._path}: {error}") from error
        return revision

    def abandon(self) -> None:
        """Leave nothing behind. Idempotent, and without effect on a finished snapshot."""
        self._backup.close(True)
        self._target.close(True)
        for name in (self._partial, self._partial + "-journal", self._partial + "-wal"):
            with suppress(FileNotFoundError):
                os.unlink(name)


def validate(path: str) -> None:
    """Raises BadRequest unless the file is a whole snapshot in our format."""
    try:
        snapshot = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        try:
            database.check(snapshot, path)
            if database.format_of(snapshot) not in RESTORED:
                raise BadRequest(f"{path} has format {database.format_of(snapshot)}; this kmaster restores {RESTORED[0]} to {RESTORED[-1]}")
            verdict = snapshot.execute("PRAGMA integrity_check(1)").get
            if verdict != "ok":
                raise BadRequest(f"{path} is damaged: {verdict}")
            database.newest(snapshot)
        finally:
            snapshot.close(True)
    except apsw.Error as error:
        raise BadRequest(f"{path} is no snapshot of this store, or damaged: {error}") from error
