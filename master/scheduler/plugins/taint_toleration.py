"""TaintToleration: a node's taints keep away the pods that do not tolerate them.

Filter: the first taint with the effect NoSchedule or NoExecute that the pod does not tolerate is the reason. Score: fewer
untolerated PreferNoSchedule taints are better. Nodes share few distinct sets of taints, so each set is judged once and the
verdict is spread over the nodes by index.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from common.objects.pod import Toleration
from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import BEST, Rejected
from master.scheduler.table import Ints, Mask, NodeTable

TaintTriple = tuple[str, str, str]
"""key, value, effect"""


def tolerated(taint: TaintTriple, tolerations: Iterable[Toleration]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Toleration, taint: TaintTriple) -> bool:
    key, value, effect = taint
    if toleration.effect and toleration.effect != effect:
        return False
    if toleration.key and toleration.key != key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == value


class TaintToleration:
    name = "TaintToleration"
    weight = 3

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        classes: dict[str, list[int]] = {}
        for number in self._classes(table):
            for taint in table.taint_sets[number]:
                if taint[2] in ("NoSchedule", "NoExecute") and not tolerated(taint, ask.tolerations):
                    reason = f"node(s) had untolerated taint {{{taint[0]}: {taint[1]}}}"
                    classes.setdefault(reason, []).append(number)
                    break
        return [Rejected(self.name, reason, np.isin(table.taint_class, numbers)) for reason, numbers in classes.items()]

    def score(self, ask: Ask, table: NodeTable, feasible: Mask) -> Ints | int:
        disliked = np.zeros(len(table.taint_sets), np.int64)
        for number in self._classes(table):
            disliked[number] = sum(
                taint[2] == "PreferNoSchedule" and not tolerated(taint, ask.tolerations) for taint in table.taint_sets[number]
            )
        if not disliked.any():
            return BEST
        counts = disliked[table.taint_class]
        worst = int(counts[feasible].max())
        return BEST if worst == 0 else BEST - counts * BEST // worst

    def _classes(self, table: NodeTable) -> list[int]:
        """The sets that some node has now, but for the empty one."""
        if len(table.taint_sets) == 1:
            return []
        return [int(number) for number in np.unique(table.taint_class[table.alive]) if table.taint_sets[number]]
