"""Pods with claims over the real door, with the real binder beside the scheduler: where they go, and why they do not."""

from __future__ import annotations

import asyncio
from typing import Any

from common.aio.tasks import supervise
from master.api.contract import DeleteOptions, PatchType, Ref
from master.controllers import volume_binder
from master.controllers.loop import Loop
from master.scheduler.scheduler import Settings
from tests.master.api.doorway import ADMIN
from tests.master.scheduler.test_scheduler import Cluster, running

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
TAIL = "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."


async def two_nodes(cluster: Cluster) -> asyncio.Task[None]:
    for name in ("n1", "n2"):
        await cluster.node(name, labels={"kubernetes.io/hostname": name})
    return asyncio.ensure_future(supervise("binder", Loop(cluster.door, cluster.here.clock, [volume_binder.CONTROLLER]).run))


async def make(cluster: Cluster, provisioner: str = "steersman.io/local-path", mode: str = "WaitForFirstConsumer") -> None:
    document = {"metadata": {"name": "local"}, "provisioner": provisioner, "volumeBindingMode": mode}
    await cluster.door.create(ADMIN, CLASSES, "", document)


async def claim(cluster: Cluster, name: str = "data", **spec: Any) -> None:
    wish = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "local", **spec}
    await cluster.door.create(ADMIN, CLAIMS, "default", {"metadata": {"name": name}, "spec": wish})


async def volume(cluster: Cluster, name: str, node: str) -> None:
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    spec = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "local", "local": {"path": "/srv"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
    }  # fmt: skip
    await cluster.door.create(ADMIN, VOLUMES, "", {"metadata": {"name": name}, "spec": spec})


def using(*claims: str, **spec: Any) -> dict:
    volumes = [{"name": f"v{number}", "persistentVolumeClaim": {"claimName": name}} for number, name in enumerate(claims)]
    return {"containers": [{"name": "main", "image": "i"}], "volumes": volumes, **spec}


def phase(cluster: Cluster, name: str = "data") -> str:
    return cluster.door.get(ADMIN, Ref(CLAIMS, name, "default")).document()["status"]["phase"]


@running
async def test_a_pod_and_its_new_volume_go_to_the_same_node_and_the_next_pod_follows(cluster: Cluster) -> None:
    binder = await two_nodes(cluster)
    await make(cluster)
    await claim(cluster)
    await cluster.create("web", spec=using("data"))
    [place] = await cluster.bound("web")
    assert phase(cluster) == "Bound", "a pod has a node once its volumes are bound"
    for number in range(3):
        await cluster.create(f"next-{number}", spec=using("data"))
    assert await cluster.bound("next-0", "next-1", "next-2") == [place] * 3
    other = "n2" if place == "n1" else "n1"
    await cluster.create("away", spec=using("data", nodeSelector={"kubernetes.io/hostname": other}))
    reasons = "1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had volume node affinity conflict"
    assert await cluster.waits("away") == f"0/2 nodes are available: {reasons}. {TAIL}"
    binder.cancel()


@running
async def test_a_claim_that_waits_is_given_a_volume_where_its_pod_may_run(cluster: Cluster) -> None:
    binder = await two_nodes(cluster)
    await make(cluster, "kubernetes.io/no-provisioner")
    await claim(cluster)
    await cluster.create("web", spec=using("data"))
    assert await cluster.waits("web") == (
        f"0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind. {TAIL}"
    )
    await volume(cluster, "on-n2", "n2")
    assert await cluster.bound("web") == ["n2"] and phase(cluster) == "Bound"
    binder.cancel()


@running
async def test_two_pods_that_reach_for_one_volume_do_not_share_it(cluster: Cluster) -> None:
    binder = await two_nodes(cluster)
    await make(cluster, "kubernetes.io/no-provisioner")
    await volume(cluster, "only", "n1")
    for name in ("a", "b"):
        await claim(cluster, name)
    for name in ("a", "b"):
        await cluster.create(name, spec=using(name))
    while sorted(bool(cluster.pod(name).spec.node_name) for name in ("a", "b")) != [False, True]:
        await asyncio.sleep(0.05)
    waiting = next(name for name in ("a", "b") if not cluster.pod(name).spec.node_name)
    assert "didn't find available persistent volumes to bind" in await cluster.waits(waiting)
    await volume(cluster, "second", "n2")
    assert await cluster.bound(waiting) == ["n2"]
    binder.cancel()


@running
async def test_why_a_pod_goes_nowhere_is_said_once(cluster: Cluster) -> None:
    binder = await two_nodes(cluster)
    await make(cluster, "csi.example.com", "Immediate")
    await cluster.create("web", spec=using("data"))
    assert await cluster.waits("web") == f'0/2 nodes are available: persistentvolumeclaim "data" not found. {TAIL}'
    await claim(cluster)
    words = f"0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. {TAIL}"
    while cluster.pod("web").condition("PodScheduled").message != words:  # type: ignore[union-attr]
        await asyncio.sleep(0.05)
    await volume(cluster, "v", "n1")
    assert await cluster.bound("web") == ["n1"]
    binder.cancel()


@running
async def test_a_pod_that_goes_while_its_volume_is_made_holds_nothing_up(cluster: Cluster) -> None:
    """Nobody provisions: the pod waits for its volume, is deleted, and its place is free again."""
    binder = await two_nodes(cluster)
    await make(cluster, "csi.example.com")
    await claim(cluster)
    ref = await cluster.create("web", spec={**using("data"), "terminationGracePeriodSeconds": 0})
    claims = Ref(CLAIMS, "data", "default")
    while "volume.kubernetes.io/selected-node" not in (cluster.door.get(ADMIN, claims).document()["metadata"].get("annotations") or {}):
        await asyncio.sleep(0.05)
    await cluster.door.patch(ADMIN, claims, PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}})
    await cluster.door.delete(ADMIN, ref)
    while cluster.scheduler._binding:
        await asyncio.sleep(0.05)
    assert cluster.scheduler._snapshot.standing("pods/default/web") == ""
    binder.cancel()


@running
async def test_a_claim_for_one_pod_alone_is_not_shared(cluster: Cluster) -> None:
    binder = await two_nodes(cluster)
    await make(cluster)
    await claim(cluster, accessModes=["ReadWriteOncePod"])
    for name in ("a", "b"):
        await cluster.create(name, spec={**using("data"), "terminationGracePeriodSeconds": 0})
    while not any(cluster.pod(name).spec.node_name for name in ("a", "b")):
        await asyncio.sleep(0.05)
    has, waits = ("a", "b") if cluster.pod("a").spec.node_name else ("b", "a")
    words = "2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    assert words in await cluster.waits(waits)
    await cluster.door.delete(ADMIN, Ref("pods", has, "default"), DeleteOptions(grace_s=0))
    await cluster.bound(waits)
    binder.cancel()


@running
async def test_a_pod_looks_elsewhere_when_its_volume_cannot_be_made_where_it_was_to_be(cluster: Cluster) -> None:
    binder = await two_nodes(cluster)
    await make(cluster, "csi.example.com")
    await claim(cluster)
    await cluster.create("web", spec=using("data"))
    ref, key = Ref(CLAIMS, "data", "default"), "volume.kubernetes.io/selected-node"

    def chosen() -> str:
        return (cluster.door.get(ADMIN, ref).document()["metadata"].get("annotations") or {}).get(key, "")

    while not chosen():
        await asyncio.sleep(0.05)
    await cluster.door.patch(ADMIN, ref, PatchType.MERGE, {"metadata": {"annotations": {key: None}}})
    while not chosen():
        await asyncio.sleep(0.05)
    assert not cluster.pod("web").spec.node_name
    binder.cancel()


@running
async def test_two_pods_of_one_new_claim_end_up_together(cluster: Cluster) -> None:
    binder = await two_nodes(cluster)
    await make(cluster)
    await claim(cluster)
    for name in ("a", "b", "c", "d"):
        await cluster.create(name, spec=using("data"))
    assert len(set(await cluster.bound("a", "b", "c", "d"))) == 1
    binder.cancel()


@running
async def test_pods_whose_volumes_are_never_made_hold_up_nobody_else(cluster: Cluster) -> None:
    cluster.scheduler._settings = Settings(in_flight=2)
    binder = await two_nodes(cluster)
    await make(cluster, "csi.example.com")
    for number in range(4):
        await claim(cluster, f"data-{number}")
        await cluster.create(f"waits-{number}", spec=using(f"data-{number}"))
    for number in range(4):
        await cluster.create(f"plain-{number}", spec={"containers": [{"name": "main", "image": "i"}]})
    async with asyncio.timeout(30):
        await cluster.bound(*(f"plain-{number}" for number in range(4)))
    assert not any(cluster.pod(f"waits-{number}").spec.node_name for number in range(4))
    binder.cancel()


@running
async def test_a_volume_that_is_being_made_draws_its_pod_there(cluster: Cluster) -> None:
    """As after a restart of the scheduler, or for a second pod of the claim."""
    binder = await two_nodes(cluster)
    await make(cluster, "csi.example.com")
    await claim(cluster)
    annotated = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "n2"}}}
    await cluster.door.patch(ADMIN, Ref(CLAIMS, "data", "default"), PatchType.MERGE, annotated)
    await cluster.create("web", spec=using("data"))
    await cluster.create("never", spec=using("data", nodeSelector={"kubernetes.io/hostname": "n1"}))
    assert "1 node(s) didn't find available persistent volumes to bind" in await cluster.waits("never")
    await volume(cluster, "made", "n2")
    assert await cluster.bound("web") == ["n2"]
    binder.cancel()
