"""Node, as the scheduler, dispatch and the node controllers read it."""

from __future__ import annotations

import msgspec

from common.objects import meta


class Taint(meta.View):
    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class NodeSpec(meta.View):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidr: str = msgspec.field(name="podCIDR", default="")
    pod_cidrs: tuple[str, ...] = msgspec.field(name="podCIDRs", default=())
    provider_id: str = msgspec.field(name="providerID", default="")


class NodeAddress(meta.View):
    type: str
    address: str


class NodeStatus(meta.View):
    capacity: dict[str, str | int | float] = {}
    allocatable: dict[str, str | int | float] = {}
    conditions: tuple[meta.Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: dict = {}
    images: tuple[dict, ...] = ()


class Node(meta.View):
    metadata: meta.Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    def condition(self, kind: str) -> meta.Condition | None:
        return next((c for c in self.status.conditions if c.type == kind), None)

    @property
    def ready(self) -> bool:
        ready = self.condition("Ready")
        return ready is not None and ready.status == "True"

    @property
    def internal_ip(self) -> str:
        return next((a.address for a in self.status.addresses if a.type == "InternalIP"), "")


TAINT_UNREACHABLE = "node.kubernetes.io/unreachable"
TAINT_NOT_READY = "node.kubernetes.io/not-ready"
TAINT_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
TAINTS_OF_PRESSURE = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
}
"""By the condition that, when True, keeps pods away."""
TAINT_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
"""Kubernetes' own word for "this host is certainly down": `kctl node fence` sets it, and its pods may be removed by force."""
