"""What every cluster has from its first moment: the four namespaces and the Service `kubernetes`.

Idempotent: run at each start. Each namespace's ServiceAccount `default` is made by a controller.
"""

from __future__ import annotations

from common.errors import AlreadyExists
from master.api.contract import Actor, Document, Door, Ref, Role, WriteOptions
from master.store.contract import Cause

ACTOR = Actor("system:apiserver", Role.API)
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
SERVICE: Document = {
    "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
    "spec": {"ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
}


async def ensure(door: Door) -> None:
    """Create what is missing; what stands is left as it is."""
    for name in NAMESPACES:
        await _ensure(door, Ref("namespaces", name), {"metadata": {"name": name}})
    await _ensure(door, Ref("services", "kubernetes", "default"), SERVICE)


async def _ensure(door: Door, ref: Ref, document: Document) -> None:
    cause = Cause(ACTOR.name, "Bootstrap", "every cluster has it")
    try:
        await door.create(ACTOR, ref.resource, ref.namespace, document, WriteOptions(cause=cause))
    except AlreadyExists:
        return
