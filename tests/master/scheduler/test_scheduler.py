"""The scheduler over the real door and the memory store, under virtual time: what users and other components see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from common.clock import SeededRng
from common.errors import Conflict, Unavailable
from common.objects import pod as pods
from master.api.contract import DeleteOptions, Document, PatchType, Ref, Stored
from master.scheduler.scheduler import Scheduler, Settings
from tests.master.api.doorway import ADMIN, DISPATCH, Doorway, pod, scenario

GI = 1024**3


def node(name: str = "", *, cpu: str = "4", ready: str = "True", spec: Document | None = None, labels: Document | None = None) -> Document:
    amounts = {"cpu": cpu, "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels or {}}, "spec": spec or {},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [{"type": "Ready", "status": ready}]},
    }  # fmt: skip


def asking(cpu: str, **spec: Any) -> Document:
    container = {"name": "main", "image": "nginx:1.27", "resources": {"requests": {"cpu": cpu}}}
    return {"containers": [container], **spec}


class Cluster:
    def __init__(self, here: Doorway) -> None:
        self.here, self.door, self.store = here, here.door, here.store
        self.create = here.pod
        self.scheduler = Scheduler(here.door, here.clock, SeededRng(3), Settings())

    async def node(self, name: str, **how: Any) -> None:
        await self.door.create(DISPATCH, "nodes", "", node(name, **how))
        body = {"status": node(name, **how)["status"]}
        await self.door.patch(DISPATCH, Ref("nodes", name), PatchType.MERGE, body, subresource="status")

    async def ready(self, name: str, status: str) -> None:
        body = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
        await self.door.patch(DISPATCH, Ref("nodes", name), PatchType.STRATEGIC, body, subresource="status")

    def pod(self, name: str) -> pods.Pod:
        found = self.door.views.get(pods.Pod, Ref("pods", name, "default"))
        assert found is not None
        return found

    async def bound(self, *names: str) -> list[str]:
        """Where they are, once they all are somewhere."""
        while not all(self.pod(name).spec.node_name for name in names):
            await asyncio.sleep(0.05)
        return [self.pod(name).spec.node_name for name in names]

    async def waits(self, name: str) -> str:
        """Why it waits, once it says so."""
        while True:
            condition = self.pod(name).condition("PodScheduled")
            if condition is not None and condition.status == "False":
                assert condition.reason == "Unschedulable" and condition.last_transition_time
                return condition.message
            await asyncio.sleep(0.05)

    def events(self, name: str) -> list[Document]:
        found = [Stored(r.value, r.revision).document() for r in self.store.list("events/default/")]
        return [event for event in found if event["involvedObject"]["name"] == name]


def running(test: Callable[[Cluster], Awaitable[None]]) -> Callable[[], None]:
    """Run `test` beside a scheduler, for at most ten virtual minutes."""

    async def with_scheduler(here: Doorway) -> None:
        cluster = Cluster(here)
        task = asyncio.ensure_future(cluster.scheduler.run())
        try:
            async with asyncio.timeout(600):
                await test(cluster)
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run = scenario(with_scheduler)
    run.__doc__ = test.__doc__
    return run


@running
async def test_pods_spread_over_the_ready_nodes_and_the_store_says_why(cluster: Cluster) -> None:
    for name in ("n1", "n2"):
        await cluster.node(name)
    await cluster.node("down", ready="Unknown")
    for n in range(6):
        await cluster.create(f"web-{n}", spec=asking("100m"))
    places = await cluster.bound(*(f"web-{n}" for n in range(6)))
    assert sorted(places) == ["n1"] * 3 + ["n2"] * 3
    condition = cluster.pod("web-0").condition("PodScheduled")
    assert condition is not None and condition.status == "True"
    while not cluster.events("web-0"):
        await asyncio.sleep(0.05)
    [event] = cluster.events("web-0")
    assert (event["reason"], event["type"]) == ("Scheduled", "Normal")
    assert event["message"] == f"Successfully assigned default/web-0 to {places[0]}"
    assert event["source"]["component"] == "default-scheduler"
    made, bound = await cluster.store.history("pods/default/web-0")
    assert (bound.cause.actor, bound.cause.rule, bound.cause.revision) == ("system:kube-scheduler", "Bind", made.revision)
    assert bound.cause.why.startswith("fits on 2 of 3 nodes")


@running
async def test_a_pod_that_does_not_fit_says_why_for_every_node_and_goes_when_it_can(cluster: Cluster) -> None:
    await cluster.node("small", cpu="1")
    await cluster.node("tainted", spec={"taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]})
    await cluster.node("cordoned", spec={"unschedulable": True})
    await cluster.create("big", spec=asking("2"))
    text = (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: gpu}, 1 node(s) were "
        "unschedulable. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    assert await cluster.waits("big") == text
    while not cluster.events("big"):
        await asyncio.sleep(0.05)
    [event] = cluster.events("big")
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "FailedScheduling", text)
    await cluster.node("large")
    assert await cluster.bound("big") == ["large"]
    last = (await cluster.store.history("pods/default/big"))[-1]
    came = (await cluster.store.history("nodes//large"))[-1]
    assert last.cause.revision is not None and last.cause.revision <= came.revision


@running
async def test_a_pod_that_waits_is_not_written_again_and_again(cluster: Cluster) -> None:
    await cluster.create("lonely")
    assert await cluster.waits("lonely") == "no nodes available to schedule pods"
    before = len(await cluster.store.history("pods/default/lonely"))
    for n in range(20):
        await cluster.create(f"other-{n}")
        await asyncio.sleep(1)
    assert len(await cluster.store.history("pods/default/lonely")) == before


@running
async def test_a_pod_that_leaves_makes_room_for_one_that_waits(cluster: Cluster) -> None:
    await cluster.node("n1", cpu="1")
    first = await cluster.create("first", spec=asking("800m"))
    await cluster.bound("first")
    await cluster.create("second", spec=asking("800m"))
    assert "1 Insufficient cpu" in await cluster.waits("second")
    await cluster.door.delete(ADMIN, first, DeleteOptions(grace_s=0))
    assert await cluster.bound("second") == ["n1"]


@running
async def test_a_finished_pod_makes_room(cluster: Cluster) -> None:
    await cluster.node("n1", cpu="1")
    first = await cluster.create("first", spec=asking("800m"))
    await cluster.bound("first")
    await cluster.create("second", spec=asking("800m"))
    await cluster.waits("second")
    await cluster.door.patch(DISPATCH, first, PatchType.MERGE, {"status": {"phase": "Succeeded"}}, subresource="status")
    assert await cluster.bound("second") == ["n1"]


@running
async def test_no_node_is_overfilled_by_pods_that_come_at_once(cluster: Cluster) -> None:
    for n in range(3):
        await cluster.node(f"n{n}", cpu="1")
    await asyncio.gather(*(cluster.create(f"web-{n:02}", spec=asking("300m")) for n in range(10)))
    while sum(bool(cluster.pod(f"web-{n:02}").spec.node_name) for n in range(10)) < 9:
        await asyncio.sleep(0.05)
    places = [cluster.pod(f"web-{n:02}").spec.node_name for n in range(10)]
    assert sorted(filter(None, places)) == ["n0"] * 3 + ["n1"] * 3 + ["n2"] * 3


@running
async def test_a_node_that_comes_back_is_used_at_once_and_one_that_went_is_not(cluster: Cluster) -> None:
    await cluster.node("n1", ready="False")
    await cluster.create("web")
    assert "1 node(s) were not ready" in await cluster.waits("web")
    await cluster.ready("n1", "True")
    assert await cluster.bound("web") == ["n1"]
    await cluster.ready("n1", "Unknown")
    await cluster.create("late")
    assert "1 node(s) were not ready" in await cluster.waits("late")


@running
async def test_pods_of_another_scheduler_or_going_away_or_bound_by_their_user_are_left_alone(cluster: Cluster) -> None:
    await cluster.node("n1", cpu="1")
    await cluster.create("foreign", spec={"schedulerName": "mine"})
    await cluster.create("chosen", spec=asking("900m", nodeName="n1"))
    await cluster.create("web", spec=asking("200m"))
    assert "Insufficient cpu" in await cluster.waits("web")
    assert cluster.pod("foreign").spec.node_name == "" and cluster.pod("foreign").condition("PodScheduled") is None


@running
async def test_a_successor_of_the_same_name_is_bound_as_itself(cluster: Cluster) -> None:
    await cluster.node("n1")
    for _ in range(5):
        ref = await cluster.create("web")
        await asyncio.sleep(0)
        await cluster.door.delete(ADMIN, ref, DeleteOptions(grace_s=0))
    await cluster.create("web")
    assert await cluster.bound("web") == ["n1"]


@pytest.mark.parametrize(
    "error",
    [Unavailable("the disk is full"), Conflict("somebody was faster")],
    ids=["a store that is not ready", "a lost race"],
)
def test_a_binding_that_fails_is_tried_again(error: Exception) -> None:
    @running
    async def test(cluster: Cluster) -> None:
        bind, failures = cluster.door.bind, [error, error]

        async def failing(*args: Any, **named: Any) -> Any:
            if failures:
                raise failures.pop()
            return await bind(*args, **named)

        cluster.door.bind = failing  # type: ignore[method-assign]
        await cluster.node("n1", cpu="1")
        await cluster.create("web", spec=asking("800m"))
        assert await cluster.bound("web") == ["n1"]
        await cluster.create("next", spec=asking("200m"))
        assert await cluster.bound("next") == ["n1"]

    test()


def test_a_new_scheduler_goes_on_where_the_old_one_stopped() -> None:
    async def body(here: Doorway) -> None:
        cluster = Cluster(here)
        await cluster.node("n1", cpu="1")
        await cluster.create("standing", node="n1", spec=asking("500m"))
        await cluster.create("web", spec=asking("400m"))
        await cluster.create("big", spec=asking("400m"))
        for _ in range(2):
            task = asyncio.ensure_future(cluster.scheduler.run())
            [place] = await cluster.bound("web")
            assert place == "n1" and "Insufficient cpu" in await cluster.waits("big")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def bounded(here: Doorway) -> None:
        async with asyncio.timeout(600):
            await body(here)

    scenario(bounded)()


@running
async def test_a_watch_that_expired_is_begun_anew_without_a_trace(cluster: Cluster) -> None:
    await cluster.node("n1", cpu="1")
    await cluster.create("web", spec=asking("900m"))
    await cluster.bound("web")
    await cluster.store.compact(cluster.store.revision)
    cluster.store._state.generation += 1  # as after a restore: every watch is told Expired
    cluster.store._state.wake_all()
    await asyncio.sleep(1)
    await cluster.create("next", spec=asking("200m"))
    assert "Insufficient cpu" in await cluster.waits("next")
    await cluster.node("n2")
    assert await cluster.bound("next") == ["n2"]
