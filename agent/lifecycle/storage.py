"""What a pod may keep on its host's disk, and whether it keeps more: the limits of emptyDirs and of `ephemeral-storage`. Pure.

Owns the order in which they are looked at and the kubelet's words for what is exceeded: a volume's own limit, the limits of all containers
together against all that the pod has written, each container's own against its writable layer and its log. Volumes in memory have their
limit from the kernel; what a full one holds does not end its pod by the tmpfs itself, and never exceeds it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agent.lifecycle import volumes
from agent.lifecycle.life import Waiting
from agent.lifecycle.status import EVICTED
from common.objects import pod as pods
from common.objects import quantity

RESOURCE = "ephemeral-storage"


class Limits(msgspec.Struct, frozen=True):
    """As the pod writes them. volumes: emptyDirs on the disk by name; containers by name; total: of all containers that have one."""

    volumes: Mapping[str, str] = {}
    containers: Mapping[str, str] = {}
    total: str = ""

    def __bool__(self) -> bool:
        return bool(self.volumes or self.containers)


class Written(msgspec.Struct, frozen=True):
    """Bytes. volumes: all of the pod's own on the disk; containers: writable layer and logs."""

    volumes: Mapping[str, int] = {}
    containers: Mapping[str, int] = {}


def limits(pod: pods.Pod) -> Limits:
    own = {
        str(volume.get("name", "")): str(volume["emptyDir"]["sizeLimit"])
        for volume in pod.spec.volumes
        if volumes.size_limit(volume) > 0 and volume["emptyDir"].get("medium") != "Memory"
    }
    asked = {each.name: str(each.resources.limits[RESOURCE]) for each in pod.spec.containers if RESOURCE in each.resources.limits}
    return Limits(own, asked, _total(pod))


def _total(pod: pods.Pod) -> str:
    """Of those that run together, or of an init container that may have more; "": nobody has a limit."""
    together, most = [], ""
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        text = str(container.resources.limits.get(RESOURCE, ""))
        if text and container in pod.spec.init_containers and container.restart_policy != "Always":
            most = max(most, text, key=lambda each: quantity.value(each or 0))
        elif text:
            together.append(text)
    whole = together[0] if len(together) == 1 else quantity.bytes_text(sum(map(quantity.value, together))) if together else ""
    return max(whole, most, key=lambda each: quantity.value(each or 0))


def excess(allowed: Limits, written: Written) -> Waiting | None:
    """Why the pod is evicted, or None."""
    for name, limit in allowed.volumes.items():
        if written.volumes.get(name, 0) > quantity.value(limit):
            return Waiting(EVICTED, f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". ')
    total = sum(written.volumes.values()) + sum(written.containers.values())
    if allowed.total and total > quantity.value(allowed.total):
        return Waiting(EVICTED, f"Pod ephemeral local storage usage exceeds the total limit of containers {allowed.total}. ")
    for name, limit in allowed.containers.items():
        if written.containers.get(name, 0) > quantity.value(limit):
            return Waiting(EVICTED, f'Container {name} exceeded its local ephemeral storage limit "{limit}". ')
    return None
