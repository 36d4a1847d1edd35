"""Discovery: how clients learn what exists."""

from __future__ import annotations

from typing import Any

import pytest

from master.api import discovery
from master.api.catalog import Catalog
from master.api.registry import RESOURCES

CATALOG = Catalog()


def entry(group: str, name: str, version: str = "v1") -> Any:
    found = discovery.resources(CATALOG, group, version)
    assert found is not None
    return next(each for each in found["resources"] if each["name"] == name)


def aggregated(group: str, resource: str) -> Any:
    items = discovery.aggregated(CATALOG, core=not group)["items"]
    versions = next(item for item in items if item["metadata"].get("name", "") == group)["versions"]
    return next(each for version in versions for each in version["resources"] if each["resource"] == resource)


def test_the_core_versions_tell_where_the_server_is() -> None:
    assert discovery.versions(CATALOG, "10.0.0.1:6443") == {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}],
    }


def test_the_groups_are_those_of_the_registry() -> None:
    groups = discovery.groups(CATALOG)
    assert (groups["kind"], groups["apiVersion"]) == ("APIGroupList", "v1")
    assert {group["name"] for group in groups["groups"]} == {resource.group for resource in RESOURCES} - {""}
    apps = discovery.group(CATALOG, "apps")
    assert apps is not None
    assert apps["kind"] == "APIGroup"
    assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}


@pytest.mark.parametrize("group", ["", "example.com"])
def test_a_group_that_is_not_served(group: str) -> None:
    assert discovery.group(CATALOG, group) is None
    assert discovery.resources(CATALOG, "example.com", "v1") is None
    assert discovery.resources(CATALOG, "", "v2") is None


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.key)
def test_a_resource_is_the_same_in_both_forms(resource: Any) -> None:
    version = resource.version if resource.group == "metrics.k8s.io" else "v1"
    classic, new = entry(resource.group, resource.plural, version), aggregated(resource.group, resource.plural)
    assert classic["verbs"] == new["verbs"] == list(resource.verbs)
    assert classic["singularName"] == new["singularResource"] == resource.singular
    assert classic["kind"] == new["responseKind"]["kind"] == resource.kind
    assert classic["namespaced"] == (new["scope"] == "Namespaced")
    assert classic.get("shortNames", []) == new.get("shortNames", []) == list(resource.short_names)
    assert classic.get("categories", []) == new.get("categories", []) == list(resource.categories)
    assert {sub["subresource"] for sub in new.get("subresources", [])} == {sub.name for sub in resource.subresources}


def test_eviction_says_its_group_and_version_or_drain_would_delete() -> None:
    assert entry("", "pods/eviction") == {
        "name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy", "version": "v1", "kind": "Eviction",
        "verbs": ["create"],
    }  # fmt: skip
    eviction = next(sub for sub in aggregated("", "pods")["subresources"] if sub["subresource"] == "eviction")
    assert eviction["responseKind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}


def test_scale_says_its_group_and_version_and_status_does_not() -> None:
    assert (entry("apps", "deployments/scale")["group"], entry("apps", "deployments/scale")["kind"]) == ("autoscaling", "Scale")
    assert "group" not in entry("apps", "deployments/status")
    assert entry("apps", "deployments/status")["kind"] == "Deployment"


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
def test_both_versions_of_the_aggregated_form(version: str) -> None:
    found = discovery.aggregated(CATALOG, core=False, version=version)
    assert (found["kind"], found["apiVersion"]) == ("APIGroupDiscoveryList", f"apidiscovery.k8s.io/{version}")
    assert {item["metadata"]["name"] for item in found["items"]} == {resource.group for resource in RESOURCES} - {""}
    assert all(v["freshness"] == "Current" for item in found["items"] for v in item["versions"])


def test_the_core_group_has_no_name() -> None:
    items = discovery.aggregated(CATALOG, core=True)["items"]
    assert [item["metadata"] for item in items] == [{}]
    assert [version["version"] for version in items[0]["versions"]] == ["v1"]
