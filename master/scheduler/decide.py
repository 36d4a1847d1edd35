"""The decision: which pod goes to which node. A pure function of the pods and the table of nodes.

For each pod, in the order given: every filter on every node, then every score on the nodes that are left, and the best of them.
Each placement is counted before the next pod is looked at. Nodes of equal score share the load: among them the `rotation`, a
number from the scheduler's own randomness, points at one; the golden ratio moves it on from pod to pod, so that a replay with the
same number decides the same.

A verdict is data: for a placed pod the score of every plugin, for one that fits nowhere which plugin turned down which node, and
with which numbers. Words are made of it in `explain`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from master.scheduler import plugins
from master.scheduler.ask import Ask
from master.scheduler.plugins.contract import Rejected
from master.scheduler.table import Ints, Mask, NodeTable

GOLDEN = 0.6180339887498949


class Placement(msgspec.Struct, frozen=True):
    """fitting of total nodes were possible. scores: plugin, weight, score of the chosen node."""

    ask: Ask
    node: str
    fitting: int
    total: int
    scores: tuple[tuple[str, int, int], ...]


class Unschedulable(msgspec.Struct, frozen=True):
    """rejected: each node's first objection (several, when one plugin had several). names: of the slots."""

    ask: Ask
    total: int
    rejected: tuple[Rejected, ...]
    names: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    placed: list[Placement]
    unschedulable: list[Unschedulable]


def decide(pods: Sequence[Ask], table: NodeTable, *, rotation: float = 0.0) -> Plan:
    """`table` is left as it is. Pods later in the order see those before them placed."""
    trial = table.fork()
    plan, total = Plan([], []), int(np.count_nonzero(trial.alive))
    for ask in pods:
        feasible, rejected = _refused(ask, trial) or _filter(ask, trial)
        if not feasible.any():
            plan.unschedulable.append(Unschedulable(ask, total, tuple(rejected), tuple(trial.names)))
            continue
        slot, scores = _best(ask, trial, feasible, rotation=rotation)
        rotation = (rotation + GOLDEN) % 1.0
        trial.place(ask, slot)
        plan.placed.append(Placement(ask, trial.names[slot], int(np.count_nonzero(feasible)), total, scores))
    return plan


def _refused(ask: Ask, table: NodeTable) -> tuple[Mask, list[Rejected]] | None:
    """What keeps the pod from every node, whatever they are like."""
    for plugin in plugins.PREFILTERS:
        if reason := plugin.prefilter(ask):
            nowhere = np.zeros(table.size, np.bool_)
            return nowhere, [Rejected(plugin.name, reason, table.alive.copy(), nowhere, once=True)]
    return None


def _filter(ask: Ask, table: NodeTable) -> tuple[Mask, list[Rejected]]:
    """The nodes that are left, and each other one's first objection. The mask may be the table's own."""
    left = table.alive
    found: list[Rejected] = []
    for plugin in plugins.FILTERS:
        after = left
        for rejected in plugin.filter(ask, table):
            mask = rejected.mask & left
            if mask.any():
                resolvable = None if rejected.resolvable is None else rejected.resolvable & mask
                found.append(Rejected(rejected.plugin, rejected.reason, mask, resolvable, rejected.numbers))
                after = after & ~mask
        if after is not left and not after.any():
            return after, found
        left = after
    return left, found


def _best(ask: Ask, table: NodeTable, feasible: Mask, *, rotation: float) -> tuple[int, tuple[tuple[str, int, int], ...]]:
    total: Ints | int = 0
    parts: list[tuple[str, int, Ints | int]] = []
    for plugin in plugins.SCORES:
        scores = plugin.score(ask, table, feasible)
        total = total + plugin.weight * scores
        parts.append((plugin.name, plugin.weight, scores))
    rated = np.where(feasible, total, -1)
    equal = np.flatnonzero(rated == rated.max())
    slot = int(equal[int(rotation * len(equal)) % len(equal)])
    return slot, tuple((name, weight, scores if isinstance(scores, int) else int(scores[slot])) for name, weight, scores in parts)
