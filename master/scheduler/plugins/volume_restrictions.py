"""VolumeRestrictions: a claim with the access mode ReadWriteOncePod is one pod's alone, on whichever node.

Whether another pod has it was looked up by `volumes.py`: it is the same on all nodes, and taking that pod away would help.
"""

from __future__ import annotations

from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import Rejected
from master.scheduler.table import NodeTable


class VolumeRestrictions:
    name = "VolumeRestrictions"
    reason = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        return [Rejected(self.name, self.reason, table.alive)] if ask.need is not None and ask.need.taken else []
