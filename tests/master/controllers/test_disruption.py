"""PodDisruptionBudgets: what their status says, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from common.clock import rfc3339
from master.api.contract import PatchObject, Ref
from master.controllers import disruption
from master.controllers.controller import Seen
from tests.master.controllers.cluster import Cluster, deployment, pod, reference, replica_set

NOW = 1_700_000_000.0
KEY = Ref("poddisruptionbudgets.policy", "web", "default")
OWNER = replica_set(replicas=4)


def budget(**spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "web"}}
    return {
        "kind": "PodDisruptionBudget", "apiVersion": "policy/v1", "metadata": {"name": "web", "generation": 1},
        "spec": {"selector": selector, **spec}, "status": {},
    }  # fmt: skip


def pods(count: int, *, owner: Any = OWNER, ready: int | None = None) -> list[dict[str, Any]]:
    ready = count if ready is None else ready
    return [pod(f"p{i}", owner=owner, ready=i < ready, phase="Running") for i in range(count)]


def status(cluster: Cluster) -> dict[str, Any]:
    for change in cluster.run(disruption, KEY):
        assert isinstance(change, PatchObject) and change.subresource == "status"
    assert not disruption.reconcile(cluster.view, KEY, cluster.now).changes  # it has said all
    return cluster.documents[KEY]["status"]


@pytest.mark.parametrize(
    ("spec", "others", "expected"),
    [
        pytest.param({"minAvailable": 2}, pods(4), (4, 2, 4, 2), id="two of four must stay: two may go"),
        pytest.param({"minAvailable": "50%"}, pods(3), (4, 2, 3, 1), id="a percentage is of what the workload wants, not of what is there"),
        pytest.param({"minAvailable": "51%"}, pods(4), (4, 3, 4, 1), id="a percentage is rounded up"),
        pytest.param({"maxUnavailable": 1}, pods(4), (4, 3, 4, 1), id="one may be missing, and none is"),
        pytest.param({"maxUnavailable": 1}, pods(4, ready=3), (4, 3, 3, 0), id="one may be missing, and one is"),
        pytest.param({"maxUnavailable": "25%"}, pods(4), (4, 3, 4, 1), id="a quarter may be missing"),
        pytest.param({"minAvailable": 5}, pods(4), (4, 5, 4, 0), id="more must stay than there are"),
        pytest.param({"maxUnavailable": 1}, pods(2, owner=None), (0, 0, 2, 0), id="pods of no workload are not counted: nothing may go"),
        pytest.param({"minAvailable": 1}, pods(2, owner=None), (2, 1, 2, 1), id="but a plain number needs no workload"),
        pytest.param({"minAvailable": 1, "selector": None}, pods(4), (0, 1, 0, 0), id="no selector covers nothing"),
        pytest.param({"minAvailable": 1}, [*pods(2), pod("gone", ready=True, deleted=rfc3339(NOW))], (3, 1, 2, 1),
                     id="a pod on its way out is not healthy"),
        pytest.param({"minAvailable": 1}, [*pods(2), pod("done", phase="Succeeded")], (2, 1, 2, 1), id="a finished pod is none"),
    ],
)  # fmt: skip
def test_the_numbers(spec: dict[str, Any], others: list[Any], expected: tuple[int, int, int, int]) -> None:
    found = status(Cluster(OWNER, *others, budget(**spec), now=NOW))
    names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    assert tuple(found[name] for name in names) == expected
    condition = found["conditions"][0]
    allowed = expected[3] > 0
    assert (condition["type"], condition["status"]) == ("DisruptionAllowed", "True" if allowed else "False")
    assert condition["reason"] == ("SufficientPods" if allowed else "InsufficientPods")


def test_the_deployment_above_says_how_many_pods_are_wanted() -> None:
    above = deployment(replicas=10)
    owner = replica_set(replicas=2)
    owner["metadata"]["ownerReferences"] = [reference(above)]
    found = status(Cluster(above, owner, *pods(2, owner=owner), budget(maxUnavailable="50%"), now=NOW))
    assert (found["expectedPods"], found["desiredHealthy"]) == (10, 5)


def test_an_evicted_pod_counts_as_gone_until_it_is_or_two_minutes_have_passed() -> None:
    noted = budget(minAvailable=1)
    noted["status"] = {"disruptedPods": {"p0": rfc3339(NOW - 20), "away": rfc3339(NOW - 20)}}
    cluster = Cluster(OWNER, *pods(3), noted, now=NOW)
    outcome = disruption.reconcile(cluster.view, KEY, NOW)
    assert outcome.requeue_after_s == pytest.approx(100)
    found = status(cluster)
    assert found["disruptedPods"] == {"p0": rfc3339(NOW - 20)} and found["currentHealthy"] == 2
    cluster.now += 101
    found = status(cluster)
    assert not found["disruptedPods"] and found["currentHealthy"] == 3


def test_the_transition_time_stays_while_nothing_changes_hands() -> None:
    cluster = Cluster(OWNER, *pods(4), budget(minAvailable=2), now=NOW)
    first = status(cluster)["conditions"][0]["lastTransitionTime"]
    cluster.now += 60
    cluster.remove(Ref("pods", "p3", "default"))
    second = status(cluster)
    assert second["disruptionsAllowed"] == 1 and second["conditions"][0]["lastTransitionTime"] == first


def test_pods_and_workloads_wake_the_budgets_that_they_concern() -> None:
    other = budget(minAvailable=1, selector={"matchLabels": {"app": "other"}})
    other["metadata"]["name"] = "other"
    cluster = Cluster(OWNER, *pods(1), budget(minAvailable=1), other, now=NOW)
    ref = Ref("pods", "p0", "default")
    seen = Seen(ref, None, cluster.view.current(ref))
    assert disruption.of_pod(cluster.view, seen) == [KEY]
    workload = Ref("replicasets.apps", "web", "default")
    item = cluster.view.current(workload)
    assert disruption.of_workload(cluster.view, Seen(workload, item, item)) == []
    assert len(disruption.of_workload(cluster.view, Seen(workload, item, None))) == 2
