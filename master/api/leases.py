"""The Leases of `kube-node-lease`, served from memory.

Heartbeats never touch the disk: dispatch knows who lives, and calls `renew`; clients that look (kubectl describe node,
monitoring) find the usual Lease. All other Leases are ordinary objects in the store, and nobody can write these.

They carry the store's revision at their renewal as resourceVersion, which is true enough for reading, and no watch follows them.
"""

from __future__ import annotations

import msgspec

from common.clock import Rng, rfc3339, rfc3339_micro
from master.api import documents
from master.api.contract import Document, Stored

RESOURCE = "leases.coordination.k8s.io"
NAMESPACE = "kube-node-lease"
DURATION_S = 40


class _Lease(msgspec.Struct):
    uid: str
    created: float
    renewed: float
    revision: int


class NodeLeases:
    """Written by dispatch alone, in the loop's thread. duration_s: after how long without a renewal a node counts as silent."""

    def __init__(self, rng: Rng, *, duration_s: int = DURATION_S) -> None:
        self._rng = rng
        self._duration_s = duration_s
        self._leases: dict[str, _Lease] = {}

    def renew(self, node: str, now: float, *, revision: int = 1) -> None:
        """now: wall-clock seconds of the heartbeat. Idempotent. revision: the store's, where it is at hand."""
        lease = self._leases.get(node)
        if lease is None:
            self._leases[node] = _Lease(self._rng.uuid(), now, now, revision)
        else:
            lease.renewed, lease.revision = now, max(revision, lease.revision)

    def drop(self, node: str) -> None:
        """The node is gone. Idempotent."""
        self._leases.pop(node, None)

    def get(self, node: str) -> Stored | None:
        lease = self._leases.get(node)
        return None if lease is None else Stored(documents.encode(self._document(node, lease)), lease.revision)

    def list(self) -> list[tuple[str, Stored]]:
        """(store key, object), ordered by key."""
        found = [(name, self.get(name)) for name in sorted(self._leases)]
        return [(f"{RESOURCE}/{NAMESPACE}/{name}", stored) for name, stored in found if stored is not None]

    def _document(self, node: str, lease: _Lease) -> Document:
        return {
            "metadata": {
                "name": node, "namespace": NAMESPACE, "uid": lease.uid, "creationTimestamp": rfc3339(lease.created),
            },
            "kind": "Lease",
            "apiVersion": "coordination.k8s.io/v1",
            "spec": {
                "holderIdentity": node, "leaseDurationSeconds": self._duration_s,
                "renewTime": rfc3339_micro(lease.renewed),
            },
        }  # fmt: skip
