"""PodDisruptionBudgets: how many pods may be evicted now.

    expected   what the pods' workloads want together; for a plain number of minAvailable, the pods that there are
    desired    minAvailable of that, or what maxUnavailable leaves of it
    healthy    the ready pods that nobody is deleting or has just evicted
    allowed    healthy − desired, never below 0

Writes `status` alone. An eviction (`api/eviction.py`) takes from `disruptionsAllowed` and notes its pod in `disruptedPods`; the note goes
when the pod is seen to be going, or after two minutes if it never went.
"""

from __future__ import annotations

import math

from common.clock import parse_rfc3339
from common.errors import BadRequest
from common.objects import meta, selectors
from common.objects.pod import Pod
from common.objects.policy import BudgetStatus, PodDisruptionBudget, Scaled
from master.api.contract import Actor, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, condition_document, itself, timestamp
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:disruption-controller", Role.DISRUPTION)
RESOURCE = "poddisruptionbudgets.policy"
NOTE_S = 120.0
ALLOWED = "DisruptionAllowed"
SCALED = {
    "ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps", "ReplicationController": "replicationcontrollers",
    "Deployment": "deployments.apps",
}  # fmt: skip
"""The kinds that say how many pods there should be."""


def resolved(amount: int | str, total: int) -> int:
    """A count, or a percentage of the total, rounded up."""
    if isinstance(amount, int):
        return amount
    return math.ceil(int(amount.rstrip("%")) * total / 100)


def _workload(view: ReadView, owner: meta.OwnerReference, namespace: str) -> Scaled | None:
    """The owner, or the owner's own (a Deployment), as long as it is the very one."""
    item = view.get(Scaled, Ref(SCALED[owner.kind], owner.name, namespace)) if owner.kind in SCALED else None
    if item is None or item.metadata.uid != owner.uid:
        return None
    above = item.metadata.controller
    return (_workload(view, above, namespace) or item) if above is not None else item


def wanted_pods(view: ReadView, pods: list[Pod]) -> int:
    """How many pods the workloads of these pods want together; pods of no workload are not counted."""
    found: dict[str, int] = {}
    for pod in pods:
        owner = pod.metadata.controller
        workload = _workload(view, owner, pod.metadata.namespace) if owner is not None else None
        if workload is not None:
            found[workload.metadata.uid] = workload.spec.replicas
    return sum(found.values())


def _counts(view: ReadView, budget: PodDisruptionBudget, pods: list[Pod]) -> tuple[int, int]:
    """(expected, desired)."""
    low, high = budget.spec.min_available, budget.spec.max_unavailable
    if high is not None:
        expected = wanted_pods(view, pods)
        return expected, max(0, expected - resolved(high, expected))
    if isinstance(low, str):
        expected = wanted_pods(view, pods)
        return expected, resolved(low, expected)
    return len(pods), low or 0


def _notes(budget: PodDisruptionBudget, pods: list[Pod], now: float) -> dict[str, str]:
    """The evicted pods that are still there as if nothing had happened, for a while."""
    going = {pod.metadata.name for pod in pods if pod.metadata.deletion_timestamp is not None}
    present = {pod.metadata.name for pod in pods} - going
    notes = budget.status.disrupted_pods
    return {name: at for name, at in notes.items() if name in present and parse_rfc3339(at) + NOTE_S > now}


def status_of(view: ReadView, budget: PodDisruptionBudget, now: float) -> BudgetStatus:
    """What the status should say now."""
    pods: list[Pod] = []
    if budget.spec.selector is not None:
        selector = selectors.of(budget.spec.selector)
        pods = [
            pod for pod in view.list(Pod, "pods", budget.metadata.namespace)
            if selector.matches(pod.metadata.labels) and not pod.finished
        ]  # fmt: skip
    notes = _notes(budget, pods, now)
    healthy = sum(pod.ready and pod.metadata.deletion_timestamp is None and pod.metadata.name not in notes for pod in pods)
    expected, desired = _counts(view, budget, pods)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    return BudgetStatus(
        observed_generation=budget.metadata.generation, disruptions_allowed=allowed, current_healthy=healthy, desired_healthy=desired,
        expected_pods=expected, disrupted_pods=notes, conditions=(_condition(budget, allowed > 0, now),),
    )  # fmt: skip


def _condition(budget: PodDisruptionBudget, allowed: bool, now: float) -> meta.Condition:
    old = next((c for c in budget.status.conditions if c.type == ALLOWED), None)
    word, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    since = old.last_transition_time if old is not None and old.status == word else timestamp(now)
    return meta.Condition(ALLOWED, word, reason, last_transition_time=since, observed_generation=budget.metadata.generation)


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    budget = view.get(PodDisruptionBudget, key)
    if budget is None:
        return NOTHING
    try:
        new = status_of(view, budget, now)
    except (BadRequest, ValueError):
        return NOTHING  # validation does not let it in
    ends = [parse_rfc3339(at) + NOTE_S - now for at in new.disrupted_pods.values()]
    requeue_after_s = max(0.0, min(ends)) if ends else None
    if new == budget.status:
        return Outcome((), requeue_after_s)
    document = {
        "observedGeneration": new.observed_generation, "disruptionsAllowed": new.disruptions_allowed,
        "currentHealthy": new.current_healthy, "desiredHealthy": new.desired_healthy, "expectedPods": new.expected_pods,
        "disruptedPods": {**dict.fromkeys(budget.status.disrupted_pods), **new.disrupted_pods} or None,
        "conditions": [{"message": "", **condition_document(c)} for c in new.conditions],
    }  # fmt: skip
    why = f"{new.current_healthy} of {new.expected_pods} pods are healthy, {new.desired_healthy} must be: {new.disruptions_allowed} may go"
    expected = int(budget.metadata.resource_version or 0)
    write = PatchObject(
        key, {"status": document}, cause(ACTOR, "Status", why, budget), subresource="status", uid=budget.metadata.uid, expected=expected
    )
    return Outcome((write,), requeue_after_s)


def of_pod(view: ReadView, seen: Seen) -> list[Ref]:
    """The budgets whose selectors cover the pod, as it was or as it is."""
    keys: list[Ref] = []
    for budget in view.list(PodDisruptionBudget, RESOURCE, seen.ref.namespace):
        if budget.spec.selector is None:
            continue
        selector = selectors.of(budget.spec.selector)
        if any(selector.matches(version.metadata.labels) for version in seen.versions):  # type: ignore[attr-defined]
            keys.append(Ref(RESOURCE, budget.metadata.name, seen.ref.namespace))
    return keys


def of_workload(view: ReadView, seen: Seen) -> list[Ref]:
    """All budgets of its namespace, when it may want another number of pods."""
    old, new = seen.old, seen.new
    if old is not None and new is not None and old.metadata.generation == new.metadata.generation:  # type: ignore[attr-defined]
        return []
    return [Ref(RESOURCE, each.metadata.name, seen.ref.namespace) for each in view.list(PodDisruptionBudget, RESOURCE, seen.ref.namespace)]


CONTROLLER = Controller(
    "disruption-controller", ACTOR, {RESOURCE: itself, "pods": of_pod, **dict.fromkeys(SCALED.values(), of_workload)}, reconcile
)
