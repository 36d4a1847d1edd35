"""APIServices and ComponentStatuses as the real kubectl shows them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.e2e.kmaster import Kubectl
from tests.e2e.test_definitions import definition
from tests.e2e.test_kubectl import home, kubectl, master, text  # noqa: F401  (fixtures)

REMOTE = {
    "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
    "spec": {
        "group": "shop.test", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True,
        "service": {"namespace": "default", "name": "shop"},
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=["1.27", "1.33"])
def version(request: pytest.FixtureRequest) -> str:
    return request.param


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline


def rows(output: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in (line.split() for line in output.splitlines())}


def test_every_group_that_is_served_is_listed_as_local(kubectl: Kubectl) -> None:  # noqa: F811
    kubectl("wait", "--for=condition=Available", "apiservice/v1.", "apiservice/v1.apps", "--timeout=10s")
    found = rows(kubectl("get", "apiservices"))
    assert found["NAME"] == ["SERVICE", "AVAILABLE", "AGE"]
    for name in ("v1.", "v1.apps", "v2.autoscaling", "v1.rbac.authorization.k8s.io", "v1beta1.metrics.k8s.io"):
        assert found[name][:2] == ["Local", "True"], name
    group_versions = {word for word in kubectl("api-versions").split() if word != "apiregistration.k8s.io/v1" and ".test/" not in word}
    assert {".".join(reversed(word.split("/"))) if "/" in word else f"{word}." for word in group_versions} <= set(found)
    assert "automanaged=onstart" in kubectl("get", "apiservice", "v1.apps", "--show-labels")


def test_a_custom_group_comes_and_goes_with_its_definition(kubectl: Kubectl) -> None:  # noqa: F811
    group = f"x{kubectl.namespace.rpartition('-')[2]}.test"
    defined = definition("Gadget")
    defined["metadata"]["name"], defined["spec"]["group"] = f"gadgets.{group}", group
    kubectl("apply", "-f", "-", stdin=text(defined))
    kubectl("wait", "--for=condition=Established", f"crd/gadgets.{group}", "--timeout=10s")
    for name in (f"v1.{group}", f"v1beta1.{group}"):
        until(lambda name=name: kubectl.run("get", "apiservice", name).returncode == 0)
    kubectl("wait", "--for=condition=Available", f"apiservice/v1.{group}", f"apiservice/v1beta1.{group}", "--timeout=10s")
    kubectl("delete", "crd", f"gadgets.{group}", "--timeout=20s")
    kubectl("wait", "--for=delete", f"apiservice/v1.{group}", "--timeout=10s")


def test_one_of_another_server_is_kept_and_says_that_it_cannot_be_reached(kubectl: Kubectl) -> None:  # noqa: F811
    group = f"shop{kubectl.namespace.rpartition('-')[2]}.test"
    remote = {**REMOTE, "metadata": {"name": f"v1.{group}"}, "spec": {**REMOTE["spec"], "group": group}}  # type: ignore[dict-item]
    kubectl("apply", "-f", "-", stdin=text(remote))
    kubectl("wait", "--for=condition=Available=False", f"apiservice/v1.{group}", "--timeout=10s")
    found = rows(kubectl("get", "apiservices"))[f"v1.{group}"]
    assert found[:3] == ["default/shop", "False", "(AggregationNotSupported)"]
    assert "does not aggregate others" in kubectl("get", "apiservice", f"v1.{group}", "-o", "jsonpath={.status.conditions[0].message}")
    assert group not in kubectl("api-versions")
    kubectl("delete", "apiservice", f"v1.{group}")


def test_components_are_healthy_and_their_status_deprecated(kubectl: Kubectl) -> None:  # noqa: F811
    result = kubectl.run("get", "componentstatuses")
    assert "Warning: v1 ComponentStatus is deprecated in v1.19+" in result.stderr
    found = rows(result.stdout)
    assert found["NAME"] == ["STATUS", "MESSAGE", "ERROR"]
    assert {name: words for name, words in found.items() if name != "NAME"} == {
        name: ["Healthy", "ok"] for name in ("controller-manager", "etcd-0", "scheduler")
    }
    one = kubectl.run("get", "cs", "etcd-0", "-o", "jsonpath={.conditions[0].type}={.conditions[0].status}")
    assert one.stdout == "Healthy=True" and "deprecated" in one.stderr
    assert "not found" in kubectl.fails("get", "cs", "moon")
    assert "Warning: v1 Endpoints is deprecated in v1.33+" in kubectl.run("get", "endpoints").stderr
