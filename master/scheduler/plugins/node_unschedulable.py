"""NodeUnschedulable: a cordoned node takes no new pods.

The exception is Kubernetes' own: a pod that tolerates the taint `node.kubernetes.io/unschedulable:NoSchedule` may still go there.
Node lifecycle sets that taint too, but later; the field is what `kubectl cordon` writes, and it counts at once. This runs before
TaintToleration, so that the message speaks of cordoning and not of a taint.
"""

from __future__ import annotations

from common.objects.node import TAINT_UNSCHEDULABLE
from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import Rejected
from master.scheduler.plugins.taint_toleration import tolerated
from master.scheduler.table import NodeTable


class NodeUnschedulable:
    name = "NodeUnschedulable"
    reason = "node(s) were unschedulable"

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        if not table.unschedulable.any() or tolerated((TAINT_UNSCHEDULABLE, "", "NoSchedule"), ask.tolerations):
            return []
        return [Rejected(self.name, self.reason, table.unschedulable)]
