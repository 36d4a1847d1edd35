"""All that a host has to do with images, put together: pulls, the file of registries, what is ours, garbage collection.

Owns who knows whom. `tell` takes events of the node.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.images import registries
from agent.images.collection import Policy
from agent.images.collector import Collector
from agent.images.ledger import Ledger
from agent.images.pulls import Pulls, nobodys
from agent.images.registry_file import RegistryFile
from agent.images.service import ImageService
from agent.lifecycle.life import Note
from agent.parts import Parts


class HostImages:
    def __init__(self, parts: Parts, tell: Callable[[Note], None]) -> None:
        settings, images, folder = parts.settings, parts.runtime.images, parts.images_folder
        self._folder = folder
        ledger = Ledger(folder / "images.json" if folder is not None else None)
        own = nobodys
        if folder is not None:
            own = RegistryFile(folder / registries.FILE, images, tell).credentials_for
        self.pulls = Pulls(images, parts.clock, at_once=settings.parallel_pulls, own=own, ledger=ledger)
        self.service = ImageService(images, self.pulls)
        policy = Policy(
            settings.image_gc_high_threshold_percent, settings.image_gc_low_threshold_percent, settings.image_minimum_gc_age_s,
            settings.image_maximum_gc_age_s,
        )  # fmt: skip
        self._collector = Collector(images, ledger, parts.clock, policy=policy, tell=tell, period_s=settings.image_gc_period_s)

    async def run(self) -> None:
        """Until cancelled. Hosts that are played have no disk to be kept free."""
        if self._folder is not None:
            await self._collector.run()
