"""ReplicaSet: what it makes, deletes, adopts, releases and reports, as tables."""

from __future__ import annotations

import pytest

from common.clock import rfc3339
from common.errors import FieldCause, Forbidden
from common.objects import meta
from common.objects.pod import Pod
from common.objects.workloads import ReplicaSet
from master.api.contract import CreateObject, DeleteObject, EmitEvent, PatchObject, Ref
from master.controllers import replicaset
from tests.master.controllers.cluster import SINGLE, Cluster, pod, reference, replica_set

WEB = Ref("replicasets.apps", "web", "default")
NOW = 1_700_000_000.0
GONE = rfc3339(NOW - 5)


def run(owner, *pods, now=NOW):
    cluster = Cluster(owner, *pods, now=now)
    outcome = replicaset.reconcile(cluster.view, WEB, now)
    return cluster, outcome


def made(outcome):
    return sum(isinstance(change, CreateObject) for change in outcome.changes)


def deleted(outcome):
    return [change.ref.name for change in outcome.changes if isinstance(change, DeleteObject)]


def mine(owner, name, **options):
    return pod(name, owner=owner, **options)


OWNER = replica_set()
OTHER = replica_set("other")
ALONE = replica_set(template=SINGLE, replicas=1)


@pytest.mark.parametrize(
    ("owner", "pods", "creates"),
    [
        pytest.param(OWNER, [], 3, id="with none of three it makes three"),
        pytest.param(OWNER, [mine(OWNER, "a", ready=True)], 2, id="with one of three it makes two"),
        pytest.param(OWNER, [mine(OWNER, n) for n in "abc"], 0, id="with three of three it makes none"),
        pytest.param(OWNER, [mine(OWNER, "a", phase="Failed"), mine(OWNER, "b"), mine(OWNER, "c")], 1, id="a failed pod is replaced"),
        pytest.param(OWNER, [mine(OWNER, "a", deleted=GONE), mine(OWNER, "b"), mine(OWNER, "c")], 1, id="a terminating pod does not count"),
        pytest.param(ALONE, [mine(ALONE, "a", deleted=GONE)], 0, id="a terminating pod that must be at most one keeps its place"),
        pytest.param(ALONE, [mine(ALONE, "a", phase="Failed")], 1, id="a failed pod that must be at most one is replaced"),
        pytest.param(ALONE, [], 1, id="a pod that must be at most one and is gone is made anew"),
        pytest.param(ALONE, [pod("a", owner=replica_set("former"), deleted=GONE, annotations={"steersman.io/at-most-one": "true"})], 0,
                     id="such a pod of a former owner keeps its place too"),
        pytest.param(ALONE, [pod("a", owner=replica_set("former"), annotations={"steersman.io/at-most-one": "true"})], 0,
                     id="so does one whose owner has just gone"),
        pytest.param(ALONE, [OTHER, pod("a", owner=OTHER, annotations={"steersman.io/at-most-one": "true"})], 1,
                     id="such a pod of another living owner takes no place here"),
        pytest.param(OWNER, [pod("a", owner=replica_set("other"))], 3, id="the pods of others do not count"),
        pytest.param(replica_set(replicas=0), [], 0, id="it may want none"),
        pytest.param({**OWNER, "metadata": {**OWNER["metadata"], "deletionTimestamp": GONE}}, [], 0, id="one that is being deleted makes none"),
    ],
)  # fmt: skip
def test_it_makes_what_is_missing(owner, pods, creates):
    _, outcome = run(owner, *pods)
    assert made(outcome) == creates
    assert deleted(outcome) == []


YOUNG, OLD = rfc3339(NOW - 10), rfc3339(NOW - 1000)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, {"node": "n1"}, id="one without a node before one with"),
        pytest.param({"node": "n1"}, {"node": "n2", "phase": "Running"}, id="a pending one before a running one"),
        pytest.param({"node": "n1", "phase": "Running"}, {"node": "n2", "ready": True}, id="one that is not ready before a ready one"),
        pytest.param({"node": "n1", "ready": True, "annotations": {"controller.kubernetes.io/pod-deletion-cost": "-1"}},
                     {"node": "n2", "ready": True}, id="a cheaper one before a dearer one"),
        pytest.param({"node": "n1", "ready": True, "ready_at": YOUNG}, {"node": "n2", "ready": True, "ready_at": OLD}, id="one ready since lately before one ready for long"),
        pytest.param({"node": "n1", "ready": True, "restarts": 3}, {"node": "n2", "ready": True}, id="one with more restarts before one with fewer"),
        pytest.param({"node": "n1", "ready": True, "created": YOUNG}, {"node": "n2", "ready": True, "created": OLD}, id="a newer one before an older one"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_it_deletes_in_kubernetes_order(first, second, names):
    owner = replica_set(replicas=1)
    _, outcome = run(owner, mine(owner, names[0], **first), mine(owner, names[1], **second))
    assert deleted(outcome) == [names[0]]


def test_of_equal_pods_one_that_is_doubled_up_on_its_node_goes_first():
    owner = replica_set(replicas=2)
    pods = [mine(owner, name, node=node, ready=True, created=OLD) for name, node in (("a", "n1"), ("b", "n2"), ("c", "n2"))]
    _, outcome = run(owner, *pods)
    assert deleted(outcome) == ["b"]


def test_pods_of_the_same_deployments_other_sets_crowd_a_node_too():
    parent = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "uid": "d-uid"}}
    owner, other = replica_set(replicas=1), replica_set("old", replicas=1)
    for item in (owner, other):
        item["metadata"]["ownerReferences"] = [reference(parent)]
    pods = [mine(owner, "a", node="n1", ready=True, created=OLD), mine(owner, "b", node="n2", ready=True, created=OLD)]
    _, outcome = run(owner, other, *pods, pod("c", owner=other, node="n2", ready=True))
    assert deleted(outcome) == ["b"]


def test_a_new_pod_is_the_template_with_a_controller_and_a_cause():
    _, outcome = run(replica_set(replicas=1))
    change = next(c for c in outcome.changes if isinstance(c, CreateObject))
    assert change.document["metadata"]["generateName"] == "web-"
    assert change.document["metadata"]["labels"] == {"app": "web"}
    assert change.document["metadata"]["ownerReferences"] == [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "web-uid", "controller": True, "blockOwnerDeletion": True}
    ]
    assert change.document["spec"]["containers"][0]["image"] == "web:1"
    assert change.cause.why == "ReplicaSet web wants 1 pod and has 0"
    assert (change.cause.rule, change.cause.revision) == ("ScaleUp", 1)


def test_an_orphan_that_matches_is_adopted_before_anything_is_made():
    cluster, outcome = run(OWNER, pod("a"))
    (change,) = outcome.changes
    assert isinstance(change, PatchObject)
    assert change.expected == 2
    cluster.apply(change)
    assert cluster.get(Pod, Ref("pods", "a", "default")).metadata.controller.uid == "web-uid"
    assert made(replicaset.reconcile(cluster.view, WEB, NOW)) == 2


@pytest.mark.parametrize(
    "orphan",
    [
        pytest.param(pod("a", labels={"app": "other"}), id="it does not match"),
        pytest.param(pod("a", deleted=GONE), id="it is being deleted"),
        pytest.param(pod("a", phase="Succeeded"), id="it is finished"),
        pytest.param({**pod("a"), "metadata": {"name": "a", "namespace": "elsewhere", "labels": {"app": "web"}}}, id="it is in another namespace"),
    ],
)
def test_an_orphan_is_left_alone_when(orphan):
    _, outcome = run(OWNER, orphan)
    assert made(outcome) == 3


def test_a_pod_that_no_longer_matches_is_released():
    cluster, outcome = run(OWNER, pod("a", owner=OWNER, labels={"app": "debug"}))
    (change,) = outcome.changes
    assert change.cause.rule == "Release"
    cluster.apply(change)
    assert cluster.get(Pod, Ref("pods", "a", "default")).metadata.owner_references == ()


def test_the_status_counts_what_is_there():
    owner = replica_set(replicas=4, minReadySeconds=30)
    pods = [
        mine(owner, "a", ready=True, ready_at=OLD), mine(owner, "b", ready=True, ready_at=rfc3339(NOW - 10)), mine(owner, "c"),
        mine(owner, "d", deleted=GONE),
    ]  # fmt: skip
    cluster, outcome = run(owner, *pods)
    for change in outcome.changes:
        cluster.apply(change)
    status = cluster.get(ReplicaSet, WEB).status
    assert (status.replicas, status.fully_labeled_replicas, status.ready_replicas, status.available_replicas) == (3, 3, 2, 1)
    assert status.observed_generation == 1
    assert outcome.requeue_after_s == pytest.approx(20)


def test_nothing_to_change_means_no_writes():
    owner = replica_set(replicas=1)
    cluster, outcome = run(owner, mine(owner, "a", ready=True))
    for change in outcome.changes:
        cluster.apply(change)
    assert replicaset.reconcile(cluster.view, WEB, NOW).changes == ()


def test_events_name_the_pods():
    cluster, outcome = run(replica_set(replicas=1), pod("gone", owner=replica_set()))
    create = CreateObject("pods", "default", {}, outcome.changes[0].cause)
    named = meta.Object(meta.Meta(name="web-x2x4z"))
    assert [e.message for e in replicaset.feedback(cluster.view, WEB, create, named, now=NOW)] == ["Created pod: web-x2x4z"]
    refused, _ = replicaset.feedback(cluster.view, WEB, create, Forbidden("pods is forbidden: no"), now=NOW)
    assert isinstance(refused, EmitEvent)
    assert (refused.type, refused.reason, refused.message) == ("Warning", "FailedCreate", "Error creating: pods is forbidden: no")
    delete = DeleteObject(Ref("pods", "gone", "default"), outcome.changes[0].cause)
    assert [e.message for e in replicaset.feedback(cluster.view, WEB, delete, None, now=NOW)] == ["Deleted pod: gone"]


def test_refused_pods_are_a_condition_until_the_number_is_right():
    cluster, outcome = run(replica_set(replicas=1))
    create = CreateObject("pods", "default", {}, outcome.changes[0].cause)
    for words in ("pods is forbidden: first", "pods is forbidden: second"):
        for change in replicaset.feedback(cluster.view, WEB, create, Forbidden(words), now=NOW):
            cluster.apply(change)
    (condition,) = cluster.get(ReplicaSet, WEB).status.conditions
    assert (condition.type, condition.status, condition.reason) == ("ReplicaFailure", "True", "FailedCreate")
    assert condition.message == "pods is forbidden: first"
    assert len(cluster.events) == 2
    cluster.run(replicaset.CONTROLLER, WEB)
    assert cluster.get(ReplicaSet, WEB).status.conditions, "a pass that only tries again clears nothing"
    cluster.run(replicaset.CONTROLLER, WEB)
    assert cluster.get(ReplicaSet, WEB).status.conditions == ()


def test_a_namespace_that_ends_is_no_failure():
    cluster, outcome = run(replica_set(replicas=1))
    create = CreateObject("pods", "default", {}, outcome.changes[0].cause)
    ends = Forbidden("it ends", causes=(FieldCause("NamespaceTerminating", "it ends"),))
    assert replicaset.feedback(cluster.view, WEB, create, ends, now=NOW) == ()
