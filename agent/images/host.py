"""All that a host has to do with images, put together: pulls, the host's credentials, what is ours, garbage collection.

Owns who knows whom. `tell` takes events of the node.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from agent.images import registries
from agent.images.collection import Policy
from agent.images.collector import Collector
from agent.images.keyring import Credential
from agent.images.ledger import Ledger
from agent.images.provider_exec import Providers
from agent.images.pulls import Pulls
from agent.images.reference import Reference
from agent.images.registry_file import RegistryFile
from agent.images.service import ImageService
from agent.lifecycle.life import Note
from agent.parts import Parts
from agent.runtime.contract import RuntimeFault
from common.errors import NotNow

log = logging.getLogger(__name__)


class HostImages:
    def __init__(self, parts: Parts, tell: Callable[[Note], None]) -> None:
        settings, images, folder = parts.settings, parts.runtime.images, parts.images_folder
        self._folder = folder
        self._images = images
        ledger = Ledger(folder / "images.json" if folder is not None else None)
        self._providers = Providers(parts.providers, settings.image_credential_provider_bin_dir, parts.clock, tell)
        self._file = RegistryFile(folder / registries.FILE, images, tell) if folder is not None else None
        self.pulls = Pulls(images, parts.clock, at_once=settings.parallel_pulls, own=self._own, ledger=ledger)
        self.service = ImageService(images, self.pulls)
        policy = Policy(
            settings.image_gc_high_threshold_percent, settings.image_gc_low_threshold_percent, settings.image_minimum_gc_age_s,
            settings.image_maximum_gc_age_s,
        )  # fmt: skip
        self._collector = Collector(images, ledger, parts.clock, policy=policy, tell=tell, period_s=settings.image_gc_period_s)

    async def _own(self, image: Reference) -> tuple[Credential, ...]:
        provided = await self._providers.credentials_for(image)
        return provided + (await self._file.credentials_for(image) if self._file is not None else ())

    async def reclaim(self) -> int:
        """Remove every image of ours that nobody uses, if that makes room on the disk of the agent's data folder; how many bytes went."""
        if self._folder is None:
            return 0
        try:
            if os.stat(await self._images.folder()).st_dev != os.stat(self._folder).st_dev:
                return 0
            return await self._collector.collect(everything=True)
        except (NotNow, RuntimeFault, OSError) as error:
            log.warning("images-not-reclaimed why=%s", error)
            return 0

    async def run(self) -> None:
        """Until cancelled. Hosts that are played have no disk to be kept free."""
        if self._folder is not None:
            await self._collector.run()
