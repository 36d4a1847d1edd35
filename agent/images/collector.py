"""Image garbage collection, the shell around `collection.plan`: looks, removes, tells.

Looks every `period_s`, and when somebody asks (`collect`). What was seen in use is remembered since the agent began; before that only the
time of the pull is known. A removal that the runtime refuses, because somebody else uses the image, is no trouble: the next one goes.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from agent.images import collection
from agent.images.collection import Disk, Ours, Policy, StoredImage
from agent.images.ledger import Ledger
from agent.lifecycle.life import Note
from agent.runtime.contract import Images, RuntimeFault
from common.clock import Clock
from common.errors import NotNow

log = logging.getLogger(__name__)

PERIOD_S = 300.0
NAMES_MOST = 5
"""So many images an event names."""


def disk_of(folder: str) -> Disk:
    """Raises OSError."""
    seen = os.statvfs(folder)
    return Disk(seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize)


class Collector:
    """tell: an event of the node."""

    def __init__(
        self, images: Images, ledger: Ledger, clock: Clock, *, policy: Policy, tell: Callable[[Note], None], period_s: float = PERIOD_S,
        disk: Callable[[str], Disk] = disk_of,
    ) -> None:  # fmt: skip
        self._images = images
        self._ledger = ledger
        self._clock = clock
        self._policy = policy
        self._tell = tell
        self._period_s = period_s
        self._disk = disk
        self._last_used: dict[str, float] = {}

    async def run(self) -> None:
        failed = False
        while True:
            try:
                await self.collect()
                failed = False
            except (NotNow, RuntimeFault, OSError) as error:
                log.warning("image-collection-failed why=%s", error)
                if failed:  # as the kubelet: the first time may be a runtime that is just starting
                    self._tell(Note("Warning", "ImageGCFailed", str(error)))
                failed = True
            await asyncio.sleep(self._period_s)

    async def collect(self, *, everything: bool = False) -> int:
        """Free what there is to free now, or everything that may go; how many bytes went. Raises what the runtime raises, and OSError."""
        now, stored = self._clock.now(), await self._images.stored()
        ours = self._ours(stored, now)
        if not ours:
            return 0
        folder = await self._images.folder()
        disk = self._disk(folder)
        if disk.capacity_bytes <= 0:
            self._tell(Note("Warning", "InvalidDiskCapacity", f"invalid capacity {disk.capacity_bytes} on image filesystem of {folder}"))
            return 0
        plan = collection.plan(ours, disk, self._policy, now, everything=everything)
        gone: list[StoredImage] = []
        for image in plan.aged:
            await self._remove(image, gone)
        for image in plan.order:
            if _bytes(gone) >= plan.free_bytes:
                break
            await self._remove(image, gone)
        if gone:
            names = ", ".join(image.name for image in gone[:NAMES_MOST]) + (", …" if len(gone) > NAMES_MOST else "")
            log.info("images-removed count=%d bytes=%d names=%s", len(gone), _bytes(gone), names)
            self._tell(Note("Normal", "ImagesRemoved", f"Removed {len(gone)} unused images ({_bytes(gone)} bytes): {names}"))
        if _bytes(gone) < plan.free_bytes:
            words = f"Attempted to free {plan.free_bytes} bytes, but only found {_bytes(gone)} bytes eligible to free."
            self._tell(Note("Warning", "FreeDiskSpaceFailed", f"Failed to garbage collect required amount of images. {words}"))
        return _bytes(gone)

    def _ours(self, stored: list[StoredImage], now: float) -> dict[str, Ours]:
        self._ledger.keep({image.id for image in stored})
        found = {}
        for image in stored:
            if image.used:
                self._last_used[image.id] = now
            pulled_at = self._ledger.pulled_at(image)
            if pulled_at is not None:
                found[image.id] = Ours(image, pulled_at, self._last_used.get(image.id, 0.0))
        self._last_used = {identity: at for identity, at in self._last_used.items() if any(image.id == identity for image in stored)}
        return found

    async def _remove(self, image: StoredImage, gone: list[StoredImage]) -> None:
        try:
            await self._images.remove(image)
        except RuntimeFault as fault:
            log.info("image-stays image=%s why=%s", image.name, fault.message)
            return
        gone.append(image)


def _bytes(images: list[StoredImage]) -> int:
    return sum(image.size_bytes for image in images)
