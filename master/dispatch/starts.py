"""How often this cluster's master has started: a number that makes session epochs unique for ever.

Kept in a Lease of its own, in the field that counts how often leadership changed hands. Written once per start and durable before
the first session, so that no two starts share a number, however the last one ended.
"""

from __future__ import annotations

from common.errors import AlreadyExists, Conflict, NotFound
from master.api.contract import Actor, Document, Door, PatchObject, Ref, Role, WriteOptions
from master.store.contract import Cause

LEASE = Ref("leases.coordination.k8s.io", "steersman-dispatch", "kube-system")
ACTOR = Actor("system:dispatch", Role.API)


async def count_start(door: Door) -> int:
    """This start's number, 1 for the first. Raises NotNow; NotFound while the namespace kube-system is missing."""
    cause = Cause(ACTOR.name, "Start", "the master started: its sessions get epochs of their own")
    while True:
        try:
            stored = door.get(ACTOR, LEASE)
        except NotFound:
            try:
                await door.create(ACTOR, LEASE.resource, LEASE.namespace, _document(), WriteOptions(cause=cause))
                return 1
            except AlreadyExists:
                continue
        count = int((stored.document().get("spec") or {}).get("leaseTransitions") or 0) + 1
        patch: Document = {"spec": {"leaseTransitions": count}}
        try:
            await door.perform(ACTOR, PatchObject(LEASE, patch, cause, expected=stored.revision))
            return count
        except Conflict:
            continue


def _document() -> Document:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE.name, "namespace": LEASE.namespace},
        "spec": {"holderIdentity": "kmaster", "leaseTransitions": 1},
    }
