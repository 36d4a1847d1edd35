"""What only a file can show: what is found at the next start, and what happens when the disk fails."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from common.clock import SystemClock
from common.errors import BadRequest, Unavailable
from master.store import database
from master.store.contract import Cause
from master.store.sqlite import SqliteStore

CAUSE = Cause("tester", "Request", "why", 7)


def run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await body()

    asyncio.run(bounded())


def store_at(path: Path, **settings: Any) -> SqliteStore:
    return SqliteStore(str(path), SystemClock(), **settings)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_the_next_start_finds_the_present_the_past_and_where_watches_were(path: Path) -> None:
    async def body() -> None:
        store = store_at(path)
        await store.open()
        await store.create("pods/a/x", b"1", CAUSE, expires=99999999999.0)
        await store.update("pods/a/x", b"2", CAUSE, expected=1)
        await store.create("pods/a/y", b"1", CAUSE)
        await store.delete("pods/a/y", CAUSE, expected=3)
        before = store.list("")
        await store.close()
        store = store_at(path)
        await store.open()
        assert store.list("") == before and store.revision == 4
        assert [c.cause for c in await store.history("pods/a/y")] == [CAUSE, CAUSE]
        changes, _ = await store.watch("pods/", after=1).next()
        assert [(c.revision, c.value, c.previous) for c in changes] == [(2, b"2", b"1"), (3, b"1", None), (4, None, b"1")]
        await store.close()

    run(body)


def test_a_revision_is_not_given_out_again_after_its_row_was_compacted(path: Path) -> None:
    async def body() -> None:
        store = store_at(path)
        await store.open()
        await store.create("pods/a/x", b"1", CAUSE)
        await store.delete("pods/a/x", CAUSE, expected=1)
        await store.compact(2)
        await store.close()
        store = store_at(path)
        await store.open()
        assert (store.revision, store.compacted, store.count("")) == (2, 2, 0)
        assert (await store.create("pods/a/x", b"1", CAUSE)).revision == 3
        await store.close()

    run(body)


def test_compaction_that_was_cut_short_goes_on_at_the_next_start(path: Path) -> None:
    async def body() -> None:
        store = store_at(path)
        await store.open()
        record = await store.create("pods/a/x", b"0", CAUSE)
        for n in range(20):
            record = await store.update("pods/a/x", b"%d" % n, CAUSE, expected=record.revision)
        await store._journal.forget(15, 0.0)
        await store.close()
        store = store_at(path)
        await store.open()
        assert store.compacted == 15
        while len(await store.history("pods/a/x")) != 7:
            await asyncio.sleep(0.001)
        await store.close()

    run(body)


def test_two_masters_cannot_open_one_file(path: Path) -> None:
    async def body() -> None:
        first, second = store_at(path), store_at(path)
        await first.open()
        with pytest.raises(Unavailable, match="held by another kmaster"):
            await second.open()
        await first.close()
        await second.open()
        await second.close()

    run(body)


def make_foreign(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE songs(title)")
    connection.close()


def incompressible(seed: int) -> bytes:
    return hashlib.shake_256(b"%d" % seed).digest(4000)


def make_newer(path: Path) -> None:
    connection = database.connect(str(path))
    connection.execute(f"PRAGMA user_version={database.FORMAT + 1}")
    connection.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(make_foreign, "another program", id="a database of another program"),
        pytest.param(make_newer, "use a newer kmaster", id="a file of a newer format"),
        pytest.param(lambda path: path.write_bytes(b"junk" * 4096), "no store file", id="a file that is no database"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(path: Path, make: Callable[[Path], None], says: str) -> None:
    make(path)
    before = path.read_bytes()
    with pytest.raises(BadRequest, match=says):
        asyncio.run(store_at(path).open())
    assert path.read_bytes() == before


def test_an_older_format_is_migrated_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = database.connect(str(path))
    older.execute("PRAGMA user_version=1")
    older.close()
    steps: list[int] = []
    monkeypatch.setattr(database, "FORMAT", 3)
    monkeypatch.setattr(database, "MIGRATIONS", {1: lambda c: steps.append(1), 2: lambda c: steps.append(2)})
    for _ in range(2):
        connection = database.connect(str(path))
        assert database.format_of(connection) == 3
        connection.close()
    assert steps == [1, 2]


def test_values_are_packed_in_the_file_and_those_of_an_older_one_are_read(path: Path) -> None:
    document = b'{"metadata":{"name":"x"},"data":"%s"}' % (b"again and " * 400)

    async def body() -> None:
        connection = database.connect(str(path))
        connection.execute("INSERT INTO log VALUES(1, 0, 1, 0, NULL, 'a', 'r', '', NULL, 'pods/a/old', ?)", (document,))
        connection.close()
        store = store_at(path)
        await store.open()
        await store.create("pods/a/new", document, CAUSE)
        watch = store.watch("pods/", after=1)
        assert [record.value for record in store.list("pods/a/")] == [document, document]
        assert [change.value for change in watch.ready()] == [document]
        assert await store.get_at("pods/a/old", 1) == store.get("pods/a/old")
        await store.close()
        connection = database.connect(str(path))
        sizes = dict(connection.execute("SELECT key, length(value) FROM log").fetchall())
        connection.close()
        assert sizes["pods/a/old"] == len(document) and sizes["pods/a/new"] < len(document) // 4

    run(body)


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    async def body() -> None:
        store = store_at(path)
        await store.open()
        await store.create("secrets/a/x", b"hush", CAUSE)
        await store.snapshot(str(path) + ".copy")
        for file in path.parent.iterdir():
            assert file.stat().st_mode & 0o077 == 0, file
        await store.close()

    run(body)


class Disk:
    """Faults for the files opened through `FaultyVFS`."""

    fault: type[apsw.Error] | None = None
    on = ("xWrite", "xSync")


class FaultyFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if Disk.fault and "xWrite" in Disk.on:
            raise Disk.fault()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if Disk.fault and "xSync" in Disk.on:
            raise Disk.fault()
        super().xSync(flags)


class FaultyVFS(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("faulty", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> FaultyFile:
        return FaultyFile(name, flags)


@pytest.fixture
def disk() -> Iterator[type[Disk]]:
    vfs = FaultyVFS()
    Disk.fault, Disk.on = None, ("xWrite", "xSync")
    yield Disk
    Disk.fault = None
    vfs.unregister()


def test_a_full_disk_refuses_writes_and_nothing_else(path: Path, disk: type[Disk]) -> None:
    async def body() -> None:
        died: list[bool] = []
        store = store_at(path, fatal=lambda: died.append(True))
        await store.open()
        await store.create("pods/a/x", b"1", CAUSE)
        disk.fault = apsw.FullError
        writes = [store.create("pods/a/y", b"2", CAUSE), store.update("pods/a/x", b"2", CAUSE, expected=1)]
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert all(isinstance(answer, Unavailable) and "is full" in str(answer) for answer in answers)
        assert store.revision == 1 and store.get("pods/a/y") is None
        assert len(await store.history("pods/a/x")) == 1
        disk.fault = None
        assert (await store.create("pods/a/y", b"3", CAUSE)).revision == 2
        await store.close()
        store = store_at(path)
        await store.open()
        assert [(r.key, r.value) for r in store.list("")] == [("pods/a/x", b"1"), ("pods/a/y", b"3")] and not died
        await store.close()

    run(body)


@pytest.mark.parametrize("call", ["xWrite", "xSync"], ids=["a failed write", "a failed fsync"])
def test_a_failing_disk_ends_the_process_before_anything_is_acknowledged(path: Path, disk: type[Disk], call: str) -> None:
    async def body() -> None:
        died: list[bool] = []
        store = store_at(path, fatal=lambda: died.append(True))
        await store.open()
        await store.create("pods/a/x", b"1", CAUSE)
        disk.fault, disk.on = apsw.IOError, (call,)
        with pytest.raises(Unavailable):
            await store.create("pods/a/y", b"2", CAUSE)
        assert died and store.get("pods/a/y") is None
        disk.fault = None
        await store.close()

    run(body)


def test_a_failing_checkpoint_ends_the_process_too(path: Path, disk: type[Disk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CHECKPOINT_PAGES", 1)

    async def body() -> None:
        died: list[bool] = []
        store = store_at(path, fatal=lambda: died.append(True))
        await store.open()
        file = store._journal._file  # type: ignore[attr-defined]
        # The fault begins between the commit, which succeeds, and the checkpoint after it.
        original = file._checkpoint

        def fail_now() -> None:
            disk.fault = apsw.IOError
            original()

        monkeypatch.setattr(file, "_checkpoint", fail_now)
        assert (await store.create("pods/a/x", b"1", CAUSE)).revision == 1
        while not died:
            await asyncio.sleep(0.001)
        disk.fault = None
        await store.close()

    run(body)


def test_the_wal_stays_small_under_many_writes(path: Path) -> None:
    async def body() -> None:
        store = store_at(path)
        await store.open()
        for round_ in range(20):
            await asyncio.gather(*(store.create(f"pods/{round_}/{n}", b"x" * 4000, CAUSE) for n in range(200)))
        assert (path.parent / "store.db-wal").stat().st_size < 3 * database.CHECKPOINT_PAGES * 4096
        await store.close()

    run(body)


def test_writes_go_on_while_a_snapshot_is_made(path: Path) -> None:
    async def body() -> None:
        store = store_at(path)
        await store.open()
        await asyncio.gather(*(store.create(f"pods/a/{n}", incompressible(n), CAUSE) for n in range(5000)))
        copying = asyncio.ensure_future(store.snapshot(str(path) + ".copy"))
        during = 0
        while not copying.done():
            await store.create(f"pods/b/{during}", b"", CAUSE)
            during += 1
        revision = await copying
        assert during > 3 and revision >= 5000
        await store.close()
        copy = store_at(Path(str(path) + ".copy"))
        await copy.open()
        assert copy.revision == copy.count("") == revision
        await copy.close()

    run(body)
