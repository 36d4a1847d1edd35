"""`kill -9` at a random moment: every acknowledged write is there at the next start, and nothing is there by halves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.clock import SeededRng, SystemClock
from master.store.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[3]
WRITER = """
import asyncio, sys
from common.clock import SystemClock
from master.store.contract import Cause
from master.store.sqlite import SqliteStore

async def write(store, lane):
    record = None
    for n in range(10**9):
        value = b"%d" % n * 50
        cause = Cause("writer", "Write")
        if record is None:
            record = await store.create(f"pods/{lane}/x", value, cause)
        elif n % 10 == 9:
            await store.delete(f"pods/{lane}/x", cause, expected=record.revision)
            record = None
            continue
        else:
            record = await store.update(f"pods/{lane}/x", value, cause, expected=record.revision)
        sys.stdout.write(f"{record.revision} {record.key} {value.decode()}\\n")
        sys.stdout.flush()

async def main():
    store = SqliteStore(sys.argv[1], SystemClock())
    await store.open()
    start = store.revision
    await asyncio.gather(*(write(store, f"{start}-{lane}") for lane in range(8)))

asyncio.run(main())
"""


def acknowledged_before_kill(path: Path, lines: int) -> list[str]:
    """Run the writer, kill it after so many acknowledgements; what it had acknowledged, in order."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert writer.stdout is not None
    with writer.stdout as output:
        seen = []
        for line in output:
            seen.append(line)
            if len(seen) == lines:
                os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    return [line for line in seen if line.endswith("\n")]


async def found(path: Path) -> tuple[int, dict[int, str]]:
    store = SqliteStore(str(path), SystemClock())
    await store.open()
    rows: dict[int, str] = {}
    for revision in range(1, store.revision + 1):
        change = await store.change(revision)
        assert change is not None, f"revision {revision} of {store.revision} is missing"
        if change.value is not None:
            rows[revision] = f"{revision} {change.key} {change.value.decode()}\n"
    newest = store.revision
    await store.close()
    return newest, rows


@pytest.mark.parametrize("seed", range(3), ids=lambda seed: f"seed {seed}")
def test_no_acknowledged_write_is_lost(tmp_path: Path, seed: int) -> None:
    path, rng = tmp_path / "store.db", SeededRng(seed)
    for _ in range(2):
        lines = acknowledged_before_kill(path, 1 + int(rng.random() * 400))
        newest, rows = asyncio.run(found(path))
        lost = [line for line in lines if rows.get(int(line.split()[0])) != line]
        assert lines and not lost
        assert newest >= int(lines[-1].split()[0])
