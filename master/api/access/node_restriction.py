"""What a node may write of what it may reach: Kubernetes' admission plugin NodeRestriction. Pure but for the look at a pod.

A node speaks for itself and its pods' state. It chooses neither the labels by which workloads are kept apart, nor its taints, nor the
key by which it is known; and a token is only for a pod that runs on it.
"""

from __future__ import annotations

from common.objects.pod import Pod
from master.api import faults
from master.api.access import nodes
from master.api.contract import Actor, Document, Ref, Role, Views
from master.api.registry import BY_KEY, Resource

RESERVED = "node-restriction.kubernetes.io"
OWN_LABELS = frozenset(
    """kubernetes.io/hostname kubernetes.io/arch kubernetes.io/os beta.kubernetes.io/arch beta.kubernetes.io/os
    beta.kubernetes.io/instance-type node.kubernetes.io/instance-type failure-domain.beta.kubernetes.io/zone
    failure-domain.beta.kubernetes.io/region failure-domain.kubernetes.io/zone failure-domain.kubernetes.io/region
    topology.kubernetes.io/zone topology.kubernetes.io/region""".split()
)
OWN_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
KEY = "steersman.io/agent-key"


def check(actor: Actor, resource: Resource, new: Document, old: Document | None) -> None:
    """Raises Forbidden."""
    node = nodes.node_of(actor)
    if not node or actor.role is not Role.USER:
        return
    why = ""
    if resource.key == "nodes":
        why = _node(node, new, old)
    elif resource.key == "pods" and old is not None and _of(new, "labels") != _of(old, "labels"):
        why = f'node "{node}" cannot update labels through pod status'
    if why:
        raise faults.forbidden(resource, new["metadata"].get("name", ""), why)


def _of(document: Document, field: str) -> Document:
    return document["metadata"].get(field) or {}


def _node(node: str, new: Document, old: Document | None) -> str:
    name = new["metadata"].get("name")
    if name != node:
        return f'node "{node}" is not allowed to modify node "{name}"'
    before = old or {"metadata": {}}
    labels, had = _of(new, "labels"), _of(before, "labels")
    if wrong := sorted(key for key in labels.keys() | had.keys() if labels.get(key) != had.get(key) and not _may_set(key)):
        doing = "set the following" if old is None else "modify"
        return f"is not allowed to {doing} labels: {', '.join(wrong)}"
    if _of(new, "annotations").get(KEY) != _of(before, "annotations").get(KEY):
        return f"is not allowed to modify annotations: {KEY}"
    if old is not None and (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
        return "is not allowed to modify taints"
    if old is not None and new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        return "is not allowed to modify ownerReferences"
    return ""


def _may_set(label: str) -> bool:
    domain, slash, _ = label.partition("/")
    if not slash or label in OWN_LABELS:
        return True
    if _within(domain, RESERVED):
        return False
    if any(_within(domain, own) for own in OWN_PREFIXES):
        return True
    return not (_within(domain, "kubernetes.io") or _within(domain, "k8s.io"))


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def check_token(actor: Actor, account: Ref, request: Document, views: Views) -> None:
    """A TokenRequest of a node. Raises Forbidden."""
    node = nodes.node_of(actor)
    if not node or actor.role is not Role.USER:
        return
    spec = request.get("spec") if isinstance(request, dict) else None
    bound = (spec or {}).get("boundObjectRef") or {}
    resource = BY_KEY["serviceaccounts"]
    if bound.get("kind") != "Pod" or not bound.get("name"):
        raise faults.forbidden(resource, account.name, "node requested token not bound to a pod")
    if not bound.get("uid"):
        raise faults.forbidden(resource, account.name, "node requested token with a pod binding without a uid")
    pod = views.get(Pod, Ref("pods", bound["name"], account.namespace))
    if pod is not None and pod.spec.node_name != node:
        why = f'node requested token bound to a pod scheduled on a different node ("{bound["name"]}")'
        raise faults.forbidden(resource, account.name, why)
