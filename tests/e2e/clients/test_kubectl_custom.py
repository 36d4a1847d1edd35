"""Custom resources with every kubectl: defined, explained, shown in columns of their own, checked, scaled, and gone with their definition.

More of them, with two kubectls, is in tests/e2e/test_definitions.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.clients.conftest import Client, with_every_kubectl

pytestmark = pytest.mark.compat("kubectl")

SPEC = {
    "type": "object", "required": ["size"],
    "properties": {"size": {"type": "integer", "minimum": 0, "description": "How many there are."}, "colour": {"type": "string", "default": "red"}},
    "x-kubernetes-validations": [{"rule": "self.size < 10 || self.colour == 'blue'", "message": "large ones are blue"}],
}  # fmt: skip
DEFINITION: dict[str, Any] = {
    "kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "metadata": {"name": "boats.harbour.example.test"},
    "spec": {
        "group": "harbour.example.test", "scope": "Namespaced", "names": {"plural": "boats", "kind": "Boat", "shortNames": ["bt"]},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": SPEC, "status": {"type": "object", "properties": {"size": {"type": "integer"}}}}}},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
            "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
        }],
    },
}  # fmt: skip


def boat(name: str, **spec: Any) -> str:
    return json.dumps({"kind": "Boat", "apiVersion": "harbour.example.test/v1", "metadata": {"name": name}, "spec": spec})


@with_every_kubectl
def test_custom_resources(client: Client) -> None:
    kubectl = client.kubectl
    assert "boats.harbour.example.test created" in kubectl("create", "-f", "-", stdin=json.dumps(DEFINITION))
    kubectl("wait", "--for=condition=Established", "crd/boats.harbour.example.test", "--timeout=30s")
    assert kubectl("apply", "-f", "-", stdin=boat("tug", size=1)) == "boat.harbour.example.test/tug created\n"
    assert [line.split()[:2] for line in kubectl("get", "bt").splitlines()] == [["NAME", "SIZE"], ["tug", "1"]]
    assert kubectl("apply", "-f", "-", stdin=boat("tug", size=2)) == "boat.harbour.example.test/tug configured\n"
    assert kubectl.json("get", "boat", "tug")["spec"] == {"size": 2, "colour": "red"}
    assert "How many there are." in kubectl("explain", "boat.spec.size")
    said = kubectl.fails("create", "-f", "-", stdin=boat("liner", size=20, colour="white"))
    assert "large ones are blue" in said
    said = kubectl.fails("create", "-f", "-", stdin=boat("typo", size=1, color="red"))
    assert 'unknown field "spec.color"' in said
    assert kubectl("scale", "boat/tug", "--replicas=5") == "boat.harbour.example.test/tug scaled\n"
    kubectl("patch", "boat", "tug", "--type=merge", "--subresource=status", "-p", '{"status":{"size":5}}')
    said = kubectl.fails("patch", "boat", "tug", "-p", '{"spec":{"size":1}}')
    assert "the body of the request was in an unknown format - accepted media types include: application/json-patch+json" in said
    stands = kubectl.json("get", "boat", "tug")
    assert (stands["spec"]["size"], stands["status"]) == (5, {"size": 5})
    kubectl("label", "boat", "tug", "kind=small")
    assert kubectl("delete", "boats", "-l", "kind=small") == 'boat.harbour.example.test "tug" deleted\n'
    kubectl("create", "-f", "-", stdin=boat("ferry", size=1))
    assert "Size:" in kubectl("describe", "boat", "ferry")
    kubectl("delete", "crd", "boats.harbour.example.test", "--timeout=30s")
    assert "the server could not find the requested resource" in kubectl.fails("get", "boats"), "it remembers the kind for a while"
    assert kubectl("api-resources", "--api-group=harbour.example.test", "-o", "name") == ""
