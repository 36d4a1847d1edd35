"""Container logs: the files that the runtime writes, read as `kubectl logs` asks for them, and removed with their pod.

Owns the folder `LOG_ROOT/NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log`. Which try of a container is meant, and Kubernetes' words for "there
is none", are decided in `chosen` from what the worker knows. A follower ends when the try it follows has ended; it looks at the file
every FOLLOW_S, notices a rotated or truncated file, and reads no faster than its reader asks. What a line looks like is `log_lines.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from agent.lifecycle.life import PodLife
from agent.log_lines import Lines
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from common.clock import Clock
from common.errors import BadRequest, NotFound
from common.objects import pod as pods
from common.wire.requests import LogRequest

log = logging.getLogger(__name__)

FOLLOW_S = 0.1
BLOCK_BYTES = 64 << 10
NAME_MOST = 253
STAMP = re.compile(r"^\d{8}-\d{6}$")


class Look(msgspec.Struct, frozen=True):
    """What a worker knows of its pod now."""

    pod: pods.Pod
    life: PodLife
    observed: list[ObservedSandbox]


class LogLimits(msgspec.Struct, frozen=True):
    """most_bytes: after which a file is put aside. files: kept of each container, the present one included."""

    root: str
    most_bytes: int
    files: int
    every_s: float = 10.0


class PodLogs:
    def __init__(self, log_root: str, clock: Clock) -> None:
        self._root = Path(log_root)
        self._clock = clock

    def open(self, request: dict[str, Any], look: Callable[[str], Look | None]) -> AsyncIterator[bytes]:
        """The log's bytes as the client is to see them. Raises BadRequest or NotFound with Kubernetes' words."""
        try:
            query = msgspec.convert(request, LogRequest)
        except msgspec.ValidationError as error:
            raise BadRequest(f"log request: {error}") from None
        seen = look(query.uid)
        if seen is None:
            raise NotFound(f'pod "{query.pod}" is not on this node')
        tried = chosen(seen, query)
        path = self._folder(query.namespace, query.pod, query.uid) / query.container / f"{tried.attempt}.log"

        def runs() -> bool:
            now = look(query.uid)
            return now is not None and _runs(now.observed, tried.id)

        since = query.since_time
        if query.since_s is not None:
            since = self._clock.now() - query.since_s
        return _limited(_read(path, query, since=since, runs=runs), query.limit_bytes)

    def discard_pod(self, *, namespace: str, name: str, uid: str) -> None:
        folder = self._folder(namespace, name, uid)
        if folder.parent == self._root:
            shutil.rmtree(folder, ignore_errors=True)

    def discard(self, sandbox: ObservedSandbox, log_path: str) -> None:
        path = self._folder(sandbox.namespace, sandbox.name, sandbox.uid) / log_path
        if path.parent.parent.parent == self._root and ".." not in path.parts:
            for each in (path, *path.parent.glob(f"{path.name}.*")):
                each.unlink(missing_ok=True)

    def _folder(self, namespace: str, name: str, uid: str) -> Path:
        parts = (namespace, name, uid)
        if any(not part or len(part) > NAME_MOST or "/" in part or part.startswith(".") for part in parts):
            raise BadRequest("the log request names no pod")
        return self._root / "_".join(parts)


def _runs(observed: list[ObservedSandbox], container_id: str) -> bool:
    return any(c.id == container_id and c.state is State.RUNNING for s in observed for c in s.containers)


def chosen(seen: Look, query: LogRequest) -> ObservedContainer:
    """The try whose log is meant. Raises BadRequest with the kubelet's words when there is none."""
    name, where = query.container, f'container "{query.container}" in pod "{query.pod}"'
    if pods.container_of(seen.pod.spec, name) is None:
        raise BadRequest(f"container {name} is not valid for pod {query.pod}")
    tries = sorted((c for s in seen.observed for c in s.containers if c.name == name), key=lambda c: c.attempt)
    started = [c for c in tries if c.state is not State.CREATED]
    if query.previous:
        ended = [c for c in started if c.state is State.EXITED]
        # A container that waits to be restarted has its last try as the previous one, as in its status.
        waits = seen.life.of(name).waiting is not None or (tries and tries[-1].state is State.CREATED)
        before = ended if waits or (started and started[-1].state is State.RUNNING) else ended[:-1]
        if not before:
            raise BadRequest(f'previous terminated {where} not found')
        return before[-1]
    if started:
        return started[-1]
    waiting = seen.life.of(name).waiting
    reason = waiting.reason if waiting is not None else "ContainerCreating" if not seen.pod.spec.init_containers else "PodInitializing"
    words = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}.get(reason, reason)
    raise BadRequest(f"{where} is waiting to start: {words}")


async def _limited(chunks: AsyncIterator[bytes], limit: int | None) -> AsyncIterator[bytes]:
    left = limit
    try:
        async for chunk in chunks:
            if left is not None:
                chunk = chunk[:left]
                left -= len(chunk)
            if chunk:
                yield chunk
            if left == 0:
                return
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]


async def _read(path: Path, query: LogRequest, *, since: float | None, runs: Callable[[], bool]) -> AsyncIterator[bytes]:
    try:
        file = path.open("rb")
    except OSError as error:
        if not query.follow:
            raise NotFound(f'the log of container "{query.container}" in pod "{query.pod}" is gone: {error.strerror}') from None
        return
    try:
        file.seek(tail_start(file, query.tail_lines))
        lines, late = Lines(query.timestamps, since), False
        while True:
            alive = query.follow and runs()
            replaced = _replacement(file, path)  # asked before reading, so that the old file is read to its very end
            while block := file.read(BLOCK_BYTES):
                shown = lines.feed(block)
                if shown:
                    yield shown
                await asyncio.sleep(0)  # a big log must not hold up the pods' workers
            if replaced is not None:
                if not late:
                    late = True  # the runtime may still be writing its last lines to the old file: once more, a moment later
                    replaced.close()
                    await asyncio.sleep(FOLLOW_S)
                    continue
                file.close()
                file, replaced, late = replaced, None, False
                continue
            if not alive:
                return
            await asyncio.sleep(FOLLOW_S)
    finally:
        file.close()


def _replacement(file: BinaryIO, path: Path) -> BinaryIO | None:
    """The file that follows this one, if another stands under the log's name now; a truncated file is read from its start.

    Subtle: a fast writer may have filled more than one file since: the next is the one that was begun when this one was put aside."""
    try:
        now, mine = os.stat(path), os.fstat(file.fileno())
    except OSError:
        return None
    if (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino):
        files = in_order(path)
        for this, following in itertools.pairwise(files):
            with contextlib.suppress(OSError):
                if os.stat(this).st_ino == mine.st_ino:
                    return following.open("rb")
        try:
            return path.open("rb")
        except OSError:
            return None
    if mine.st_size < file.tell():
        file.seek(0)
    return None


def in_order(path: Path) -> list[Path]:
    """A log's files, oldest first, but for those that were packed: what was put aside has the time after its name (ours), or a number that
    grows with its age (Docker's, which lie where the symbolic link leads)."""
    real = Path(os.path.realpath(path))
    aside = {each: each.name.removeprefix(f"{real.name}.") for each in real.parent.glob(f"{real.name}.*")}
    numbered = sorted((each for each, end in aside.items() if end.isdigit()), key=lambda each: -int(aside[each]))
    stamped = sorted(each for each, end in aside.items() if STAMP.match(end))
    return [*numbered, *stamped, real]


def tail_start(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` whole lines begin; a line is what ends in a newline, or the rest of the file."""
    end = file.seek(0, os.SEEK_END)
    if lines < 0:
        return 0
    if lines == 0 or end == 0:
        return end
    position, wanted = end, lines + 1
    file.seek(end - 1)
    if file.read(1) != b"\n":
        wanted -= 1
    while position > 0:
        size = min(BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        count = block.count(b"\n")
        if count < wanted:
            wanted -= count
            continue
        at = len(block)
        for _ in range(wanted):
            at = block.rindex(b"\n", 0, at)
        return position + at + 1
    return 0
