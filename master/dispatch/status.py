"""Reports of agents, as patches of `pod.status` and `node.status`: what changes, and what an agent may not say.

Pure. An agent knows its containers, not the API: what belongs to others stays (the scheduler's PodScheduled, readiness gates),
times of conditions change only with their status, and a pod that ended does not come back to life. A report that changes nothing gives
None, so that an agent may repeat itself without a write.

What silence means is Kubernetes' own (its node lifecycle controller): every condition the agent owns turns Unknown, and the pods'
Ready turns False, since nobody can say that they still are.
"""

from __future__ import annotations

from typing import Any

from common.clock import rfc3339
from master.api.contract import Document

NODE_FIELDS = frozenset({
    "addresses", "allocatable", "capacity", "conditions", "config", "daemonEndpoints", "features", "images", "nodeInfo",
    "runtimeHandlers", "volumesAttached", "volumesInUse",
})  # fmt: skip
POD_FIELDS = frozenset({
    "conditions", "containerStatuses", "ephemeralContainerStatuses", "hostIP", "hostIPs", "initContainerStatuses", "message", "phase",
    "podIP", "podIPs", "qosClass", "reason", "resize", "startTime",
})  # fmt: skip
NODE_LABELS = ("kubernetes.io/", "node.kubernetes.io/")
"""Prefixes of the labels that an agent may set on its own node."""

SILENT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
FINISHED = ("Succeeded", "Failed")


def pod_status(stored: Document, reported: Document, *, now: float) -> Document | None:
    """The new values of the fields of `pod.status` that the report changes; None for none."""
    if stored.get("phase") in FINISHED and reported.get("phase") not in (None, stored["phase"]):
        return None
    changed = _changed(stored, reported, POD_FIELDS)
    conditions = _merged(stored.get("conditions") or [], reported.get("conditions") or [], now=now, foreign=("PodScheduled",))
    if conditions is not None:
        changed["conditions"] = conditions
    return changed or None


def node_status(stored: Document, reported: Document, *, now: float) -> Document | None:
    """As `pod_status`, for `node.status`."""
    changed = _changed(stored, reported, NODE_FIELDS)
    conditions = _merged(stored.get("conditions") or [], reported.get("conditions") or [], now=now, heartbeat=True)
    if conditions is not None:
        changed["conditions"] = conditions
    return changed or None


def node_labels(stored: dict[str, str], reported: dict[str, Any], *, node: str) -> dict[str, str]:
    """The labels to set: of those an agent may speak of, the ones that differ. The host name is the node's, whatever it says."""
    wanted = {k: v for k, v in reported.items() if isinstance(v, str) and k.startswith(NODE_LABELS)}
    wanted["kubernetes.io/hostname"] = node
    return {k: v for k, v in wanted.items() if stored.get(k) != v}


def node_silent(stored: Document, *, now: float) -> Document | None:
    """`node.status` of a node that has not been heard of for the grace period."""
    conditions = [dict(c) for c in stored.get("conditions") or []]
    at, changed = rfc3339(now), False
    for kind in SILENT_CONDITIONS:
        condition = next((c for c in conditions if c.get("type") == kind), None)
        if condition is None:
            conditions.append({
                "type": kind, "status": "Unknown", "reason": "NodeStatusNeverUpdated", "lastTransitionTime": at,
                "message": "Kagent never posted node status.",
            })  # fmt: skip
            changed = True
        elif condition.get("status") != "Unknown":
            condition.update(
                status="Unknown", reason="NodeStatusUnknown", message="Kagent stopped posting node status.", lastTransitionTime=at
            )
            changed = True
    return {"conditions": conditions} if changed else None


def pod_unready(stored: Document, *, now: float) -> Document | None:
    """`pod.status` of a pod on a node that fell silent: Ready is False, as nobody vouches for it."""
    conditions = [dict(c) for c in stored.get("conditions") or []]
    ready = next((c for c in conditions if c.get("type") == "Ready"), None)
    if ready is None or ready.get("status") == "False":
        return None
    ready.update(status="False", lastTransitionTime=rfc3339(now))
    return {"conditions": conditions}


def describe(stored: Document, changed: Document) -> str:
    """What a change of status means, in a sentence: for the write's cause."""
    said = []
    if "phase" in changed:
        said.append(f"phase {stored.get('phase') or 'unset'} → {changed['phase']}")
    before = {c.get("type"): c.get("status") for c in stored.get("conditions") or []}
    for condition in changed.get("conditions") or []:
        kind, now = condition.get("type"), condition.get("status")
        if before.get(kind) != now:
            said.append(f"{kind} {before.get(kind) or 'unset'} → {now}")
    fields = [field for field in changed if field not in ("phase", "conditions")]
    if fields and not said:
        said.append("changed: " + ", ".join(sorted(fields)))
    return "; ".join(said) or "conditions updated"


def _changed(stored: Document, reported: Document, fields: frozenset[str]) -> Document:
    return {
        field: value for field, value in reported.items()
        if field in fields and field != "conditions" and stored.get(field) != value
    }  # fmt: skip


def _merged(
    stored: list[Document], reported: list[Document], *, now: float, foreign: tuple[str, ...] = (), heartbeat: bool = False
) -> list[Document] | None:
    """The stored conditions with the reported ones in their places; None when nothing but times would change. `foreign`
    types are not the agent's. heartbeat: conditions carry the time of this report."""
    news = {c["type"]: c for c in reported if isinstance(c.get("type"), str) and c["type"] not in foreign}
    if not any(_differs(c, next((s for s in stored if s.get("type") == kind), None)) for kind, c in news.items()):
        return None
    at = rfc3339(now)
    merged = [_condition(news.pop(str(s.get("type")), None), s, at=at, heartbeat=heartbeat) for s in stored]
    return merged + [_condition(c, None, at=at, heartbeat=heartbeat) for c in news.values()]


def _differs(new: Document, old: Document | None) -> bool:
    if old is None:
        return True
    return any((new.get(field) or "") != (old.get(field) or "") for field in ("status", "reason", "message", "observedGeneration"))


def _condition(new: Document | None, old: Document | None, *, at: str, heartbeat: bool) -> Document:
    if new is None:
        return dict(old or {})
    made = dict(new)
    if old is not None and old.get("status") == new.get("status") and old.get("lastTransitionTime"):
        made["lastTransitionTime"] = old["lastTransitionTime"]
    else:  # by the master's clock, whatever the host's says: others reckon from it
        made["lastTransitionTime"] = at
    if heartbeat:
        made["lastHeartbeatTime"] = at
    return made
