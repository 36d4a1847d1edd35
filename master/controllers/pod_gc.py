"""Pod garbage collection: pods that no agent will ever confirm as ended are removed by force.

    bound to a node that does not exist (any more)               → removed, after a while for a node that may yet come
    terminating on a node tainted out-of-service and not ready   → removed: the operator said that the host is down
    terminating and never bound                                  → removed: nothing ever ran

These are the only removals without the agent's word, `--force` of users aside. Deleting a Node, and `kctl node fence`, are the
operator's statement that nothing runs there any more: pods that must be at most one rely on it.
"""

from __future__ import annotations

from functools import partial

from common.clock import parse_rfc3339
from common.objects import node as nodes
from common.objects.node import Node
from common.objects.pod import Pod
from master.api.contract import Actor, DeleteObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause
from master.controllers.settings import ControllerSettings
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:pod-garbage-collector", Role.POD_GC)


def fenced(node: Node) -> bool:
    return not node.ready and any(t.key == nodes.TAINT_OUT_OF_SERVICE for t in node.spec.taints)


def reconcile(settings: ControllerSettings, view: ReadView, key: Ref, now: float) -> Outcome:
    pod = view.get(Pod, key)
    if pod is None:
        return NOTHING
    leaving = pod.metadata.deletion_timestamp is not None
    if leaving and pod.metadata.deletion_grace_period_seconds == 0 and pod.metadata.finalizers:
        return NOTHING  # removed by force already; its finalizers hold it
    if not pod.spec.node_name:
        return _remove(pod, key, "Unscheduled", "it is terminating and was never bound to a node", None) if leaving else NOTHING
    node = view.get(Node, Ref("nodes", pod.spec.node_name))
    if node is None:
        created = parse_rfc3339(pod.metadata.creation_timestamp) if pod.metadata.creation_timestamp else 0.0
        wait_s = created + settings.missing_node_s - now
        if wait_s > 0 and not leaving and not pod.status.start_time:
            return Outcome((), wait_s)
        return _remove(pod, key, "NodeGone", f"node {pod.spec.node_name} does not exist", None)
    if leaving and fenced(node):
        why = f"node {pod.spec.node_name} is not ready and has taint {nodes.TAINT_OUT_OF_SERVICE}"
        return _remove(pod, key, "OutOfService", why, node)
    return NOTHING


def _remove(pod: Pod, key: Ref, rule: str, why: str, node: Node | None) -> Outcome:
    return Outcome((DeleteObject(key, cause(ACTOR, rule, why, node or pod), uid=pod.metadata.uid, grace_s=0),))


def of_pod(view: ReadView, seen: Seen) -> list[Ref]:
    pod = seen.new
    if not isinstance(pod, Pod):
        return []
    if pod.metadata.deletion_timestamp is not None:
        return [seen.ref]
    missing = pod.spec.node_name and view.get(Node, Ref("nodes", pod.spec.node_name)) is None
    return [seen.ref] if missing else []


def of_node(view: ReadView, seen: Seen) -> list[Ref]:
    """Pods of a node that is gone or fenced."""
    if isinstance(seen.new, Node) and not fenced(seen.new):
        return []
    return [Ref("pods", pod.metadata.name, pod.metadata.namespace) for pod in view.on_node(seen.ref.name)]


def controller(settings: ControllerSettings) -> Controller:
    return Controller("pod-garbage-collector", ACTOR, {"pods": of_pod, "nodes": of_node}, partial(reconcile, settings))
