"""NodeResourcesFit: what a pod requests must be free on its node; emptier nodes are better.

Filter: for each resource that the pod requests (cpu, memory, ephemeral-storage, extended ones, and a place among the node's pods),
what is allocatable less what is requested there must suffice. One node may lack several things, each a reason of its own. What is
more than the node's whole allocatable cannot be helped by removing other pods.

Score, LeastAllocated: the mean over cpu and memory of the share that would be left free, with the pod on it. Containers
without requests count with Kubernetes' small default, so that they spread as well.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import BEST, Rejected
from master.scheduler.table import Ints, Mask, NodeTable

SCORED = ("cpu", "memory")


class NodeResourcesFit:
    name = "NodeResourcesFit"
    weight = 1

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        rejected = []
        for resource, amount in ask.requests.items():
            if amount <= 0:
                continue
            mask = table.derived((self.name, resource, amount), partial(_lacking, table, resource, amount))
            if mask.any():
                offered, used = table.offered(resource), table.used(resource)
                reason = "Too many pods" if resource == "pods" else f"Insufficient {resource}"
                numbers = {"requested": np.full(table.size, amount), "free": offered - used, "allocatable": offered}
                rejected.append(Rejected(self.name, reason, mask, mask & (amount <= offered), numbers))
        return rejected

    def score(self, ask: Ask, table: NodeTable, feasible: Mask) -> Ints:
        return table.derived((self.name, ask.scored), partial(_least_allocated, table, ask.scored))


def _lacking(table: NodeTable, resource: str, amount: int, slots: slice) -> Mask:
    """Free slots lack nothing: what is said of a node would be made for them too."""
    return (table.used(resource)[slots] + amount > table.offered(resource)[slots]) & table.alive[slots]


def _least_allocated(table: NodeTable, scored: tuple[int, int], slots: slice) -> Ints:
    """Subtle: a node that offers neither, or not enough, has no share; no number here is negative."""
    total, counted = 0, 0
    for row, resource in enumerate(SCORED):
        offered = table.offered(resource)[slots]
        left = np.maximum(offered - table.scored[row, slots] - scored[row], 0)
        total = total + left * BEST // np.maximum(offered, 1)
        counted = counted + (offered > 0)
    return total // np.maximum(counted, 1)  # type: ignore[return-value, no-any-return]
