"""Discovery documents, generated from the catalogue: what exists, under which names, with which verbs.

Two forms of the same facts: the classic ones (APIVersions, APIGroupList, APIResourceList), one request a group version, and the
aggregated APIGroupDiscoveryList (v2, v2beta1), two requests for all. The front picks by the `Accept` header.
Subtle: a subresource whose body is of another kind (`pods/eviction`, `deployments/scale`) must say that kind's group and
version: without them `kubectl drain` deletes pods instead of evicting them.
"""

from __future__ import annotations

from typing import Any

from master.api.catalog import Catalog
from master.api.registry import Resource, Subresource

Json = dict[str, Any]


def versions(catalog: Catalog, server_address: str) -> Json:
    """`/api`. server_address: `HOST:PORT` that clients reach the server at."""
    return {
        "kind": "APIVersions",
        "versions": list(catalog.groups()[""]),
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def _group(name: str, served: dict[str, list[Resource]]) -> Json:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in served]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def groups(catalog: Catalog) -> Json:
    """`/apis`: APIGroupList."""
    named = [_group(name, served) for name, served in catalog.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}


def group(catalog: Catalog, name: str) -> Json | None:
    """`/apis/NAME`: APIGroup; None when it is not served."""
    served = catalog.groups().get(name) if name else None
    return None if served is None else {"kind": "APIGroup", "apiVersion": "v1", **_group(name, served)}


def _subresource(resource: Resource, sub: Subresource) -> Json:
    entry: Json = {
        "name": f"{resource.plural}/{sub.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": sub.kind or resource.kind,
        "verbs": list(sub.verbs),
    }
    if sub.version:
        entry |= {"group": sub.group, "version": sub.version}
    return entry


def resources(catalog: Catalog, group_name: str, version: str) -> Json | None:
    """`/api/v1` (group "") and `/apis/GROUP/VERSION`: APIResourceList; None when it is not served."""
    served = catalog.groups().get(group_name, {}).get(version)
    if served is None:
        return None
    entries: list[Json] = []
    for resource in served:
        entry: Json = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        entries.append(entry)
        entries += [_subresource(resource, sub) for sub in resource.subresources]
    group_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}


def _aggregated_resource(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {
                    "group": sub.group if sub.version else resource.group,
                    "version": sub.version or resource.version,
                    "kind": sub.kind or resource.kind,
                },
                "verbs": list(sub.verbs),
            }
            for sub in resource.subresources
        ]
    return entry


def aggregated(catalog: Catalog, *, core: bool, version: str = "v2") -> Json:
    """APIGroupDiscoveryList of `/api` (core) or `/apis`. version: "v2" or "v2beta1" of apidiscovery.k8s.io."""
    items = []
    for name, served in catalog.groups().items():
        if core == (not name):
            entries = [
                {"version": v, "freshness": "Current", "resources": [_aggregated_resource(r) for r in found]}
                for v, found in served.items()
            ]
            items.append({"metadata": {"name": name} if name else {}, "versions": entries})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items}
