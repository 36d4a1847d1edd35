"""Claims of pods' ephemeral volumes: `spec.volumes[*].ephemeral` becomes a claim named POD-VOLUME that goes with its pod.

The claim is owned by the pod, so that the garbage collector removes it. A claim of that name which is somebody else's is never touched:
then the pod cannot start, and an event says why.
"""

from __future__ import annotations

from common.objects.pod import Pod
from common.objects.storage import CLAIMS, PersistentVolumeClaim
from master.api.contract import Actor, CreateObject, ObjectChange, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, event
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:ephemeral-volume-controller", Role.EPHEMERAL_VOLUME)


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    pod = view.get(Pod, key)
    if pod is None or pod.metadata.deletion_timestamp is not None:
        return NOTHING
    changes: list[ObjectChange] = []
    for volume in pod.spec.volumes:
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if template is None:
            continue
        name = f"{pod.metadata.name}-{volume.get('name', '')}"
        standing = view.get(PersistentVolumeClaim, Ref(CLAIMS, name, key.namespace))
        if standing is None:
            owner = {
                "apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid, "controller": True,
                "blockOwnerDeletion": True,
            }  # fmt: skip
            about = {k: v for k, v in (template.get("metadata") or {}).items() if k in ("labels", "annotations")}
            document = {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {**about, "name": name, "namespace": key.namespace, "ownerReferences": [owner]}, "spec": template["spec"],
            }  # fmt: skip
            why = f"volume {volume.get('name', '')} of pod {key.namespace}/{key.name} has no claim"
            changes.append(CreateObject(CLAIMS, key.namespace, document, cause(ACTOR, "CreateClaim", why, pod)))
        elif not any(owner.uid == pod.metadata.uid for owner in standing.metadata.owner_references):
            message = f"PVC {key.namespace}/{name} was not created for pod {key.namespace}/{key.name} (pod is not owner)"
            changes.append(event(key, pod, kind="Pod", reason="EphemeralVolume", message=message, actor=ACTOR, type="Warning"))
    return Outcome(tuple(changes))


def of_pod(view: ReadView, seen: Seen) -> list[Ref]:
    ephemeral = isinstance(seen.new, Pod) and any(volume.get("ephemeral") is not None for volume in seen.new.spec.volumes)
    return [seen.ref] if ephemeral else []


def of_claim(view: ReadView, seen: Seen) -> list[Ref]:
    """A claim that went: its pod wants another."""
    owners = seen.old.metadata.owner_references if seen.new is None and isinstance(seen.old, PersistentVolumeClaim) else ()
    return [Ref("pods", owner.name, seen.ref.namespace) for owner in owners if owner.kind == "Pod"]


CONTROLLER = Controller("ephemeral-volume-controller", ACTOR, {"pods": of_pod, CLAIMS: of_claim}, reconcile, workers=1)
