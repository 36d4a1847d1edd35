"""The status that a Deployment reports: counts, and the conditions Available and Progressing.

Reasons and messages are Kubernetes' own, because `kubectl rollout status`, `kubectl wait` and people read them. The
condition Progressing carries the clock of the rollout: its `lastUpdateTime` moves whenever pods do, and the deadline counts
from there. Pure: (deployment, sets, now) to a status, and how long until the deadline may pass.
"""

from __future__ import annotations

import msgspec

from common.clock import parse_rfc3339
from common.objects.meta import Condition
from common.objects.workloads import Deployment, DeploymentStatus, ReplicaSet
from master.api.contract import Document
from master.controllers.controller import condition_document, timestamp

NO_DEADLINE = 2**31 - 1


class Progress(msgspec.Struct, frozen=True):
    """What this pass learned about the rollout beyond the counts. reason: NewReplicaSetCreated, FoundNewReplicaSet,
    DeploymentPaused, DeploymentResumed, or ""."""

    reason: str = ""
    message: str = ""
    status: str = "True"


def find(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    return next((c for c in conditions if c.type == kind), None)


def set_condition(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """With `new` in place of its type's old one. Same status and reason: nothing changes."""
    old = find(conditions, new.type)
    if old is not None and old.status == new.status and old.reason == new.reason:
        return conditions
    return _put(conditions, new)


def _put(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    old = find(conditions, new.type)
    if old is not None and old.status == new.status:
        new = msgspec.structs.replace(new, last_transition_time=old.last_transition_time)
    return (*(c for c in conditions if c.type != new.type), new)


def _condition(kind: str, status: str, reason: str, message: str, now: float) -> Condition:
    at = timestamp(now)
    return Condition(kind, status, reason, message, last_transition_time=at, last_update_time=at)


class Counts(msgspec.Struct, frozen=True):
    """Pods that are neither finished nor terminating, as they are now. updated: of those, the ones of the newest template.
    wanted: what all sets together want.

    Subtle: they are counted from the pods. The sets' own statuses come later, and would call a rollout complete while a pod of an
    old template is still there."""

    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    wanted: int = 0


def counted(deployment: Deployment, counts: Counts) -> DeploymentStatus:
    """The status with these numbers, and with the conditions as they were."""
    return msgspec.structs.replace(
        deployment.status,
        observed_generation=deployment.metadata.generation,
        replicas=counts.replicas,
        updated_replicas=counts.updated,
        ready_replicas=counts.ready,
        available_replicas=counts.available,
        unavailable_replicas=max(0, counts.wanted - counts.available),
    )


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    wanted = deployment.spec.replicas
    return (
        status.updated_replicas == wanted
        and status.replicas == wanted
        and status.available_replicas == wanted
        and status.observed_generation >= deployment.metadata.generation
    )


def _moved(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    """More new pods, fewer old ones, or more of them ready or available."""
    return (
        new.updated_replicas > old.updated_replicas
        or new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        or new.ready_replicas > old.ready_replicas
        or new.available_replicas > old.available_replicas
    )


def _available(deployment: Deployment, status: DeploymentStatus, least: int, now: float) -> Condition:
    if status.available_replicas >= least:
        return _condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
    message = "Deployment does not have minimum availability."
    return _condition("Available", "False", "MinimumReplicasUnavailable", message, now)


def _timed_out(condition: Condition | None, deadline_s: int, now: float) -> bool:
    if condition is None or condition.reason == "NewReplicaSetAvailable":
        return False
    if condition.reason == "ProgressDeadlineExceeded":
        return True
    since = condition.last_update_time or condition.last_transition_time
    return since is not None and parse_rfc3339(since) + deadline_s <= now


def _progressing(
    deployment: Deployment, status: DeploymentStatus, new: ReplicaSet | None, now: float
) -> tuple[Condition, ...]:
    conditions, deadline_s = status.conditions, deployment.spec.progress_deadline_seconds
    if deadline_s is None or deadline_s == NO_DEADLINE:
        return tuple(c for c in conditions if c.type != "Progressing")
    current = find(conditions, "Progressing")
    settled = status.replicas == status.updated_replicas and current is not None and current.reason == "NewReplicaSetAvailable"
    if settled:
        return conditions
    subject = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{deployment.metadata.name}"'
    if complete(deployment, status):
        message = f"{subject} has successfully progressed."
        return set_condition(conditions, _condition("Progressing", "True", "NewReplicaSetAvailable", message, now))
    if _moved(deployment.status, status):
        return _put(conditions, _condition("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.", now))
    if _timed_out(current, deadline_s, now):
        message = f"{subject} has timed out progressing."
        return set_condition(conditions, _condition("Progressing", "False", "ProgressDeadlineExceeded", message, now))
    return conditions


def compute(
    deployment: Deployment, counts: Counts, new: ReplicaSet | None, *, least: int, progress: Progress | None, now: float
) -> DeploymentStatus:
    """The status to report. progress None: the rollout stands still (paused, scaling, being deleted): only counts and Available."""
    status = counted(deployment, counts)
    conditions = set_condition(status.conditions, _available(deployment, status, least, now))
    if progress is not None and progress.reason:
        tracked = deployment.spec.progress_deadline_seconds not in (None, NO_DEADLINE)
        if tracked:
            conditions = set_condition(
                conditions, _condition("Progressing", progress.status, progress.reason, progress.message, now)
            )
    elif progress is not None:
        conditions = _progressing(deployment, msgspec.structs.replace(status, conditions=conditions), new, now)
    return msgspec.structs.replace(status, conditions=conditions)


def with_failures(status: DeploymentStatus, new: ReplicaSet | None, old: list[ReplicaSet]) -> DeploymentStatus:
    """With the condition ReplicaFailure of the first set that has one, the newest set's before the others'; without it if none has."""
    for item in ([new] if new is not None else []) + old:
        failure = find(item.status.conditions, "ReplicaFailure")
        if failure is not None:
            failure = msgspec.structs.replace(failure, last_update_time=failure.last_transition_time)
            return msgspec.structs.replace(status, conditions=set_condition(status.conditions, failure))
    return msgspec.structs.replace(status, conditions=tuple(c for c in status.conditions if c.type != "ReplicaFailure"))


def refused(deployment: Deployment, message: str, now: float) -> DeploymentStatus:
    """The status when the ReplicaSet of a new template could not be made."""
    status = deployment.status
    if deployment.spec.progress_deadline_seconds in (None, NO_DEADLINE):
        return status
    condition = _condition("Progressing", "False", "ReplicaSetCreateError", message, now)
    return msgspec.structs.replace(status, conditions=set_condition(status.conditions, condition))


def deadline_in_s(deployment: Deployment, status: DeploymentStatus, now: float) -> float | None:
    """Seconds until the rollout will have taken too long, if nothing moves; None when nothing is under way."""
    deadline_s = deployment.spec.progress_deadline_seconds
    current = find(status.conditions, "Progressing")
    if deadline_s is None or deadline_s == NO_DEADLINE or current is None or complete(deployment, status):
        return None
    if current.reason in ("ProgressDeadlineExceeded", "NewReplicaSetAvailable") or current.last_update_time is None:
        return None
    return max(0.0, parse_rfc3339(current.last_update_time) + deadline_s - now) + 1.0


def patch(old: DeploymentStatus, new: DeploymentStatus) -> Document | None:
    """The merge patch from one to the other, None when they are equal. Counts of zero are absent, as Kubernetes has them."""
    if old == new:
        return None
    document = msgspec.to_builtins(new)
    fields = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas", "collisionCount")
    changed: Document = {field: document.get(field) for field in fields}
    changed["observedGeneration"] = new.observed_generation
    changed["conditions"] = [condition_document(c) for c in new.conditions]
    return {"status": changed}
