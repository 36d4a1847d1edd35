"""Each plugin by a table: which of three nodes it turns down and why, or how it rates them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from common.objects import node as nodes
from common.objects import pod as pods
from master.scheduler import ask as asks
from master.scheduler import plugins
from master.scheduler.ask import Ask
from master.scheduler.snapshot import Snapshot

NODES = ("a", "b", "c")


def node(name: str, *, labels: dict[str, str] | None = None, ready: str = "True", **spec: Any) -> nodes.Node:
    allocatable = spec.pop("allocatable", {"cpu": "4", "memory": "8Gi", "pods": "110"})
    status = {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": ready}]}
    return msgspec.convert({"metadata": {"name": name, "labels": labels or {}}, "spec": spec, "status": status}, nodes.Node)


def pod(name: str = "web", *, cpu: str = "", on: str = "", owner: str = "", **spec: Any) -> pods.Pod:
    spec.setdefault("containers", [{"name": "main", "resources": {"requests": {"cpu": cpu} if cpu else {}}}])
    owners = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}] if owner else []
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "ownerReferences": owners}
    return msgspec.convert({"metadata": meta, "spec": {"nodeName": on, **spec}}, pods.Pod)


def ask(**how: Any) -> Ask:
    return asks.of(pod(**how))


def snapshot(*changed: nodes.Node, standing: tuple[pods.Pod, ...] = ()) -> Snapshot:
    """Three equal nodes, but for those given."""
    made = Snapshot()
    named = {item.metadata.name: item for item in changed}
    for name in NODES:
        made.set_node(named.get(name) or node(name))
    for item in standing:
        made.set_pod(f"pods/default/{item.metadata.name}", item)
    return made


def rejected(plugin: str, wanted: Ask, where: Snapshot) -> dict[str, list[str]]:
    """Nodes by reason."""
    [chosen] = [candidate for candidate in plugins.FILTERS if candidate.name == plugin]
    table = where.table
    return {
        verdict.reason: [name for name, slot in table.slots.items() if verdict.mask[slot]]
        for verdict in chosen.filter(wanted, table) if any(verdict.mask[slot] for slot in table.slots.values())
    }  # fmt: skip


def scores(plugin: str, wanted: Ask, where: Snapshot) -> list[int]:
    [chosen] = [candidate for candidate in plugins.SCORES if candidate.name == plugin]
    found = np.broadcast_to(chosen.score(wanted, where.table, where.table.alive), where.table.size)
    return [int(found[where.table.slots[name]]) for name in NODES]


TAINT = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
EVICTING = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
MILD = {"key": "slow", "effect": "PreferNoSchedule"}
DEDICATED = "node(s) had untolerated taint {dedicated: gpu}"


@pytest.mark.parametrize(
    ("taints", "tolerations", "reason"),
    [
        pytest.param([TAINT], [], DEDICATED, id="an untolerated NoSchedule taint turns down"),
        pytest.param([EVICTING], [], "node(s) had untolerated taint {node.kubernetes.io/unreachable: }",
                     id="so does NoExecute, with an empty value"),
        pytest.param([MILD], [], None, id="PreferNoSchedule does not"),
        pytest.param([MILD, TAINT, EVICTING], [], DEDICATED, id="the first that counts is the reason"),
        pytest.param([TAINT], [{"key": "dedicated", "value": "gpu"}], None, id="an equal toleration lets in"),
        pytest.param([TAINT], [{"key": "dedicated", "value": "tpu"}], DEDICATED, id="one of another value does not"),
        pytest.param([TAINT], [{"key": "dedicated", "operator": "Exists"}], None, id="Exists does not look at the value"),
        pytest.param([TAINT], [{"operator": "Exists"}], None, id="Exists without a key tolerates all"),
        pytest.param([TAINT], [{"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}], DEDICATED,
                     id="of another effect does not"),
        pytest.param([TAINT, EVICTING], [{"key": "dedicated", "operator": "Exists"}],
                     "node(s) had untolerated taint {node.kubernetes.io/unreachable: }", id="each taint needs its toleration"),
    ],
)  # fmt: skip
def test_taint_toleration(taints: list[Any], tolerations: list[Any], reason: str | None) -> None:
    where = snapshot(node("b", taints=taints))
    assert rejected("TaintToleration", ask(tolerations=tolerations), where) == ({reason: ["b"]} if reason else {})


def test_nodes_with_fewer_mild_taints_are_better() -> None:
    where = snapshot(node("b", taints=[MILD]), node("c", taints=[MILD, {**MILD, "key": "old"}]))
    assert scores("TaintToleration", ask(), where) == [100, 50, 0]
    assert scores("TaintToleration", ask(tolerations=[{"operator": "Exists"}]), where) == [100, 100, 100]


@pytest.mark.parametrize(
    ("tolerations", "turned_down"),
    [
        pytest.param([], ["b"], id="a cordoned node takes no pod"),
        pytest.param([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}], [], id="but one that tolerates it"),
    ],
)
def test_node_unschedulable(tolerations: list[Any], turned_down: list[str]) -> None:
    found = rejected("NodeUnschedulable", ask(tolerations=tolerations), snapshot(node("b", unschedulable=True)))
    assert found == ({"node(s) were unschedulable": turned_down} if turned_down else {})


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_node_that_is_not_ready_takes_no_pod_whatever_it_tolerates(status: str) -> None:
    wanted = ask(tolerations=[{"operator": "Exists"}])
    assert rejected("NodeReady", wanted, snapshot(node("b", ready=status))) == {"node(s) were not ready": ["b"]}


def test_a_node_without_a_ready_condition_takes_no_pod() -> None:
    bare = msgspec.convert({"metadata": {"name": "b"}}, nodes.Node)
    assert rejected("NodeReady", ask(), snapshot(bare)) == {"node(s) were not ready": ["b"]}


def test_a_named_node_is_the_only_one() -> None:
    assert rejected("NodeName", ask(on="b"), snapshot()) == {"node(s) didn't match the requested node name": ["a", "c"]}


def terms(*expressions: dict[str, Any], fields: list[Any] | None = None) -> dict[str, Any]:
    term = {"matchExpressions": list(expressions), "matchFields": fields or []}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


@pytest.mark.parametrize(
    ("spec", "turned_down"),
    [
        pytest.param({"nodeSelector": {"zone": "east"}}, "bc", id="a selector"),
        pytest.param({"nodeSelector": {"zone": "east", "disk": "ssd"}}, "abc", id="all its pairs must hold"),
        pytest.param({"affinity": terms({"key": "zone", "operator": "In", "values": ["east", "west"]})}, "c", id="In"),
        pytest.param({"affinity": terms({"key": "zone", "operator": "NotIn", "values": ["east"]})}, "a",
                     id="NotIn holds without the label"),
        pytest.param({"affinity": terms({"key": "zone", "operator": "Exists"})}, "c", id="Exists"),
        pytest.param({"affinity": terms({"key": "zone", "operator": "DoesNotExist"})}, "ab", id="DoesNotExist"),
        pytest.param({"affinity": terms({"key": "cores", "operator": "Gt", "values": ["8"]})}, "ac", id="Gt compares numbers"),
        pytest.param({"affinity": terms({"key": "cores", "operator": "Lt", "values": ["8"]})}, "bc", id="Lt too"),
        pytest.param({"affinity": terms(fields=[{"key": "metadata.name", "operator": "In", "values": ["c"]}])}, "ab", id="a field"),
        pytest.param({"affinity": terms()}, "abc", id="an empty term is met by nothing"),
        pytest.param({"nodeSelector": {"zone": "west"}, "affinity": terms({"key": "cores", "operator": "Lt", "values": ["8"]})}, "abc",
                     id="selector and affinity"),
        pytest.param({}, "", id="nothing asked, nothing turned down"),
    ],
)  # fmt: skip
def test_node_affinity(spec: dict[str, Any], turned_down: str) -> None:
    where = snapshot(node("a", labels={"zone": "east", "cores": "4"}), node("b", labels={"zone": "west", "cores": "16"}))
    found = rejected("NodeAffinity", ask(**spec), where)
    assert found == ({"node(s) didn't match Pod's node affinity/selector": list(turned_down)} if turned_down else {})


def test_preferred_affinity_is_a_score_and_follows_the_labels() -> None:
    def wish(weight: int, zone: str) -> dict[str, Any]:
        return {"weight": weight, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}}

    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [wish(10, "east"), wish(5, "west")]}
    wanted = ask(affinity={"nodeAffinity": preferred})
    where = snapshot(node("a", labels={"zone": "east"}), node("b", labels={"zone": "west"}))
    assert scores("NodeAffinity", wanted, where) == [100, 50, 0]
    where.set_node(node("c", labels={"zone": "east"}))
    assert scores("NodeAffinity", wanted, where) == [100, 50, 100]


def container(name: str, cpu: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        pytest.param({"containers": [container("x", "100m"), container("y", "0.2")]}, 300, id="containers add up"),
        pytest.param({"initContainers": [container("i", "1"), container("j", "2")]}, 2000, id="the hungriest init container counts"),
        pytest.param({"initContainers": [container("i", "50m")]}, 100, id="unless the containers ask more"),
        pytest.param({"initContainers": [container("s", "1", restartPolicy="Always")]}, 1100, id="a sidecar runs beside them"),
        pytest.param({"initContainers": [container("s", "1", restartPolicy="Always"), container("i", "2")]}, 3000,
                     id="and beside later init containers"),
        pytest.param({"initContainers": [container("i", "2"), container("s", "1", restartPolicy="Always")]}, 2000,
                     id="not beside earlier ones"),
        pytest.param({"overhead": {"cpu": "50m"}}, 150, id="overhead comes on top"),
    ],
)  # fmt: skip
def test_the_effective_request(spec: dict[str, Any], cpu: int) -> None:
    spec.setdefault("containers", [container("x", "100m")])
    assert ask(**spec).requests == {"cpu": cpu, "pods": 1}


@pytest.mark.parametrize(
    ("requests", "reasons"),
    [
        pytest.param({"cpu": "1"}, {}, id="what just fits, fits"),
        pytest.param({"cpu": "1001m"}, {"Insufficient cpu": ["b"]}, id="a thousandth more does not"),
        pytest.param({"memory": "1Gi", "cpu": "2"}, {"Insufficient memory": ["b"], "Insufficient cpu": ["b"]}, id="each lack is a reason"),
        pytest.param({"nvidia.com/gpu": "1"}, {"Insufficient nvidia.com/gpu": ["a", "b", "c"]}, id="what no node offers"),
        pytest.param({}, {}, id="a pod that asks nothing"),
    ],
)
def test_node_resources_fit(requests: dict[str, str], reasons: dict[str, list[str]]) -> None:
    tight = node("b", allocatable={"cpu": "2", "memory": "1Gi", "pods": "3"})
    busy = pod("busy", on="b", containers=[{"name": "main", "resources": {"requests": {"cpu": "1", "memory": "1Mi"}}}])
    wanted = ask(containers=[{"name": "main", "resources": {"requests": requests}}])
    assert rejected("NodeResourcesFit", wanted, snapshot(tight, standing=(busy,))) == reasons


def test_a_node_takes_so_many_pods_and_counts_neither_finished_nor_gone_ones() -> None:
    where = snapshot(node("b", allocatable={"cpu": "4", "memory": "8Gi", "pods": "2"}), standing=(pod("x", on="b"), pod("y", on="b")))
    assert rejected("NodeResourcesFit", ask(), where) == {"Too many pods": ["b"]}
    done = msgspec.structs.replace(pod("x", on="b"), status=pods.PodStatus(phase="Failed"))
    assert where.set_pod("pods/default/x", done)
    assert rejected("NodeResourcesFit", ask(), where) == {}


def test_emptier_nodes_score_higher_and_pods_without_requests_count_too() -> None:
    where = snapshot(standing=(pod("x", on="a", cpu="2"), pod("y", on="b")))
    a, b, c = scores("NodeResourcesFit", ask(cpu="1"), where)
    assert a < b < c
    assert c == (75 + 97) // 2


def test_fewer_pods_of_the_same_controller_score_higher() -> None:
    standing = (pod("x", on="a", owner="rs"), pod("y", on="a", owner="rs"), pod("z", on="b", owner="rs"), pod("o", on="c", owner="other"))
    assert scores("PodTopologySpread", ask(owner="rs"), snapshot(standing=standing)) == [0, 50, 100]
    assert scores("PodTopologySpread", ask(), snapshot(standing=standing)) == [0, 0, 0]


@pytest.mark.parametrize(
    ("port", "turned_down"),
    [
        pytest.param({"hostPort": 80}, ["b"], id="the same port"),
        pytest.param({"hostPort": 81}, [], id="another port"),
        pytest.param({"hostPort": 80, "protocol": "UDP"}, [], id="another protocol"),
        pytest.param({"hostPort": 80, "hostIP": "10.0.0.2"}, [], id="another address"),
        pytest.param({"hostPort": 80, "hostIP": "10.0.0.1"}, ["b"], id="the same address"),
    ],
)
def test_node_ports(port: dict[str, Any], turned_down: list[str]) -> None:
    def with_port(**named: Any) -> list[Any]:
        return [{"name": "main", "ports": [{"containerPort": 80, **named}]}]

    where = snapshot(standing=(pod("x", on="b", containers=with_port(hostPort=80, hostIP="10.0.0.1")),))
    found = rejected("NodePorts", ask(containers=with_port(**port)), where)
    # 0.0.0.0, which is what no address means, collides with every address.
    assert found == ({"node(s) didn't have free ports for the requested pod ports": turned_down} if turned_down else {})
