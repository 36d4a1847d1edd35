"""The SQLite file: its format, and the statements on it. Plain calls, made in one thread only (see `sqlite`).

One table holds everything: `log`, append-only, whose row id is the revision. The present is the newest row of each key, if
that is not a deletion. `meta` holds what compaction must remember.

    log   revision  time  created  previous  expires  actor rule why reaction  key  value (packed; NULL: deleted)
    meta  compacted: revisions up to it may be dropped   swept: up to it that has been done   compacted_time

Columns that are scanned stand before the large ones, so that a scan does not read values. `previous` is the revision that a row
superseded, which is what compaction drops: for each row up to `compacted`, its predecessor, and itself if it is a deletion.
Nothing is ever dropped above `compacted`, so revisions above it have no gap.

The file says what it is: `application_id`, and the format's version in `user_version`. A newer or foreign file is refused; an
older one is migrated by `MIGRATIONS`, one step a version, each in one transaction with its new version number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

import apsw

from common.errors import BadRequest, Unavailable
from master.store.contract import Cause, Change, Record
from master.store.journal import Loaded, Row
from master.store.state import LAST

APPLICATION_ID = 0x53544D4E
FORMAT = 2
"""1: values as they are. 2: values may be packed; the tables are the same."""
MIGRATIONS: dict[int, Callable[[apsw.Connection], None]] = {1: lambda connection: None}
"""From a format to the next one."""

SCHEMA = """
CREATE TABLE log(
  revision INTEGER PRIMARY KEY, time REAL NOT NULL, created INTEGER NOT NULL, previous INTEGER NOT NULL, expires REAL,
  actor TEXT NOT NULL, rule TEXT NOT NULL, why TEXT NOT NULL, reaction INTEGER, key TEXT NOT NULL, value BLOB
) STRICT;
CREATE INDEX log_key ON log(key);
CREATE TABLE meta(name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('compacted', 0), ('swept', 0), ('compacted_time', 0.0);
"""
CHECKPOINT_PAGES = 1000
SWEEP_REVISIONS = 500
RECORD = "key, value, revision, created, time, expires"
CHANGE = "l.key, l.revision, l.value, p.value, l.time, l.created, l.actor, l.rule, l.why, l.reaction"
CHANGES = f"SELECT {CHANGE} FROM log l LEFT JOIN log p ON p.revision = l.previous "


def connect(path: str) -> apsw.Connection:
    """Open, check, create or migrate. Raises BadRequest, Unavailable (another process has it), apsw.Error."""
    new = not os.path.exists(path)
    connection = apsw.Connection(path)
    try:
        connection.set_busy_timeout(0)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        check(connection, path)
        if connection.execute("PRAGMA journal_mode=WAL").get != "wal":
            raise BadRequest(f"{path}: this file system does not allow SQLite's WAL mode; use a local one")
        connection.execute("PRAGMA synchronous=FULL; PRAGMA cache_size=-16000; PRAGMA journal_size_limit=67108864")
        connection.wal_autocheckpoint(0)
        if format_of(connection) == 0:
            connection.execute(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT}; COMMIT"
            )
        migrate(connection)
        if new:
            sync_folder(path)
    except apsw.NotADBError as error:
        connection.close()
        raise BadRequest(f"{path} is no store file of Steersman; move it away or choose another data folder") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        connection.close()
        raise Unavailable(f"{path} is open in another process; stop that one first") from error
    except BaseException:
        connection.close()
        raise
    return connection


def format_of(connection: apsw.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").get)


def check(connection: apsw.Connection, path: str) -> None:
    """Raises BadRequest for a file that is not ours or newer than we are. An empty one is fine: format 0."""
    application = connection.execute("PRAGMA application_id").get
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and (application != 0 or tables != 0):
        raise BadRequest(f"{path} is an SQLite file of another program; move it away or choose another data folder")
    found = format_of(connection)
    if found > FORMAT:
        raise BadRequest(f"{path} has format {found}, which is newer than this kmaster knows ({FORMAT}); use a newer kmaster")


def migrate(connection: apsw.Connection) -> None:
    while (found := format_of(connection)) < FORMAT:
        connection.execute("BEGIN IMMEDIATE")
        MIGRATIONS[found](connection)
        connection.execute(f"PRAGMA user_version={found + 1}")
        connection.execute("COMMIT")


def sync_folder(path: str) -> None:
    """Make a file's name durable."""
    descriptor = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rollback(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


# Writing


def append(connection: apsw.Connection, rows: Sequence[Row]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO log VALUES(?,?,?,?,?,?,?,?,?,?,?)", map(_columns, rows))
    connection.execute("COMMIT")


def _columns(row: Row) -> tuple[object, ...]:
    change, cause = row.change, row.change.cause
    return (
        change.revision, change.time, change.created, row.prior, row.expires, cause.actor, cause.rule, cause.why,
        cause.revision, change.key, change.packed,
    )  # fmt: skip


def forget(connection: apsw.Connection, revision: int, time: float) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE meta SET value=? WHERE name='compacted' AND value < ?", (revision, revision))
    connection.execute("UPDATE meta SET value=? WHERE name='compacted_time'", (float(time),))
    connection.execute("COMMIT")


def sweep(connection: apsw.Connection) -> bool:
    """Drop what one stretch of revisions superseded; whether there is more to do."""
    low, compacted = meta(connection, "swept"), meta(connection, "compacted")
    if low >= compacted:
        return False
    high = min(low + SWEEP_REVISIONS, compacted)
    stretch = (low, high)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous > 0)",
        stretch,
    )
    connection.execute("DELETE FROM log WHERE revision > ? AND revision <= ? AND value IS NULL", stretch)
    connection.execute("UPDATE meta SET value=? WHERE name='swept'", (high,))
    connection.execute("COMMIT")
    return high < compacted


def replace(connection: apsw.Connection, snapshot: str, floor: int) -> None:
    """Put a snapshot's rows in place of all others, in one transaction. The snapshot has been checked."""
    connection.execute("ATTACH ? AS snapshot", (snapshot,))
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM main.log; INSERT INTO main.log SELECT * FROM snapshot.log ORDER BY revision")
        connection.execute("DELETE FROM main.meta; INSERT INTO main.meta SELECT * FROM snapshot.meta")
        if floor > newest(connection):
            connection.execute("UPDATE main.meta SET value=? WHERE name='compacted'", (floor,))
            last = connection.execute("SELECT coalesce(max(time), 0.0) FROM main.log").get
            connection.execute("UPDATE main.meta SET value=? WHERE name='compacted_time'", (last,))
        connection.execute("COMMIT")
    finally:
        rollback(connection)
        connection.execute("DETACH snapshot")


# Reading


def meta(connection: apsw.Connection, name: str) -> int:
    return int(connection.execute("SELECT value FROM main.meta WHERE name=?", (name,)).get)


def newest(connection: apsw.Connection) -> int:
    """The revision that the file stands at, also when its last row was a deletion and has been dropped."""
    highest = connection.execute("SELECT max(revision) FROM main.log").get
    return max(int(highest or 0), meta(connection, "compacted"))


def load(connection: apsw.Connection, recent: int) -> Loaded:
    """The present, and up to `recent` of the newest changes."""
    revision, compacted = newest(connection), meta(connection, "compacted")
    query = f"SELECT {RECORD} FROM log WHERE revision IN (SELECT max(revision) FROM log GROUP BY key) AND value IS NOT NULL"
    records = [Record(*row) for row in connection.execute(query)]
    floor = max(compacted, revision - recent)
    time = connection.execute("SELECT time FROM log WHERE revision=?", (revision,)).get
    if time is None:
        time = connection.execute("SELECT value FROM meta WHERE name='compacted_time'").get
    return Loaded(records, _recent(connection, floor, records), floor, revision, compacted, float(time))


def _recent(connection: apsw.Connection, floor: int, records: Iterable[Record]) -> list[Change]:
    """Changes after `floor`. Equal values are one object in memory: a change's, its successor's previous, the record's."""
    values = {record.revision: record.packed for record in records}
    before = "SELECT revision, value FROM log WHERE revision <= ? AND revision IN (SELECT previous FROM log WHERE revision > ?)"
    values.update((number, values.get(number, value)) for number, value in connection.execute(before, (floor, floor)))
    changes = []
    query = "SELECT key, revision, value, previous, time, created, actor, rule, why, reaction FROM log WHERE revision > ?"
    for row in connection.execute(query + " ORDER BY revision", (floor,)):
        key, revision, value, previous, time, created, *cause = row
        if value is not None:
            value = values.setdefault(revision, value)
        changes.append(Change(key, revision, value, values.get(previous), Cause(*cause), time, created))
    return changes


def record_at(connection: apsw.Connection, key: str, revision: int) -> Record | None:
    query = f"SELECT {RECORD} FROM log WHERE key=? AND revision<=? ORDER BY revision DESC LIMIT 1"
    row = connection.execute(query, (key, revision)).fetchone()
    return None if row is None or row[1] is None else Record(*row)


def records_at(connection: apsw.Connection, bounds: tuple[str, str, int], limit: int) -> list[Record]:
    """bounds: prefix, start (exclusive), revision."""
    prefix, start, revision = bounds
    query = (
        f"SELECT {RECORD} FROM log WHERE revision IN (SELECT max(revision) FROM log WHERE key >= ? AND key > ? AND key < ? "
        "AND revision <= ? GROUP BY key) AND value IS NOT NULL ORDER BY key LIMIT ?"
    )
    return [Record(*row) for row in connection.execute(query, (prefix, start, prefix + LAST, revision, limit or -1))]


def newest_at(connection: apsw.Connection, time: float, above: int) -> int:
    query = "SELECT revision FROM log WHERE revision > ? AND time <= ? ORDER BY revision DESC LIMIT 1"
    return int(connection.execute(query, (above, time)).get or 0)


def first_after(connection: apsw.Connection, time: float, above: int) -> int:
    query = "SELECT revision FROM log WHERE revision > ? AND time > ? ORDER BY revision LIMIT 1"
    return int(connection.execute(query, (above, time)).get or 0)


def history(connection: apsw.Connection, key: str) -> list[Change]:
    return [_change(row) for row in connection.execute(CHANGES + "WHERE l.key=? ORDER BY l.revision", (key,))]


def change(connection: apsw.Connection, revision: int) -> Change | None:
    row = connection.execute(CHANGES + "WHERE l.revision=?", (revision,)).fetchone()
    return None if row is None else _change(row)


def _change(row: Sequence[object]) -> Change:
    key, revision, value, previous, time, created, *cause = row
    return Change(key, revision, value, previous, Cause(*cause), time, created)  # type: ignore[arg-type]
