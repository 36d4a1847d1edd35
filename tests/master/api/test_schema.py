"""The compiled schemas: what strategic merge, validation and the OpenAPI documents rely on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from master.api import schema, schema_source
from master.api.schema import Type


def at(api_version: str, kind: str, path: str) -> schema.Node:
    node = schema.for_kind(api_version, kind)
    for part in path.split("."):
        child = node.items if part == "[]" else node.child(part)
        assert child is not None, f"{kind} has no {path}"
        node = child
    return node


@pytest.mark.parametrize(
    ("api_version", "kind", "path", "expected"),
    [
        pytest.param("v1", "Pod", "spec.containers", {"merge_key": "name", "patch_strategy": ("merge",), "list_type": "map"}, id="containers merge by name"),
        pytest.param("v1", "Pod", "spec.containers.[].ports", {"merge_key": "containerPort", "list_map_keys": ("containerPort", "protocol")}, id="a port's merge key is not its map keys"),
        pytest.param("v1", "Pod", "spec.volumes", {"patch_strategy": ("merge", "retainKeys")}, id="volumes retain keys"),
        pytest.param("v1", "Pod", "metadata.finalizers", {"patch_strategy": ("merge",), "merge_key": "", "list_type": "set"}, id="finalizers are a set"),
        pytest.param("v1", "Pod", "spec.tolerations", {"patch_strategy": (), "list_type": "atomic"}, id="tolerations are atomic"),
        pytest.param("v1", "Pod", "spec.nodeSelector", {"map_type": "atomic", "type": Type.MAP}, id="a node selector is one value"),
        pytest.param("v1", "Pod", "spec.containers.[].resources.limits.cpu", {"type": Type.QUANTITY}, id="limits are quantities"),
        pytest.param("v1", "Pod", "metadata.creationTimestamp", {"type": Type.TIME}, id="creationTimestamp is a time"),
        pytest.param("coordination.k8s.io/v1", "Lease", "spec.renewTime", {"type": Type.MICRO_TIME}, id="renewTime has microseconds"),
        pytest.param("v1", "Secret", "data.any", {"type": Type.BYTES}, id="secret data is base64"),
        pytest.param("v1", "Service", "spec.ports.[].targetPort", {"type": Type.INT_OR_STRING}, id="targetPort is a number or a name"),
        pytest.param("v1", "Pod", "metadata.managedFields.[].fieldsV1", {"type": Type.ANY}, id="managed fields are free-form"),
        pytest.param("apps/v1", "Deployment", "spec.strategy", {"patch_strategy": ("retainKeys",), "name": "DeploymentStrategy"}, id="a reference keeps the attributes of its place"),
        pytest.param("apps/v1", "Deployment", "spec.replicas", {"type": Type.INTEGER, "format": "int32"}, id="replicas is an int32"),
        pytest.param("apps/v1", "Deployment", "spec", {"required": ("selector", "template")}, id="a deployment needs selector and template"),
        pytest.param("policy/v1", "Eviction", "deleteOptions.preconditions.uid", {"type": Type.STRING}, id="subresources' kinds have schemas too"),
    ],
)  # fmt: skip
def test_a_place_in_the_schema(api_version: str, kind: str, path: str, expected: dict[str, object]) -> None:
    node = at(api_version, kind, path)
    assert {key: getattr(node, key) for key in expected} == expected


def test_a_schema_that_contains_itself_is_finite() -> None:
    node = at("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec.versions.[].schema.openAPIV3Schema")
    assert node.child("not") is node


def test_pods_and_their_templates_share_one_tree() -> None:
    assert at("v1", "Pod", "spec") is at("apps/v1", "Deployment", "spec.template.spec")


def test_an_unknown_kind_has_no_schema() -> None:
    with pytest.raises(LookupError, match="Gizmo"):
        schema.for_kind("example.com/v1", "Gizmo")


def test_definitions_are_restored_to_kubernetes_own_form() -> None:
    pod = schema_source.definition("io.k8s.api.core.v1.Pod")
    assert pod["type"] == "object"
    assert pod["properties"]["spec"]["$ref"] == "io.k8s.api.core.v1.PodSpec"
    assert "enum" not in pod["properties"]["kind"]
    assert schema_source.definition(schema_source.INT_OR_STRING)["format"] == "int-or-string"


def test_the_schema_package_is_never_imported() -> None:
    code = "import sys; from master.api import schema; schema.for_kind('v1', 'Pod'); sys.exit('kubernetes_validate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
