"""The provisioner `steersman.io/local-path`: a volume is a folder on the one host where its first pod runs.

Owns what such a volume looks like and what it refuses. The folder is the class's parameter `path`, or `/var/lib/steersman/local-path`,
and the volume's name below it; the host's agent makes it when a pod mounts it, and removes it when the volume is deleted: until then a
finalizer keeps the object. Its size is a wish: nothing holds a folder to it.
"""

from __future__ import annotations

from common.objects import storage
from common.objects.storage import PersistentVolumeClaim, StorageClass
from master.api.contract import Document

PATH = "/var/lib/steersman/local-path"
MODES = ("ReadWriteOnce", "ReadWriteOncePod")


def name(claim: PersistentVolumeClaim) -> str:
    return f"pvc-{claim.metadata.uid}"


def refusal(claim: PersistentVolumeClaim, storage_class: StorageClass, node: str) -> str:
    """Why it makes none, or ""."""
    if not node:
        return "configuration error, no node was specified: the class must have volumeBindingMode WaitForFirstConsumer"
    if claim.spec.selector is not None:
        return "claim.Spec.Selector is not supported"
    if claim.spec.volume_mode != "Filesystem":
        return f"volumeMode {claim.spec.volume_mode} is not supported"
    if unknown := [key for key in storage_class.parameters if key != "path"]:
        return f"unknown parameters of the class: {', '.join(unknown)}"
    if not storage_class.parameters.get("path", PATH).startswith("/"):
        return "the class's parameter path must be an absolute path"
    others = [mode for mode in claim.spec.access_modes if mode not in MODES]
    return f"only {' and '.join(MODES)} access modes are supported, not {', '.join(others)}" if others else ""


def volume(claim: PersistentVolumeClaim, storage_class: StorageClass, node: str) -> Document:
    about = claim.metadata
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    spec: Document = {
        "capacity": {"storage": claim.spec.resources.requests["storage"]},
        "accessModes": list(claim.spec.access_modes),
        "persistentVolumeReclaimPolicy": storage_class.reclaim_policy,
        "storageClassName": storage_class.metadata.name,
        "volumeMode": claim.spec.volume_mode,
        "local": {"path": f"{storage_class.parameters.get('path', PATH).rstrip('/')}/{name(claim)}"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        "claimRef": {
            "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": about.namespace, "name": about.name, "uid": about.uid,
            "resourceVersion": about.resource_version,
        },
    }  # fmt: skip
    if storage_class.mount_options:
        spec["mountOptions"] = list(storage_class.mount_options)
    annotations = {storage.PROVISIONED_BY: storage.LOCAL_PATH, storage.NODE: node, storage.BOUND_BY_CONTROLLER: "yes"}
    metadata = {"name": name(claim), "annotations": annotations, "finalizers": [storage.LOCAL_PATH]}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
