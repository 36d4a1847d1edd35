"""Containers' logs do not grow for ever: a file that is large is put aside, and the runtime begins a new one.

    0.log ──► 0.log.20260131-120000 ──► 0.log.20260131-120000.gz ──► removed: so many files are kept, the present one included

Owns the pace, the names and the order of it (the kubelet's): the newest that was put aside stays as it is, since the runtime may still
write its last lines there; older ones are packed. A runtime that cannot begin a new file gets its old one back. Of a log file that
somebody removed the runtime is asked for a new one. Docker's engine does all this by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from agent.lifecycle import specs
from agent.logs import Look, LogLimits
from agent.runtime.contract import RuntimeFault, Sessions, State
from agent.worker import Worker
from common.clock import Clock
from common.errors import NotNow

log = logging.getLogger(__name__)

PACKED, UNFINISHED = ".gz", ".tmp"


class LogRotation:
    """`run()` until cancelled. workers: of this host's pods, as they are at each look."""

    def __init__(self, limits: LogLimits, sessions: Sessions, clock: Clock, workers: Mapping[str, Worker]) -> None:
        self._limits = limits
        self._sessions = sessions
        self._clock = clock
        self._workers = workers

    async def run(self) -> None:
        while True:
            for container_id, path in list(self._running()):
                try:
                    await self._look(container_id, path)
                except (NotNow, RuntimeFault, OSError) as error:
                    log.warning("log-not-rotated path=%s why=%s", path, error)
            await asyncio.sleep(self._limits.every_s)

    def _running(self) -> Iterator[tuple[str, Path]]:
        for worker in list(self._workers.values()):
            seen: Look | None = worker.look()
            if seen is None:
                continue
            folder = Path(specs.log_directory(seen.pod, self._limits.root))
            for sandbox in seen.observed:
                for container in sandbox.containers:
                    if container.state is State.RUNNING:
                        yield container.id, folder / specs.log_path(container.name, container.attempt)

    async def _look(self, container_id: str, path: Path) -> None:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            if path.parent.is_dir():
                log.warning("log-missing path=%s", path)
                await self._sessions.reopen_log(container_id)
            return
        if size <= self._limits.most_bytes:
            return
        stamp = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y%m%d-%H%M%S")
        await asyncio.to_thread(make_room, path, self._limits.files)
        aside = path.with_name(f"{path.name}.{stamp}")
        os.rename(path, aside)
        try:
            await self._sessions.reopen_log(container_id)
        except BaseException:
            if not path.exists():
                os.rename(aside, path)
            raise
        log.info("log-rotated path=%s bytes=%d", path, size)


def make_room(path: Path, files: int) -> None:
    """Pack what was put aside, and remove the oldest, so that another file may be. Raises OSError."""
    aside = sorted(each for each in path.parent.glob(f"{path.name}.*"))
    for each in [each for each in aside if each.name.endswith(UNFINISHED)]:
        each.unlink(missing_ok=True)
        aside.remove(each)
    kept = max(0, files - 2)  # beside the present one and the one that is put aside now
    for each in aside[: max(0, len(aside) - kept)]:
        each.unlink(missing_ok=True)
    for each in aside[max(0, len(aside) - kept) :]:
        if not each.name.endswith(PACKED):
            _pack(each)


def _pack(path: Path) -> None:
    unfinished = path.with_name(f"{path.name}{UNFINISHED}")
    try:
        with path.open("rb") as source, gzip.open(unfinished, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        os.replace(unfinished, path.with_name(f"{path.name}{PACKED}"))
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    path.unlink()
