"""NodeReady: a node whose Ready condition is not True gets no pod.

Not a plugin of Kubernetes, which relies on the taint `node.kubernetes.io/not-ready`. The taint follows the condition by one
write of another component; a pod decided in between would go to a dead host. So the condition itself
counts here. It runs after TaintToleration, so that the message names the taint as soon as there is one.
"""

from __future__ import annotations

from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import Rejected
from master.scheduler.table import NodeTable


class NodeReady:
    name = "NodeReady"
    reason = "node(s) were not ready"

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        return [Rejected(self.name, self.reason, ~table.ready)]
