"""What kubectl makes of the OpenAPI documents: validation, explanations, patches; with the versions that read the second, and the newest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.kmaster import Kubectl
from tests.e2e.test_definitions import define, definition, instance
from tests.e2e.test_kubectl import home, kubectl, master, text  # noqa: F401  (fixtures)

DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "a", "image": "busybox:1.36"}, {"name": "b", "image": "busybox:1.36"}]},
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=["1.27", "1.28", "1.33"])
def version(request: pytest.FixtureRequest) -> str:
    return request.param


def changed(**spec: Any) -> str:
    pod = {**DEPLOYMENT["spec"]["template"]["spec"], **spec}  # type: ignore[index]
    return json.dumps({**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "template": {**DEPLOYMENT["spec"]["template"], "spec": pod}}})  # type: ignore[dict-item, index]


def test_an_unknown_field_is_refused(kubectl: Kubectl) -> None:  # noqa: F811
    wrong = changed(nonsense=True)
    listed = json.dumps({"kind": "List", "apiVersion": "v1", "items": [json.loads(wrong)]})
    for verb in ("create", "apply"):
        for document in (wrong, listed):
            assert "nonsense" in kubectl.fails(verb, "-f", "-", "--validate=strict", stdin=document)
    assert kubectl("get", "deployments", "-o", "name") == ""
    assert "created" in kubectl("apply", "-f", "-", "--validate=ignore", stdin=wrong)


def test_an_apply_keeps_what_others_put_into_lists(kubectl: Kubectl) -> None:  # noqa: F811
    kubectl("apply", "-f", "-", stdin=changed())
    kubectl("set", "env", "deployment/web", "-c", "a", "K=v")
    kubectl("apply", "-f", "-", stdin=changed(containers=[{"name": "a", "image": "busybox:1.37"}]))
    [container] = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == ("busybox:1.37", [{"name": "K", "value": "v"}])


def test_a_difference_is_that_of_the_apply(kubectl: Kubectl) -> None:  # noqa: F811
    kubectl("apply", "-f", "-", stdin=changed())
    result = kubectl.run("diff", "-f", "-", stdin=changed(containers=[{"name": "a", "image": "busybox:1.37"}]))
    assert result.returncode == 1 and "+      - image: busybox:1.37" in result.stdout, result.stderr
    assert kubectl.run("diff", "-f", "-", stdin=changed()).returncode == 0


def test_explanations_in_both_forms(kubectl: Kubectl) -> None:  # noqa: F811
    for form in ((), ("--output", "plaintext-openapiv2")):
        assert "Deployment enables declarative updates" in kubectl("explain", "deployment", *form)
        assert "Limits describes the maximum amount" in kubectl("explain", "pod.spec.containers.resources.limits", *form)
        assert "containerPort" in kubectl("explain", "deploy.spec.template.spec.containers", "--recursive", *form)
        assert "does not exist" in kubectl.fails("explain", "pod.spec.nonsense", *form)


def test_every_kind_is_explained(kubectl: Kubectl) -> None:  # noqa: F811
    listed = kubectl("api-resources", "--no-headers", "-o", "name").split()
    assert len(listed) > 40
    for name in ("certificatesigningrequests", "customresourcedefinitions", "horizontalpodautoscalers", "validatingadmissionpolicies"):
        assert "KIND:" in kubectl("explain", name, "--recursive")


def test_a_definition_is_explained_and_validated_at_once(kubectl: Kubectl) -> None:  # noqa: F811
    kind = define(kubectl, "Explained")
    plural = f"{kind.lower()}s"
    for form in ((), ("--output", "plaintext-openapiv2")):
        assert "A Explained" in kubectl("explain", plural, *form)
        assert "colour" in kubectl("explain", f"{plural}.spec", *form)
        assert "APIVersion defines the versioned schema" in kubectl("explain", f"{plural}.apiVersion", *form)
        assert "parts" in kubectl("explain", plural, "--recursive", *form)
    said = kubectl.fails("apply", "-f", "-", "--validate=strict", stdin=text(instance(kind, "a", size=1, nonsense=2)))
    assert "nonsense" in said


def test_a_changed_definition_changes_its_own_hash_and_no_other(kubectl: Kubectl) -> None:  # noqa: F811
    def hashes() -> dict[str, str]:
        paths = json.loads(kubectl("get", "--raw", "/openapi/v3"))["paths"]
        return {path: entry["serverRelativeURL"].rpartition("=")[2] for path, entry in paths.items()}

    kind = define(kubectl, "Hashed")
    before = hashes()
    new = definition(kind)
    new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["added"] = {"type": "string"}
    kubectl("apply", "-f", "-", stdin=text(new))
    after = hashes()
    assert {path for path in after if after[path] != before.get(path)} == {"apis/example.test/v1"}
    assert "added" in kubectl("explain", f"{kind.lower()}s.spec")
    assert "added" in kubectl("explain", f"{kind.lower()}s.spec", "--output", "plaintext-openapiv2")
