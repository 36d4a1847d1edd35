"""A claim that a pod uses and a volume that is bound are not removed under their users: pvc-protection and pv-protection.

Admission gives every claim and volume a finalizer (StorageObjectInUseProtection); here it is taken once the object is to go and nobody uses
it. A claim is in use while a pod with a node names it, also one that has ended, as in Kubernetes.
"""

from __future__ import annotations

from functools import partial

from common.objects import meta, storage
from common.objects.pod import Pod
from common.objects.storage import CLAIMS, VOLUMES, PersistentVolume
from master.api.contract import Actor, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, itself, revision
from master.controllers.view import ReadView

OF_CLAIMS = Actor("system:controller:pvc-protection-controller", Role.CLAIM_PROTECTION)
OF_VOLUMES = Actor("system:controller:pv-protection-controller", Role.VOLUME_PROTECTION)
PROTECTION = {CLAIMS: "kubernetes.io/pvc-protection", VOLUMES: "kubernetes.io/pv-protection"}


def _protect(actor: Actor, view: ReadView, key: Ref, now: float) -> Outcome:
    """The finalizer stays while somebody uses it. What was made before there were finalizers gets one."""
    found = view.get(meta.Object, key)
    if found is None:
        return NOTHING
    finalizer, standing = PROTECTION[key.resource], found.metadata.finalizers
    if found.metadata.deletion_timestamp is None:
        if finalizer in standing:
            return NOTHING
        wanted, why = [*standing, finalizer], cause(actor, "AddProtection", "somebody may use it", found)
    elif finalizer not in standing or _in_use(view, key):
        return NOTHING
    else:
        wanted = [each for each in standing if each != finalizer]
        why = cause(actor, "RemoveProtection", "nobody uses it any more", found)
    patch = {"metadata": {"finalizers": wanted or None}}
    return Outcome((PatchObject(key, patch, why, uid=found.metadata.uid, expected=revision(found)),))


def _in_use(view: ReadView, key: Ref) -> bool:
    if key.resource == VOLUMES:
        volume = view.get(PersistentVolume, key)
        return volume is not None and volume.status.phase == "Bound"
    return any(
        key.name in storage.claims_of(pod.metadata.name, pod.spec.volumes) for pod in view.list(Pod, "pods", key.namespace)
        if pod.spec.node_name
    )  # fmt: skip


def of_pod(view: ReadView, seen: Seen) -> list[Ref]:
    """The claims of a pod that went."""
    if seen.new is not None or not isinstance(seen.old, Pod):
        return []
    return [Ref(CLAIMS, name, seen.ref.namespace) for name in storage.claims_of(seen.ref.name, seen.old.spec.volumes)]


CONTROLLERS = (
    Controller("pvc-protection-controller", OF_CLAIMS, {CLAIMS: itself, "pods": of_pod}, partial(_protect, OF_CLAIMS), workers=1),
    Controller("pv-protection-controller", OF_VOLUMES, {VOLUMES: itself}, partial(_protect, OF_VOLUMES), workers=1),
)
