"""Garbage collection, namespaces on their way out, and the default ServiceAccount, as tables."""

from __future__ import annotations

import pytest

from common.objects import meta
from common.objects.cluster import Namespace
from master.api.contract import DeleteObject, Ref
from master.controllers import garbage, namespace, root_ca, service_account
from master.controllers.controller import Seen
from tests.master.controllers.cluster import Cluster, deployment, pod, reference, replica_set

GONE = "2023-01-01T00:00:00Z"
RS = replica_set()
OTHER = replica_set("other")
POD = Ref("pods", "p", "default")


def owned(*references):
    document = pod("p")
    document["metadata"]["ownerReferences"] = list(references)
    return document


def leaving(document, *finalizers):
    return {**document, "metadata": {**document["metadata"], "deletionTimestamp": GONE, "finalizers": list(finalizers)}}


STRANGE = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "x", "uid": "x", "controller": True}
NAMESAKE = {**RS, "metadata": {**RS["metadata"], "uid": "another"}}


@pytest.mark.parametrize(
    ("present", "item", "expected"),
    [
        pytest.param([RS], owned(reference(RS)), None, id="its owner is there"),
        pytest.param([], owned(reference(RS)), "OwnerDeleted", id="its only owner is gone"),
        pytest.param([NAMESAKE], owned(reference(RS)), "OwnerDeleted", id="a namesake is not its owner"),
        pytest.param([OTHER], owned(reference(RS), reference(OTHER, controller=False)), "OwnerGone", id="one of two owners is gone"),
        pytest.param([], owned(STRANGE), None, id="an owner of an unknown kind counts as present"),
        pytest.param([], pod("p"), None, id="it has no owner"),
        pytest.param([leaving(RS)], owned(reference(RS)), None, id="its owner is still there, though on its way out"),
        pytest.param([leaving(RS, "foregroundDeletion")], owned(reference(RS)), "OwnerDeleted", id="its owner waits for it"),
        pytest.param([], leaving(owned(reference(RS)), "x"), None, id="it is being deleted already"),
    ],
)
def test_what_owners_leave_behind_is_collected(present, item, expected):
    cluster = Cluster(*present, item)
    changes = garbage.reconcile(cluster.view, POD, 0.0).changes
    assert [change.cause.rule for change in changes] == ([expected] if expected else [])


def test_the_last_owner_stays_in_the_references():
    cluster = Cluster(OTHER, owned(reference(RS), reference(OTHER, controller=False)))
    cluster.run(garbage.CONTROLLER, POD)
    assert [o.uid for o in cluster.view.current(POD).metadata.owner_references] == ["other-uid"]


def test_an_owner_in_the_foreground_waits_for_those_that_block_it():
    cluster = Cluster(leaving(RS, "foregroundDeletion", "other"), owned(reference(RS)))
    key = Ref("replicasets.apps", "web", "default")
    assert cluster.run(garbage.CONTROLLER, key) == []
    cluster.remove(POD)
    cluster.run(garbage.CONTROLLER, key)
    assert cluster.view.current(key).metadata.finalizers == ("other",)


def test_a_dependent_that_does_not_block_is_deleted_but_not_waited_for():
    cluster = Cluster(leaving(RS, "foregroundDeletion"), owned(reference(RS, block=False)))
    assert isinstance(garbage.reconcile(cluster.view, POD, 0.0).changes[0], DeleteObject)
    cluster.run(garbage.CONTROLLER, Ref("replicasets.apps", "web", "default"))
    assert cluster.view.current(Ref("replicasets.apps", "web", "default")).metadata.finalizers == ()


def test_foreground_deletion_goes_down_the_tree():
    parent, child = leaving(deployment(), "foregroundDeletion"), replica_set()
    child["metadata"]["ownerReferences"] = [reference(parent)]
    cluster = Cluster(parent, child, owned(reference(child)))
    (change,) = garbage.reconcile(cluster.view, Ref("replicasets.apps", "web", "default"), 0.0).changes
    assert change.propagation == "Foreground"


def test_orphans_lose_their_owner_before_it_goes():
    cluster = Cluster(leaving(RS, "orphan"), owned(reference(RS)))
    key = Ref("replicasets.apps", "web", "default")
    cluster.run(garbage.CONTROLLER, key)
    assert cluster.view.current(POD).metadata.owner_references == ()
    assert cluster.view.current(key).metadata.finalizers == ()


def test_an_owner_that_goes_wakes_its_dependents_and_a_dependent_its_owner():
    cluster = Cluster(owned(reference(RS)))
    ref = Ref("replicasets.apps", "web", "default")
    gone = meta.Object(meta.Meta(name="web", uid="web-uid"))
    assert garbage.of_any(cluster.view, Seen(ref, gone, None)) == [POD]
    assert garbage.of_any(cluster.view, Seen(POD, cluster.view.current(POD), None)) == [ref]


def space(name="shop", *, terminating=True):
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]}}
    if terminating:
        document["metadata"]["deletionTimestamp"] = GONE
    return document


def inside(document, name="shop"):
    return {**document, "metadata": {**document["metadata"], "namespace": name}}


CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
SHOP = Ref("namespaces", "shop")


def test_everything_inside_goes_and_then_the_namespace():
    cluster = Cluster(space(), inside(CONFIG), inside(pod("p", node="a")), inside(CONFIG, "elsewhere"), graceful=True)
    changes = cluster.run(namespace.CONTROLLER, SHOP)
    assert sorted(change.ref.resource for change in changes) == ["configmaps", "pods"]
    assert cluster.run(namespace.CONTROLLER, SHOP) == [], "the pod is still terminating"
    cluster.remove(Ref("pods", "p", "shop"))
    (finalize,) = cluster.run(namespace.CONTROLLER, SHOP)
    assert finalize.subresource == "finalize"
    assert cluster.get(Namespace, SHOP).spec.finalizers == ()
    assert len(cluster.list(meta.Object, "configmaps")) == 1


def test_a_namespace_that_stays_is_left_alone():
    cluster = Cluster(space(terminating=False), inside(CONFIG))
    assert cluster.run(namespace.CONTROLLER, SHOP) == []


def test_content_wakes_only_a_namespace_on_its_way_out():
    for terminating, expected in ((True, [SHOP]), (False, [])):
        cluster = Cluster(space(terminating=terminating))
        assert namespace.of_content(cluster.view, Seen(Ref("pods", "p", "shop"), None, None)) == expected


def test_each_namespace_has_a_default_service_account():
    cluster = Cluster(space(terminating=False), space("leaving"))
    assert len(cluster.run(service_account.CONTROLLER, SHOP)) == 1
    assert cluster.run(service_account.CONTROLLER, SHOP) == []
    assert cluster.run(service_account.CONTROLLER, Ref("namespaces", "leaving")) == []


def test_each_namespace_has_the_clusters_ca():
    cluster, publisher = Cluster(space(terminating=False), space("leaving")), root_ca.controller("PEM")
    assert len(cluster.run(publisher, SHOP)) == 1
    ref = Ref("configmaps", "kube-root-ca.crt", "shop")
    assert cluster.documents[ref]["data"] == {"ca.crt": "PEM"}
    assert cluster.run(publisher, SHOP) == [] == cluster.run(publisher, Ref("namespaces", "leaving"))
    cluster.documents[ref]["data"] = {"ca.crt": "another", "more": "x"}
    assert len(cluster.run(publisher, SHOP)) == 1
    assert cluster.documents[ref]["data"] == {"ca.crt": "PEM"}
    assert root_ca.of_config_map(cluster.view, Seen(ref, None, None)) == [SHOP]
    assert root_ca.of_config_map(cluster.view, Seen(Ref("configmaps", "other", "shop"), None, None)) == []
