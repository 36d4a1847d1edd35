"""Node IPAM: a range of pod addresses for each node, cut from the cluster's, never the same twice.

Writes `spec.podCIDR` and `spec.podCIDRs` once per node. There is one worker, and it reads the present state of all nodes
before each grant, so two nodes cannot get one range. A range is free again when its Node is deleted.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterator
from functools import partial

from common.objects.node import Node
from master.api.contract import Actor, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, event, revision
from master.controllers.settings import ControllerSettings
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:node-ipam-controller", Role.NODE_IPAM)
RETRY_S = 30.0
GRANTS = 64
"""In one pass at most."""


@functools.lru_cache(maxsize=1 << 16)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Read once: each grant looks at the ranges of all nodes."""
    return ipaddress.ip_network(text)


def free_ranges(cidr: str, mask: int, taken: set[str]) -> Iterator[str]:
    """The ranges of /`mask` in `cidr` that overlap none of `taken`, in order."""
    whole = _network(cidr)
    used = [network for network in map(_network, taken) if network.version == whole.version]
    exact = {int(network.network_address) for network in used if network.prefixlen == mask}
    others = [(int(network.network_address), network.num_addresses) for network in used if network.prefixlen != mask]
    size, begin = 1 << (whole.max_prefixlen - mask), int(whole.network_address)
    for first in range(begin, begin + whole.num_addresses, size):
        if first not in exact and not any(first < other + length and other < first + size for other, length in others):
            yield str(type(whole)((first, mask)))


def _waits(node: Node) -> bool:
    return not node.spec.pod_cidr and node.metadata.deletion_timestamp is None


def reconcile(settings: ControllerSettings, view: ReadView, key: Ref, now: float) -> Outcome:
    """Serves the nodes that wait beside this one too, so that all nodes are looked at once for many that join."""
    node = view.get(Node, key)
    if node is None or not _waits(node):
        return NOTHING
    others = view.list(Node, "nodes")
    free = free_ranges(settings.pod_cidr, settings.node_mask, {other.spec.pod_cidr for other in others if other.spec.pod_cidr})
    grants = []
    for waiting in [node, *(other for other in others if _waits(other) and other.metadata.name != key.name)][:GRANTS]:
        if (found := next(free, None)) is None:
            break
        why = f"{found} is the first free /{settings.node_mask} of {settings.pod_cidr}, of which {len(others)} nodes have theirs"
        patch = {"spec": {"podCIDR": found, "podCIDRs": [found]}}
        grants.append(PatchObject(
            Ref("nodes", waiting.metadata.name), patch, cause(ACTOR, "AllocateCIDR", why, waiting), uid=waiting.metadata.uid,
            expected=revision(waiting),
        ))  # fmt: skip
    if not grants:
        message = f"Node {key.name} status is now: CIDRNotAvailable"
        return Outcome((event(key, node, kind="Node", reason="CIDRNotAvailable", message=message, actor=ACTOR),), RETRY_S)
    return Outcome(tuple(grants))


def of_node(view: ReadView, seen: Seen) -> list[Ref]:
    return [seen.ref] if isinstance(seen.new, Node) and not seen.new.spec.pod_cidr else []


def controller(settings: ControllerSettings) -> Controller:
    return Controller("node-ipam-controller", ACTOR, {"nodes": of_node}, partial(reconcile, settings), workers=1)
