"""The loop and all controllers over the real door and the memory store, under virtual time.

Pods are made ready by a stand-in for scheduler and agents: it binds and reports what it finds. Asserted is what a user would see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from common.aio.tasks import TaskGroup
from common.clock import SeededRng, rfc3339
from common.errors import Expired, Forbidden
from common.objects.cluster import Event, Namespace
from common.objects.node import Node
from common.objects.pod import Pod
from common.objects.workloads import Deployment, ReplicaSet
from master.api import bootstrap
from master.api.contract import Actor, CreateObject, DeleteOptions, PatchType, Ref, Role
from master.api.door import ApiDoor
from master.controllers.controller import Controller, Outcome, itself
from master.controllers.loop import Loop
from master.controllers.registry import Controllers
from master.controllers.settings import ControllerSettings
from master.store.contract import Cause
from master.store.memory import MemoryStore
from tests.master.controllers.cluster import deployment, node
from tests.sim import virtual

ADMIN = Actor("admin", Role.USER, ("system:masters",))
SCHEDULER, DISPATCH = Actor("system:kube-scheduler", Role.SCHEDULER), Actor("system:dispatch", Role.DISPATCH)
WEB = Ref("deployments.apps", "web", "default")
CAUSE = Cause("test", "Test")


class Town:
    """A door with all controllers running over it."""

    def __init__(self, door: ApiDoor, store: MemoryStore, clock: virtual.VirtualClock) -> None:
        self.door, self.store, self.clock = door, store, clock

    async def until(self, condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.05)

    def list(self, kind, resource):
        return self.door.views.list(kind, resource, "default")

    async def patch(self, ref, patch, *, actor=ADMIN, subresource=""):
        await self.door.patch(actor, ref, PatchType.MERGE, patch, subresource=subresource)

    async def serve_pods(self) -> None:
        """Bind every pod, make it ready, and confirm the end of those that leave."""
        while True:
            for pod in self.list(Pod, "pods"):
                ref = Ref("pods", pod.metadata.name, "default")
                if pod.metadata.deletion_timestamp:
                    await self.door.delete(DISPATCH, ref, DeleteOptions(confirmed=True, cause=CAUSE))
                elif not pod.spec.node_name:
                    await self.door.bind(SCHEDULER, ref, "n1", uid=pod.metadata.uid, cause=CAUSE)
                elif not pod.ready:
                    ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(self.clock.now())}
                    conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": pod.condition("PodScheduled").last_transition_time}, ready]
                    await self.patch(ref, {"status": {"phase": "Running", "conditions": conditions}}, actor=DISPATCH, subresource="status")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def town(*, pods: bool = True):
    clock = virtual.VirtualClock(asyncio.get_running_loop())
    store = MemoryStore(clock)
    await store.open()
    door = ApiDoor(store, clock, SeededRng(1))
    await bootstrap.ensure(door)
    here = Town(door, store, clock)
    async with TaskGroup() as group:
        tasks = [group.start(Controllers(door, clock, ControllerSettings()).run())]
        await door.create(DISPATCH, "nodes", "", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
        await here.patch(Ref("nodes", "n1"), {"status": node("n1")["status"]}, actor=DISPATCH, subresource="status")
        if pods:
            tasks.append(group.start(here.serve_pods()))
        yield here
        for task in tasks:
            task.cancel()
    await store.close()


def scenario(test: Callable[..., Awaitable[None]], **options) -> Callable[[], None]:
    async def main() -> None:
        async with town(**options) as here:
            await test(here)

    def run() -> None:
        virtual.run(main())

    run.__doc__ = test.__doc__
    return run


def complete(here: Town, image: str, replicas: int) -> bool:
    found = here.door.views.get(Deployment, WEB)
    pods = here.list(Pod, "pods")
    return (
        found is not None and found.status.available_replicas == found.status.updated_replicas == found.status.replicas == replicas
        and found.status.observed_generation == found.metadata.generation
        and len(pods) == replicas and {pod.spec.containers[0].image for pod in pods} == {image}
    )  # fmt: skip


def web(**spec):
    document = deployment(**spec)
    return {**document, "metadata": {"name": "web"}}


async def _rollout(here: Town) -> None:
    await here.door.create(ADMIN, "deployments.apps", "default", web())
    await here.until(lambda: complete(here, "web:1", 3))
    template = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}}}
    await here.patch(WEB, template)
    await here.until(lambda: complete(here, "web:2", 3))
    await here.patch(WEB, {"spec": {"replicas": 1}})
    await here.until(lambda: complete(here, "web:2", 1))
    reasons = {event.reason for event in here.list(Event, "events")}
    assert {"ScalingReplicaSet", "SuccessfulCreate", "SuccessfulDelete"} <= reasons
    before = here.store.revision
    await asyncio.sleep(5)
    assert here.store.revision == before, "a cluster at rest writes nothing"


test_a_deployment_rolls_out_updates_and_scales = scenario(_rollout)


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
def test_deleting_a_deployment_takes_everything_with_it(propagation):
    async def test(here: Town) -> None:
        await here.door.create(ADMIN, "deployments.apps", "default", web())
        await here.until(lambda: complete(here, "web:1", 3))
        await here.door.delete(ADMIN, WEB, DeleteOptions(propagation=propagation))
        await here.until(lambda: not (here.list(Pod, "pods") or here.list(ReplicaSet, "replicasets.apps") or here.list(Deployment, "deployments.apps")))

    scenario(test)()


async def _orphans(here: Town) -> None:
    await here.door.create(ADMIN, "deployments.apps", "default", web())
    await here.until(lambda: complete(here, "web:1", 3))
    await here.door.delete(ADMIN, WEB, DeleteOptions(propagation="Orphan"))
    await here.until(lambda: not here.list(Deployment, "deployments.apps"))
    (left,) = here.list(ReplicaSet, "replicasets.apps")
    assert left.metadata.owner_references == ()
    await here.door.create(ADMIN, "deployments.apps", "default", web())
    await here.until(lambda: complete(here, "web:1", 3))
    (adopted,) = here.list(ReplicaSet, "replicasets.apps")
    assert adopted.metadata.uid == left.metadata.uid


test_an_orphaned_replica_set_stays_and_is_adopted_again = scenario(_orphans)


async def _namespace(here: Town) -> None:
    await here.door.create(ADMIN, "namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    await here.until(lambda: here.store.get("serviceaccounts/shop/default") is not None)
    await here.door.create(ADMIN, "deployments.apps", "shop", web())
    await here.until(lambda: here.store.count("pods/shop/") == 3)
    await here.door.delete(ADMIN, Ref("namespaces", "shop"))
    await here.until(lambda: here.door.views.get(Namespace, Ref("namespaces", "shop")) is None)
    assert [r.key for r in here.store.list("") if "/shop/" in r.key] == []


test_a_namespace_goes_with_everything_inside = scenario(_namespace, pods=False)


async def _silent(here: Town) -> None:
    await here.door.create(DISPATCH, "nodes", "", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}})
    await here.patch(Ref("nodes", "n2"), {"status": node("n2")["status"]}, actor=DISPATCH, subresource="status")
    await here.door.create(ADMIN, "deployments.apps", "default", web())
    await here.until(lambda: complete(here, "web:1", 3))
    names = {pod.metadata.name for pod in here.list(Pod, "pods")}
    status = node("n1", "Unknown", since=rfc3339(here.clock.now()))["status"]
    silent_at = here.clock.now()
    await here.patch(Ref("nodes", "n1"), {"status": status}, actor=DISPATCH, subresource="status")
    await here.until(lambda: not names & {pod.metadata.name for pod in here.list(Pod, "pods")}, within_s=400)
    assert here.clock.now() - silent_at == pytest.approx(305, abs=2), "300 s of toleration, from the taint, 5 s after the silence"
    steps = await here.store.history(f"pods/default/{sorted(names)[0]}")
    eviction = next(step.cause for step in steps if step.cause.rule == "TaintEviction")
    assert eviction.why == "node n1 has taint node.kubernetes.io/unreachable:NoExecute, tolerated for 300 s"
    taint = await here.store.change(eviction.revision)
    assert (taint.key, taint.cause.rule) == ("nodes//n1", "NodeTaints")
    assert here.door.views.get(Node, Ref("nodes", "n1")).spec.pod_cidr == "10.244.0.0/24"


test_pods_leave_a_silent_node_and_the_chain_of_causes_says_why = scenario(_silent)


def test_a_refused_change_comes_back_with_a_back_off_and_tells_its_controller():
    told, attempts = [], []

    async def test(here: Town) -> None:
        def reconcile(view, key, now):
            attempts.append(now)
            return Outcome(()) if len(attempts) > 4 else Outcome((create,))

        create = CreateObject("configmaps", "default", {"metadata": {"name": "x"}}, CAUSE)
        controller = Controller(
            "test", Actor("test", Role.REPLICASET), {"namespaces": itself}, lambda view, key, now: reconcile(view, key, now) if key.name == "default" else Outcome(()),
            feedback=lambda view, key, change, result, *, now: told.append(result) or (),
        )  # fmt: skip
        loop = Loop(here.door, here.clock, [controller])
        async with TaskGroup() as group:
            task = group.start(loop.run())
            await here.until(lambda: len(attempts) == 5)
            task.cancel()

    scenario(test, pods=False)()
    assert all(isinstance(error, Forbidden) for error in told)
    gaps = [later - earlier for earlier, later in zip(attempts, attempts[1:], strict=False)]
    assert gaps == sorted(gaps)


def test_a_deletion_that_nobody_saw_is_noticed_when_the_list_is_complete():
    seen = []

    class Gap:
        """A door whose first watch ends as too old, while an object goes."""

        def __init__(self, here: Town) -> None:
            self.here, self.views, self.catalog, self.opened = here, here.door.views, here.door.catalog, 0

        def watch(self, *args, **options):
            self.opened += 1
            return self.first(*args, **options) if self.opened == 1 else self.here.door.watch(*args, **options)

        async def first(self, *args, **options):
            async for batch in self.here.door.watch(*args, **options):
                yield batch
                if any(event.initial_end for event in batch):
                    break
            await self.here.door.delete(ADMIN, Ref("configmaps", "gone", "default"))
            raise Expired("too old resource version")

    async def test(here: Town) -> None:
        await here.door.create(ADMIN, "configmaps", "default", {"metadata": {"name": "gone"}})
        controller = Controller(
            "test", Actor("test", Role.GARBAGE), {"configmaps": lambda view, item: seen.append(item) or []}, lambda *_: Outcome(())
        )
        async with TaskGroup() as group:
            task = group.start(Loop(Gap(here), here.clock, [controller]).run())
            await here.until(lambda: any(item.new is None for item in seen))
            task.cancel()

    scenario(test, pods=False)()
    assert seen[-1].ref.name == "gone"
