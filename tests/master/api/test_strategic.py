"""Strategic merge patch, on the fields of real kinds."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from common.errors import BadRequest, Invalid, SteersmanError
from master.api import schema, strategic

POD = schema.for_kind("v1", "Pod")
DEPLOYMENT = schema.for_kind("apps/v1", "Deployment")
NODE = schema.for_kind("v1", "Node")


def containers(*names: str, **fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, **fields} for name in names]}}


def finalizers(*names: str) -> dict[str, Any]:
    return {"metadata": {"finalizers": list(names)}}


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        pytest.param({"spec": {"nodeName": "a"}}, {"spec": {"nodeName": "b"}}, {"spec": {"nodeName": "b"}}, id="a scalar is replaced"),
        pytest.param({"metadata": {"labels": {"a": "1", "b": "2"}}}, {"metadata": {"labels": {"a": None, "c": "3"}}}, {"metadata": {"labels": {"b": "2", "c": "3"}}}, id="maps are merged and null deletes"),
        pytest.param({}, {"metadata": {"labels": {"a": None, "c": "3"}}}, {"metadata": {"labels": {"c": "3"}}}, id="nulls of what was not there leave nothing"),
        pytest.param(containers("a", "b", image="1"), containers("b", image="2"), {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}}, id="a container is found by its name"),
        pytest.param(containers("a"), containers("b"), containers("b", "a"), id="a new container stands before those that the patch does not name"),
        pytest.param(containers("a", "b", "c"), {"spec": {"containers": [{"name": "b", "$patch": "delete"}]}}, containers("a", "c"), id="an item is deleted by its key"),
        pytest.param(containers("a", "b"), {"spec": {"containers": [{"$patch": "replace"}, {"name": "x"}]}}, containers("x"), id="a list is replaced on demand"),
        pytest.param(containers("a"), {"spec": {"$patch": "replace", "nodeName": "n"}}, {"spec": {"nodeName": "n"}}, id="an object is replaced on demand"),
        pytest.param(containers("a"), {"spec": {"$patch": "delete"}}, {"spec": {}}, id="an object is emptied on demand"),
        pytest.param(containers("a", "b", "c"), {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}}, containers("c", "a", "b"), id="only the order changes"),
        pytest.param(containers("a", "b"), {"spec": {"$setElementOrder/containers": [{"name": "x"}, {"name": "a"}], "containers": [{"name": "x"}, {"name": "b", "$patch": "delete"}]}}, containers("x", "a"), id="as kubectl apply replaces a container"),
        pytest.param(containers("a", "side", "b"), {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}, containers("side", "b", "a"), id="an item the client does not know keeps its place as well as it can"),
        pytest.param(containers("a"), {"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}}, containers("a", env=[{"name": "X", "value": "1"}]), id="lists within list items"),
        pytest.param(containers("a", args=["x", "y"]), containers("a", args=["z"]), containers("a", args=["z"]), id="an atomic list is replaced"),
        pytest.param({"spec": {"tolerations": [{"key": "a"}]}}, {"spec": {"tolerations": [{"key": "b"}]}}, {"spec": {"tolerations": [{"key": "b"}]}}, id="a list of objects without a merge key is replaced"),
        pytest.param(finalizers("a", "b"), finalizers("b", "c"), finalizers("a", "b", "c"), id="scalars are a set"),
        pytest.param(finalizers("a", "b", "c"), {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}}, finalizers("a", "c"), id="scalars are deleted"),
        pytest.param(finalizers("a", "b"), {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"]}}, finalizers("c", "b"), id="scalars are deleted, added and ordered"),
        pytest.param({}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, {"metadata": {}}, id="deleting from a list that is not there"),
        pytest.param({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}, {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}}, {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}}, id="a volume changes its source"),
        pytest.param({}, {"spec": {"containers": [{"name": "a", "$patch": "delete"}, {"name": "b"}], "$setElementOrder/containers": [{"name": "b"}]}}, containers("b"), id="directives about what is not there vanish"),
        pytest.param(containers("a", ports=[{"containerPort": 53, "protocol": "UDP"}]), containers("a", ports=[{"containerPort": 53, "name": "dns"}]), containers("a", ports=[{"containerPort": 53, "protocol": "UDP", "name": "dns"}]), id="ports are found by their number"),
        pytest.param({"spec": {"containers": None}}, containers("a"), containers("a"), id="null in the document gives way"),
        pytest.param(containers("a"), {"spec": {"containers": None}}, {"spec": {}}, id="null deletes a list"),
    ],
)  # fmt: skip
def test_a_pod_is_patched(document: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy((document, patch))
    assert strategic.merge(document, patch, POD) == expected
    assert (document, patch) == before, "an argument was changed"


def test_rollout_restart_touches_one_annotation() -> None:
    document = {"spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "web"}}, **containers("a")}}}
    stamp = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
    merged = strategic.merge(document, stamp, DEPLOYMENT)
    assert merged["spec"]["template"]["metadata"] == {"labels": {"app": "web"}, **stamp["spec"]["template"]["metadata"]}
    assert merged["spec"]["template"]["spec"] == document["spec"]["template"]["spec"]


def test_a_strategy_retains_only_the_keys_of_its_new_type() -> None:
    document = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic.merge(document, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_cordon_and_taint() -> None:
    document = {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}], "podCIDRs": ["10.0.0.0/24"]}}
    assert strategic.merge(document, {"spec": {"unschedulable": True}}, NODE)["spec"]["unschedulable"] is True
    assert strategic.merge(document, {"spec": {"taints": []}}, NODE)["spec"]["taints"] == []


def test_conditions_are_found_by_their_type() -> None:
    document = {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "True"}]}}
    patch = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    assert strategic.merge(document, patch, NODE)["status"]["conditions"] == [
        {"type": "Ready", "status": "False"}, {"type": "Other", "status": "True"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("patch", "error", "said"),
    [
        pytest.param([], BadRequest, "json: cannot unmarshal array into Go value of type map", id="a patch that is no object"),
        pytest.param({"spec": {"containers": [{"image": "x"}]}}, BadRequest, "map: map[image:x] does not contain declared merge key: name", id="an item without its key"),
        pytest.param({"spec": {"containers": [{"$patch": "delete"}]}}, BadRequest, "does not contain declared merge key: name", id="a deletion without its key"),
        pytest.param({"spec": {"$patch": "frob"}}, BadRequest, "unknown patch type: frob", id="an unknown directive"),
        pytest.param({"spec": {"containers": [{"name": "a", "$patch": "frob"}]}}, BadRequest, "unknown patch type: frob", id="an unknown directive in a list"),
        pytest.param({"spec": {"containers": ["a"]}}, BadRequest, "list element types are not identical", id="a scalar among objects"),
        pytest.param({"spec": {"containers": [["a"]]}}, Invalid, "rejected", id="a list of lists"),
        pytest.param({"spec": {"$retainKeys": "x"}}, BadRequest, "invalid patch format of retainKeys", id="retainKeys that is no list"),
        pytest.param({"spec": {"$retainKeys": ["a"], "nodeName": "x"}}, BadRequest, "invalid patch format of retainKeys", id="retainKeys without a field that is set"),
        pytest.param({"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}}, BadRequest, "invalid patch format of primitive list", id="a deletion that is no list"),
        pytest.param({"spec": {"$setElementOrder/containers": "x"}}, BadRequest, "invalid patch format of setElementOrder list", id="an order that is no list"),
        pytest.param({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}}, BadRequest, "doesn't match $setElementOrder list", id="an item that the order does not name"),
        pytest.param({"spec": {"$setElementOrder/nonsense": []}}, BadRequest, 'unable to find api field in struct PodSpec for the json field "nonsense"', id="an order for an unknown field"),
    ],
)  # fmt: skip
def test_a_patch_that_cannot_be_applied(patch: Any, error: type[SteersmanError], said: str) -> None:
    with pytest.raises(error) as caught:
        strategic.merge({"metadata": {}, **containers("a")}, patch, POD)
    assert said in caught.value.message
