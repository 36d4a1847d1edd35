"""NodeAffinity: `nodeSelector`, and the node affinity that a pod requires or prefers.

Filter: every pair of the selector, and one of the required terms; a term is met by all its expressions (on labels) and fields (on
`metadata.name`), an empty term by nothing. Score: the weights of the preferred terms that are met. Both depend on labels
alone, so a verdict is remembered in the table until some label changes; the pods of a workload share it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from common.objects.selectors import Requirement
from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import BEST, Rejected
from master.scheduler.table import Ints, Mask, NodeTable

OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
Term = tuple[tuple[Requirement, ...], tuple[Requirement, ...]]
"""Requirements on labels, requirements on fields."""


class NodeAffinity:
    name = "NodeAffinity"
    weight = 2
    reason = "node(s) didn't match Pod's node affinity/selector"

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]:
        required = (ask.node_affinity or {}).get(REQUIRED)
        if not ask.node_selector and required is None:
            return []
        key = (self.name, "filter", ask.node_selector, repr(required))
        mask = table.remembered.get(key)
        if mask is None:
            mask = table.remember(key, ~self._fitting(ask, required, table))
        return [Rejected(self.name, self.reason, mask)]

    def _fitting(self, ask: Ask, required: dict[str, Any] | None, table: NodeTable) -> Mask:
        terms = None if required is None else [_term(term) for term in required.get("nodeSelectorTerms") or ()]
        fitting = np.zeros(table.size, np.bool_)
        for name, slot in table.slots.items():
            labels = table.labels[slot]
            fitting[slot] = all(labels.get(label) == value for label, value in ask.node_selector) and (
                terms is None or any(_meets(term, name, labels) for term in terms)
            )
        return fitting

    def score(self, ask: Ask, table: NodeTable, feasible: Mask) -> Ints | int:
        preferred = (ask.node_affinity or {}).get(PREFERRED)
        if not preferred:
            return 0
        key = (self.name, "score", repr(preferred))
        weights: Ints | None = table.remembered.get(key)
        if weights is None:
            weights = table.remember(key, _weights(preferred, table))
        assert weights is not None
        most = int(weights[feasible].max())
        return weights * BEST // most if most > 0 else 0


def _weights(preferred: list[dict[str, Any]], table: NodeTable) -> Ints:
    weights = table.zeros()
    for wish in preferred:
        term = _term(wish.get("preference") or {})
        for name, slot in table.slots.items():
            if _meets(term, name, table.labels[slot]):
                weights[slot] += int(wish.get("weight", 0))
    return weights


def _term(term: dict[str, Any]) -> Term:
    return _requirements(term.get("matchExpressions")), _requirements(term.get("matchFields"))


def _requirements(expressions: list[dict[str, Any]] | None) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(e["key"], OPERATORS[e["operator"]], tuple(e.get("values") or ())) for e in expressions or ()
    )


def _meets(term: Term, name: str, labels: dict[str, str]) -> bool:
    expressions, fields = term
    if not expressions and not fields:
        return False
    return all(e.matches(labels) for e in expressions) and all(f.matches({"metadata.name": name}) for f in fields)
