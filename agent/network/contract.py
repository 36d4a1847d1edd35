"""The host's network, as the agent wishes it: this node's pod CIDR, and the ways to the other nodes' pods.

The wishes are plain calls that keep the newest; `run` makes them true, again after each failure, until cancelled.
Implementations: `host.py` (CNI configuration and kernel routes), `NoNetwork` here (hollow hosts, whose pods have an address and
nothing behind it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from common.wire.messages import Peer


class Network(Protocol):
    makes_routes: bool
    """Whether it needs the other nodes at all: who does not is not told of them."""

    def use_pod_cidr(self, pod_cidr: str) -> None:
        """Pods made from now on get addresses from it. Idempotent."""

    def use_peers(self, peers: tuple[Peer, ...]) -> None:
        """All other nodes. Idempotent; what is not named loses its route."""

    async def run(self) -> None:
        """Never ends by itself."""


class NoNetwork:
    """tell: called with the pod CIDR, e.g. `HollowWorld.use_pod_cidr`."""

    makes_routes = False

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell

    def use_pod_cidr(self, pod_cidr: str) -> None:
        self._tell(pod_cidr)

    def use_peers(self, peers: tuple[Peer, ...]) -> None:
        """There are no routes to make."""

    async def run(self) -> None:
        await asyncio.Event().wait()
