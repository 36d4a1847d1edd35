"""What a request to delete does to an object, as a table: grace, finalizers, propagation."""

from __future__ import annotations

import pytest

from master.api import deletion
from master.api.contract import DeleteOptions

NOW = 1_700_000_000.0
AT_NOW, IN_5, IN_30 = "2023-11-14T22:13:20Z", "2023-11-14T22:13:25Z", "2023-11-14T22:13:50Z"


def pod(*, node: str = "n1", phase: str = "Running", grace: int = 30, **meta):
    return {
        "metadata": {"name": "web", "generation": 1, **meta}, "kind": "Pod",
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": grace}, "status": {"phase": phase},
    }  # fmt: skip


TERMINATING = {"deletionTimestamp": IN_30, "deletionGracePeriodSeconds": 30}
OVER = {"deletionTimestamp": AT_NOW, "deletionGracePeriodSeconds": 0}


@pytest.mark.parametrize(
    ("given", "options"),
    [
        pytest.param(pod(node=""), DeleteOptions(), id="a pod that was never bound"),
        pytest.param(pod(phase="Succeeded"), DeleteOptions(), id="a pod that has finished"),
        pytest.param(pod(phase="Failed"), DeleteOptions(), id="a pod that has failed"),
        pytest.param(pod(), DeleteOptions(grace_s=0), id="a running pod, by force"),
        pytest.param(pod(**TERMINATING), DeleteOptions(grace_s=0), id="a terminating pod, by force"),
        pytest.param(pod(**TERMINATING), DeleteOptions(confirmed=True), id="a terminating pod whose containers are confirmed gone"),
        pytest.param({"metadata": {"name": "c"}, "kind": "ConfigMap"}, DeleteOptions(), id="an object that nothing holds"),
        pytest.param(
            {"metadata": {"name": "c", "finalizers": ["orphan"]}}, DeleteOptions(propagation="Background"),
            id="an object held only by a propagation that is asked for no more",
        ),
    ],
)  # fmt: skip
def test_goes_at_once(given, options):
    resource = "pods" if given.get("kind") == "Pod" else "configmaps"
    assert deletion.decide(resource, given, options, now=NOW) == deletion.Decision(removed=True)


@pytest.mark.parametrize(
    ("given", "options", "timestamp", "grace"),
    [
        pytest.param(pod(), DeleteOptions(), IN_30, 30, id="gets the grace of its spec"),
        pytest.param(pod(), DeleteOptions(grace_s=5), IN_5, 5, id="gets the grace of the request"),
        pytest.param(pod(grace=0), DeleteOptions(), "2023-11-14T22:13:21Z", 1, id="never vanishes by a grace of 0 in its spec"),
        pytest.param(pod(), DeleteOptions(grace_s=-1), "2023-11-14T22:13:21Z", 1, id="takes a negative grace as one second"),
        pytest.param(pod(**TERMINATING), DeleteOptions(grace_s=5), IN_5, 5, id="gets a shorter grace, counted from the beginning"),
        pytest.param(
            pod(finalizers=["a/b"]), DeleteOptions(grace_s=0), AT_NOW, 0, id="waits for finalizers even when forced",
        ),
        pytest.param(
            pod(finalizers=["a/b"], **TERMINATING), DeleteOptions(confirmed=True), AT_NOW, 0,
            id="waits for finalizers after its end is confirmed",
        ),
    ],
)  # fmt: skip
def test_a_pod_is_marked(given, options, timestamp, grace):
    meta = deletion.decide("pods", given, options, now=NOW).document["metadata"]
    assert (meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"]) == (timestamp, grace)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(DeleteOptions(), id="asked again"),
        pytest.param(DeleteOptions(grace_s=30), id="asked with the same grace"),
        pytest.param(DeleteOptions(grace_s=600), id="asked with a longer grace"),
    ],
)
def test_a_terminating_pod_stays_as_it_is(options):
    assert deletion.decide("pods", pod(**TERMINATING), options, now=NOW + 7) == deletion.Decision()


def test_the_first_mark_raises_the_generation_and_the_second_does_not():
    marked = deletion.decide("pods", pod(), DeleteOptions(), now=NOW).document
    again = deletion.decide("pods", marked, DeleteOptions(grace_s=5), now=NOW).document
    assert (marked["metadata"]["generation"], again["metadata"]["generation"]) == (2, 2)


@pytest.mark.parametrize(
    ("standing", "propagation", "left"),
    [
        pytest.param([], "Foreground", ["foregroundDeletion"], id="foreground waits for dependents"),
        pytest.param([], "Orphan", ["orphan"], id="orphan waits until dependents are released"),
        pytest.param(["a/b"], "Foreground", ["a/b", "foregroundDeletion"], id="beside finalizers of others"),
        pytest.param(["foregroundDeletion"], "Orphan", ["orphan"], id="the last word on dependents counts"),
        pytest.param(["foregroundDeletion"], None, ["foregroundDeletion"], id="no word leaves what was said"),
        pytest.param(["a/b", "orphan"], "Background", ["a/b"], id="background takes back what was said"),
    ],
)
def test_what_becomes_of_dependents_travels_as_a_finalizer(standing, propagation, left):
    given = {"metadata": {"name": "d", "finalizers": standing}, "kind": "Deployment"}
    document = deletion.decide("deployments.apps", given, DeleteOptions(propagation=propagation), now=NOW).document
    assert document["metadata"]["finalizers"] == left
    assert document["metadata"]["deletionTimestamp"] == AT_NOW
    assert given["metadata"]["finalizers"] == standing


def test_a_namespace_terminates_until_its_content_is_gone():
    given = {"metadata": {"name": "n"}, "kind": "Namespace", "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    marked = deletion.decide("namespaces", given, DeleteOptions(), now=NOW).document
    assert marked["status"]["phase"] == "Terminating"
    assert deletion.decide("namespaces", marked, DeleteOptions(), now=NOW + 1) == deletion.Decision()
    assert not deletion.complete("namespaces", marked)
    assert deletion.complete("namespaces", {**marked, "spec": {}})


@pytest.mark.parametrize(
    ("resource", "given", "expected"),
    [
        pytest.param("configmaps", {"metadata": {"name": "c"}}, False, id="an object that nobody deleted stays"),
        pytest.param("configmaps", {"metadata": {"name": "c", **OVER}}, True, id="the last finalizer gone, it goes"),
        pytest.param("configmaps", {"metadata": {"name": "c", "finalizers": ["a/b"], **OVER}}, False, id="a finalizer holds it"),
        pytest.param("pods", pod(**TERMINATING), False, id="a pod waits for its containers"),
        pytest.param("pods", pod(**OVER), True, id="a pod whose grace is over goes"),
    ],
)
def test_a_deletion_completes(resource, given, expected):
    assert deletion.complete(resource, given) is expected
