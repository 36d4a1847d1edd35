"""The host's network, as the agent wishes it: this node's pod CIDR, the ways to the other nodes' pods, ports of the host that lead to pods.

The wishes are plain calls that keep the newest; `run` makes them true, again after each failure, until cancelled.
Implementations: `host.py` (CNI configuration and kernel routes), `NoNetwork` here (hollow hosts, whose pods have an address and
nothing behind it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from agent.network.host_ports import HostPort
from common.wire.messages import Peer


class Network(Protocol):
    makes_routes: bool
    """Whether it needs the other nodes at all: who does not is not told of them."""

    def use_pod_cidr(self, pod_cidr: str) -> None:
        """Pods made from now on get addresses from it. Idempotent."""

    def use_peers(self, peers: tuple[Peer, ...]) -> None:
        """All other nodes. Idempotent; what is not named loses its route."""

    def use_host_ports(self, uid: str, ports: tuple[HostPort, ...]) -> None:
        """Those of that pod; () takes them away. Idempotent."""

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

    def use_host_ports(self, uid: str, ports: tuple[HostPort, ...]) -> None:
        """No container listens."""

    async def run(self) -> None:
        await asyncio.Event().wait()
