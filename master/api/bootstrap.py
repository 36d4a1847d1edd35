"""What every cluster has from its first moment: the default roles, the four namespaces, the Service `kubernetes`, the two system
priority classes, an APIService for each group and version that is served.

Idempotent: run at each start. Each namespace's ServiceAccount `default` is made by a controller.
"""

from __future__ import annotations

from common.errors import AlreadyExists
from common.objects import storage
from master.api import apiservices, registry
from master.api.access import defaults as access
from master.api.contract import Document, Door, Ref, WriteOptions
from master.api.kinds import classes
from master.store.contract import Cause

ACTOR = access.ACTOR
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVICE: Document = {
    "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
    "spec": {"ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
}

PRIORITIES = {
    "system-cluster-critical": (
        classes.SYSTEM["system-cluster-critical"],
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    "system-node-critical": (
        classes.SYSTEM["system-node-critical"],
        "Used for system critical pods that must not be moved from their node.",
    ),
}


async def ensure(door: Door) -> None:
    """Create what is missing; what stands is left as it is, but for roles, which are completed."""
    await access.ensure(door)
    for name in NAMESPACES:
        await _ensure(door, Ref("namespaces", name), {"metadata": {"name": name}})
    await _ensure(door, Ref("services", "kubernetes", "default"), SERVICE)
    for name, (value, description) in PRIORITIES.items():
        document = {"metadata": {"name": name}, "value": value, "description": description}
        await _ensure(door, Ref("priorityclasses.scheduling.k8s.io", name), document)
    for document in apiservices.built_in(registry.RESOURCES):
        await _ensure(door, Ref(apiservices.KEY, document["metadata"]["name"]), document)


LOCAL_CLASS: Document = {
    "metadata": {"name": "local-path", "annotations": {storage.DEFAULT_CLASS: "true"}},
    "provisioner": storage.LOCAL_PATH, "reclaimPolicy": "Delete", "volumeBindingMode": storage.WAITS,
}  # fmt: skip


async def ensure_class(door: Door) -> None:
    """The StorageClass of folders on hosts, of which claims get volumes unless they say otherwise. In a cluster that has any class, nobody
    needs this one."""
    if not door.views.count(storage.CLASSES):
        await _ensure(door, Ref(storage.CLASSES, "local-path"), LOCAL_CLASS)


async def _ensure(door: Door, ref: Ref, document: Document) -> None:
    cause = Cause(ACTOR.name, "Bootstrap", "every cluster has it")
    try:
        await door.create(ACTOR, ref.resource, ref.namespace, document, WriteOptions(cause=cause))
    except AlreadyExists:
        return
