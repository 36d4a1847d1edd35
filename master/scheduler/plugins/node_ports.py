"""NodePorts: two pods cannot have the same port of one host.

The address 0.0.0.0 collides with every other address on the same protocol and port. Few pods ask for host ports, so the nodes
that have any taken are walked one by one.
"""

from __future__ import annotations

import numpy as np

from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import Rejected
from master.scheduler.table import NodeTable

ANY = "0.0.0.0"


class NodePorts:
    name = "NodePorts"
    reason = "node(s) didn't have free ports for the requested pod ports"

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        if not ask.ports:
            return []
        mask = np.zeros(table.size, np.bool_)
        for slot, taken in table.ports.items():
            mask[slot] = any(_collide(port, other) for port in ask.ports for other in taken)
        return [Rejected(self.name, self.reason, mask, mask)]


def _collide(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    return one[0] == other[0] and one[2] == other[2] and (one[1] == other[1] or ANY in (one[1], other[1]))
