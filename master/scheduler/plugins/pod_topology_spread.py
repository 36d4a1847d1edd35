"""PodTopologySpread: the pods of one workload go to different nodes.

Kubernetes' default constraints, reduced to hosts: a node that has fewer pods of the same controller is better, from 100 for the
fewest to 0 for the most. The controller stands for the selector that Kubernetes looks up, so that pods of another
revision of a Deployment do not count. Only a score: it never keeps a pod from running. A pod without a controller spreads by
load alone.
"""

from __future__ import annotations

from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import BEST
from master.scheduler.table import Ints, Mask, NodeTable


class PodTopologySpread:
    name = "PodTopologySpread"
    weight = 2

    def score(self, ask: Ask, table: NodeTable, feasible: Mask) -> Ints | int:
        counts = table.owners.get(ask.owner) if ask.owner else None
        if counts is None:
            return 0
        fewest, most = int(counts[feasible].min()), int(counts[feasible].max())
        if most == fewest:
            return BEST
        return (most - counts) * BEST // (most - fewest)
