"""The APIServices of what this server serves itself: one for each group and version, as kube-apiserver registers them. Pure.

Those of built-in groups are made at each start if they are missing (`bootstrap.py`), those of custom resources come and go with
their definitions (`controllers/apiservice.py`), which the label tells apart. The priorities are Kubernetes' own.
"""

from __future__ import annotations

from collections.abc import Iterable

from master.api.contract import Document
from master.api.registry import Resource

KEY = "apiservices.apiregistration.k8s.io"
AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
OWN_GROUP = "apiregistration.k8s.io"
"""It serves APIServices and has none."""
VERSION_PRIORITY = 15
CUSTOM_PRIORITY, CUSTOM_VERSION_PRIORITY = 1000, 100

GROUP_PRIORITIES = {
    "": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700, "authorization.k8s.io": 17600,
    "autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300, "networking.k8s.io": 17200, "policy": 17100,
    "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700, "scheduling.k8s.io": 16600, "coordination.k8s.io": 16500, "node.k8s.io": 16300,
    "discovery.k8s.io": 16200, "metrics.k8s.io": 100,
}  # fmt: skip
VERSION_PRIORITIES = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("authentication.k8s.io", "v1beta1"): 9, ("metrics.k8s.io", "v1beta1"): 100}


def name_of(group: str, version: str) -> str:
    return f"{version}.{group}"


def document(group: str, version: str, *, automanaged: str) -> Document:
    """A local one, without its status."""
    if automanaged == ALWAYS:
        priority, of_version = CUSTOM_PRIORITY, CUSTOM_VERSION_PRIORITY
    else:
        priority, of_version = GROUP_PRIORITIES[group], VERSION_PRIORITIES.get((group, version), VERSION_PRIORITY)
    spec: Document = {"version": version, "groupPriorityMinimum": priority, "versionPriority": of_version}
    if group:
        spec["group"] = group
    return {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name_of(group, version), "labels": {AUTOMANAGED: automanaged}}, "spec": spec,
    }  # fmt: skip


def built_in(resources: Iterable[Resource]) -> list[Document]:
    versions = dict.fromkeys((resource.group, resource.version) for resource in resources if resource.group != OWN_GROUP)
    return [document(group, version, automanaged=ON_START) for group, version in versions]
