"""The persistentvolume-binder: claims find their volumes, volumes that lost their claims are released, and ours are made and removed.

    claim Pending ── a volume that fits, or one is made ──► both name each other ──► Bound
      │ its class waits for a pod: the scheduler says on which node (annotation selected-node)
      ▼
    claim gone ──► volume Released ── Retain: stays, with its data and its claimRef
                                   └─ Delete: removed; of `steersman.io/local-path` once the node's agent has removed the folder

After Kubernetes' pv_controller, with its annotations, phases, events and words. Both sides are written in one pass, the volume first:
whoever is interrupted in between goes on from there, since each pass looks at both. Volumes of other provisioners are theirs to make and
remove.
"""

from __future__ import annotations

from common.objects import storage
from common.objects.node import Node
from common.objects.storage import CLAIMS, CLASSES, VOLUMES, PersistentVolume, PersistentVolumeClaim, StorageClass
from master.api.contract import Actor, CreateObject, DeleteObject, Document, ObjectChange, PatchObject, Ref, Role
from master.controllers import local_path
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, event, revision
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:persistent-volume-binder", Role.VOLUME_BINDER)
YES = "yes"
WAITING = "waiting for first consumer to be created before binding"
NO_VOLUME = "no persistent volumes available for this claim and no storage class is set"
EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. "
    "If volume creation is delayed, please verify that the provisioner is running and correctly registered."
)
NO_DELETER = 'error getting deleter volume plugin for volume "{}": no deletable volume plugin matched'


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    if key.resource == VOLUMES:
        volume = view.get(PersistentVolume, key)
        return Outcome(_volume(view, volume)) if volume is not None else NOTHING
    claim = view.get(PersistentVolumeClaim, key)
    if claim is None or claim.metadata.deletion_timestamp is not None:
        return NOTHING
    return Outcome(_bound(view, claim) if storage.BIND_COMPLETED in claim.metadata.annotations else _unbound(view, claim))


# Claims.


def _unbound(view: ReadView, claim: PersistentVolumeClaim) -> tuple[ObjectChange, ...]:
    if claim.spec.volume_name:
        return _asked_for(view, claim)
    storage_class = view.get(StorageClass, Ref(CLASSES, claim.class_name)) if claim.class_name else None
    node = claim.metadata.annotations.get(storage.SELECTED_NODE, "")
    delayed = storage_class is not None and storage_class.waits and not node
    volumes = view.list(PersistentVolume, VOLUMES)
    if delayed:
        volumes = [volume for volume in volumes if storage.names(volume, claim)]
    elif node:
        standing = view.get(Node, Ref("nodes", node))
        labels = standing.metadata.labels if standing is not None else {}
        volumes = [volume for volume in volumes if storage.names(volume, claim) or storage.reaches(volume, node, labels)]
    found = storage.candidates(claim, volumes)
    if found:
        return _bind(found[0], claim, "FindMatchingVolume", f"volume {found[0].metadata.name} is the smallest that fits")
    if delayed:
        return (*_pending(claim), _note(claim, "WaitForFirstConsumer", WAITING))
    if not claim.class_name:
        return (*_pending(claim), _note(claim, "FailedBinding", NO_VOLUME))
    if storage_class is None:
        words = f'storageclass.storage.k8s.io "{claim.class_name}" not found'
        return (*_pending(claim), _note(claim, "ProvisioningFailed", words, "Warning"))
    return (*_pending(claim), *_provision(view, claim, storage_class, node))


def _provision(view: ReadView, claim: PersistentVolumeClaim, storage_class: StorageClass, node: str) -> tuple[ObjectChange, ...]:
    changes: tuple[ObjectChange, ...] = ()
    provisioner = storage_class.provisioner
    if provisioner == storage.NO_PROVISIONER:
        words = f"no volume plugin matched name: {provisioner}"
        return (_note(claim, "ProvisioningFailed", words, "Warning"),)
    if claim.metadata.annotations.get(storage.PROVISIONER) != provisioner:
        changes += (_annotate(claim, {storage.PROVISIONER: provisioner}, "SetProvisioner", f"its class is {storage_class.metadata.name}"),)
    if provisioner != storage.LOCAL_PATH:
        return (*changes, _note(claim, "ExternalProvisioning", EXTERNAL.format(provisioner)))
    if view.get(PersistentVolume, Ref(VOLUMES, local_path.name(claim))) is not None:
        return changes  # it is there already; the watch brings it
    if node and view.get(Node, Ref("nodes", node)) is None:
        why = f"node {node}, which was selected for its volume, is gone"
        return (_annotate(claim, {storage.SELECTED_NODE: None}, "RescheduleVolume", why),)
    refused = local_path.refusal(claim, storage_class, node)
    if refused:
        words = f'failed to provision volume with StorageClass "{storage_class.metadata.name}": {refused}'
        return (*changes, _note(claim, "ProvisioningFailed", words, "Warning"))
    document = local_path.volume(claim, storage_class, node)
    why = f"claim {claim.metadata.namespace}/{claim.metadata.name} needs a volume on node {node}"
    words = f"Successfully provisioned volume {local_path.name(claim)} using {provisioner}"
    made = CreateObject(VOLUMES, "", document, cause(ACTOR, "Provision", why, claim))
    return (*changes, made, _note(claim, "ProvisioningSucceeded", words))


def _asked_for(view: ReadView, claim: PersistentVolumeClaim) -> tuple[ObjectChange, ...]:
    """The claim names its volume, and is not bound yet."""
    name = claim.spec.volume_name
    volume = view.get(PersistentVolume, Ref(VOLUMES, name))
    if volume is None:
        return _pending(claim)
    if volume.spec.claim_ref is not None and not storage.names(volume, claim):
        return (*_pending(claim), _note(claim, "FailedBinding", f'volume "{name}" already bound to a different claim.', "Warning"))
    wrong = storage.misfit(volume, claim)
    if wrong:
        return (*_pending(claim), _note(claim, "VolumeMismatch", f'Cannot bind to requested volume "{name}": {wrong}', "Warning"))
    return _bind(volume, claim, "BindRequestedVolume", f"the claim asks for volume {name}")


def _bound(view: ReadView, claim: PersistentVolumeClaim) -> tuple[ObjectChange, ...]:
    """It was bound once, and is so for good, or it is lost."""
    name = claim.spec.volume_name
    volume = view.get(PersistentVolume, Ref(VOLUMES, name)) if name else None
    if not name:
        return _lost(claim, "ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")
    if volume is None:
        return _lost(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
    if volume.spec.claim_ref is None or storage.names(volume, claim):
        return _bind(volume, claim, "RepairBinding", "both sides belong together")
    return _lost(claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")


def _bind(volume: PersistentVolume, claim: PersistentVolumeClaim, rule: str, why: str) -> tuple[ObjectChange, ...]:
    """Whatever is missing of a whole binding, in Kubernetes' order."""
    changes: list[ObjectChange] = []
    to_volume, to_claim = Ref(VOLUMES, volume.metadata.name), _ref(claim)
    if volume.spec.claim_ref is None or volume.spec.claim_ref.uid != claim.metadata.uid:
        patch: Document = {"spec": {"claimRef": claim_reference(claim)}}
        if volume.spec.claim_ref is None:
            patch["metadata"] = {"annotations": {storage.BOUND_BY_CONTROLLER: YES}}
        changes.append(PatchObject(
            to_volume, patch, cause(ACTOR, rule, why, claim), uid=volume.metadata.uid, expected=revision(volume)
        ))  # fmt: skip
    changes += _phase(volume, "Bound")
    annotations = {storage.BIND_COMPLETED: YES}
    if claim.spec.volume_name != volume.metadata.name:
        annotations[storage.BOUND_BY_CONTROLLER] = YES
    if claim.spec.volume_name != volume.metadata.name or storage.BIND_COMPLETED not in claim.metadata.annotations:
        patch = {"metadata": {"annotations": annotations}, "spec": {"volumeName": volume.metadata.name}}
        changes.append(PatchObject(
            to_claim, patch, cause(ACTOR, rule, why, volume), uid=claim.metadata.uid, expected=revision(claim)
        ))  # fmt: skip
    status = claim.status
    if (status.phase, status.access_modes, status.capacity) != ("Bound", volume.spec.access_modes, volume.spec.capacity):
        shown = {"phase": "Bound", "accessModes": list(volume.spec.access_modes), "capacity": dict(volume.spec.capacity)}
        changes.append(PatchObject(to_claim, {"status": shown}, cause(ACTOR, rule, why, volume), "status", uid=claim.metadata.uid))
    return tuple(changes)


def claim_reference(claim: PersistentVolumeClaim) -> Document:
    about = claim.metadata
    return {
        "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": about.namespace, "name": about.name, "uid": about.uid,
        "resourceVersion": about.resource_version,
    }  # fmt: skip


def _pending(claim: PersistentVolumeClaim) -> tuple[ObjectChange, ...]:
    if claim.status.phase == "Pending":
        return ()
    patch = {"status": {"phase": "Pending"}}
    return (PatchObject(_ref(claim), patch, cause(ACTOR, "Pending", "it has no volume", claim), "status", uid=claim.metadata.uid),)


def _lost(claim: PersistentVolumeClaim, reason: str, message: str) -> tuple[ObjectChange, ...]:
    if claim.status.phase == "Lost":
        return ()
    patch = PatchObject(_ref(claim), {"status": {"phase": "Lost"}}, cause(ACTOR, reason, message, claim), "status", uid=claim.metadata.uid)
    return (patch, _note(claim, reason, message, "Warning"))


def _annotate(claim: PersistentVolumeClaim, annotations: Document, rule: str, why: str) -> PatchObject:
    patch = {"metadata": {"annotations": annotations}}
    return PatchObject(_ref(claim), patch, cause(ACTOR, rule, why, claim), uid=claim.metadata.uid)


def _note(claim: PersistentVolumeClaim, reason: str, message: str, type: str = "Normal") -> ObjectChange:
    return event(_ref(claim), claim, kind="PersistentVolumeClaim", reason=reason, message=message, actor=ACTOR, type=type)


def _ref(claim: PersistentVolumeClaim) -> Ref:
    return Ref(CLAIMS, claim.metadata.name, claim.metadata.namespace)


# Volumes.


def _volume(view: ReadView, volume: PersistentVolume) -> tuple[ObjectChange, ...]:
    ref = volume.spec.claim_ref
    if volume.metadata.deletion_timestamp is not None:
        return ()
    if ref is None or not ref.uid:
        return _phase(volume, "Available")
    claim = view.get(PersistentVolumeClaim, Ref(CLAIMS, ref.name, ref.namespace))
    if claim is None or claim.metadata.uid != ref.uid:
        return (*(_phase(volume, "Released") if volume.status.phase != "Failed" else ()), *_reclaim(volume))
    if claim.spec.volume_name == volume.metadata.name:
        return _phase(volume, "Bound")
    if not claim.spec.volume_name:
        return ()  # the claim's own turn finishes the binding
    if storage.PROVISIONED_BY in volume.metadata.annotations and volume.spec.persistent_volume_reclaim_policy == "Delete":
        return (*_phase(volume, "Released"), *_reclaim(volume))
    if storage.BOUND_BY_CONTROLLER in volume.metadata.annotations:
        patch = {"spec": {"claimRef": None}, "metadata": {"annotations": {storage.BOUND_BY_CONTROLLER: None}}}
        why = f"claim {ref.namespace}/{ref.name} is bound to volume {claim.spec.volume_name}"
        unbind = cause(ACTOR, "Unbind", why, claim)
        return (PatchObject(Ref(VOLUMES, volume.metadata.name), patch, unbind, uid=volume.metadata.uid, expected=revision(volume)),)
    return ()


def _reclaim(volume: PersistentVolume) -> tuple[ObjectChange, ...]:
    if volume.spec.persistent_volume_reclaim_policy != "Delete":
        return ()
    ref, provisioner = Ref(VOLUMES, volume.metadata.name), volume.metadata.annotations.get(storage.PROVISIONED_BY, "")
    if provisioner == storage.LOCAL_PATH:
        return (DeleteObject(ref, cause(ACTOR, "Reclaim", "its claim is gone, and its policy is Delete", volume), uid=volume.metadata.uid),)
    if provisioner:
        return ()
    message = NO_DELETER.format(volume.metadata.name)
    if (volume.status.phase, volume.status.message) == ("Failed", message):
        return ()
    told = event(ref, volume, kind="PersistentVolume", reason="VolumeFailedDelete", message=message, actor=ACTOR, type="Warning")
    return (*_phase(volume, "Failed", message), told)


def _phase(volume: PersistentVolume, phase: str, message: str = "") -> tuple[ObjectChange, ...]:
    if (volume.status.phase, volume.status.message) == (phase, message):
        return ()
    patch = {"status": {"phase": phase, "message": message or None}}
    why = cause(ACTOR, phase, message or f"it is {phase.lower()}", volume)
    return (PatchObject(Ref(VOLUMES, volume.metadata.name), patch, why, "status", uid=volume.metadata.uid),)


# What wakes it.


def of_claim(view: ReadView, seen: Seen) -> list[Ref]:
    """Itself, and the volumes that it named or names."""
    found = {seen.ref: None}
    for version in seen.versions:
        if isinstance(version, PersistentVolumeClaim) and version.spec.volume_name:
            found[Ref(VOLUMES, version.spec.volume_name)] = None
    if seen.new is None:
        # A volume may name it without having been named by it.
        for volume in view.list(PersistentVolume, VOLUMES):
            ref = volume.spec.claim_ref
            if ref is not None and (ref.namespace, ref.name) == (seen.ref.namespace, seen.ref.name):
                found[Ref(VOLUMES, volume.metadata.name)] = None
    return list(found)


def of_volume(view: ReadView, seen: Seen) -> list[Ref]:
    """Itself, the claim it names, and all claims that still look for one."""
    found = {seen.ref: None}
    for version in seen.versions:
        if isinstance(version, PersistentVolume) and version.spec.claim_ref is not None:
            found[Ref(CLAIMS, version.spec.claim_ref.name, version.spec.claim_ref.namespace)] = None
    if isinstance(seen.new, PersistentVolume) and seen.new.status.phase == "Available":
        found.update(dict.fromkeys(_looking(view)))
    return list(found)


def of_class(view: ReadView, seen: Seen) -> list[Ref]:
    return [ref for ref in _looking(view, seen.ref.name)]


def _looking(view: ReadView, class_name: str | None = None) -> list[Ref]:
    return [
        _ref(claim) for claim in view.list(PersistentVolumeClaim, CLAIMS)
        if not claim.bound and class_name in (None, claim.class_name)
    ]  # fmt: skip


CONTROLLER = Controller(
    "persistentvolume-binder-controller", ACTOR, {CLAIMS: of_claim, VOLUMES: of_volume, CLASSES: of_class}, reconcile, workers=1
)
