"""Decisions as values: where pods go, that they see one another, and the words for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from master.scheduler import explain
from master.scheduler.ask import Ask
from master.scheduler.decide import GOLDEN, Plan, decide
from master.scheduler.snapshot import Snapshot
from tests.master.scheduler.test_plugins import TAINT, ask, node, pod, snapshot


UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}


def places(plan: Plan) -> dict[str, str]:
    return {placement.ask.name: placement.node for placement in plan.placed}


def test_pods_of_one_decision_see_each_other_and_the_table_sees_none_of_them() -> None:
    where = snapshot()
    before = {resource: amounts.copy() for resource, amounts in where.table.requested.items()}
    plan = decide([ask(name=f"p{n}", owner="rs", cpu="1") for n in range(6)], where.table, rotation=0.4)
    assert Counter(places(plan).values()) == {"a": 2, "b": 2, "c": 2}
    assert where.table.owners == {} and where.table.requested.keys() == before.keys()
    assert all(np.array_equal(where.table.requested[r], before[r]) for r in before)


def test_what_does_not_fit_beside_the_others_is_unschedulable_in_the_order_given() -> None:
    small = snapshot(*(node(name, allocatable={"cpu": "1", "memory": "1Gi", "pods": "9"}) for name in "abc"))
    plan = decide([ask(name=f"p{n}", cpu="600m") for n in range(4)], small.table)
    assert sorted(places(plan)) == ["p0", "p1", "p2"] and [v.ask.name for v in plan.unschedulable] == ["p3"]


SHAPES = st.tuples(st.sampled_from(["100m", "1", "3", ""]), st.sampled_from(["", "rs-1", "rs-2"]), st.sampled_from([0, 8080]))


@given(st.lists(SHAPES, min_size=1, max_size=60), st.floats(0, 0.99))
@settings(max_examples=60, deadline=None)
def test_pods_decided_together_go_where_they_would_go_one_after_the_other(shapes: list[tuple[str, str, int]], rotation: float) -> None:
    def wanted(number: int, cpu: str, owner: str, port: int) -> Ask:
        container = {"name": "c", "resources": {"requests": {"cpu": cpu} if cpu else {}}, "ports": [{"containerPort": 1, "hostPort": port}]}
        return ask(name=f"p{number}", owner=owner, containers=[container])

    pods = [wanted(number, *shape) for number, shape in enumerate(shapes)]
    together, alone = snapshot(node("b", allocatable={"cpu": "8", "memory": "4Gi", "pods": "9"})), {}
    plan = decide(pods, together.table, rotation=rotation)
    for item in pods:
        single = decide([item], together.table, rotation=rotation)
        for placement in single.placed:
            alone[item.name] = (placement.node, placement.fitting, placement.scores)
            together.assume(item, placement.node)
            rotation = (rotation + GOLDEN) % 1.0
    assert {p.ask.name: (p.node, p.fitting, p.scores) for p in plan.placed} == alone


@pytest.mark.parametrize("rotation", [0.0, 0.2, 0.5, 0.9])
def test_the_same_rotation_decides_the_same(rotation: float) -> None:
    pods = [ask(name=f"p{n}") for n in range(20)]
    assert places(decide(pods, snapshot().table, rotation=rotation)) == places(decide(pods, snapshot().table, rotation=rotation))


def test_equal_nodes_share_the_load_between_decisions() -> None:
    found = Counter(places(decide([ask()], snapshot().table, rotation=n / 30))["web"] for n in range(30))
    assert found == {"a": 10, "b": 10, "c": 10}


def crowded() -> Snapshot:
    """a lacks room, b is tainted, c is cordoned."""
    return snapshot(
        node("b", taints=[TAINT]), node("c", unschedulable=True), standing=(pod("x", on="a", cpu="3500m"),)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("where", "wanted", "message"),
    [
        pytest.param(
            Snapshot(), {}, "no nodes available to schedule pods", id="no node at all",
        ),
        pytest.param(
            crowded(), {"cpu": "1"},
            "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: gpu}, 1 node(s) were "
            "unschedulable. preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
            "2 Preemption is not helpful for scheduling.", id="a reason for every node",
        ),
        pytest.param(
            snapshot(), {"cpu": "5"},
            "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful "
            "for scheduling.", id="more than any node has cannot be helped by preemption",
        ),
        pytest.param(
            snapshot(*(node(name, ready="Unknown", taints=[UNREACHABLE]) for name in "ab")),
            {"nodeSelector": {"disk": "ssd"}},
            "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) had untolerated taint "
            "{node.kubernetes.io/unreachable: }. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            id="each node by its first objection",
        ),
    ],
)  # fmt: skip
def test_the_message_is_kubernetes_own(where: Snapshot, wanted: dict[str, Any], message: str) -> None:
    [verdict] = decide([ask(**wanted)], where.table).unschedulable
    assert explain.message(verdict) == message


def test_a_verdict_names_the_node_the_plugin_and_the_numbers() -> None:
    [unschedulable] = decide([ask(cpu="1")], crowded().table).unschedulable
    found = {verdict.node: (verdict.plugin, verdict.numbers) for verdict in explain.verdicts(unschedulable)}
    assert found == {
        "a": ("NodeResourcesFit", {"requested": 1000, "free": 500, "allocatable": 4000}),
        "b": ("TaintToleration", {}),
        "c": ("NodeUnschedulable", {}),
    }


def test_why_a_pod_went_where_it_went() -> None:
    where = snapshot(node("c", unschedulable=True), standing=(pod("x", on="a", owner="rs"),))
    [placement] = decide([ask(owner="rs")], where.table).placed
    why = "fits on 2 of 3 nodes; b scores 597 (TaintToleration 3×100, PodTopologySpread 2×100, NodeResourcesFit 1×97)"
    assert explain.why_placed(placement) == why
    assert explain.scheduled(placement) == "Successfully assigned default/web to b"


steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), st.integers(0, 30), st.integers(1, 8)),
        st.tuples(st.just("gone node"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("pod"), st.integers(0, 40), st.integers(0, 30)),
        st.tuples(st.just("gone pod"), st.integers(0, 40), st.just(0)),
        st.tuples(st.just("assume"), st.integers(0, 40), st.integers(0, 30)),
    ),
    max_size=80,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps)
def test_the_snapshot_kept_step_by_step_equals_one_made_anew(history: list[tuple[str, int, int]]) -> None:
    kept = Snapshot()
    there: dict[str, Any] = {}
    standing: dict[str, Any] = {}
    for what, number, other in history:
        name, item = f"n{number}", pod(f"p{number}", on=f"n{other}", cpu=f"{number}m", owner=f"rs{number % 3}")
        key = f"pods/default/p{number}"
        if what == "node":
            there[name] = node(name, allocatable={"cpu": str(other), "pods": "9"})
            kept.set_node(there[name])
        elif what == "gone node":
            there.pop(name, None)
            kept.remove_node(name)
        elif what == "gone pod":
            standing.pop(key, None)
            kept.remove_pod(key)
        else:
            standing[key] = item
            if what == "assume":
                kept.assume(ask(name=f"p{number}", cpu=f"{number}m", owner=f"rs{number % 3}"), f"n{other}")
            kept.set_pod(key, item)
    anew = Snapshot()
    for item in there.values():
        anew.set_node(item)
    for key, item in standing.items():
        anew.set_pod(key, item)
    assert facts(kept) == facts(anew)


def facts(where: Snapshot) -> dict[str, Any]:
    table = where.table
    return {
        name: (
            {r: int(v[slot]) for r, v in table.requested.items() if v[slot]},
            {r: int(v[slot]) for r, v in table.allocatable.items() if v[slot]},
            {o: int(v[slot]) for o, v in table.owners.items() if v[slot]},
            table.scored[:, slot].tolist(),
        )
        for name, slot in table.slots.items()
    }
