"""Deployment: one ReplicaSet per template, and the way from one to the next.

Owns the existence, size and annotations of its ReplicaSets, and `status`; the pods are the ReplicaSets' business. Each pass
looks at the sets as they are, decides the next sizes (`rollout.py`), keeps revisions (`revisions.py`) and reports
(`deployment_status.py`); the events of what it changed start the next pass, until nothing is left to change.

    being deleted ─► status only
    paused, or spec.replicas changed ─► sizes in proportion, no new set while paused
    Recreate      ─► old sets to zero ─► their pods gone ─► new set
    RollingUpdate ─► new set grows into the surge, old ones shrink to the floor, in turn
    complete      ─► sets beyond the history limit go

Subtle: pods that must be at most one never surge, whatever the strategy says, and count until they are gone.
"""

from __future__ import annotations

import msgspec

from common.errors import BadRequest, SteersmanError
from common.objects import meta, selectors
from common.objects.workloads import Deployment, ReplicaSet
from master.api.contract import (
    Actor, CreateObject, DeleteObject, Document, ObjectChange, PatchObject, Ref, Role,
)  # fmt: skip
from master.controllers import claims, deployment_facts, deployment_status, revisions, rollout
from master.controllers.controller import NOTHING, Controller, Outcome, cause, counted, event, itself, namespace_ends
from master.controllers.deployment_facts import RESOURCE, SETS, Facts
from master.controllers.deployment_status import Progress
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:deployment-controller", Role.DEPLOYMENT)


class Plan(msgspec.Struct, frozen=True):
    """sizes: of existing sets, by name, those that change. make: the size of a new set to be made, None for none.
    prune: sets to delete. moving: the rollout may go on (Progressing is kept up to date)."""

    sizes: dict[str, int] = {}
    make: int | None = None
    prune: list[ReplicaSet] = []
    moving: bool = True


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    deployment = view.get(Deployment, key)
    if deployment is None:
        return NOTHING
    try:
        selector = selectors.of(deployment.spec.selector)
    except BadRequest:
        return NOTHING  # validation does not let it in
    owner = claims.Owner(deployment, "Deployment", "apps/v1", SETS, ACTOR)
    claim = claims.claim(view, ReplicaSet, owner, selector=selector)
    if claim.changes:
        return Outcome(tuple(claim.changes))
    facts = deployment_facts.observe(view, deployment, claim.mine, now=now)
    plan = _plan(facts)
    changes: list[ObjectChange] = []
    if plan.make is not None:
        taken = view.get(ReplicaSet, deployment_facts.ref_of_new(deployment))
        if taken is not None:
            return _collision(deployment)
        changes += _make(deployment, facts, plan.make)
    changes += _resize(facts, plan)
    changes += [_delete(facts, item) for item in plan.prune]
    number = _revision(facts, plan)
    if number and deployment.metadata.annotations.get(revisions.REVISION) != str(number):
        changes.append(_patch_annotations(deployment, number))
    status = deployment_status.compute(
        deployment, facts.counts, facts.new, least=facts.bounds.least, progress=_progress(facts, plan), now=now
    )
    if plan.moving:
        status = deployment_status.with_failures(status, facts.new, facts.old)
    patch = deployment_status.patch(deployment.status, status)
    if patch is not None:
        why = f"{status.updated_replicas} of {deployment.spec.replicas} pods updated, {status.available_replicas} available"
        changes.append(PatchObject(key, patch, cause(ACTOR, "Status", why, deployment), subresource="status", uid=deployment.metadata.uid))
    return Outcome(tuple(changes), deployment_status.deadline_in_s(deployment, status, now) if plan.moving else None)


# ----------------------------------------------------------------------- plan


def _plan(facts: Facts) -> Plan:
    deployment = facts.deployment
    if deployment.metadata.deletion_timestamp is not None:
        return Plan(moving=False)
    if deployment.spec.paused:
        prune = revisions.expired(deployment, facts.old)
        return Plan(sizes=_scaled(facts), prune=prune, moving=False)
    if _was_scaled(facts):
        return Plan(sizes=_scaled(facts), moving=False)
    plan = _recreate(facts) if deployment.spec.strategy.type == "Recreate" else _roll(facts)
    if plan == Plan() and deployment_status.complete(deployment, deployment_status.counted(deployment, facts.counts)):
        return Plan(prune=revisions.expired(deployment, facts.old))
    return plan


def _was_scaled(facts: Facts) -> bool:
    """spec.replicas differs from what the sets were last sized for."""
    for item in facts.all:
        text = item.metadata.annotations.get(revisions.DESIRED)
        if item.spec.replicas > 0 and text is not None and text != str(facts.deployment.spec.replicas):
            return True
    return False


def _scaled(facts: Facts) -> dict[str, int]:
    """Sizes after a change of spec.replicas, the rollout standing still. Sets whose size stays appear too, when they are
    active: their annotations must follow."""
    desired = facts.deployment.spec.replicas
    active = [item for item in facts.all if item.spec.replicas > 0]
    if len(active) <= 1:
        latest = active[0] if active else facts.new or (facts.old[-1] if facts.old else None)
        return {latest.metadata.name: desired} if latest is not None else {}
    new = facts.new
    sized_for = new.metadata.annotations.get(revisions.DESIRED) if new is not None else None
    if new is not None and new.spec.replicas == desired == facts.size(new).available and sized_for == str(desired):
        return {item.metadata.name: 0 for item in facts.active_old} | {new.metadata.name: desired}
    if facts.deployment.spec.strategy.type == "Recreate":
        return {item.metadata.name: item.spec.replicas for item in active}
    present = facts.deployment.status.replicas
    previous = {i.metadata.name: revisions.number(i.metadata.annotations, revisions.MOST) or present for i in active}
    most = facts.bounds.most if desired > 0 else 0
    return rollout.proportional(most, [facts.size(item) for item in active], previous)


def _recreate(facts: Facts) -> Plan:
    if facts.active_old:
        return Plan(sizes={item.metadata.name: 0 for item in facts.active_old})
    if facts.left_behind or any(facts.unfinished[item.metadata.name] for item in facts.old):
        return Plan()
    desired = facts.deployment.spec.replicas
    if facts.new is None:
        return Plan(make=desired)
    return Plan(sizes={facts.new.metadata.name: desired}) if facts.new.spec.replicas != desired else Plan()


def _roll(facts: Facts) -> Plan:
    old = [facts.size(item) for item in facts.old]
    others = [*old, rollout.Size("", 0, facts.left_behind)]
    if facts.new is None:
        return Plan(make=rollout.grow_new(facts.bounds, rollout.Size("", 0), others))
    new = facts.size(facts.new)
    grown = rollout.grow_new(facts.bounds, new, others)
    if grown != new.wanted:
        return Plan(sizes={new.name: grown})
    return Plan(sizes=rollout.shrink_old(facts.bounds, new, old))


def _progress(facts: Facts, plan: Plan) -> Progress | None:
    deployment = facts.deployment
    current = deployment_status.find(deployment.status.conditions, "Progressing")
    if deployment.metadata.deletion_timestamp is not None:
        return None
    if deployment.spec.paused:
        timed_out = current is not None and current.reason == "ProgressDeadlineExceeded"
        return None if timed_out else Progress("DeploymentPaused", "Deployment is paused", "Unknown")
    if plan.make is not None:
        return Progress("NewReplicaSetCreated", f'Created new replica set "{deployment_facts.ref_of_new(deployment).name}"')
    if current is not None and current.reason == "DeploymentPaused":
        return Progress("DeploymentResumed", "Deployment is resumed", "Unknown")
    if facts.new is not None and current is None:
        return Progress("FoundNewReplicaSet", f'Found new replica set "{facts.new.metadata.name}"')
    if not plan.moving:
        return None
    return Progress()


# -------------------------------------------------------------------- changes


def _revision(facts: Facts, plan: Plan) -> int:
    """The revision number of the present template; 0 while it has no set."""
    if plan.make is None and facts.new is None:
        return 0
    number = revisions.next_revision(facts.old)
    return number if facts.new is None else max(number, revisions.of_set(facts.new))


def _make(deployment: Deployment, facts: Facts, size: int) -> list[ObjectChange]:
    ref = deployment_facts.ref_of_new(deployment)
    digest = ref.name.rsplit("-", 1)[1]
    template = revisions.without_hash(deployment.spec.template)
    labels = {**(template["metadata"].get("labels") or {}), revisions.HASH_LABEL: digest}
    annotations = revisions.set_annotations(deployment, None, revisions.next_revision(facts.old))
    annotations |= revisions.size_annotations(facts.bounds.desired, facts.bounds.most)
    selector = deployment.spec.selector
    document: Document = {
        "metadata": {
            "name": ref.name, "namespace": ref.namespace, "labels": labels, "annotations": annotations,
            "ownerReferences": [claims.Owner(deployment, "Deployment", "apps/v1", SETS, ACTOR).reference()],
        },
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "spec": {
            "replicas": size,
            "minReadySeconds": deployment.spec.min_ready_seconds,
            "selector": msgspec.to_builtins(msgspec.structs.replace(
                selector, match_labels={**selector.match_labels, revisions.HASH_LABEL: digest})),
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }  # fmt: skip
    old = sum(item.spec.replicas for item in facts.old)
    why = (
        f"the template of Deployment {deployment.metadata.name} has no ReplicaSet; it starts with {size} of "
        f"{facts.bounds.desired}, as older ones have {counted(old, 'pod')}"
    )
    changes: list[ObjectChange] = [CreateObject(SETS, ref.namespace, document, cause(ACTOR, "NewReplicaSet", why, deployment))]
    if size:
        changes.append(_scaling_event(deployment, ref.name, 0, size))
    return changes


def _scaling_event(deployment: Deployment, name: str, before: int, after: int) -> ObjectChange:
    ref = Ref(RESOURCE, deployment.metadata.name, deployment.metadata.namespace)
    direction = "up" if after > before else "down"
    message = f"Scaled {direction} replica set {name} from {before} to {after}"
    return event(ref, deployment, kind="Deployment", reason="ScalingReplicaSet", message=message, actor=ACTOR)


def _resize(facts: Facts, plan: Plan) -> list[ObjectChange]:
    """One patch for each set that gets another size or other annotations."""
    deployment, changes = facts.deployment, []
    for item in facts.all:
        name = item.metadata.name
        size = plan.sizes.get(name, item.spec.replicas)
        annotations: dict[str, str] = {}
        if name in plan.sizes:
            annotations |= revisions.size_annotations(facts.bounds.desired, facts.bounds.most)
        patch: Document = {}
        if item is facts.new and deployment.metadata.deletion_timestamp is None:
            annotations |= revisions.set_annotations(deployment, item, revisions.next_revision(facts.old))
            if item.spec.min_ready_seconds != deployment.spec.min_ready_seconds:
                patch["spec"] = {"minReadySeconds": deployment.spec.min_ready_seconds}
        changed = {key: value for key, value in annotations.items() if item.metadata.annotations.get(key) != value}
        if changed:
            patch["metadata"] = {"annotations": changed}
        if size != item.spec.replicas:
            patch.setdefault("spec", {})["replicas"] = size
        if not patch:
            continue
        rule, why = _reason(facts, item, size)
        ref = Ref(SETS, name, item.metadata.namespace)
        changes.append(PatchObject(ref, patch, cause(ACTOR, rule, why, _trigger(facts, item)), uid=item.metadata.uid))
        if size != item.spec.replicas:
            changes.append(_scaling_event(deployment, name, item.spec.replicas, size))
    return changes


def _trigger(facts: Facts, item: ReplicaSet) -> meta.View:
    """What the resize reacted to: the newest of what was looked at."""
    return max((facts.deployment, *facts.all), key=lambda seen: int(seen.metadata.resource_version or 0))


def _reason(facts: Facts, item: ReplicaSet, size: int) -> tuple[str, str]:
    name, before = facts.deployment.metadata.name, item.spec.replicas
    if size == before:
        return "Annotate", f"it records the revision and size that Deployment {name} asks for"
    available = facts.counts.available
    rule = "ScaleUp" if size > before else "ScaleDown"
    which = "new" if item is facts.new else "old"
    return rule, (
        f"Deployment {name} wants {facts.bounds.desired}, at most {facts.bounds.most} and at least {facts.bounds.least} "
        f"available; {available} are, so the {which} ReplicaSet goes from {before} to {size}"
    )


def _delete(facts: Facts, item: ReplicaSet) -> ObjectChange:
    limit = facts.deployment.spec.revision_history_limit
    why = f"revision {revisions.of_set(item)} is beyond the {limit} old ones that Deployment {facts.deployment.metadata.name} keeps"
    ref = Ref(SETS, item.metadata.name, item.metadata.namespace)
    return DeleteObject(ref, cause(ACTOR, "HistoryLimit", why, facts.deployment), uid=item.metadata.uid)


def _patch_annotations(deployment: Deployment, number: int) -> ObjectChange:
    ref = Ref(RESOURCE, deployment.metadata.name, deployment.metadata.namespace)
    why = f"its present template is revision {number}"
    patch = {"metadata": {"annotations": {revisions.REVISION: str(number)}}}
    return PatchObject(ref, patch, cause(ACTOR, "Revision", why, deployment), uid=deployment.metadata.uid)


def _collision(deployment: Deployment) -> Outcome:
    """Another object has the name that the new set would get: take the next hash."""
    ref = Ref(RESOURCE, deployment.metadata.name, deployment.metadata.namespace)
    count = (deployment.status.collision_count or 0) + 1
    why = f"ReplicaSet {deployment_facts.ref_of_new(deployment).name} exists and is of another template or owner"
    patch = {"status": {"collisionCount": count}}
    return Outcome((
        PatchObject(ref, patch, cause(ACTOR, "HashCollision", why, deployment), subresource="status", uid=deployment.metadata.uid),
    ))  # fmt: skip


def feedback(
    view: ReadView, key: Ref, change: ObjectChange, result: meta.View | SteersmanError | None, *, now: float
) -> tuple[ObjectChange, ...]:
    """A new set that was refused: an Event, and the condition that tells who waits for the rollout."""
    deployment = view.get(Deployment, key)
    if deployment is None or not isinstance(change, CreateObject) or not isinstance(result, SteersmanError) or namespace_ends(result):
        return ()
    message = f'Failed to create new replica set "{change.document["metadata"]["name"]}": {result.message}'
    told = event(key, deployment, kind="Deployment", type="Warning", reason="ReplicaSetCreateError", message=message, actor=ACTOR)
    status = deployment_status.refused(deployment, message, now)
    patch = deployment_status.patch(deployment.status, status)
    if patch is None:
        return (told,)
    why = cause(ACTOR, "Status", message, deployment)
    return told, PatchObject(key, patch, why, subresource="status", uid=deployment.metadata.uid)


CONTROLLER = Controller(
    "deployment-controller", ACTOR, {RESOURCE: itself, SETS: deployment_facts.of_set, "pods": deployment_facts.of_pod}, reconcile,
    workers=5, feedback=feedback,
)
