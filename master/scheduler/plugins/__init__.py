"""The plugins, in the order in which they judge. This literal is all there is to registering one.

The order is that of Kubernetes' default profile: a node is turned down by the first that objects, and its reason is the one that
people read. NodeReady is ours (see there).
"""

from __future__ import annotations

from master.scheduler.plugins.contract import Filter, Score
from master.scheduler.plugins.node_affinity import NodeAffinity
from master.scheduler.plugins.node_name import NodeName
from master.scheduler.plugins.node_ports import NodePorts
from master.scheduler.plugins.node_ready import NodeReady
from master.scheduler.plugins.node_resources_fit import NodeResourcesFit
from master.scheduler.plugins.node_unschedulable import NodeUnschedulable
from master.scheduler.plugins.pod_topology_spread import PodTopologySpread
from master.scheduler.plugins.taint_toleration import TaintToleration
from master.scheduler.plugins.volume_binding import VolumeBinding
from master.scheduler.plugins.volume_restrictions import VolumeRestrictions

FILTERS: tuple[Filter, ...] = (
    NodeUnschedulable(), NodeName(), TaintToleration(), NodeReady(), NodeAffinity(), NodePorts(), NodeResourcesFit(),
    VolumeRestrictions(), VolumeBinding(),
)  # fmt: skip
PREFILTERS = (VolumeBinding(),)
"""Asked before any node is looked at."""
SCORES: tuple[Score, ...] = (TaintToleration(), NodeAffinity(), PodTopologySpread(), NodeResourcesFit())
