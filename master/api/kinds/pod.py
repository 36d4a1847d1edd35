"""Pod: what clients may set and change, its quality of service, its columns.

The spec's defaults are in `pod_spec.py`, its validation in `pod_rules.py`, both shared with every template of pods.
"""

from __future__ import annotations

from common.clock import parse_rfc3339
from common.errors import FieldCause
from common.objects import quantity
from master.api.contract import Document
from master.api.kinds import pod_rules, pod_spec, rules
from master.api.kinds.columns import AGE, NAME, Column, human_duration

UPDATE_FORBIDDEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def prepare(new: Document, old: Document | None) -> None:
    """A new pod is Pending; its class of service follows from its resources and never changes."""
    if old is None:
        new["status"] = {"phase": "Pending"}
        return
    containers = (old.get("spec") or {}).get("ephemeralContainers")  # they change through /ephemeralcontainers alone
    if containers:
        new["spec"]["ephemeralContainers"] = containers
    else:
        new["spec"].pop("ephemeralContainers", None)


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    pod_spec.default_spec(spec)
    pod_spec.default_pod_only(spec)
    status = document.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", qos_class(spec))


def qos_class(spec: Document) -> str:
    """Guaranteed: every container limits CPU and memory and requests just that. BestEffort: none asks for anything."""
    guaranteed, anything = True, False
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        anything = anything or any(name in limits or name in requests for name in ("cpu", "memory"))
        for name in ("cpu", "memory"):
            limit = limits.get(name)
            try:
                same = limit is not None and quantity.exact(requests.get(name, limit)) == quantity.exact(limit)
            except ValueError:
                same = False
            guaranteed = guaranteed and same
    return "BestEffort" if not anything else "Guaranteed" if guaranteed else "Burstable"


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    if old is None:
        return found + pod_rules.validate_spec(new["spec"])
    if new["spec"] != old["spec"]:
        found += _update(new["spec"], old["spec"])
    return found


def _update(new: Document, old: Document) -> list[FieldCause]:
    """Of a pod's spec only images, tolerations (added) and the active deadline (shortened) may change; the scheduler
    sets nodeName once, which the writers' table guards."""
    found: list[FieldCause] = []
    allowed = dict(new)
    for group in ("containers", "initContainers"):
        before = old.get(group) or []
        after = new.get(group) or []
        if len(before) == len(after) and after:
            for i, container in enumerate(after):
                if not container.get("image"):
                    found.append(rules.required(f"spec.{group}[{i}].image"))
            allowed[group] = [{**c, "image": p.get("image")} for c, p in zip(after, before, strict=True)]
    previous_tolerations = old.get("tolerations") or []
    if all(t in (new.get("tolerations") or []) for t in previous_tolerations):
        allowed.pop("tolerations", None)
        if "tolerations" in old:
            allowed["tolerations"] = old["tolerations"]
    deadline, before_deadline = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if deadline is not None and (before_deadline is None or deadline <= before_deadline):
        allowed.pop("activeDeadlineSeconds")
        if before_deadline is not None:
            allowed["activeDeadlineSeconds"] = before_deadline
    if not old.get("nodeName") and new.get("nodeName"):
        allowed.pop("nodeName")
        if "nodeName" in old:
            allowed["nodeName"] = old["nodeName"]
    before, after = old.get("ephemeralContainers") or [], new.get("ephemeralContainers") or []
    if after != before:
        found += _ephemeral(after, before, new)
        allowed["ephemeralContainers"] = before
        old = {**old, "ephemeralContainers": before}
    if allowed != old:
        found.append(rules.forbidden("spec", UPDATE_FORBIDDEN))
    return found


def _ephemeral(after: list[Document], before: list[Document], spec: Document) -> list[FieldCause]:
    """Containers for debugging may be added; those that are there stay as they are."""
    if any(container not in after for container in before):
        return [rules.forbidden("spec.ephemeralContainers", "existing ephemeral containers may not be removed or changed")]
    return [cause for cause in pod_rules.validate_spec(spec) if cause.field.startswith("spec.ephemeralContainers")]


def fields(document: Document) -> dict[str, str]:
    spec, status = document.get("spec", {}), document.get("status", {})
    return {
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.restartPolicy": spec.get("restartPolicy", ""),
        "spec.schedulerName": spec.get("schedulerName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
        "status.phase": status.get("phase", ""),
        "status.podIP": status.get("podIP", ""),
        "status.nominatedNodeName": status.get("nominatedNodeName", ""),
    }


def _reason(state: Document, fallback: str) -> str:
    """What one container's state says in the STATUS column."""
    waiting, terminated = state.get("waiting"), state.get("terminated")
    if waiting and waiting.get("reason"):
        return waiting["reason"]
    if terminated:
        if terminated.get("reason"):
            return terminated["reason"]
        if terminated.get("signal"):
            return f"Signal:{terminated['signal']}"
        return f"ExitCode:{terminated.get('exitCode', 0)}"
    return fallback


def status_text(document: Document) -> str:
    """The STATUS column: the phase, or what is more telling."""
    status, spec = document.get("status", {}), document.get("spec", {})
    text = status.get("reason") or status.get("phase", "")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            text = "SchedulingGated"
    initializing = False
    for i, one in enumerate(status.get("initContainerStatuses") or ()):
        state = one.get("state") or {}
        terminated = state.get("terminated")
        if terminated and not terminated.get("exitCode"):
            continue
        initializing = True
        if terminated or (state.get("waiting") or {}).get("reason") not in (None, "", "PodInitializing"):
            text = "Init:" + _reason(state, "Error")
        else:
            text = f"Init:{i}/{len(spec.get('initContainers') or ())}"
        break
    if not initializing:
        running = False
        for one in reversed(status.get("containerStatuses") or ()):
            state = one.get("state") or {}
            running = running or bool(one.get("ready") and state.get("running") is not None)
            text = _reason(state, text)
        if text == "Completed" and running:
            ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
            text = "Running" if ready else "NotReady"
    if document["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return text


def _ready(document: Document, now: float) -> str:
    statuses = document.get("status", {}).get("containerStatuses") or ()
    ready = sum(bool(one.get("ready")) for one in statuses)
    return f"{ready}/{len(document.get('spec', {}).get('containers') or ())}"


def _restarts(document: Document, now: float) -> str:
    status = document.get("status", {})
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    count = sum(one.get("restartCount", 0) for one in statuses)
    ended = [((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for one in statuses]
    times = [parse_rfc3339(at) for at in ended if at]
    return f"{count} ({human_duration(now - max(times))} ago)" if count and times else str(count)


def _gates(document: Document, now: float) -> str:
    gates = [gate.get("conditionType") for gate in document.get("spec", {}).get("readinessGates") or ()]
    if not gates:
        return "<none>"
    conditions = document.get("status", {}).get("conditions") or ()
    met = sum(any(c.get("type") == gate and c.get("status") == "True" for c in conditions) for gate in gates)
    return f"{met}/{len(gates)}"


COLUMNS = (
    NAME,
    Column("Ready", _ready, description="How many of its containers are ready."),
    Column("Status", lambda d, now: status_text(d), description="The phase of the pod, or what holds it up."),
    Column("Restarts", _restarts, description="How often its containers were restarted, and when last."),
    AGE,
    Column("IP", lambda d, now: d.get("status", {}).get("podIP") or "<none>", priority=1, description="The pod's address."),
    Column("Node", lambda d, now: d.get("spec", {}).get("nodeName") or "<none>", priority=1, description="The node it is on."),
    Column("Nominated Node", lambda d, now: d.get("status", {}).get("nominatedNodeName") or "<none>", priority=1,
           description="The node that is being freed for it."),
    Column("Readiness Gates", _gates, priority=1, description="How many of its readiness gates are met."),
)  # fmt: skip
