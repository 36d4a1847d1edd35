"""Logs that grow: which files are there after a while, and that no line is lost on the way."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from agent.lifecycle.life import PodLife
from agent.log_rotation import LogRotation, make_room
from agent.logs import LogLimits, Look, PodLogs
from agent.runtime.contract import ObservedContainer, ObservedSandbox, RuntimeFault, State
from common.clock import SystemClock
from tests.agent import pods

FOLDER = "default_web_uid-web/app"


class Writer:
    """A container and its runtime: writes lines to the file it has open, and opens the log's name anew when it is told to."""

    def __init__(self, root: Path) -> None:
        self.path = root / FOLDER / "0.log"
        self.path.parent.mkdir(parents=True)
        self.refuses = False
        self._file: IO[str] = self.path.open("a")
        self._old: IO[str] = self._file

    def write(self, number: int) -> None:
        self._file.write(f"2026-01-31T12:00:00.000000001Z stdout F {number:06d} {'x' * 100}\n")
        self._file.flush()

    async def reopen_log(self, container_id: str) -> None:
        """The old file gets one more line after the new one is there, as it may be."""
        assert container_id == "c0"
        if self.refuses:
            raise RuntimeFault("not now")
        self._old, fresh = self._file, self.path.open("a")
        self.write(900_000)
        self._file = fresh


class Bench:
    def __init__(self, root: Path, *, most_bytes: int = 10_000, files: int = 3) -> None:
        self.root, self.writer = root, Writer(root)
        container = ObservedContainer("c0", "app", 0, State.RUNNING)
        sandbox = ObservedSandbox("s", "uid-web", "default", "web", 0, True, containers=(container,))
        seen = Look(pods.view(pods.document()), PodLife(), [sandbox])
        self.runs = True
        workers: Any = {"uid-web": SimpleNamespace(look=lambda: seen)}
        limits = LogLimits(str(root), most_bytes, files, every_s=0.01)
        sessions: Any = self.writer
        self.rotation = LogRotation(limits, sessions, SystemClock(), workers)
        self.logs = PodLogs(str(root), SystemClock())
        self.seen = seen

    def look(self, uid: str) -> Look:
        ended = ObservedContainer("c0", "app", 0, State.EXITED)
        sandbox = ObservedSandbox("s", "uid-web", "default", "web", 0, True, containers=(ended,))
        return self.seen if self.runs else Look(self.seen.pod, self.seen.life, [sandbox])

    def names(self) -> list[str]:
        return sorted(each.name for each in self.writer.path.parent.iterdir())


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_follower_sees_every_line_over_a_rotation(tmp_path: Path) -> None:
    bench, got = Bench(tmp_path), bytearray()

    async def follow() -> None:
        asked = {"namespace": "default", "pod": "web", "uid": "uid-web", "container": "app", "follow": True}
        async for chunk in bench.logs.open(asked, bench.look):
            got.extend(chunk)

    async def main() -> None:
        following, rotating = asyncio.ensure_future(follow()), asyncio.ensure_future(bench.rotation.run())
        for number in range(200):
            bench.writer.write(number)
        await until(lambda: len(bench.names()) == 2)
        for number in range(200, 250):
            bench.writer.write(number)
        rotating.cancel()
        await until(lambda: b"000249" in got)
        bench.runs = False
        await following

    asyncio.run(main())
    numbers = [int(line.split()[0]) for line in got.decode().splitlines()]
    assert numbers == [*range(200), 900_000, *range(200, 250)]


def test_so_many_files_are_kept_and_older_ones_are_packed(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    for stamp in ("20260101-000001.gz", "20260101-000002.gz", "20260101-000003", "20260101-000004.tmp"):
        (tmp_path / f"0.log.{stamp}").write_bytes(b"old\n")
    (tmp_path / "1.log").write_text("another try")
    make_room(path, 4)
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["0.log.20260101-000002.gz", "0.log.20260101-000003.gz", "1.log"]
    assert gzip.open(tmp_path / "0.log.20260101-000003.gz").read() == b"old\n"
    make_room(path, 2)
    assert [each.name for each in tmp_path.iterdir()] == ["1.log"]


def test_a_runtime_that_refuses_keeps_its_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.writer.refuses = True
    for number in range(200):
        bench.writer.write(number)

    async def main() -> None:
        with pytest.raises(RuntimeFault):
            await bench.rotation._look("c0", bench.writer.path)

    asyncio.run(main())
    assert bench.names() == ["0.log"]
    bench.writer.write(200)
    assert "000200" in bench.writer.path.read_text()


def test_a_log_that_somebody_removed_is_begun_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.writer.path.unlink()

    async def main() -> None:
        rotating = asyncio.ensure_future(bench.rotation.run())
        await until(bench.writer.path.exists)
        rotating.cancel()

    asyncio.run(main())
    bench.writer.write(7)
    assert "000007" in bench.writer.path.read_text()


def test_rotated_files_go_with_their_try(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for name in ("0.log.20260101-000001", "0.log.20260101-000002.gz", "1.log"):
        (bench.writer.path.parent / name).write_text("x")
    bench.logs.discard(bench.seen.observed[0], "app/0.log")
    assert bench.names() == ["1.log"]
