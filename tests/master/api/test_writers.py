"""Who writes what: the table, asked as the door asks it."""

from __future__ import annotations

import pytest

from master.api import difference, writers
from master.api.contract import Role

POD = {
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "main", "image": "a"}]},
    "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]},
}
NODE = {
    "metadata": {"name": "n1", "labels": {}},
    "spec": {"taints": [{"key": "mine", "effect": "NoSchedule"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}
SET = {"metadata": {"name": "web"}, "spec": {"replicas": 1}, "status": {"replicas": 0}}


def edited(document, section, **changes):
    return {**document, section: {**document[section], **changes}}


def conditions(**status):
    return [{"type": kind, "status": value} for kind, value in status.items()]


def taints(*keys):
    return [{"key": "mine", "effect": "NoSchedule"}, *({"key": f"node.kubernetes.io/{key}", "effect": "NoExecute"} for key in keys)]


@pytest.mark.parametrize(
    ("role", "resource", "old", "new"),
    [
        pytest.param(Role.SCHEDULER, "pods", POD, edited(POD, "spec", nodeName="n1"), id="the scheduler binds"),
        pytest.param(
            Role.SCHEDULER, "pods", POD, edited(POD, "status", conditions=conditions(PodScheduled="True")),
            id="the scheduler says PodScheduled",
        ),
        pytest.param(
            Role.DISPATCH, "pods", POD, edited(POD, "status", phase="Running", conditions=conditions(PodScheduled="False", Ready="True")),
            id="dispatch reports a pod",
        ),
        pytest.param(Role.DISPATCH, "nodes", NODE, edited(NODE, "status", conditions=conditions(Ready="Unknown")), id="dispatch reports a silent node"),
        pytest.param(Role.DISPATCH, "nodes", NODE, edited(NODE, "metadata", labels={"kubernetes.io/os": "linux"}), id="dispatch labels a node"),
        pytest.param(Role.NODE_LIFECYCLE, "nodes", NODE, edited(NODE, "spec", taints=taints("not-ready")), id="node lifecycle taints"),
        pytest.param(Role.NODE_IPAM, "nodes", NODE, edited(NODE, "spec", podCIDR="10.0.0.0/24", podCIDRs=["10.0.0.0/24"]), id="ipam gives a node its addresses"),
        pytest.param(Role.DEPLOYMENT, "replicasets.apps", SET, edited(SET, "spec", replicas=3), id="the Deployment controller scales its sets"),
        pytest.param(Role.REPLICASET, "replicasets.apps", SET, edited(SET, "status", replicas=1), id="the ReplicaSet controller reports"),
        pytest.param(Role.REPLICASET, "pods", POD, edited(POD, "metadata", ownerReferences=[{"uid": "1"}]), id="the ReplicaSet controller adopts"),
        pytest.param(Role.GARBAGE, "pods", POD, edited(POD, "metadata", finalizers=[]), id="the garbage collector takes its finalizer"),
        pytest.param(Role.NAMESPACE, "namespaces", SET, edited(SET, "spec", finalizers=[]), id="the namespace controller finalizes"),
        pytest.param(Role.USER, "nodes", NODE, edited(NODE, "spec", taints=[]), id="users taint"),
        pytest.param(Role.API, "pods", POD, edited(POD, "spec", nodeName="n1"), id="the API itself may all"),
    ],
)  # fmt: skip
def test_may_write(role, resource, old, new):
    assert writers.check(role, resource, "", old=old, new=new) == []


@pytest.mark.parametrize(
    ("role", "resource", "old", "new", "paths"),
    [
        pytest.param(
            Role.SCHEDULER, "pods", POD, edited(POD, "status", phase="Running", conditions=conditions(PodScheduled="True", Ready="True")),
            ["status.phase", "status.conditions[Ready]"], id="the scheduler does not report pods",
        ),
        pytest.param(
            Role.DISPATCH, "pods", POD, edited(POD, "status", conditions=[]), ["status.conditions[PodScheduled]"],
            id="dispatch leaves PodScheduled alone",
        ),
        pytest.param(Role.DISPATCH, "pods", POD, edited(POD, "spec", nodeName="n2"), ["spec.nodeName"], id="dispatch binds nothing"),
        pytest.param(
            Role.DISPATCH, "nodes", NODE, edited(NODE, "spec", taints=taints("unreachable")),
            ["spec.taints[node.kubernetes.io/unreachable]"], id="dispatch taints nothing",
        ),
        pytest.param(Role.NODE_LIFECYCLE, "nodes", NODE, edited(NODE, "spec", taints=[]), ["spec.taints[mine]"], id="node lifecycle leaves users' taints alone"),
        pytest.param(Role.REPLICASET, "replicasets.apps", SET, edited(SET, "spec", replicas=9), ["spec.replicas"], id="the ReplicaSet controller scales nothing"),
        pytest.param(Role.TAINT_EVICTION, "pods", POD, edited(POD, "status", phase="Failed"), ["status.phase"], id="eviction only deletes"),
        pytest.param(Role.USER, "pods", POD, edited(POD, "spec", nodeName="n1"), ["spec.nodeName"], id="users do not move pods"),
    ],
)  # fmt: skip
def test_may_not_write(role, resource, old, new, paths):
    assert writers.check(role, resource, "", old=old, new=new) == paths


@pytest.mark.parametrize(
    ("role", "creates", "deletes"),
    [
        pytest.param(Role.USER, True, True, id="users"),
        pytest.param(Role.REPLICASET, True, True, id="the ReplicaSet controller"),
        pytest.param(Role.DISPATCH, False, True, id="dispatch removes pods and makes none"),
        pytest.param(Role.SCHEDULER, False, False, id="the scheduler"),
        pytest.param(Role.DEPLOYMENT, False, False, id="the Deployment controller has sets, not pods"),
        pytest.param(Role.TAINT_EVICTION, False, True, id="taint eviction"),
        pytest.param(Role.POD_GC, False, True, id="pod garbage collection"),
        pytest.param(Role.NODE_LIFECYCLE, False, False, id="node lifecycle"),
    ],
)
def test_existence_of_pods(role, creates, deletes):
    assert (writers.check(role, "pods", "", old=None, new=POD) == []) is creates
    assert writers.may_delete(role, "pods") is deletes


def test_everybody_may_report_events():
    assert all(writers.may_create(role, "events") for role in Role)


def test_system_fields_are_nobodys_offence():
    new = edited(POD, "metadata", generation=2, deletionTimestamp="2026-01-01T00:00:00Z", deletionGracePeriodSeconds=0)
    assert writers.check(Role.SCHEDULER, "pods", "", old=POD, new=new) == []


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        pytest.param({"spec": {"a": 1}}, {"spec": {"a": 1}}, [], id="nothing changed"),
        pytest.param({"spec": {"a": 1}}, {"spec": {"a": 2, "b": {"c": 1}}}, ["spec.a", "spec.b.c"], id="fields by their path"),
        pytest.param({"metadata": {"labels": {"a/b": "1"}}}, {"metadata": {}}, ["metadata.labels[a/b]"], id="labels by key"),
        pytest.param({"spec": {"l": [1]}}, {"spec": {"l": [2]}}, ["spec.l"], id="lists as a whole"),
        pytest.param({"status": {}}, {"status": {"conditions": conditions(Ready="True")}}, ["status.conditions[Ready]"], id="conditions by type"),
        pytest.param({"data": {"k": "1"}}, {"data": {"k": "2"}}, ["data[k]"], id="data by key, never by value"),
        pytest.param({"spec": {"a": {}}}, {"spec": {}}, ["spec.a"], id="an empty object that goes"),
    ],
)
def test_difference(old, new, paths):
    assert difference.paths(old, new) == paths
