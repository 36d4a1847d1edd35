"""A pod's claims on its host: which PersistentVolume each is, and what is to be on the disk for it. Pure.

The master sends the volume that a claim is bound to under the claim's name; while it is bound to none there is nothing to mount, and the
pod waits in the kubelet's words. A host mounts folders of its own (`local`, `hostPath`); a folder of `steersman.io/local-path` it makes
itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agent.lifecycle import environment, security
from agent.lifecycle.life import Host, Waiting
from common.objects import pod as pods
from common.objects import storage
from common.objects.storage import PersistentVolume

KIND = "PersistentVolumeClaim"
SOURCES = ("local", "hostPath")


def name(pod: pods.Pod, volume: Mapping) -> str:
    """The claim that this entry of `spec.volumes` is; "" when it is another kind of volume."""
    return next(iter(storage.claims_of(pod.metadata.name, (volume,))), "")


def key(pod: pods.Pod, volume: Mapping) -> environment.Key:
    return KIND, pod.metadata.namespace, name(pod, volume)


def bound(pod: pods.Pod, volume: Mapping, host: Host) -> PersistentVolume | Waiting:
    """The claim's volume, if it is one that this host can mount."""
    wanted = key(pod, volume)
    if wanted not in host.configs:
        return Waiting("ContainerCreating", f'waiting for the volume of claim "{wanted[2]}" from the master')
    document = host.configs[wanted]
    if document is None:
        return Waiting(environment.CONFIG_ERROR, f"error processing PVC {wanted[1]}/{wanted[2]}: PVC is not bound")
    found = msgspec.convert(document, PersistentVolume)
    if found.spec.local is None and found.spec.host_path is None:
        kinds = sorted(set(document.get("spec") or {}) - NO_SOURCES)
        return Waiting(environment.CONFIG_ERROR, f'volumes of type {", ".join(kinds)} are not supported by this agent')
    if found.spec.volume_mode != "Filesystem":
        return Waiting(environment.CONFIG_ERROR, f"volumeMode {found.spec.volume_mode} is not supported by this agent")
    if found.spec.mount_options:
        return Waiting(environment.CONFIG_ERROR, "mount options are not supported for this volume type")
    return found


NO_SOURCES = {
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
    "volumeAttributesClassName", "volumeMode",
}  # fmt: skip


def path(volume: PersistentVolume) -> str:
    return str((volume.spec.local or volume.spec.host_path or {}).get("path", ""))


def is_ours(volume: PersistentVolume) -> bool:
    """Its folder is made and removed by the agent."""
    return volume.spec.local is not None and volume.metadata.annotations.get(storage.PROVISIONED_BY) == storage.LOCAL_PATH


def group(pod: pods.Pod, volume: PersistentVolume) -> tuple[int | None, bool]:
    """Whose the folder is to be, and whether that is left alone where its root is so already. A hostPath is nobody's to give."""
    policy = (pod.spec.security_context or {}).get("fsGroupChangePolicy")
    return (security.fs_group(pod) if volume.spec.local is not None else None), policy == "OnRootMismatch"
