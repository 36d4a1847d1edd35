"""Taint eviction: pods leave nodes whose NoExecute taints they do not tolerate, or tolerate no longer.

Kubernetes' rules: the first toleration that matches a taint is the one in use; a pod with one untolerated taint goes at
once; else it stays for the shortest `tolerationSeconds` in use, counted from the taint's `timeAdded`. It only deletes:
that the containers end, and what takes the pod's place, are others' business.

Subtle: a taint set by hand may carry no `timeAdded`; then the seconds count from the pod's start.
"""

from __future__ import annotations

import msgspec

from common.clock import parse_rfc3339
from common.objects.node import Node, Taint
from common.objects.pod import Pod, Toleration
from master.api.contract import Actor, DeleteObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, event
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:taint-eviction-controller", Role.TAINT_EVICTION)


class Eviction(msgspec.Struct, frozen=True):
    """When a pod must leave because of which taint. tolerated_s: what it was granted."""

    at: float
    taint: Taint
    tolerated_s: int


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return toleration.operator in ("", "Equal") and toleration.key == taint.key and toleration.value == taint.value


def eviction(pod: Pod, node: Node) -> Eviction | None:
    """None: it may stay for good."""
    soonest: Eviction | None = None
    for taint in node.spec.taints:
        if taint.effect != "NoExecute":
            continue
        used = next((t for t in pod.spec.tolerations if tolerates(t, taint)), None)
        if used is not None and used.toleration_seconds is None:
            continue
        since = parse_rfc3339(taint.time_added or pod.status.start_time or pod.metadata.creation_timestamp or "1970-01-01T00:00:00Z")
        tolerated_s = max(0, used.toleration_seconds or 0) if used is not None else 0
        found = Eviction(since + tolerated_s if used is not None else 0.0, taint, tolerated_s)
        if soonest is None or found.at < soonest.at:
            soonest = found
    return soonest


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    pod = view.get(Pod, key)
    if pod is None or not pod.spec.node_name or pod.metadata.deletion_timestamp is not None or pod.finished:
        return NOTHING
    node = view.get(Node, Ref("nodes", pod.spec.node_name))
    due = eviction(pod, node) if node is not None else None
    if due is None:
        return NOTHING
    if due.at > now:
        return Outcome((), due.at - now)
    value = f"={due.taint.value}" if due.taint.value else ""
    why = f"node {pod.spec.node_name} has taint {due.taint.key}{value}:NoExecute, tolerated for {due.tolerated_s} s"
    message = f"Marking for deletion Pod {pod.metadata.namespace}/{pod.metadata.name}"
    return Outcome((
        event(key, pod, kind="Pod", reason="TaintManagerEviction", message=message, actor=ACTOR),
        DeleteObject(key, cause(ACTOR, "TaintEviction", why, node), uid=pod.metadata.uid),
    ))  # fmt: skip


def of_pod(view: ReadView, seen: Seen) -> list[Ref]:
    """Only a pod on a node with a NoExecute taint needs a look: all others are settled without the queue."""
    pod = seen.new
    if not isinstance(pod, Pod) or not pod.spec.node_name:
        return []
    node = view.get(Node, Ref("nodes", pod.spec.node_name))
    if node is None or not node.spec.taints:
        return []
    return [seen.ref] if any(taint.effect == "NoExecute" for taint in node.spec.taints) else []


def of_node(view: ReadView, seen: Seen) -> list[Ref]:
    """All pods of a node whose taints changed."""
    taints = [version.spec.taints for version in seen.versions if isinstance(version, Node)]
    if len(taints) == 2 and taints[0] == taints[1]:
        return []
    return [Ref("pods", pod.metadata.name, pod.metadata.namespace) for pod in view.on_node(seen.ref.name)]


CONTROLLER = Controller("taint-eviction-controller", ACTOR, {"pods": of_pod, "nodes": of_node}, reconcile, workers=8)
