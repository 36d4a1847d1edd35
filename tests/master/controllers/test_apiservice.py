"""APIServices: who makes them, who takes them away, what they say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from master.api import apiservices, registry
from master.api.contract import CreateObject, DeleteObject, PatchObject, Ref
from master.api.openapi import operations
from master.controllers import apiservice
from tests.master.controllers.cluster import Cluster

KEY = Ref(apiservices.KEY, "v1.example.com")


def definition(*versions: str, established: bool = True, plural: str = "widgets") -> dict[str, Any]:
    served = [{"name": name, "served": True, "storage": index == 0} for index, name in enumerate(versions)]
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.example.com"},
        "spec": {"group": "example.com", "names": {"plural": plural, "kind": "Widget"}, "versions": served},
        "status": {"conditions": [{"type": "Established", "status": "True" if established else "False"}]},
    }  # fmt: skip


def service(*, automanaged: str = "", remote: bool = False, **status: Any) -> dict[str, Any]:
    document = apiservices.document("example.com", "v1", automanaged="true")
    document["metadata"]["labels"] = {apiservices.AUTOMANAGED: automanaged} if automanaged else {}
    if remote:
        document["spec"]["service"] = {"namespace": "shop", "name": "api", "port": 443}
    return {**document, **status}


def changes(cluster: Cluster) -> tuple[Any, ...]:
    return apiservice.reconcile(cluster.view, KEY, cluster.now).changes


def test_a_definition_s_group_and_version_get_theirs() -> None:
    [made] = changes(Cluster(definition("v1", "v2")))
    assert isinstance(made, CreateObject)
    assert made.document["spec"] == {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 100}
    assert made.document["metadata"] == {"name": "v1.example.com", "labels": {apiservices.AUTOMANAGED: "true"}}


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param((), id="nobody defines it"),
        pytest.param((definition("v1", established=False),), id="its names are taken"),
        pytest.param((definition("v2"),), id="only another version is served"),
    ],
)
def test_what_is_not_served_gets_none_and_loses_its_own(documents: tuple[Any, ...]) -> None:
    assert changes(Cluster(*documents)) == ()
    [gone] = changes(Cluster(*documents, service(automanaged="true")))
    assert isinstance(gone, DeleteObject) and gone.ref == KEY


def test_one_of_two_definitions_of_a_group_is_enough() -> None:
    local = {"conditions": [{"type": "Available", "status": "True", "reason": "Local", "message": "Local APIServices are always available"}]}
    assert changes(Cluster(definition("v1", plural="gadgets"), service(automanaged="true", status=local))) == ()


def test_a_local_one_is_available() -> None:
    cluster = Cluster(service(automanaged="onstart"))
    [told] = changes(cluster)
    assert isinstance(told, PatchObject) and told.subresource == "status"
    [condition] = told.patch["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Available", "True", "Local")
    cluster.patch(KEY, told.patch)
    assert changes(cluster) == ()


def test_one_of_another_server_is_not_and_says_why_and_stays() -> None:
    cluster = Cluster(service(remote=True))
    [told] = changes(cluster)
    [condition] = told.patch["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "AggregationNotSupported")
    assert 'example.com/v1 are not passed on to service/api in "shop"' in condition["message"]
    cluster.patch(KEY, told.patch)
    assert changes(cluster) == ()


def test_what_is_built_in_has_priorities_and_only_the_registrar_none() -> None:
    names = {document["metadata"]["name"] for document in apiservices.built_in(registry.RESOURCES)}
    served = {path.split("/")[-1] + "." + "/".join(path.split("/")[1:-1]) for path in operations.by_group(registry.RESOURCES)}
    assert served - names == {"v1.apiregistration.k8s.io"}
    assert "v1." in names
