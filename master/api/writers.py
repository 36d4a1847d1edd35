"""Who writes what: the table that the door checks on every write of the master's own parts.

One literal, one pure function. A grant names a role, a resource, what it may do to whole objects, and the paths (in the form of
`difference`) that it may change. `*` ends a path: everything below it. What no grant covers is refused, and the refusal is a
bug of the writer that a test must see.

    path                                                       writer
    metadata, spec of what users create                        users (system fields: the API alone)
    existence and spec of owned objects, status of workloads   the controller that owns them
    pod.spec.nodeName; condition PodScheduled                  scheduler; set once
    the rest of pod.status; node.status                        dispatch, on the agent's behalf
    node.spec.taints                                           users; node lifecycle, its own keys only
    removal of a pod                                           dispatch, when its agent confirmed; by force

Users are checked elsewhere: status is theirs through /status only (`write.py`), and what is immutable is the kinds' to say.
Here they are kept from one thing: moving a pod.
"""

from __future__ import annotations

import functools

import msgspec

from common.objects.node import TAINTS_OF_PRESSURE
from master.api import difference
from master.api.contract import Document, Role

ALL = "*"


class Grant(msgspec.Struct, frozen=True):
    """resource: the registry's key, or `*`. create/delete: of whole objects. paths: what may change in those that stand.
    except_: paths that belong to somebody else, though `paths` covers them."""

    role: Role
    resource: str
    paths: tuple[str, ...] = ()
    create: bool = False
    delete: bool = False
    except_: tuple[str, ...] = ()


_OWNED_METADATA = ("metadata.labels*", "metadata.annotations*", "metadata.ownerReferences")
_SCHEDULED = "status.conditions[PodScheduled]"

GRANTS: tuple[Grant, ...] = (
    Grant(Role.USER, "pods", ("*",), create=True, delete=True, except_=("spec.nodeName",)),
    Grant(Role.USER, ALL, ("*",), create=True, delete=True),
    Grant(Role.API, ALL, ("*",), create=True, delete=True),
    Grant(Role.SCHEDULER, "pods", ("spec.nodeName", "status.nominatedNodeName", _SCHEDULED)),
    Grant(Role.SCHEDULER, "persistentvolumes", ("spec.claimRef*", "metadata.annotations*")),
    Grant(Role.SCHEDULER, "persistentvolumeclaims", ("metadata.annotations*",)),
    Grant(Role.DISPATCH, "pods", ("status.*",), delete=True, except_=(_SCHEDULED, "status.nominatedNodeName")),
    Grant(
        Role.DISPATCH, "nodes",
        ("status.*", "metadata.labels[kubernetes.io/*", "metadata.labels[node.kubernetes.io/*",
         "metadata.annotations[steersman.io/agent-key]"), create=True, delete=True,
    ),
    Grant(Role.DISPATCH, "secrets", ("*",), create=True, delete=True),
    Grant(Role.DISPATCH, "persistentvolumes", ("metadata.finalizers",)),
    Grant(Role.DEPLOYMENT, "deployments.apps", ("status.*", "metadata.annotations[deployment.kubernetes.io/*")),
    Grant(Role.DEPLOYMENT, "replicasets.apps", ("spec.*", *_OWNED_METADATA), create=True, delete=True),
    Grant(Role.REPLICASET, "replicasets.apps", ("status.*",)),
    Grant(Role.REPLICASET, "pods", _OWNED_METADATA, create=True, delete=True),
    Grant(
        Role.NODE_LIFECYCLE, "nodes",
        ("spec.taints[node.kubernetes.io/not-ready]", "spec.taints[node.kubernetes.io/unreachable]",
         "spec.taints[node.kubernetes.io/unschedulable]", *(f"spec.taints[{key}]" for key in TAINTS_OF_PRESSURE.values())),
    ),
    Grant(Role.TAINT_EVICTION, "pods", delete=True),
    Grant(Role.NODE_IPAM, "nodes", ("spec.podCIDR", "spec.podCIDRs")),
    Grant(Role.NAMESPACE, "namespaces", ("status.*", "spec.finalizers"), delete=True),
    Grant(Role.NAMESPACE, ALL, delete=True),
    Grant(Role.GARBAGE, ALL, ("metadata.finalizers", "metadata.ownerReferences"), delete=True),
    Grant(Role.POD_GC, "pods", delete=True),
    Grant(Role.DISRUPTION, "poddisruptionbudgets.policy", ("status.*",)),
    Grant(Role.DEFINITIONS, "customresourcedefinitions.apiextensions.k8s.io", ("status.*", "metadata.finalizers"), delete=True),
    Grant(Role.DEFINITIONS, ALL, delete=True),
    Grant(Role.SERVICE_ACCOUNT, "serviceaccounts", create=True),
    Grant(
        Role.VOLUME_BINDER, "persistentvolumes", ("spec.claimRef*", "metadata.annotations*", "status.*"), create=True, delete=True,
    ),
    Grant(Role.VOLUME_BINDER, "persistentvolumeclaims", ("spec.volumeName", "metadata.annotations*", "status.*")),
    Grant(Role.CLAIM_PROTECTION, "persistentvolumeclaims", ("metadata.finalizers",)),
    Grant(Role.VOLUME_PROTECTION, "persistentvolumes", ("metadata.finalizers",)),
    Grant(Role.EPHEMERAL_VOLUME, "persistentvolumeclaims", create=True),
    Grant(Role.ROOT_CA, "configmaps", ("data*", "binaryData*"), create=True),
    Grant(Role.APISERVICE, "apiservices.apiregistration.k8s.io", ("status.*",), create=True, delete=True),
    Grant(
        Role.CERTIFICATES, "certificatesigningrequests.certificates.k8s.io", ("status.certificate", "status.conditions[Failed]"),
        delete=True,
    ),
    Grant(Role.CLUSTER_ROLE_AGGREGATION, "clusterroles.rbac.authorization.k8s.io", ("rules",)),
)  # fmt: skip


@functools.cache
def grants_of(role: Role, resource: str) -> tuple[Grant, ...]:
    """Those for the resource by name; if there are none, those for every resource."""
    named = tuple(g for g in GRANTS if g.role is role and g.resource == resource)
    return named or tuple(g for g in GRANTS if g.role is role and g.resource == ALL)


def _covers(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) or path == pattern[:-2] if pattern.endswith("*") else path == pattern


@functools.lru_cache(maxsize=8192)
def may(role: Role, resource: str, path: str) -> bool:
    return any(
        any(_covers(p, path) for p in grant.paths) and not any(_covers(p, path) for p in grant.except_)
        for grant in grants_of(role, resource)
    )


def may_create(role: Role, resource: str) -> bool:
    """Events are everybody's: they report and decide nothing."""
    return resource == "events" or any(grant.create for grant in grants_of(role, resource))


def may_delete(role: Role, resource: str) -> bool:
    return any(grant.delete for grant in grants_of(role, resource))


def check(role: Role, resource: str, subresource: str, *, old: Document | None, new: Document) -> list[str]:
    """The paths that `role` may not write; `+` stands for the existence of the object. Both documents as stored."""
    if old is None:
        return [] if may_create(role, resource) else ["+"]
    if role is Role.API or resource == "events" or (role is Role.USER and (resource != "pods" or subresource == "binding")):
        return []
    return [
        path for path in difference.paths(old, new) if path not in difference.SYSTEM and not may(role, resource, path)
    ]
