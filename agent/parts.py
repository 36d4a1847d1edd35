"""What an agent is made of: every port and value it is given, in one struct.

`__main__` fills it for a real host, the simulation for a hollow one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec

from agent.journal import Journal
from agent.network.contract import Network
from agent.operations import LogFolders
from agent.resources import Resources
from agent.runtime.contract import Runtime
from agent.settings import Settings
from common.clock import Clock


class LogServer(Protocol):
    def open(self, request: dict[str, Any]) -> AsyncIterator[bytes]:
        """See `agent.link.StreamServer`, kind "logs"."""


class Parts(msgspec.Struct, frozen=True):
    """What an agent is made of. logs, log_folders None: the runtime writes no logs (hollow)."""

    name: str
    settings: Settings
    runtime: Runtime
    resources: Resources
    journal: Journal
    network: Network
    clock: Clock
    logs: LogServer | None = None
    log_folders: LogFolders | None = None
