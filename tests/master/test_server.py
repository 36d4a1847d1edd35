"""The master composed as the simulation composes it: memory store, transport in memory, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from common.aio.tasks import TaskGroup
from common.clock import SeededRng
from common.objects.pod import Pod
from common.wire.memory_transport import Network
from master.api.contract import Actor, Ref
from master.dispatch.keyring import KeyRing
from master.server import Master, World, compose
from master.settings import Settings
from master.store.memory import MemoryStore
from tests.sim import virtual

USER = Actor("kubernetes-admin", groups=("system:masters",))


def run(scenario: Callable[[Master], Awaitable[None]], *, starts: int = 1) -> None:
    async def main() -> None:
        clock = virtual.VirtualClock(asyncio.get_running_loop())
        store, network = MemoryStore(clock), Network()
        await store.open()
        for _ in range(starts):
            control, streams = network.listener("control"), network.listener("stream")
            world = World(store, clock, SeededRng(1), control=control, streams=streams, ring=KeyRing(clock))
            master = await compose(world, Settings())
            async with TaskGroup() as group:
                running = group.start(master.run())
                await asyncio.sleep(1)
                await scenario(master)
                running.cancel()
            await control.close()
            await streams.close()
        await store.close()

    virtual.run(main())


def test_a_deployment_becomes_pods_that_the_scheduler_looks_at() -> None:
    async def scenario(master: Master) -> None:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        await master.door.create(USER, "deployments.apps", "default", {"metadata": {"name": "d"}, "spec": spec})
        await asyncio.sleep(5)
        pods = master.door.views.list(Pod, "pods", "default")
        assert len(pods) == 3
        assert all("no nodes available" in (pod.condition("PodScheduled") or pytest.fail("nobody looked at it")).message for pod in pods)

    run(scenario)


def test_a_cluster_keeps_its_id_over_starts() -> None:
    seen: list[str] = []

    async def scenario(master: Master) -> None:
        seen.append(master.cluster_id)
        assert master.door.get(USER, Ref("namespaces", "kube-node-lease"))

    run(scenario, starts=2)
    assert len(seen) == 2 and len(set(seen)) == 1 and seen[0]
