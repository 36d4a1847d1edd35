"""What a Deployment's pass decides on: its ReplicaSets, their pods, the bounds; and what wakes it.

Owns the counting: from the pods as they are now, because the sets' own statuses lag behind what was decided. Whatever counts
here of an object of another kind must also wake the Deployment when it changes, so the two stand side by side. Decides nothing.
"""

from __future__ import annotations

import msgspec

from common.objects import meta, selectors
from common.objects.pod import Pod
from common.objects.workloads import Deployment, ReplicaSet, RollingUpdate
from master.api.contract import Ref
from master.controllers import deployment_status, replicaset, revisions, rollout
from master.controllers.controller import Seen
from master.controllers.view import ReadView

RESOURCE = "deployments.apps"
SETS = replicaset.RESOURCE


class Facts(msgspec.Struct, frozen=True):
    """What one pass decides on. old and all are ordered from oldest to newest. sizes: of each set, by its name. unfinished:
    pods of each set that may still run, terminating ones included. left_behind: at-most-one pods of a former Deployment."""

    deployment: Deployment
    new: ReplicaSet | None
    old: list[ReplicaSet]
    sizes: dict[str, rollout.Size]
    unfinished: dict[str, int]
    bounds: rollout.Limits
    left_behind: int = 0
    counts: deployment_status.Counts = deployment_status.Counts()

    @property
    def all(self) -> list[ReplicaSet]:
        return self.old if self.new is None else [*self.old, self.new]

    @property
    def active_old(self) -> list[ReplicaSet]:
        return [item for item in self.old if item.spec.replicas > 0]

    def size(self, item: ReplicaSet) -> rollout.Size:
        return self.sizes[item.metadata.name]


def observe(view: ReadView, deployment: Deployment, sets: list[ReplicaSet], *, now: float) -> Facts:
    """Subtle: pods are counted themselves; the sets' statuses lag behind what was decided, and would let too many in. A set that is
    being deleted is still the one of its template: what comes after it has the same hash, and adopts the pods that were orphaned."""
    new = revisions.newest_of(deployment, sets)
    old = [item for item in revisions.by_age(sets) if new is None or item.metadata.uid != new.metadata.uid]
    single = replicaset.at_most_one(deployment.spec.template)
    sizes, unfinished, mine = {}, {}, []
    replicas = updated = ready = 0
    for item in sets:
        name = item.metadata.name
        pods = [pod for pod in view.owned(Pod, "pods", item.metadata.uid) if not pod.finished]
        active = [pod for pod in pods if replicaset.is_active(pod)]
        available = sum(replicaset.available_in_s(pod, item.spec.min_ready_seconds, now) == 0 for pod in active)
        replicas += len(active)
        ready += sum(pod.ready for pod in active)
        sizes[name] = rollout.Size(name, item.spec.replicas, len(pods if single else active), available)
        unfinished[name] = len(pods)
        updated = len(active) if item is new else updated
        mine += [pod.metadata.uid for pod in pods]
    left = 0
    if single:
        selector = selectors.of(deployment.spec.selector)
        left = replicaset.left_behind(view, selector, deployment.metadata.namespace, mine=mine)
    available, wanted = (sum(getattr(size, field) for size in sizes.values()) for field in ("available", "wanted"))
    counts = deployment_status.Counts(replicas, updated, ready, available, wanted)
    return Facts(deployment, new, old, sizes, unfinished, bounds_of(deployment, single), left, counts)


def bounds_of(deployment: Deployment, single: bool) -> rollout.Limits:
    desired = deployment.spec.replicas
    if deployment.spec.strategy.type == "Recreate":
        return rollout.Limits(desired)
    rolling = deployment.spec.strategy.rolling_update or RollingUpdate()
    surge = 0 if single else rolling.max_surge
    return rollout.limits(surge, rolling.max_unavailable, desired)


def ref_of_new(deployment: Deployment) -> Ref:
    digest = revisions.template_hash(deployment.spec.template, deployment.status.collision_count or 0)
    return Ref(SETS, f"{deployment.metadata.name}-{digest}", deployment.metadata.namespace)


# ---------------------------------------------------------------------- wakes


def of_set(view: ReadView, seen: Seen) -> list[Ref]:
    """The Deployments that a change of a ReplicaSet concerns."""
    keys: dict[Ref, None] = {}
    for version in seen.versions:
        owner = version.metadata.controller  # type: ignore[attr-defined]
        if owner is not None and owner.kind == "Deployment":
            keys[Ref(RESOURCE, owner.name, seen.ref.namespace)] = None
    if seen.new is not None and seen.new.metadata.controller is None:  # type: ignore[attr-defined]
        labels = seen.new.metadata.labels  # type: ignore[attr-defined]
        for candidate in view.list(Deployment, RESOURCE, seen.ref.namespace):
            if labels and selectors.of(candidate.spec.selector).matches(labels):
                keys[Ref(RESOURCE, candidate.metadata.name, seen.ref.namespace)] = None
    return list(keys)


def of_pod(view: ReadView, seen: Seen) -> list[Ref]:
    """Pods are counted, so what counts of one concerns its Deployment; and an end may be what others wait for."""
    if _counts_as(seen.old) == _counts_as(seen.new):
        return []
    keys: dict[Ref, None] = {}
    for version in seen.versions:
        owner = version.metadata.controller  # type: ignore[attr-defined]
        item = view.get(ReplicaSet, Ref(SETS, owner.name, seen.ref.namespace)) if owner is not None else None
        controller = item.metadata.controller if item is not None else None
        if controller is not None and controller.kind == "Deployment":
            keys[Ref(RESOURCE, controller.name, seen.ref.namespace)] = None
    if replicaset.may_free_a_place(seen):
        for candidate in view.list(Deployment, RESOURCE, seen.ref.namespace):
            if selectors.of(candidate.spec.selector).matches(seen.old.metadata.labels):  # type: ignore[union-attr]
                keys[Ref(RESOURCE, candidate.metadata.name, seen.ref.namespace)] = None
    return list(keys)


def _counts_as(pod: meta.View | None) -> tuple[object, ...] | None:
    """All of a pod that a Deployment's numbers depend on."""
    if not isinstance(pod, Pod):
        return None
    owner = pod.metadata.controller
    return owner.uid if owner is not None else "", pod.finished, pod.metadata.deletion_timestamp is not None, pod.ready
