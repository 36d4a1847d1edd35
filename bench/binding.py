"""Pods bound durably: the real scheduler, door and SQLite store in one process, with nodes that only stand in the store.

As Kubernetes measures its scheduler: the nodes have no agents, all pods wait when the clock starts, and a pod counts once the watch
shows it bound, which it does not before the commit. TLS, JSON over HTTP and agents are left out; `fleet` has them all.
Each binding is a write of the pod and, after it, of an Event.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

from bench import load
from common.aio.tasks import TaskGroup
from common.clock import SystemClock, SystemRng
from common.objects import pod as pods
from master.api import bootstrap
from master.api.contract import Actor, PatchType, Ref, Role
from master.api.door import ApiDoor
from master.scheduler.scheduler import Scheduler
from master.store.sqlite import SqliteStore

USER = Actor("bench", Role.USER, ("system:masters",))
AGENTS = Actor("system:dispatch", Role.DISPATCH)
WRITERS = 64
DEADLINE_S = 120.0


async def _fill(door: ApiDoor, offer: dict[str, str], *, nodes: int, pods_count: int, spec: dict[str, Any]) -> None:
    status = {"capacity": offer, "allocatable": offer, "conditions": [{"type": "Ready", "status": "True"}]}

    async def node(_: int, number: int) -> None:
        name = f"node-{number}"
        await door.create(AGENTS, "nodes", "", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        await door.patch(AGENTS, Ref("nodes", name), PatchType.MERGE, {"status": status}, subresource="status")

    async def pod(_: int, number: int) -> None:
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": spec}
        await door.create(USER, "pods", "default", document)

    await load.rate(WRITERS, nodes, node)
    await load.rate(WRITERS, pods_count, pod)


async def _all_bound(door: ApiDoor, count: int, *, after: int) -> None:
    bound: set[str] = set()
    async with aclosing(door.watch(USER, "pods", after=after)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            for event in batch:
                _, namespace, name = event.key.split("/", 2) if event.key else ("", "", "")
                found = door.views.get(pods.Pod, Ref("pods", name, namespace)) if name else None
                if found is not None and found.spec.node_name:
                    bound.add(name)
            if len(bound) >= count:
                return


async def bound(folder: Path, offer: dict[str, str], *, nodes: int, pods_count: int, spec: dict[str, Any]) -> float:
    """Pods a second, from the scheduler's start to the last binding."""
    clock, rng = SystemClock(), SystemRng()
    store = SqliteStore(str(folder / f"bind-{nodes}.db"), clock)
    await store.open()
    try:
        door = ApiDoor(store, clock, rng)
        await bootstrap.ensure(door)
        await _fill(door, offer, nodes=nodes, pods_count=pods_count, spec=spec)
        after = door.views.revision
        async with asyncio.timeout(DEADLINE_S), TaskGroup() as group:
            began = time.perf_counter()
            task = group.start(Scheduler(door, clock, rng).run(), name="bench-scheduler")
            await _all_bound(door, pods_count, after=after)
            passed = time.perf_counter() - began
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return pods_count / passed
    finally:
        await store.close()
