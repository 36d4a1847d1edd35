"""A rolling update keeps its promises whatever order things happen in.

The Deployment and ReplicaSet reconciles run over a plain cluster, interleaved at random with pods that become ready or take
long to end. At every step: never fewer available pods than desired - maxUnavailable (once that many were), never more
pods than desired + maxSurge; and it ends with the new template alone.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from common.objects.pod import Pod
from common.objects.workloads import Deployment, ReplicaSet
from master.api.contract import Ref
from master.controllers import deployment, replicaset, rollout
from tests.master.controllers.cluster import Cluster
from tests.master.controllers.cluster import deployment as deployment_document

WEB = Ref("deployments.apps", "web", "default")
STEPS = 3000

amounts = st.one_of(st.integers(0, 6), st.integers(0, 100).map(lambda n: f"{n}%"))


class Run:
    def __init__(self, cluster: Cluster, rng: random.Random, bounds: rollout.Limits) -> None:
        self.cluster, self.rng, self.bounds = cluster, rng, bounds
        self.floor = False

    def step(self) -> None:
        """One random thing: a pass of a controller, or a pod that becomes ready or is gone."""
        sets = self.cluster.list(ReplicaSet, replicaset.RESOURCE)
        pods = self.cluster.list(Pod, "pods")
        choices = [lambda: self.cluster.run(deployment.CONTROLLER, WEB)]
        choices += [lambda s=s: self.cluster.run(replicaset.CONTROLLER, Ref(replicaset.RESOURCE, s.metadata.name, "default")) for s in sets]
        choices += [lambda p=p: self.advance(p) for p in pods if not p.ready or p.metadata.deletion_timestamp]
        self.rng.choice(choices)()
        self.check()

    def advance(self, pod: Pod) -> None:
        ref = Ref("pods", pod.metadata.name, "default")
        if pod.metadata.deletion_timestamp is not None:
            self.cluster.remove(ref)
        else:
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2023-01-01T00:00:00Z"}
            self.cluster.patch(ref, {"spec": {"nodeName": "n1"}, "status": {"phase": "Running", "conditions": [ready]}})

    def check(self) -> None:
        pods = [p for p in self.cluster.list(Pod, "pods") if p.metadata.deletion_timestamp is None]
        available = sum(p.ready for p in pods)
        assert len(pods) <= self.bounds.most, f"{len(pods)} pods, at most {self.bounds.most} allowed"
        if self.floor:
            assert available >= self.bounds.least, f"{available} available, at least {self.bounds.least} promised"

    def settled(self) -> bool:
        found = self.cluster.get(Deployment, WEB)
        conditions = {c.type: c for c in found.status.conditions}
        return (
            found.status.observed_generation == found.metadata.generation
            and "Progressing" in conditions
            and conditions["Progressing"].reason == "NewReplicaSetAvailable"
            and found.status.updated_replicas == found.status.available_replicas == found.status.replicas == found.spec.replicas
            and all(s.spec.replicas in (0, found.spec.replicas) for s in self.cluster.list(ReplicaSet, replicaset.RESOURCE))
        )

    def until_settled(self) -> None:
        for _ in range(STEPS):
            if self.settled():
                return
            self.step()
        raise AssertionError("the rollout does not end")


@settings(max_examples=60, deadline=None)
@given(replicas=st.integers(1, 9), surge=amounts, unavailable=amounts, seed=st.integers(0, 2**32), updates=st.integers(1, 3))
def test_a_rolling_update_never_breaks_its_bounds_and_ends(replicas, surge, unavailable, seed, updates):
    document = deployment_document(replicas=replicas)
    document["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": surge, "maxUnavailable": unavailable}
    cluster = Cluster(document, graceful=True)
    run = Run(cluster, random.Random(seed), rollout.limits(surge, unavailable, replicas))
    run.until_settled()
    run.floor = True
    for update in range(updates):
        cluster.patch(WEB, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": f"web:{update + 2}"}]}}}})
        for _ in range(run.rng.randrange(40) if update < updates - 1 else 0):  # the next one may come in the middle
            run.step()
    run.until_settled()
    images = {p.spec.containers[0].image for p in cluster.list(Pod, "pods") if p.metadata.deletion_timestamp is None}
    assert images == {f"web:{updates + 1}"}


@settings(max_examples=30, deadline=None)
@given(replicas=st.integers(1, 5), seed=st.integers(0, 2**32), recreate=st.booleans())
def test_pods_that_must_be_at_most_one_never_exceed_their_number_even_while_they_end(replicas, seed, recreate):
    document = deployment_document(replicas=replicas)
    if recreate:
        document["spec"]["strategy"] = {"type": "Recreate"}
    document["spec"]["template"]["metadata"]["annotations"] = {"steersman.io/at-most-one": "true"}
    cluster = Cluster(document, graceful=True)
    run = Run(cluster, random.Random(seed), rollout.Limits(replicas))

    def check() -> None:
        count = len(cluster.list(Pod, "pods"))
        assert count <= replicas, f"{count} pods hold containers, at most {replicas} may"

    run.check = check
    run.until_settled()
    cluster.patch(WEB, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}}})
    run.until_settled()
