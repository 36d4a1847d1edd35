"""NodeResourcesFit: what a pod requests must be free on its node; emptier nodes are better.

Filter: for each resource that the pod requests (cpu, memory, ephemeral-storage, extended ones, and a place among the node's pods),
what is allocatable less what is requested there must suffice. One node may lack several things, each a reason of its own. What is
more than the node's whole allocatable cannot be helped by removing other pods.

Score, LeastAllocated: the mean over cpu and memory of the share that would be left free, with the pod on it. Containers
without requests count with Kubernetes' small default, so that they spread as well.
"""

from __future__ import annotations

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
            offered, used = table.offered(resource), table.used(resource)
            mask = used + amount > offered
            if mask.any():
                reason = "Too many pods" if resource == "pods" else f"Insufficient {resource}"
                numbers = {"requested": np.full(table.size, amount), "free": offered - used, "allocatable": offered}
                rejected.append(Rejected(self.name, reason, mask, mask & (amount <= offered), numbers))
        return rejected

    def score(self, ask: Ask, table: NodeTable, feasible: Mask) -> Ints:
        total = table.zeros()
        counted = table.zeros()
        for row, resource in enumerate(SCORED):
            offered = table.offered(resource)
            wanted = table.scored[row] + ask.scored[row]
            has = offered > 0
            share = np.where(wanted <= offered, (offered - wanted) * BEST // np.maximum(offered, 1), 0)
            total += np.where(has, share, 0)
            counted += has
        return total // np.maximum(counted, 1)
