"""The built-in kinds as the real kubectl makes and shows them: what 1.33 sends as protobuf, and what 1.29 sends as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.kmaster import Kmaster, Kubectl, running
from tests.e2e.test_kubectl import ALWAYS, binary, node, pod, text
from tests.master.api.kinds.cases import CASES, Case


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kmaster]:
    with running(tmp_path_factory.mktemp("kinds")) as started:
        yield started
        assert started.stop() == 0


@pytest.fixture(scope="module", params=ALWAYS)
def kubectl(request: pytest.FixtureRequest, master: Kmaster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    name = f"kinds-{request.param.replace('.', '-')}"
    tool = Kubectl(binary(request.param), master, namespace=name, home=tmp_path_factory.mktemp(name))
    tool("create", "namespace", name)
    return tool


def test_every_kind_is_created_shown_and_applied_again_without_a_change(kubectl: Kubectl, master: Kmaster) -> None:
    names = {(r["kind"], r["group"]): r for r in _resources(kubectl)}
    documents = [_whole(case, names) for case in CASES]
    kubectl("apply", "-f", "-", stdin=text(*documents))
    kinds = [case.key for case in CASES]
    before = _versions(kubectl, kinds)
    kubectl("apply", "-f", "-", stdin=text(*documents))
    assert _versions(kubectl, kinds) == before and len(before) >= len(CASES)
    table = kubectl("get", ",".join(kinds))
    for case in CASES:
        assert case.columns.upper().split(",")[1] in table, case.key
    kubectl("delete", "-f", "-", "--wait=false", stdin=text(*documents))


def _versions(kubectl: Kubectl, kinds: list[str]) -> dict[tuple[str, str], str]:
    """The resourceVersion of everything: what a write that changes nothing leaves alone."""
    items = kubectl.json("get", ",".join(kinds))["items"]
    return {(item["kind"], item["metadata"]["name"]): item["metadata"]["resourceVersion"] for item in items}


def _resources(kubectl: Kubectl) -> list[dict[str, str]]:
    found = []
    for path in ("/api", "/apis"):
        listed = json.loads(kubectl("get", "--raw", path))
        for version in [g["preferredVersion"]["groupVersion"] for g in listed.get("groups", [])] or ["v1"]:
            for each in json.loads(kubectl("get", "--raw", f"{path}/{version}"))["resources"]:
                if "/" not in each["name"]:
                    found.append({"group": version.rpartition("/")[0], "version": version, "kind": each["kind"], "plural": each["name"]})
    return found


def _whole(case: Case, names: dict[tuple[str, str], dict[str, str]]) -> dict[str, Any]:
    plural, _, group = case.key.partition(".")
    one = next(each for each in names.values() if each["plural"] == plural and each["group"] == group)
    return {"kind": one["kind"], "apiVersion": one["version"], "metadata": {"name": case.name}, **case.document}


def test_a_budget_holds_an_eviction_until_it_allows_it(kubectl: Kubectl) -> None:
    name = f"n-{kubectl.namespace}"
    kubectl("create", "-f", "-", stdin=text(node(name)))
    for each in ("a", "b"):
        placed = pod(each, labels={"app": "held"})
        placed["spec"]["nodeName"] = name
        kubectl("create", "-f", "-", stdin=text(placed))
        ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        kubectl("patch", "pod", each, "--subresource=status", "--type=merge", "-p", json.dumps(ready))
    kubectl("create", "pdb", "held", "--selector=app=held", "--min-available=2")
    kubectl("wait", "--for=jsonpath={.status.currentHealthy}=2", "pdb/held", "--timeout=10s")
    kubectl("cordon", name)
    with kubectl.watching("drain", name, "--force", "--timeout=1s") as drain:
        out, err = drain.communicate(timeout=20)
    assert drain.returncode == 1 and "Cannot evict pod as it would violate the pod's disruption budget." in err, err
    assert kubectl("get", "pods", "-l", "app=held", "-o", "name").split() == ["pod/a", "pod/b"]
    kubectl("patch", "pdb", "held", "--type=merge", "-p", '{"spec":{"minAvailable":1}}')
    kubectl("wait", "--for=jsonpath={.status.disruptionsAllowed}=1", "pdb/held", "--timeout=10s")
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/a/eviction"
    eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "a"}}
    assert "Success" in kubectl("create", "--raw", path, "-f", "-", stdin=text(eviction))
    kubectl("wait", "--for=jsonpath={.status.disruptionsAllowed}=0", "pdb/held", "--timeout=10s")
    assert "disruption budget" in kubectl.fails("create", "--raw", path.replace("/a/", "/b/"), "-f", "-", stdin=text(
        {**eviction, "metadata": {"name": "b"}}))  # fmt: skip
    kubectl("delete", "pods", "-l", "app=held", "--force", "--grace-period=0")
    kubectl("delete", "node", name)


def test_events_of_both_groups_are_the_same(kubectl: Kubectl) -> None:
    event = {
        "kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": {"name": "e"}, "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/c", "reportingInstance": "c-1", "action": "Looking", "reason": "Looked", "type": "Normal",
        "note": "somebody looked", "regarding": {"kind": "Pod", "namespace": kubectl.namespace, "name": "web"},
    }  # fmt: skip
    kubectl("create", "-f", "-", stdin=text(event))
    for name in ("events", "events.events.k8s.io"):
        assert "somebody looked" in kubectl("get", name), name
    assert "somebody looked" in kubectl("events")
    assert kubectl.json("get", "events", "e")["message"] == "somebody looked"
    assert kubectl("explain", "cronjob.spec.schedule").find("Cron format") > 0
    assert "autoscaling/v1" in kubectl("api-versions") and "events.k8s.io/v1" in kubectl("api-versions")


def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Kubectl) -> None:
    assert kubectl("get", "cj,jobs,quota,pdb,ing,hpa,events", "-o", "name").split()
    kubectl("delete", "namespace", kubectl.namespace, "--timeout=20s")
    assert "NotFound" in kubectl.fails("get", "namespace", kubectl.namespace)
