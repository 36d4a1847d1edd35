"""NodeName: a pod that names its node goes there or nowhere.

A stored pod with `spec.nodeName` is bound already and never comes to the scheduler, so in the running cluster this objects to
nothing. It counts where a decision is rehearsed for a pod that is not stored yet ("would it fit on n1?"): then every other
node is turned down with Kubernetes' reason.
"""

from __future__ import annotations

import numpy as np

from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import Rejected
from master.scheduler.table import NodeTable


class NodeName:
    name = "NodeName"
    reason = "node(s) didn't match the requested node name"

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        if not ask.node_name:
            return []
        mask = np.ones(table.size, np.bool_)
        if ask.node_name in table.slots:
            mask[table.slots[ask.node_name]] = False
        return [Rejected(self.name, self.reason, mask)]
