"""Deployment: revisions, strategies, scaling, history and what it reports, step by step over a plain cluster."""

from __future__ import annotations

import msgspec
import pytest

from common.clock import rfc3339
from common.errors import Forbidden
from common.objects.pod import Pod
from common.objects.workloads import Deployment, ReplicaSet
from master.api.contract import Ref
from master.controllers import deployment, replicaset, revisions, rollout
from tests.master.controllers.cluster import Cluster, replica_set
from tests.master.controllers.cluster import deployment as document

WEB = Ref("deployments.apps", "web", "default")


class Steps:
    """A cluster with a Deployment, moved forward by hand."""

    def __init__(self, **spec):
        self.cluster = Cluster(document(**spec), graceful=True)

    def deployment(self):
        return self.cluster.get(Deployment, WEB)

    def sets(self):
        return {s.spec.template["spec"]["containers"][0]["image"]: s for s in self.cluster.list(ReplicaSet, "replicasets.apps")}

    def sizes(self):
        return {image: s.spec.replicas for image, s in self.sets().items()}

    def reconcile(self):
        return self.cluster.run(deployment.CONTROLLER, WEB)

    def replicate(self):
        for item in self.sets().values():
            self.cluster.run(replicaset.CONTROLLER, Ref("replicasets.apps", item.metadata.name, "default"))

    def pods(self):
        return self.cluster.list(Pod, "pods")

    def ready(self):
        since = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(self.cluster.now)}
        for pod in self.pods():
            self.cluster.patch(Ref("pods", pod.metadata.name, "default"), {"spec": {"nodeName": "n"}, "status": {"phase": "Running", "conditions": [since]}})

    def end(self):
        for pod in self.pods():
            if pod.metadata.deletion_timestamp:
                self.cluster.remove(Ref("pods", pod.metadata.name, "default"))

    def settle(self):
        for _ in range(40):
            before = self.cluster.revision
            self.reconcile()
            self.replicate()
            if self.cluster.revision == before and all(p.ready for p in self.pods()):
                return self
            if any(not p.ready for p in self.pods()):
                self.ready()
            self.end()
        raise AssertionError("it does not settle")

    def set_image(self, image):
        self.cluster.patch(WEB, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}})

    def condition(self, kind):
        found = {c.type: c for c in self.deployment().status.conditions}[kind]
        return found.status, found.reason, found.message


def test_a_new_deployment_makes_one_replica_set_of_its_whole_size():
    steps = Steps()
    steps.reconcile()
    assert steps.sizes() == {"web:1": 3}
    (made,) = steps.sets().values()
    digest = made.metadata.labels[revisions.HASH_LABEL]
    assert made.metadata.name == f"web-{digest}"
    assert made.spec.selector.match_labels == {"app": "web", revisions.HASH_LABEL: digest}
    assert made.spec.template["metadata"]["labels"] == {"app": "web", revisions.HASH_LABEL: digest}
    assert made.metadata.annotations == {revisions.REVISION: "1", revisions.DESIRED: "3", revisions.MOST: "4"}
    assert steps.deployment().metadata.annotations[revisions.REVISION] == "1"
    assert [e.message for e in steps.cluster.events] == [f"Scaled up replica set {made.metadata.name} from 0 to 3"]
    assert steps.condition("Progressing") == ("True", "NewReplicaSetCreated", f'Created new replica set "{made.metadata.name}"')
    assert steps.condition("Available") == ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


def test_a_complete_deployment_says_so():
    steps = Steps().settle()
    (made,) = steps.sets().values()
    status = steps.deployment().status
    assert (status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas) == (3, 3, 3, 3)
    assert status.unavailable_replicas == 0
    assert steps.condition("Available") == ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    assert steps.condition("Progressing") == ("True", "NewReplicaSetAvailable", f'ReplicaSet "{made.metadata.name}" has successfully progressed.')
    assert steps.reconcile() == []


def test_an_update_moves_one_pod_at_a_time_within_the_bounds():
    steps = Steps().settle()  # 25 % of 3: surge 1, unavailable 0
    steps.set_image("web:2")
    steps.reconcile()
    assert steps.sizes() == {"web:1": 3, "web:2": 1}
    steps.reconcile()
    assert steps.sizes() == {"web:1": 3, "web:2": 1}, "the old ones stay until the new one is available"
    steps.replicate()
    steps.ready()
    steps.reconcile()
    assert steps.sizes() == {"web:1": 2, "web:2": 1}
    steps.settle()
    assert steps.sizes() == {"web:1": 0, "web:2": 3}
    assert steps.deployment().metadata.annotations[revisions.REVISION] == "2"


def test_unhealthy_old_pods_go_first():
    steps = Steps(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
    steps.reconcile()
    steps.replicate()  # three pods, none of them ever ready
    steps.set_image("web:2")
    steps.reconcile()
    steps.reconcile()
    assert steps.sizes()["web:1"] == 2


def test_rolling_back_takes_the_old_set_and_gives_it_a_new_revision():
    steps = Steps().settle()
    steps.set_image("web:2")
    steps.settle()
    steps.set_image("web:1")
    steps.settle()
    assert steps.sizes() == {"web:1": 3, "web:2": 0}
    annotations = steps.sets()["web:1"].metadata.annotations
    assert annotations[revisions.REVISION] == "3"
    assert annotations[revisions.REVISION_HISTORY] == "1"
    assert steps.deployment().metadata.annotations[revisions.REVISION] == "3"


def test_recreate_waits_until_the_old_pods_are_gone():
    steps = Steps(strategy={"type": "Recreate"}).settle()
    steps.set_image("web:2")
    steps.reconcile()
    assert steps.sizes() == {"web:1": 0}
    steps.replicate()
    steps.reconcile()
    assert steps.sizes() == {"web:1": 0}, "three pods are still terminating"
    steps.end()
    steps.reconcile()
    assert steps.sizes() == {"web:1": 0, "web:2": 3}
    steps.settle()


def test_scaling_changes_the_one_set_and_its_annotations():
    steps = Steps().settle()
    steps.cluster.patch(WEB, {"spec": {"replicas": 5}})
    steps.reconcile()
    (made,) = steps.sets().values()
    assert made.spec.replicas == 5
    assert made.metadata.annotations[revisions.DESIRED] == "5"
    assert steps.cluster.events[-1].message == f"Scaled up replica set {made.metadata.name} from 3 to 5"


def test_scaling_in_the_middle_of_a_rollout_is_shared_in_proportion():
    steps = Steps(replicas=10, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}).settle()
    steps.set_image("web:2")
    steps.reconcile()
    steps.replicate()
    steps.reconcile()
    assert steps.sizes() == {"web:1": 8, "web:2": 3}
    steps.replicate()
    steps.reconcile()
    assert steps.sizes() == {"web:1": 8, "web:2": 5}
    steps.cluster.patch(WEB, {"spec": {"replicas": 15}})
    steps.reconcile()
    assert steps.sizes() == {"web:1": 11, "web:2": 7}, "five more, shared as Kubernetes' documentation shows it"


def test_a_paused_deployment_scales_but_does_not_roll():
    steps = Steps().settle()
    steps.cluster.patch(WEB, {"spec": {"paused": True, "replicas": 2}})
    steps.set_image("web:2")
    steps.reconcile()
    assert steps.sizes() == {"web:1": 2}
    assert steps.condition("Progressing")[:2] == ("Unknown", "DeploymentPaused")
    steps.cluster.patch(WEB, {"spec": {"paused": False}})
    steps.settle()
    assert steps.sizes() == {"web:1": 0, "web:2": 2}


def test_old_sets_beyond_the_limit_go_oldest_first():
    steps = Steps(revisionHistoryLimit=1).settle()
    for number in (2, 3, 4):
        steps.set_image(f"web:{number}")
        steps.settle()
    assert steps.sizes() == {"web:3": 0, "web:4": 3}


def test_a_rollout_that_does_not_move_exceeds_its_deadline():
    steps = Steps(progressDeadlineSeconds=60)
    steps.reconcile()
    steps.replicate()
    steps.reconcile()
    outcome = deployment.reconcile(steps.cluster.view, WEB, steps.cluster.now)
    assert outcome.requeue_after_s == pytest.approx(61, abs=2)
    steps.cluster.now += 62
    steps.reconcile()
    name = next(iter(steps.sets().values())).metadata.name
    assert steps.condition("Progressing") == ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')


def test_a_name_that_is_taken_gives_another_hash():
    steps = Steps()
    name = f"web-{revisions.template_hash(steps.deployment().spec.template, 0)}"
    stranger = replica_set(name, selector={"matchLabels": {"app": "stranger"}})
    steps.cluster.add(stranger)
    steps.reconcile()
    assert steps.deployment().status.collision_count == 1
    steps.reconcile()
    assert len(steps.cluster.list(ReplicaSet, "replicasets.apps")) == 2


def test_an_orphaned_set_that_matches_is_adopted():
    orphan = replica_set("orphan", replicas=0, selector={"matchLabels": {"app": "web"}})
    orphan["metadata"]["labels"] = {"app": "web"}
    steps = Steps()
    steps.cluster.add(orphan)
    (change,) = steps.reconcile()
    assert change.cause.rule == "Adopt"


def test_one_that_is_being_deleted_only_reports():
    steps = Steps()
    steps.cluster.patch(WEB, {"metadata": {"deletionTimestamp": rfc3339(0)}})
    steps.reconcile()
    assert steps.sizes() == {}


@pytest.mark.parametrize(
    ("surge", "unavailable", "desired", "expected"),
    [
        pytest.param("25%", "25%", 3, (1, 0), id="surge rounds up and unavailable down"),
        pytest.param("25%", "25%", 10, (3, 2), id="a quarter of ten"),
        pytest.param(0, 0, 3, (0, 1), id="both zero lets one be unavailable"),
        pytest.param("0%", "10%", 3, (0, 1), id="percentages that come to nothing let one be unavailable"),
        pytest.param(0, 5, 3, (0, 3), id="no more can be unavailable than are wanted"),
        pytest.param("100%", 0, 4, (4, 0), id="all at once"),
        pytest.param(1, 0, 0, (1, 0), id="none wanted"),
    ],
)
def test_the_bounds_of_a_rollout(surge, unavailable, desired, expected):
    bounds = rollout.limits(surge, unavailable, desired)
    assert (bounds.surge, bounds.unavailable) == expected


def test_equal_templates_have_equal_hashes_whatever_the_order_of_their_keys():
    one = {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {}}
    other = {"spec": {}, "metadata": {"labels": {"b": "2", "a": "1"}}}
    assert revisions.template_hash(one, 0) == revisions.template_hash(other, 0)
    assert revisions.template_hash(one, 0) != revisions.template_hash(one, 1)


def test_an_exceeded_deadline_is_not_hidden_by_a_pause():
    steps = Steps(progressDeadlineSeconds=60)
    steps.reconcile()
    steps.replicate()
    steps.reconcile()
    steps.cluster.now += 62
    steps.reconcile()
    steps.cluster.patch(WEB, {"spec": {"paused": True}})
    steps.reconcile()
    assert steps.condition("Progressing")[1] == "ProgressDeadlineExceeded"
    steps.cluster.patch(WEB, {"spec": {"paused": False}})
    steps.ready()
    steps.settle()
    assert steps.condition("Progressing")[:2] == ("True", "NewReplicaSetAvailable")


def test_a_resumed_rollout_has_its_whole_deadline_again():
    steps = Steps(progressDeadlineSeconds=60)
    steps.reconcile()
    steps.replicate()
    steps.reconcile()
    steps.cluster.patch(WEB, {"spec": {"paused": True}})
    steps.reconcile()
    steps.cluster.now += 3600
    steps.cluster.patch(WEB, {"spec": {"paused": False}})
    steps.reconcile()
    assert steps.condition("Progressing")[:2] == ("Unknown", "DeploymentResumed")
    outcome = deployment.reconcile(steps.cluster.view, WEB, steps.cluster.now)
    assert outcome.requeue_after_s == pytest.approx(61, abs=2), "it stands still, and is looked at when the deadline has passed"
    steps.cluster.now += 62
    steps.reconcile()
    assert steps.condition("Progressing")[1] == "ProgressDeadlineExceeded"


def test_a_set_that_is_being_deleted_keeps_its_template_until_it_is_gone():
    steps = Steps().settle()
    (made,) = steps.sets().values()
    ref = Ref("replicasets.apps", made.metadata.name, "default")
    steps.cluster.patch(ref, {"metadata": {"deletionTimestamp": rfc3339(steps.cluster.now), "finalizers": ["orphan"]}})
    steps.reconcile()
    assert (list(steps.sizes()), steps.deployment().status.collision_count) == (["web:1"], None)
    steps.cluster.remove(ref)
    steps.reconcile()
    (again,) = steps.sets().values()
    assert again.metadata.name == made.metadata.name, "its selector matches the pods that were orphaned"


def test_failures_of_the_sets_are_told_the_newest_first():
    steps = Steps().settle()
    steps.set_image("web:2")
    steps.reconcile()
    for image, words in (("web:1", "old"), ("web:2", "new")):
        failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words}
        ref = Ref("replicasets.apps", steps.sets()[image].metadata.name, "default")
        steps.cluster.patch(ref, {"status": {"conditions": [failure]}})
    steps.reconcile()
    assert steps.condition("ReplicaFailure") == ("True", "FailedCreate", "new")
    steps.settle()
    assert "ReplicaFailure" not in {c.type for c in steps.deployment().status.conditions}


@pytest.mark.parametrize(
    ("spec", "progressing"),
    [
        pytest.param({}, ("False", "ReplicaSetCreateError"), id="with a deadline the condition tells"),
        pytest.param({"progressDeadlineSeconds": 2**31 - 1}, None, id="without one only the event does"),
    ],
)
def test_a_set_that_is_refused(spec, progressing):
    steps = Steps(**spec)
    create, *_ = deployment.reconcile(steps.cluster.view, WEB, steps.cluster.now).changes
    for change in deployment.feedback(steps.cluster.view, WEB, create, Forbidden("replicasets is forbidden: no"), now=steps.cluster.now):
        steps.cluster.apply(change)
    name = create.document["metadata"]["name"]
    words = f'Failed to create new replica set "{name}": replicasets is forbidden: no'
    assert [(e.type, e.reason, e.message) for e in steps.cluster.events] == [("Warning", "ReplicaSetCreateError", words)]
    conditions = {c.type: (c.status, c.reason) for c in steps.deployment().status.conditions}
    assert conditions.get("Progressing") == progressing


def test_scaling_down_to_the_size_of_the_new_set_is_shared_all_the_same():
    steps = Steps(replicas=10, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}).settle()
    steps.set_image("web:2")
    steps.reconcile()
    steps.replicate()
    steps.ready()
    steps.cluster.patch(WEB, {"spec": {"replicas": 3}})
    steps.reconcile()
    assert steps.sizes() == {"web:1": 5, "web:2": 1}, "the new set was sized for ten: it is not full"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param({"env": []}, {}, True, id="an empty list is as good as none"),
        pytest.param({"resources": {"limits": {"cpu": "1000m"}}}, {"resources": {"limits": {"cpu": "1"}}}, True, id="equal quantities"),
        pytest.param({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "2"}}}, False, id="other quantities"),
        pytest.param({"resources": {"limits": {}}}, {"resources": {}}, True, id="empty limits are none"),
        pytest.param({"emptyDir": {}}, {}, False, id="an empty object may mean something"),
        pytest.param({"name": None}, {}, True, id="null is absent"),
    ],
)
def test_templates_that_mean_the_same(one, other, same):
    templates = [{"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}} for container in (one, other)]
    assert revisions.same_template(*templates) is same


def test_the_former_revisions_of_a_set_are_bounded():
    (made,) = Steps().settle().sets().values()
    long = ",".join(str(number) for number in range(1000, 1400))
    annotations = {revisions.REVISION: "1400", revisions.REVISION_HISTORY: long}
    made = msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, annotations=annotations))
    history = revisions.set_annotations(Steps().deployment(), made, 1402)[revisions.REVISION_HISTORY]
    assert len(history) <= 2000 and history.startswith("1001,") and history.endswith(",1399,1400")
