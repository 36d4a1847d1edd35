"""ReplicaSet: as many pods as wanted, made from one template.

Counts the pods it owns that are neither finished nor on their way out; makes what is missing and deletes what is too
much, in Kubernetes' order (`RANK` below). It alone makes and deletes these pods and writes `status`; how many there
should be is said by users or by the Deployment controller.

Subtle: pods whose template carries `steersman.io/at-most-one: "true"` keep their place until they are gone: a terminating
one counts, since its containers may still run on a host that nobody can reach. So do such pods of a former owner with the same
selector: who deletes a workload and makes it anew still means one.
"""

from __future__ import annotations

import msgspec

from common.clock import parse_rfc3339
from common.errors import BadRequest, SteersmanError
from common.objects import meta, selectors
from common.objects.pod import Pod
from common.objects.workloads import Deployment, ReplicaSet, ReplicaSetStatus
from master.api.contract import (
    Actor, CreateObject, DeleteObject, Document, ObjectChange, PatchObject, Ref, Role,
)  # fmt: skip
from master.controllers import claims
from master.controllers.controller import (
    NOTHING, Controller, Outcome, Seen, cause, condition_document, counted, event, itself, namespace_ends, timestamp,
)  # fmt: skip
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:replicaset-controller", Role.REPLICASET)
RESOURCE = "replicasets.apps"
AT_MOST_ONE = "steersman.io/at-most-one"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

BURST = 500
"""Pods made or deleted in one pass at most; the next pass follows at once."""

PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def at_most_one(template: Document) -> bool:
    annotations = template.get("metadata", {}).get("annotations") or {}
    return annotations.get(AT_MOST_ONE) == "true"


def left_behind(view: ReadView, selector: selectors.Selector, namespace: str, *, mine: list[str]) -> int:
    """At-most-one pods that match and may still run, though their owner is gone or they are on their way out: those of a
    former workload of that name. The pods of another living workload do not count, however its selector overlaps."""
    return sum(
        pod.metadata.annotations.get(AT_MOST_ONE) == "true" and not pod.finished and pod.metadata.uid not in mine
        and selector.matches(pod.metadata.labels) and (pod.metadata.deletion_timestamp is not None or not _is_owned(view, pod))
        for pod in view.list(Pod, "pods", namespace)
    )  # fmt: skip


def _is_owned(view: ReadView, pod: Pod) -> bool:
    """Its ReplicaSet stands, and so does that one's Deployment, if it has one."""
    owner = pod.metadata.controller
    if owner is None or owner.kind != "ReplicaSet":
        return True
    item = view.get(ReplicaSet, Ref(RESOURCE, owner.name, pod.metadata.namespace))
    if item is None or item.metadata.uid != owner.uid or item.metadata.deletion_timestamp is not None:
        return False
    parent = item.metadata.controller
    if parent is None or parent.kind != "Deployment":
        return True
    found = view.get(Deployment, Ref("deployments.apps", parent.name, pod.metadata.namespace))
    return found is not None and found.metadata.uid == parent.uid and found.metadata.deletion_timestamp is None


def is_active(pod: Pod) -> bool:
    return not pod.finished and pod.metadata.deletion_timestamp is None


def available_in_s(pod: Pod, min_ready_s: int, now: float) -> float | None:
    """Seconds until the pod counts as available: 0 if it does, None if it is not ready."""
    ready = pod.condition("Ready")
    if ready is None or ready.status != "True":
        return None
    if min_ready_s == 0:
        return 0.0
    if ready.last_transition_time is None:
        return None
    return max(0.0, parse_rfc3339(ready.last_transition_time) + min_ready_s - now)


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    wanted = view.get(ReplicaSet, key)
    if wanted is None:
        return NOTHING
    try:
        selector = selectors.of(wanted.spec.selector)
    except BadRequest:
        return NOTHING  # validation does not let it in
    owner = claims.Owner(wanted, "ReplicaSet", "apps/v1", "pods", ACTOR)
    claim = claims.claim(view, Pod, owner, selector=selector, adoptable=is_active)
    if claim.changes:
        return Outcome(tuple(claim.changes))
    active = [pod for pod in claim.mine if is_active(pod)]
    changes: list[ObjectChange] = []
    status, requeue_after_s = _status(wanted, active, now)
    if status is not None:
        changes.append(status)
    if wanted.metadata.deletion_timestamp is None:
        occupied = len(active)
        if at_most_one(wanted.spec.template):
            occupied = sum(not pod.finished for pod in claim.mine)
            occupied += left_behind(view, selector, key.namespace, mine=[pod.metadata.uid for pod in claim.mine])
        changes += _resize(view, wanted, active, occupied)
    return Outcome(tuple(changes), requeue_after_s)


def _resize(view: ReadView, wanted: ReplicaSet, active: list[Pod], occupied: int) -> list[ObjectChange]:
    missing = wanted.spec.replicas - occupied
    extra = len(active) - wanted.spec.replicas
    if missing > 0:
        number = min(missing, BURST)
        why = f"ReplicaSet {wanted.metadata.name} wants {counted(wanted.spec.replicas, 'pod')} and has {occupied}"
        create = CreateObject("pods", wanted.metadata.namespace, pod_of(wanted), cause(ACTOR, "ScaleUp", why, wanted))
        return [create] * number
    if extra > 0:
        victims = ranked(active, _crowds(view, wanted, active))[: min(extra, BURST)]
        why = f"ReplicaSet {wanted.metadata.name} wants {counted(wanted.spec.replicas, 'pod')} and has {len(active)}"
        return [
            DeleteObject(
                Ref("pods", pod.metadata.name, pod.metadata.namespace), cause(ACTOR, "ScaleDown", why, wanted),
                uid=pod.metadata.uid,
            )
            for pod in victims
        ]  # fmt: skip
    return []


def pod_of(wanted: ReplicaSet) -> Document:
    """The document of one more pod."""
    template = wanted.spec.template
    metadata: Document = {key: template.get("metadata", {}).get(key) for key in ("labels", "annotations", "finalizers")}
    metadata = {key: value for key, value in metadata.items() if value}
    metadata["generateName"] = f"{wanted.metadata.name}-"
    metadata["namespace"] = wanted.metadata.namespace
    metadata["ownerReferences"] = [claims.Owner(wanted, "ReplicaSet", "apps/v1", "pods", ACTOR).reference()]
    return {"metadata": metadata, "apiVersion": "v1", "kind": "Pod", "spec": template.get("spec", {})}


def _crowds(view: ReadView, wanted: ReplicaSet, active: list[Pod]) -> dict[str, int]:
    """How many pods of the same workload, all its ReplicaSets together, each node holds."""
    related = list(active)
    if wanted.metadata.controller is not None:
        for other in view.owned(ReplicaSet, RESOURCE, wanted.metadata.controller.uid):
            if other.metadata.uid != wanted.metadata.uid:
                related += [pod for pod in view.owned(Pod, "pods", other.metadata.uid) if is_active(pod)]
    crowds: dict[str, int] = {}
    for pod in related:
        crowds[pod.spec.node_name] = crowds.get(pod.spec.node_name, 0) + 1
    return crowds


def _rank(pod: Pod, crowds: dict[str, int]) -> tuple[object, ...]:
    """Lower goes first: unassigned < assigned, pending < running, not ready < ready, cheaper < dearer, doubled up on its
    node < alone, ready later < earlier, more restarts < fewer, newer < older."""
    ready = pod.condition("Ready")
    ready_at = parse_rfc3339(ready.last_transition_time) if ready is not None and ready.last_transition_time else 0.0
    cost = pod.metadata.annotations.get(DELETION_COST, "0")
    created_at = parse_rfc3339(pod.metadata.creation_timestamp) if pod.metadata.creation_timestamp else 0.0
    return (
        bool(pod.spec.node_name),
        PHASES.get(pod.status.phase, 2),
        pod.ready,
        int(cost) if cost.lstrip("-").isdigit() else 0,
        -crowds.get(pod.spec.node_name, 0),
        -ready_at if pod.ready else 0.0,
        -sum(c.restart_count for c in pod.status.container_statuses),
        -created_at,
        pod.metadata.name,
    )


def ranked(pods: list[Pod], crowds: dict[str, int]) -> list[Pod]:
    """In the order in which they are to be deleted. crowds: pods of the workload on each node."""
    return sorted(pods, key=lambda pod: _rank(pod, crowds))


def _status(wanted: ReplicaSet, active: list[Pod], now: float) -> tuple[PatchObject | None, float | None]:
    """The patch that brings `status` up to date, if it is not, and when a ready pod becomes available by itself."""
    labels = wanted.spec.template.get("metadata", {}).get("labels") or {}
    waits = [available_in_s(pod, wanted.spec.min_ready_seconds, now) for pod in active]
    new = ReplicaSetStatus(
        replicas=len(active),
        fully_labeled_replicas=sum(labels.items() <= pod.metadata.labels.items() for pod in active),
        ready_replicas=sum(wait is not None for wait in waits),
        available_replicas=sum(wait == 0 for wait in waits),
        observed_generation=wanted.metadata.generation,
        conditions=_conditions(wanted, len(active)),
    )
    pending = [wait for wait in waits if wait]
    requeue_after_s = min(pending) if pending else None
    if new == wanted.status:
        return None, requeue_after_s
    document = msgspec.to_builtins(msgspec.structs.replace(new, conditions=()))
    conditions = [condition_document(condition) for condition in new.conditions]
    patch = {field: document.get(field) for field in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")}
    patch |= {"replicas": new.replicas, "observedGeneration": new.observed_generation, "conditions": conditions or None}
    why = f"{new.replicas} of {wanted.spec.replicas} pods exist, {new.ready_replicas} ready, {new.available_replicas} available"
    ref = Ref(RESOURCE, wanted.metadata.name, wanted.metadata.namespace)
    write = PatchObject(ref, {"status": patch}, cause(ACTOR, "Status", why, wanted), subresource="status", uid=wanted.metadata.uid)
    return write, requeue_after_s


def _conditions(wanted: ReplicaSet, active: int) -> tuple[meta.Condition, ...]:
    """A failure is over when the number is right; until then each pass tries again."""
    over = active == wanted.spec.replicas
    return tuple(c for c in wanted.status.conditions if not (over and c.type == "ReplicaFailure"))


def _refused(wanted: ReplicaSet, verb: str, error: SteersmanError, now: float) -> tuple[ObjectChange, ...]:
    """An Event for each attempt; the condition ReplicaFailure once, with the first words."""
    ref, doing = Ref(RESOURCE, wanted.metadata.name, wanted.metadata.namespace), {"Create": "creating", "Delete": "deleting"}[verb]
    message = f"Error {doing}: {error.message}"
    told = event(ref, wanted, kind="ReplicaSet", type="Warning", reason=f"Failed{verb}", message=message, actor=ACTOR)
    if any(condition.type == "ReplicaFailure" for condition in wanted.status.conditions):
        return (told,)
    failure = meta.Condition("ReplicaFailure", "True", f"Failed{verb}", error.message, last_transition_time=timestamp(now))
    conditions = [condition_document(condition) for condition in (*wanted.status.conditions, failure)]
    why = cause(ACTOR, "Status", message, wanted)
    return told, PatchObject(ref, {"status": {"conditions": conditions}}, why, subresource="status", uid=wanted.metadata.uid)


def feedback(
    view: ReadView, key: Ref, change: ObjectChange, result: meta.View | SteersmanError | None, *, now: float
) -> tuple[ObjectChange, ...]:
    """What is to be told about the pods that were made, refused or deleted."""
    wanted = view.get(ReplicaSet, key)
    if wanted is None:
        return ()
    if isinstance(result, SteersmanError):
        verb = {CreateObject: "Create", DeleteObject: "Delete"}.get(type(change))
        return () if verb is None or namespace_ends(result) else _refused(wanted, verb, result, now)
    if isinstance(change, CreateObject) and isinstance(result, meta.Object):
        message = f"Created pod: {result.metadata.name}"
        return (event(key, wanted, kind="ReplicaSet", reason="SuccessfulCreate", message=message, actor=ACTOR),)
    if isinstance(change, DeleteObject) and result is None:
        message = f"Deleted pod: {change.ref.name}"
        return (event(key, wanted, kind="ReplicaSet", reason="SuccessfulDelete", message=message, actor=ACTOR),)
    return ()


def of_pod(view: ReadView, seen: Seen) -> list[Ref]:
    """The ReplicaSets that a change of a pod concerns: its controller, before and now, and whoever might adopt it."""
    keys: dict[Ref, None] = {}
    for version in seen.versions:
        owner = version.metadata.controller  # type: ignore[attr-defined]
        if owner is not None and owner.kind == "ReplicaSet":
            keys[Ref(RESOURCE, owner.name, seen.ref.namespace)] = None
    changed = seen.new or seen.old
    if isinstance(changed, Pod) and (changed.metadata.controller is None or may_free_a_place(seen)):
        for candidate in view.list(ReplicaSet, RESOURCE, seen.ref.namespace):
            if changed.metadata.labels and selectors.of(candidate.spec.selector).matches(changed.metadata.labels):
                keys[Ref(RESOURCE, candidate.metadata.name, seen.ref.namespace)] = None
    return list(keys)


def may_free_a_place(seen: Seen) -> bool:
    """An at-most-one pod is gone or has ended."""
    pod, new = seen.old, seen.new
    gone = isinstance(pod, Pod) and (not isinstance(new, Pod) or new.finished or new.metadata.uid != pod.metadata.uid)
    return gone and isinstance(pod, Pod) and pod.metadata.annotations.get(AT_MOST_ONE) == "true"


CONTROLLER = Controller(
    "replicaset-controller", ACTOR, {RESOURCE: itself, "pods": of_pod}, reconcile, workers=5, feedback=feedback
)
