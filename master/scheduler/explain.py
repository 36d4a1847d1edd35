"""The words for a decision: Kubernetes' message for a pod that fits nowhere, and the reason for a placement.

    0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.
    preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.

The format is kube-scheduler's (v1.33 `FitError`, and its default preemption's), because people and tools read it: counts and
reasons, sorted as text. No pod is ever preempted here; the second half says truly whether it could have helped.
Pure: values in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from master.scheduler.decide import Placement, Unschedulable

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


class Verdict(msgspec.Struct, frozen=True):
    """One node, turned down: by which plugin, for which reason, on which numbers."""

    node: str
    plugin: str
    reason: str
    numbers: dict[str, int]


def message(verdict: Unschedulable) -> str:
    """What the PodScheduled condition and the FailedScheduling event say."""
    if verdict.total == 0:
        return NO_NODES
    reasons: dict[str, int] = {}
    general = []
    size = len(verdict.names)
    turned_down, hopeless = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    for rejected in verdict.rejected:
        if rejected.once:
            general.append(rejected.reason)
        else:
            reasons[rejected.reason] = reasons.get(rejected.reason, 0) + int(rejected.mask.sum())
        turned_down |= rejected.mask
        hopeless |= rejected.mask if rejected.resolvable is None else rejected.mask & ~rejected.resolvable
    unhelpful = int(hopeless.sum())
    preemption = {NOT_HELPFUL: unhelpful, NO_VICTIMS: int(turned_down.sum()) - unhelpful}
    head = f"0/{verdict.total} nodes are available: "
    return f"{head}{', '.join(general) or _histogram(reasons)}. preemption: {head}{_histogram(preemption)}."


def _histogram(counts: dict[str, int]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items() if count))


def verdicts(verdict: Unschedulable) -> Iterator[Verdict]:
    """Every node's reasons, in full."""
    for rejected in verdict.rejected:
        for slot in np.flatnonzero(rejected.mask):
            numbers = {name: int(values[slot]) for name, values in rejected.numbers.items()}
            yield Verdict(verdict.names[slot], rejected.plugin, rejected.reason, numbers)


def why_placed(placement: Placement) -> str:
    """One sentence for the binding's cause: how many nodes fit, and what the chosen one scored."""
    fits = f"fits on {placement.fitting} of {placement.total} nodes"
    if placement.fitting == 1:
        return fits
    score = sum(weight * points for _, weight, points in placement.scores)
    parts = ", ".join(f"{name} {weight}×{points}" for name, weight, points in placement.scores if points)
    return f"{fits}; {placement.node} scores {score} ({parts})" if parts else f"{fits}; all score alike"


def scheduled(placement: Placement) -> str:
    return f"Successfully assigned {placement.ask.namespace}/{placement.ask.name} to {placement.node}"
