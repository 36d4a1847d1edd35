"""What an operator may set about the controllers; Kubernetes' values by default."""

from __future__ import annotations

import msgspec


class ControllerSettings(msgspec.Struct, frozen=True):
    """pod_cidr: the range that nodes' pod ranges of /`node_mask` are cut from.

    disruption_window_s: how long a node must be silent before its pods are evicted, beyond the time after which it is declared
    so. Within it the other nodes' silence would show too: if all are silent, the fault is the network's or ours and nothing
    is evicted. It must be longer than the agents' heartbeat.
    missing_node_s: how long a pod may be bound to a node that does not exist before it is removed.
    """

    pod_cidr: str = "10.244.0.0/16"
    node_mask: int = 24
    disruption_window_s: float = 5.0
    missing_node_s: float = 40.0
