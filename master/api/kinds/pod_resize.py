"""Pod resize: what its containers may use, changed while they run (`kubectl patch --subresource resize`).

Only CPU and memory may change, within the pod's class of service, and nothing may be taken away altogether. A pod that runs on a node
which does not report what its containers have been given cannot be resized: its node would not do it.
"""

from __future__ import annotations

from common.errors import FieldCause
from common.objects import quantity
from master.api.contract import Document
from master.api.kinds import pod, pod_rules, rules

RESIZABLE = ("cpu", "memory")
GROUPS = ("containers", "initContainers")


def taken(old: Document, wanted: Document) -> Document:
    """The spec with the resources and resize policies of the wanted one; a container that is not there is passed over."""
    spec = dict(old)
    for group in GROUPS:
        after = {container.get("name"): container for container in wanted.get(group) or []}
        if group in old:
            spec[group] = [_resized(container, after.get(container["name"])) for container in old[group]]
    return spec


def _resized(container: Document, wanted: Document | None) -> Document:
    if wanted is None:
        return container
    kept = {key: value for key, value in container.items() if key not in ("resources", "resizePolicy")}
    return kept | {key: wanted[key] for key in ("resources", "resizePolicy") if key in wanted}


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    assert old is not None
    found = rules.metadata(new)
    before = (old.get("status") or {}).get("qosClass") or pod.qos_class(old["spec"])
    if pod.qos_class(new["spec"]) != before:
        found.append(rules.invalid("spec", before, "Pod QOS Class may not change as a result of resizing"))
    if not _is_supported(old):
        found.append(rules.forbidden("spec", "Pod running on node without support for resize"))
    beyond = False
    for group in GROUPS:
        for i, (container, was) in enumerate(zip(new["spec"].get(group) or (), old["spec"].get(group) or (), strict=True)):
            place = f"spec.{group}[{i}].resources"
            now, then = container.get("resources") or {}, was.get("resources") or {}
            if group == "initContainers" and container.get("restartPolicy") != "Always":
                if now != then:
                    found.append(rules.forbidden(place, "resources for non-sidecar init containers are immutable"))
                continue
            found += _removals(now, then, place) + _decreases(container, now, then, place) + pod_rules.validate_resources(now, place)
            beyond = beyond or _rest(now) != _rest(then) or container.get("resizePolicy") != was.get("resizePolicy")
    if beyond:
        found.append(rules.forbidden("spec", "only cpu and memory resources are mutable"))
    return found


def _is_supported(document: Document) -> bool:
    """Nodes that can do it report what they gave."""
    for status in (document.get("status") or {}).get("containerStatuses") or ():
        if (status.get("state") or {}).get("running") is not None:
            return status.get("resources") is not None
    return True


def _removals(now: Document, then: Document, place: str) -> list[FieldCause]:
    found = []
    for part in ("requests", "limits"):
        if set(then.get(part) or ()) - set(now.get(part) or ()):
            found.append(rules.forbidden(f"{place}.{part}", f"resource {part} cannot be removed"))
    return found


def _decreases(container: Document, now: Document, then: Document, place: str) -> list[FieldCause]:
    policies = {each.get("resourceName"): each.get("restartPolicy") for each in container.get("resizePolicy") or ()}
    limit, before = (now.get("limits") or {}).get("memory"), (then.get("limits") or {}).get("memory")
    if policies.get("memory") == "RestartContainer" or limit is None or before is None:
        return []
    if quantity.exact(limit) >= quantity.exact(before):
        return []
    return [rules.forbidden(f"{place}.limits[memory]", "memory limits cannot be decreased unless resizePolicy is RestartContainer")]


def _rest(resources: Document) -> Document:
    """Without what may change."""
    return {
        part: {name: amount for name, amount in value.items() if name not in RESIZABLE} if isinstance(value, dict) else value
        for part, value in resources.items()
        if part not in ("requests", "limits") or set(value or ()) - set(RESIZABLE)
    }
