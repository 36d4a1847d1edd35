"""Nodes: taints from conditions, evictions from taints, address ranges, and pods that nobody will confirm, as tables."""

from __future__ import annotations

import pytest

from common.clock import rfc3339
from common.objects.node import Node
from master.api.contract import DeleteObject, Ref
from master.controllers import node_ipam, node_lifecycle, pod_gc, taint_eviction
from master.controllers.controller import Seen
from master.controllers.settings import ControllerSettings
from tests.master.controllers.cluster import Cluster, node, pod

NOW = 1_700_000_000.0
IN_AN_HOUR = rfc3339(NOW + 3600)
LONG_AGO, JUST_NOW = rfc3339(NOW - 100), rfc3339(NOW - 1)
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
SETTINGS = ControllerSettings(disruption_window_s=5.0)


def ref(name):
    return Ref("nodes", name)


def taints(cluster, name="a"):
    return {f"{t.key.removeprefix('node.kubernetes.io/')}:{t.effect}" for t in cluster.get(Node, ref(name)).spec.taints}


def lifecycle(*nodes, name="a", now=NOW):
    cluster = Cluster(*nodes, now=now)
    outcome = node_lifecycle.reconcile(SETTINGS, cluster.view, ref(name), now)
    for change in outcome.changes:
        cluster.apply(change)
    return cluster, outcome


OTHER = node("b", since=LONG_AGO)
THEIRS = {"key": "dedicated", "value": "x", "effect": "NoExecute"}
OLD_TAINT = {"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": LONG_AGO}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([node("a")], set(), id="a ready node has none"),
        pytest.param([node("a", "Unknown", since=LONG_AGO), OTHER], {"unreachable:NoSchedule", "unreachable:NoExecute"}, id="a silent node is unreachable"),
        pytest.param([node("a", "False", since=LONG_AGO), OTHER], {"not-ready:NoSchedule", "not-ready:NoExecute"}, id="a node that says it is not ready"),
        pytest.param([node("a", "Unknown", since=JUST_NOW), OTHER], {"unreachable:NoSchedule"}, id="a node silent since a second evicts nothing yet"),
        pytest.param([node("a", "Unknown", since=LONG_AGO), node("b", since=JUST_NOW)], {"unreachable:NoSchedule"},
                     id="the others being back since a second only, it may be back at any moment"),
        pytest.param([node("a", "Unknown", since=LONG_AGO), node("b", "Unknown", since=LONG_AGO)], {"unreachable:NoSchedule"},
                     id="when all nodes are silent nothing is evicted"),
        pytest.param([node("a", "Unknown", since=LONG_AGO, taints=[OLD_TAINT]), node("b", "Unknown", since=LONG_AGO)], {"unreachable:NoSchedule"},
                     id="when all nodes have become silent NoExecute is taken back"),
        pytest.param([node("a", taints=[OLD_TAINT, THEIRS])], {"dedicated:NoExecute"}, id="a node that is back loses ours and keeps the others"),
        pytest.param([node("a", "", ), OTHER], {"not-ready:NoSchedule"}, id="a node that never spoke takes no pods"),
        pytest.param([node("a", "Unknown", since=LONG_AGO), node("b", since=IN_AN_HOUR)], {"unreachable:NoSchedule", "unreachable:NoExecute"},
                     id="a clock that was set back does not put the eviction off"),
        pytest.param([node("a", disk_pressure=True)], {"disk-pressure:NoSchedule"}, id="a node with a full disk takes no pods and keeps its own"),
        pytest.param([node("a", unschedulable=True)], {"unschedulable:NoSchedule"}, id="a cordoned node takes no pods"),
    ],
)  # fmt: skip
def test_conditions_become_taints(nodes, expected):
    cluster, _ = lifecycle(*nodes)
    assert taints(cluster) == expected
    assert node_lifecycle.reconcile(SETTINGS, cluster.view, ref("a"), NOW).changes == ()


def test_the_eviction_of_a_silent_node_waits_for_the_window():
    _, outcome = lifecycle(node("a", "Unknown", since=JUST_NOW), OTHER)
    assert outcome.requeue_after_s == pytest.approx(4.0)
    assert outcome.changes[0].cause.why == (
        f"node a: its condition Ready is Unknown (no reason given) since {JUST_NOW}; taint {UNREACHABLE}:NoSchedule added"
    )
    assert outcome.changes[0].expected == 1


def test_a_taint_that_stays_keeps_its_time():
    cluster, _ = lifecycle(node("a", "Unknown", since=LONG_AGO, taints=[OLD_TAINT]), OTHER)
    kept = next(t for t in cluster.get(Node, ref("a")).spec.taints if t.effect == "NoExecute")
    assert kept.time_added == LONG_AGO


def test_a_change_of_readiness_wakes_the_nodes_that_are_not_ready():
    cluster = Cluster(node("a"), node("b", "Unknown"), node("c", ""), node("d"))
    ready, silent = cluster.get(Node, ref("a")), Cluster(node("a", "Unknown")).get(Node, ref("a"))
    assert node_lifecycle.of_node(cluster.view, Seen(ref("a"), ready, silent)) == [ref("a"), ref("b"), ref("c")]
    assert node_lifecycle.of_node(cluster.view, Seen(ref("a"), ready, ready)) == [ref("a")]


def tolerating(seconds=None, key=UNREACHABLE, effect="NoExecute"):
    found = {"key": key, "operator": "Exists", "effect": effect}
    return found if seconds is None else {**found, "tolerationSeconds": seconds}


def silent(added=NOW, key=UNREACHABLE, effect="NoExecute"):
    return node("a", "Unknown", taints=[{"key": key, "effect": effect, "timeAdded": rfc3339(added)}])


STAYS = None


@pytest.mark.parametrize(
    ("at", "tolerations", "wait_s"),
    [
        pytest.param(silent(), [], 0, id="no toleration: at once"),
        pytest.param(silent(), [tolerating(0)], 0, id="tolerated for no time: at once"),
        pytest.param(silent(NOW - 10), [tolerating(300)], 290, id="tolerated for 300 s of which 10 have passed"),
        pytest.param(silent(NOW - 301), [tolerating(300)], 0, id="tolerated for 300 s which have passed"),
        pytest.param(silent(), [tolerating()], STAYS, id="tolerated for ever"),
        pytest.param(silent(), [tolerating(5, key=NOT_READY)], 0, id="another taint is tolerated"),
        pytest.param(silent(effect="NoSchedule"), [], STAYS, id="NoSchedule drives nobody out"),
        pytest.param(node("a"), [], STAYS, id="no taint"),
        pytest.param(silent(), [{"operator": "Exists"}], STAYS, id="everything is tolerated"),
        pytest.param(silent(), [{"key": UNREACHABLE, "operator": "Equal", "value": "x"}], 0, id="another value is tolerated"),
    ],
)  # fmt: skip
def test_pods_leave_what_they_do_not_tolerate(at, tolerations, wait_s):
    cluster = Cluster(at, pod("p", node="a", tolerations=tolerations, ready=True))
    outcome = taint_eviction.reconcile(cluster.view, Ref("pods", "p", "default"), NOW)
    evicted = [change for change in outcome.changes if isinstance(change, DeleteObject)]
    assert len(evicted) == (wait_s == 0)
    assert outcome.requeue_after_s == (wait_s or None)


def test_an_eviction_says_why_and_what_it_reacted_to():
    cluster = Cluster(silent(), pod("p", node="a", tolerations=[tolerating(0)], ready=True))
    outcome = taint_eviction.reconcile(cluster.view, Ref("pods", "p", "default"), NOW)
    emitted, deletion = outcome.changes
    assert emitted.reason == "TaintManagerEviction"
    assert deletion.cause.rule == "TaintEviction"
    assert deletion.cause.why == "node a has taint node.kubernetes.io/unreachable:NoExecute, tolerated for 0 s"
    assert deletion.cause.revision == 1


def test_a_new_taint_wakes_the_pods_of_its_node_alone():
    cluster = Cluster(node("a"), pod("p", node="a"), pod("q", node="b"))
    seen = Seen(ref("a"), cluster.get(Node, ref("a")), Cluster(silent()).get(Node, ref("a")))
    assert taint_eviction.of_node(cluster.view, seen) == [Ref("pods", "p", "default")]


def test_each_node_gets_a_range_of_its_own():
    cluster = Cluster(*(node(f"n{i}") for i in range(4)), node("old", cidr="10.244.1.0/24"))
    controller = node_ipam.controller(SETTINGS)
    assert len(cluster.run(controller, ref("n1"))) == 4, "those that wait beside it are served too"
    ranges = [cluster.get(Node, ref(f"n{i}")).spec.pod_cidr for i in range(4)]
    assert ranges == ["10.244.2.0/24", "10.244.0.0/24", "10.244.3.0/24", "10.244.4.0/24"]
    assert cluster.run(controller, ref("n0")) == []


def test_a_node_for_which_no_range_is_left_is_told_so():
    cluster = Cluster(node("a", cidr="10.0.0.0/24"), node("b"))
    outcome = node_ipam.reconcile(ControllerSettings(pod_cidr="10.0.0.0/24"), cluster.view, ref("b"), NOW)
    assert outcome.changes[0].reason == "CIDRNotAvailable"
    assert outcome.requeue_after_s


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        pytest.param(set(), "10.244.0.0/24", id="the first of all"),
        pytest.param({"10.244.0.0/24", "10.244.2.0/24"}, "10.244.1.0/24", id="a gap is filled"),
        pytest.param({"10.244.0.0/23"}, "10.244.2.0/24", id="a larger range of before is not given again"),
        pytest.param({"10.244.0.128/25"}, "10.244.1.0/24", id="nor is a smaller one"),
        pytest.param({"10.0.0.0/8"}, None, id="none is left where all is taken"),
        pytest.param({"fd00::/24", "10.9.0.0/24"}, "10.244.0.0/24", id="what lies elsewhere does not count"),
    ],
)
def test_ranges_that_are_taken_are_not_given_again(taken, found):
    assert next(node_ipam.free_ranges("10.244.0.0/16", 24, taken), None) == found


def test_ranges_of_ipv6_stay_of_ipv6():
    assert next(node_ipam.free_ranges("::/48", 64, {"::/64"})) == "0:0:0:1::/64"


OUT = {"key": "node.kubernetes.io/out-of-service", "value": "fenced", "effect": "NoExecute"}
LEAVING = {"deleted": LONG_AGO, "grace": 30}


@pytest.mark.parametrize(
    ("nodes", "item", "rule"),
    [
        pytest.param([], pod("p", node="a", created=LONG_AGO), "NodeGone", id="its node does not exist"),
        pytest.param([], pod("p", node="a", created=JUST_NOW), None, id="its node may yet come"),
        pytest.param([node("a", "Unknown", taints=[OUT])], pod("p", node="a", **LEAVING), "OutOfService", id="terminating on a fenced node"),
        pytest.param([node("a", "Unknown", taints=[OUT])], pod("p", node="a"), None, id="not terminating on a fenced node"),
        pytest.param([node("a", taints=[OUT])], pod("p", node="a", **LEAVING), None, id="the fenced node is ready: its agent will confirm"),
        pytest.param([node("a", "Unknown")], pod("p", node="a", **LEAVING), None, id="terminating on a silent node"),
        pytest.param([], pod("p", **LEAVING), "Unscheduled", id="terminating and never bound"),
        pytest.param([], pod("p"), None, id="not bound yet"),
        pytest.param([], pod("p", node="a", deleted=LONG_AGO, grace=0, finalizers=["x"]), None, id="removed already but for its finalizers"),
    ],
)
def test_pods_that_no_agent_will_confirm_are_removed_by_force(nodes, item, rule):
    cluster = Cluster(*nodes, item)
    outcome = pod_gc.reconcile(SETTINGS, cluster.view, Ref("pods", "p", "default"), NOW)
    assert [change.cause.rule for change in outcome.changes] == ([rule] if rule else [])
    assert all(change.grace_s == 0 for change in outcome.changes)
