"""Node IPAM: a range of pod addresses for each node, cut from the cluster's, never the same twice.

Writes `spec.podCIDR` and `spec.podCIDRs` once per node. There is one worker, and it reads the present state of all nodes
before each grant, so two nodes cannot get one range. A range is free again when its Node is deleted.
"""

from __future__ import annotations

import functools
import ipaddress
from functools import partial

from common.objects.node import Node
from master.api.contract import Actor, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, event, revision
from master.controllers.settings import ControllerSettings
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:node-ipam-controller", Role.NODE_IPAM)
RETRY_S = 30.0


@functools.lru_cache(maxsize=1 << 16)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Read once: each grant looks at the ranges of all nodes."""
    return ipaddress.ip_network(text)


def free_range(cidr: str, mask: int, taken: set[str]) -> str | None:
    """The first range of /`mask` in `cidr` that overlaps none of `taken`; None when there is none."""
    whole = _network(cidr)
    used = [network for network in map(_network, taken) if network.version == whole.version]
    exact = {int(network.network_address) for network in used if network.prefixlen == mask}
    others = [(int(network.network_address), network.num_addresses) for network in used if network.prefixlen != mask]
    size, begin = 1 << (whole.max_prefixlen - mask), int(whole.network_address)
    for first in range(begin, begin + whole.num_addresses, size):
        if first not in exact and not any(first < other + length and other < first + size for other, length in others):
            return str(type(whole)((first, mask)))
    return None


def reconcile(settings: ControllerSettings, view: ReadView, key: Ref, now: float) -> Outcome:
    node = view.get(Node, key)
    if node is None or node.spec.pod_cidr or node.metadata.deletion_timestamp is not None:
        return NOTHING
    others = view.list(Node, "nodes")
    found = free_range(settings.pod_cidr, settings.node_mask, {other.spec.pod_cidr for other in others if other.spec.pod_cidr})
    if found is None:
        message = f"Node {key.name} status is now: CIDRNotAvailable"
        return Outcome((event(key, node, kind="Node", reason="CIDRNotAvailable", message=message, actor=ACTOR),), RETRY_S)
    why = f"{found} is the first /{settings.node_mask} of {settings.pod_cidr} that none of {len(others)} nodes has"
    return Outcome((
        PatchObject(key, {"spec": {"podCIDR": found, "podCIDRs": [found]}}, cause(ACTOR, "AllocateCIDR", why, node),
                    uid=node.metadata.uid, expected=revision(node)),
    ))  # fmt: skip


def of_node(view: ReadView, seen: Seen) -> list[Ref]:
    return [seen.ref] if isinstance(seen.new, Node) and not seen.new.spec.pod_cidr else []


def controller(settings: ControllerSettings) -> Controller:
    return Controller("node-ipam-controller", ACTOR, {"nodes": of_node}, partial(reconcile, settings), workers=1)
