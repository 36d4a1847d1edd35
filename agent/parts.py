"""What an agent is made of: every port and value it is given, in one struct.

`__main__` fills it for a real host, the simulation for a hollow one.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent.cgroups import PodCgroups
from agent.images.providers import Provider
from agent.journal import Journal
from agent.last_words import LastWords
from agent.logs import LogLimits, PodLogs
from agent.network.contract import Network
from agent.probes.contract import Reach
from agent.probes.hollow import HollowReach
from agent.resources import Resources
from agent.runtime.contract import Runtime
from agent.settings import Settings
from agent.volumes.contract import Volumes
from common.clock import Clock


class Parts(msgspec.Struct, frozen=True):
    """What an agent is made of. logs, volumes, last_words, cgroups None: the runtime has none (hollow).
    reach: how probes and hooks reach a pod over the network. images_folder: of `registries.yaml`, and of what
    is known of images; None: there is no disk (hollow). providers: of credentials."""

    name: str
    settings: Settings
    runtime: Runtime
    resources: Resources
    journal: Journal
    network: Network
    clock: Clock
    logs: PodLogs | None = None
    log_limits: LogLimits | None = None
    volumes: Volumes | None = None
    last_words: LastWords | None = None
    cgroups: PodCgroups | None = None
    reach: Reach = HollowReach()
    images_folder: Path | None = None
    providers: tuple[Provider, ...] = ()
