"""OpenAPI v3: what kubectl's explain, create, apply and diff read out of it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from master.api.openapi import operations, v3
from master.api.registry import RESOURCES

SERVED = operations.by_group(RESOURCES)
PATHS = sorted({f"apis/{r.group}/{r.version}" if r.group else f"api/{r.version}" for r in RESOURCES})


@functools.cache
def document(path: str) -> Any:
    return json.loads(v3.document(path, SERVED[path]))


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def operations_of(path: str) -> Iterator[tuple[str, str, Any]]:
    for place, methods in document(path)["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield place, method, operation


def pod(field: str) -> Any:
    return document("api/v1")["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"][field]


def test_every_group_version_has_a_document() -> None:
    assert sorted(SERVED) == PATHS


def test_no_two_operations_have_one_name() -> None:
    names = [operation["operationId"] for path in PATHS for _, _, operation in operations_of(path)]
    assert len(names) == len(set(names))
    assert {
        "listCoreV1NamespacedPod", "listCoreV1PodForAllNamespaces", "readCoreV1NamespacedPodLog", "replaceAppsV1NamespacedDeploymentScale",
        "createCoreV1NamespacedPodEviction", "connectCoreV1GetNamespacedPodExec", "deleteRbacAuthorizationV1CollectionClusterRole",
    } <= set(names)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_reference_leads_somewhere(path: str) -> None:
    schemas = document(path)["components"]["schemas"]
    found = set(references(document(path)))
    assert found
    assert {reference.removeprefix("#/components/schemas/") for reference in found} <= set(schemas)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_of_the_package_s_rewriting_is_left(path: str) -> None:
    text = json.dumps(document(path))
    assert "$defs" not in text
    assert not re.search(r'"type": \[', text)


@pytest.mark.parametrize("path", PATHS)
def test_every_patch_says_its_kind_its_types_and_that_the_server_validates(path: str) -> None:
    patches = [(place, operation) for place, method, operation in operations_of(path) if method == "patch" and operation["x-kubernetes-action"] != "connect"]
    assert patches or all("patch" not in r.verbs for r in RESOURCES if path == f"apis/{r.group}/{r.version}")
    for place, operation in patches:
        assert set(operation["x-kubernetes-group-version-kind"]) == {"group", "version", "kind"}, place
        assert "application/strategic-merge-patch+json" in operation["requestBody"]["content"], place
        assert {"fieldValidation", "dryRun", "fieldManager"} <= {parameter["name"] for parameter in operation["parameters"]}, place


def test_every_patch_may_be_an_apply() -> None:
    patches = [operations["patch"] for path in PATHS for operations in document(path)["paths"].values() if "requestBody" in operations.get("patch", {})]
    assert patches
    for patch in patches:
        assert "application/apply-patch+yaml" in patch["requestBody"]["content"]
        assert {"fieldManager", "force"} <= {parameter["name"] for parameter in patch["parameters"]}


@pytest.mark.parametrize("resource", [r for r in RESOURCES if r.version != "v1beta1"], ids=lambda resource: resource.key)
def test_the_verbs_of_a_resource_are_its_operations(resource: Any) -> None:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    collection = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"
    paths = document(root[1:])["paths"]
    served = {operation["x-kubernetes-action"] for place in (collection, collection + "/{name}") for method, operation in paths[place].items() if method != "parameters"}
    renamed = {"create": "post", "update": "put"}
    assert served == {renamed.get(verb, verb) for verb in resource.verbs} - {"watch"}
    for sub in resource.subresources:
        assert f"{collection}/{{name}}/{sub.name}" in paths


def test_scale_is_a_kind_of_autoscaling() -> None:
    scale = document("apis/apps/v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]
    assert scale["patch"]["x-kubernetes-group-version-kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert "io.k8s.api.autoscaling.v1.Scale" in document("apis/apps/v1")["components"]["schemas"]


def test_logs_are_text() -> None:
    log = document("api/v1")["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/log"]["get"]
    assert log["responses"]["200"]["content"] == {"text/plain": {"schema": {"type": "string"}}}


def test_explain_finds_descriptions_types_and_merge_keys() -> None:
    containers = pod("containers")
    assert containers["type"] == "array"
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert "List of containers" in containers["description"]
    assert pod("affinity")["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.Affinity"}]
    assert pod("affinity")["description"]


def test_a_kind_names_itself() -> None:
    schemas = document("api/v1")["components"]["schemas"]
    assert schemas["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"
