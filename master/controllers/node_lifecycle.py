"""Node lifecycle: a node's conditions become taints, which keep pods away (NoSchedule) or drive them out (NoExecute).

    Ready False    → node.kubernetes.io/not-ready    NoSchedule, NoExecute
    Ready Unknown  → node.kubernetes.io/unreachable  NoSchedule, NoExecute
    spec.unschedulable → node.kubernetes.io/unschedulable NoSchedule
    DiskPressure True  → node.kubernetes.io/disk-pressure NoSchedule; so with MemoryPressure and PIDPressure

It writes the taints of these keys and no others; that nodes fall silent is noticed by dispatch, and the pods are deleted by taint eviction.

Subtle: when no node at all is ready, the fault is rather in the network or in the master, and nothing may be evicted: then
NoExecute taints are not set, and those that were set are taken back. Nodes neither fall silent nor come back in the same instant,
so a node's NoExecute waits for a window after its own silence began, and after the first other one was ready again.
"""

from __future__ import annotations

from functools import partial

import msgspec

from common.clock import parse_rfc3339
from common.objects import node as nodes
from common.objects.node import Node, Taint
from master.api.contract import Actor, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, event, itself, revision, timestamp
from master.controllers.settings import ControllerSettings
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:node-lifecycle-controller", Role.NODE_LIFECYCLE)

OWN_KEYS = frozenset(
    {nodes.TAINT_NOT_READY, nodes.TAINT_UNREACHABLE, nodes.TAINT_UNSCHEDULABLE, *nodes.TAINTS_OF_PRESSURE.values()}
)
ROUNDING_S = 1.0


class Wanted(msgspec.Struct, frozen=True):
    """taints: (key, effect) pairs that the node should carry of ours. wait_s: until one more is due. why: in a sentence."""

    taints: tuple[tuple[str, str], ...]
    why: str
    wait_s: float | None = None


def _since(node: Node, now: float) -> float:
    """When its condition Ready last changed; long ago, when it does not say, or when that was before the clock was set back."""
    ready = node.condition("Ready")
    since = parse_rfc3339(ready.last_transition_time) if ready is not None and ready.last_transition_time else 0.0
    return since if since <= now + ROUNDING_S else 0.0


def ready_since(all_nodes: list[Node], now: float) -> float | None:
    """Since when at least one node has been ready, as far as the present ones tell; None when none is."""
    return min((_since(node, now) for node in all_nodes if node.ready), default=None)


def wanted_taints(node: Node, *, others_ready_since: float | None, window_s: float, now: float) -> Wanted:
    """What follows from the node's state. others_ready_since: as `ready_since` of all nodes."""
    taints = [(nodes.TAINT_UNSCHEDULABLE, "NoSchedule")] if node.spec.unschedulable else []
    pressed = [kind for kind in nodes.TAINTS_OF_PRESSURE if (found := node.condition(kind)) is not None and found.status == "True"]
    taints += [(nodes.TAINTS_OF_PRESSURE[kind], "NoSchedule") for kind in pressed]
    ready = node.condition("Ready")
    if ready is None:
        return Wanted((*taints, (nodes.TAINT_NOT_READY, "NoSchedule")), "it has never said that it is ready")
    if ready.status == "True":
        but = [*(["unschedulable"] if node.spec.unschedulable else []), *(f"under {kind}" for kind in pressed)]
        return Wanted(tuple(taints), f"it is ready, but {' and '.join(but)}" if but else "it is ready")
    key = nodes.TAINT_UNREACHABLE if ready.status == "Unknown" else nodes.TAINT_NOT_READY
    taints.append((key, "NoSchedule"))
    why = f"its condition Ready is {ready.status} ({ready.reason or 'no reason given'}) since {ready.last_transition_time}"
    if others_ready_since is None:
        return Wanted(tuple(taints), f"{why}; no node is ready, so nothing is evicted")
    wait_s = max(_since(node, now), others_ready_since) + window_s - now
    if wait_s > 0:
        return Wanted(tuple(taints), why, wait_s)
    return Wanted((*taints, (key, "NoExecute")), why)


def reconcile(settings: ControllerSettings, view: ReadView, key: Ref, now: float) -> Outcome:
    node = view.get(Node, key)
    if node is None or node.metadata.deletion_timestamp is not None:
        return NOTHING
    ready = node.condition("Ready")
    # Only one that is silent, or says that it is not ready, asks for the others: looking at all nodes for each would cost n².
    others = ready_since(view.list(Node, "nodes"), now) if ready is not None and ready.status != "True" else None
    wanted = wanted_taints(node, others_ready_since=others, window_s=settings.disruption_window_s, now=now)
    present = {(t.key, t.effect): t for t in node.spec.taints if t.key in OWN_KEYS}
    if set(present) == set(wanted.taints):
        return Outcome((), wanted.wait_s)
    added = [pair for pair in wanted.taints if pair not in present]
    taken = [pair for pair in present if pair not in wanted.taints]
    kept = [t for t in node.spec.taints if t.key not in OWN_KEYS or (t.key, t.effect) in wanted.taints]
    documents = [_document(taint) for taint in kept]
    documents += [{"key": k, "effect": effect, "timeAdded": timestamp(now)} for k, effect in added]
    why = f"node {node.metadata.name}: {wanted.why}; " + "; ".join(
        [f"taint {k}:{effect} added" for k, effect in added] + [f"taint {k}:{effect} removed" for k, effect in taken]
    )
    patch = PatchObject(
        key, {"spec": {"taints": documents or None}}, cause(ACTOR, "NodeTaints", why, node),
        uid=node.metadata.uid, expected=revision(node),
    )  # fmt: skip
    changes = [patch]
    if any(key_ in (nodes.TAINT_NOT_READY, nodes.TAINT_UNREACHABLE) and effect == "NoSchedule" for key_, effect in added):
        message = f"Node {node.metadata.name} status is now: NodeNotReady"
        changes.append(event(key, node, kind="Node", reason="NodeNotReady", message=message, actor=ACTOR))  # type: ignore[arg-type]
    return Outcome(tuple(changes), wanted.wait_s)


def _document(taint: Taint) -> dict[str, str]:
    document = {"key": taint.key, "effect": taint.effect}
    if taint.value:
        document["value"] = taint.value
    if taint.time_added:
        document["timeAdded"] = taint.time_added
    return document


def of_node(view: ReadView, seen: Seen) -> list[Ref]:
    """The node itself; when its readiness changed all that are not ready, as it decides whether those may be evicted."""
    readiness = {version.ready for version in seen.versions if isinstance(version, Node)}
    if len(readiness) == 1 and len(seen.versions) == 2:
        return itself(view, seen)
    return list(dict.fromkeys((seen.ref, *view.unready_nodes())))


def controller(settings: ControllerSettings) -> Controller:
    return Controller("node-lifecycle-controller", ACTOR, {"nodes": of_node}, partial(reconcile, settings), workers=1)
