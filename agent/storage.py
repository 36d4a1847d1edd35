"""Which pods keep more on the disk than they may: looked at every few seconds, and evicted.

    pods with limits ─► sizes of their volumes, logs and writable layers ─► lifecycle.storage.excess ─► Worker.evict

Owns the measuring and its pace: only pods that have a limit are measured, by a process of its own (`du`, with the lowest priority), and a
look that took long is followed by a long rest. What counts, and the words, are `lifecycle/storage.py`'s. Nothing is evicted on a guess:
what cannot be measured now is looked at the next time.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from agent.lifecycle import specs, storage
from agent.lifecycle.storage import Written
from agent.logs import Look
from agent.parts import Parts
from agent.runtime.contract import RuntimeFault, State
from agent.settings import Settings
from agent.worker import Worker
from common.errors import NotNow

log = logging.getLogger(__name__)

EVERY_S = 5.0
SHARE = 20
"""It rests so many times as long as it looked."""
MEASURE_S = 120.0


class StorageWatch:
    """`run()` until cancelled. workers: of this host's pods, as they are at each look."""

    def __init__(self, parts: Parts, workers: Mapping[str, Worker]) -> None:
        self._parts = parts
        self._workers = workers

    async def run(self) -> None:
        clock = self._parts.clock
        while True:
            began_s = clock.monotonic()
            await self._look()
            await asyncio.sleep(max(EVERY_S, SHARE * (clock.monotonic() - began_s)))

    async def _look(self) -> None:
        limited = [(worker, seen, allowed) for worker, seen in self._running() if (allowed := storage.limits(seen.pod))]
        names = {identity: name for _, seen, allowed in limited if allowed.total for identity, name in running(seen).items()}
        try:
            layers = await self._layers(names) if names else {}
            for worker, seen, allowed in limited:
                why = storage.excess(allowed, await written(self._parts.settings, seen, layers, containers=bool(allowed.total)))
                if why is not None:
                    worker.evict(why)
        except (NotNow, RuntimeFault, OSError, TimeoutError) as error:
            log.debug("storage-unmeasured node=%s why=%s", self._parts.name, error)

    def _running(self) -> Iterator[tuple[Worker, Look]]:
        for worker in list(self._workers.values()):
            seen = worker.look()
            if seen is not None and not (worker.finished or seen.pod.finished or seen.pod.metadata.deletion_timestamp is not None):
                yield worker, seen

    async def _layers(self, names: Collection[str]) -> dict[str, int]:
        return {each.id: each.written_bytes or 0 for each in await self._parts.runtime.stats(names) if each.id in names}


async def written(settings: Settings, seen: Look, layers: Mapping[str, int], *, containers: bool = True) -> Written:
    """What a pod keeps on the disk. layers: its containers' writable layers, by id. Raises OSError, TimeoutError."""
    folder = Path(settings.data_dir, "pods", seen.pod.metadata.uid, "volumes")
    volumes = {path.name: size for path, size in (await sizes(sorted(folder.iterdir()) if folder.is_dir() else [])).items()}
    if not containers:
        return Written(volumes)
    logs, found = Path(specs.log_directory(seen.pod, settings.log_root)), running(seen)
    return Written(volumes, {name: log_bytes(logs / name) + layers.get(identity, 0) for identity, name in found.items()})


def running(seen: Look) -> dict[str, str]:
    """Containers by id."""
    return {c.id: c.name for s in seen.observed for c in s.containers if c.state is State.RUNNING}


async def sizes(paths: Iterable[Path]) -> dict[Path, int]:
    """Bytes on the disk, without what is mounted below. Raises OSError, TimeoutError."""
    wanted = {str(path): path for path in paths}
    if not wanted:
        return {}
    argv = ("du", "--summarize", "--one-file-system", "--block-size=1", "--null", "--", *wanted)
    child = await asyncio.create_subprocess_exec(
        "nice", "-n", "19", *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(MEASURE_S):
            output, _ = await child.communicate()  # files that go meanwhile make it complain: what it says of the rest is right
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    found = {}
    for line in output.split(b"\0"):
        size, tab, path = line.partition(b"\t")
        if tab and (known := wanted.get(os.fsdecode(path))) is not None:
            found[known] = int(size)
    return found


def log_bytes(folder: Path) -> int:
    """Of all tries, rotated ones included; Docker's are links to its own files."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    total += entry.stat().st_size
                except OSError:
                    continue
    except OSError:
        return 0
    return total
