"""VolumeBinding: a pod goes where its claims' volumes can be had.

Filter: a bound volume must reach the node; a claim that waits for its first pod must find a volume there, or its class must let one be
made there. Before any node is looked at: a claim that is missing, on its way out, lost, or of a class that does not wait for pods and still
without a volume keeps its pod from every node. What claims there are and what fits them was looked up by `volumes.py` (the `need`); here
only nodes' names and labels count, so that verdicts are remembered until a label changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.objects import storage
from master.scheduler.ask import Ask, Need, OpenClaim
from master.scheduler.plugins.contract import Rejected
from master.scheduler.table import Mask, NodeTable


class VolumeBinding:
    name = "VolumeBinding"
    conflict = "node(s) had volume node affinity conflict"
    none_found = "node(s) didn't find available persistent volumes to bind"

    def prefilter(self, ask: Ask) -> str:
        """Why the pod fits nowhere, whatever nodes there are; ""."""
        return "" if ask.need is None else ask.need.trouble

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        if ask.need is None:
            return []
        found = []
        if ask.need.affinities:
            key = (self.name, "affinity", repr(ask.need.affinities))
            mask = table.remembered.get(key)
            if mask is None:
                mask = table.remember(key, ~_reached(ask.need, table))
            found.append(Rejected(self.name, self.conflict, mask, np.zeros(table.size, np.bool_)))
        if ask.need.open:
            mask = ~_found(ask.need.open, table)
            found.append(Rejected(self.name, self.none_found, mask, np.zeros(table.size, np.bool_)))
        return found


def _reached(need: Need, table: NodeTable) -> Mask:
    reached = np.zeros(table.size, np.bool_)
    for name, slot in table.slots.items():
        labels = table.labels[slot]
        reached[slot] = all(storage.meets(terms, name, labels) for terms in need.affinities)
    return reached


def _found(claims: Sequence[OpenClaim], table: NodeTable) -> Mask:
    found = np.zeros(table.size, np.bool_)
    for name, slot in table.slots.items():
        labels = table.labels[slot]
        found[slot] = all(
            claim.selected == name if claim.selected
            else any(storage.reaches(volume, name, labels) for volume in claim.volumes)
            or (claim.storage_class is not None and storage.allows(claim.storage_class, labels))
            for claim in claims
        )
    return found
