"""Folders of PersistentVolumes that the master wants removed from this host: one after the other, in a thread, and told when gone.

Owns the check of what may be removed: a folder that bears its volume's name, as the provisioner named it, and nothing else, whatever a
message says. What fails is tried again with a back-off; a new session asks anew for what is still there.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from agent.volumes import mounts
from common.aio.workqueue import WorkQueue
from common.errors import NotNow
from common.wire import messages

log = logging.getLogger(__name__)

_NAME = re.compile(r"^pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
Send = Callable[[messages.Message], Awaitable[None]]


def refusal(name: str, path: str) -> str:
    """Why this is not ours to remove, or ""."""
    if not _NAME.match(name) or not path.startswith("/") or ".." in path.split("/") or path.rpartition("/")[2] != name:
        return "it is no folder of a volume that this agent made"
    return ""


def remove(path: str) -> None:
    """Raises OSError."""
    folder = Path(path)
    if folder.is_symlink() or not folder.exists():
        return
    if mounts.below(path):
        raise OSError(16, "Device or resource busy", path)
    shutil.rmtree(folder)


class Reclaim:
    """`run(send)` until cancelled; `drop` is a plain call."""

    def __init__(self, *, real: bool) -> None:
        """real: this host has folders at all."""
        self._real = real
        self._wanted: dict[str, tuple[int, str]] = {}
        """Name to epoch and path."""
        self._queue: WorkQueue[str] = WorkQueue(first_delay_s=1.0)

    def drop(self, message: messages.DropVolume) -> None:
        self._wanted[message.name] = (message.epoch, message.path)
        self._queue.add(message.name)

    async def run(self, send: Send) -> None:
        try:
            while True:
                name = await self._queue.get()
                try:
                    await self._remove(name, send)
                finally:
                    self._queue.done(name)
        finally:
            self._queue.close()

    async def _remove(self, name: str, send: Send) -> None:
        if name not in self._wanted:
            return
        epoch, path = self._wanted[name]
        error = refusal(name, path)
        if not error and self._real:
            try:
                await asyncio.to_thread(remove, path)
            except OSError as failure:
                delay_s = self._queue.add_rate_limited(name)
                log.warning("volume-kept volume=%s path=%s retry_s=%.0f why=%s", name, path, delay_s, failure.strerror)
                return
        self._wanted.pop(name, None)
        self._queue.forget(name)
        log.info("volume-removed volume=%s path=%s", name, path) if not error else log.error("volume-refused path=%s why=%s", path, error)
        try:
            await send(messages.VolumeGone(epoch, name, error))
        except NotNow:
            return  # the next session asks again
