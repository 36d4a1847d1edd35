"""A door over the memory store, under virtual time: what the tests of the API share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from common.clock import SeededRng
from master.api import bootstrap
from master.api.contract import Actor, Document, Ref, Role, Stored
from master.api.door import ApiDoor
from master.api.leases import NodeLeases
from master.api.settings import DoorSettings
from master.store.contract import Cause
from master.store.memory import MemoryStore
from tests.sim import virtual

ADMIN = Actor("admin", Role.USER, ("system:masters",))
SCHEDULER = Actor("system:kube-scheduler", Role.SCHEDULER)
DISPATCH = Actor("system:dispatch", Role.DISPATCH)
WEB = Ref("pods", "web", "default")
SHOP = Ref("deployments.apps", "shop", "default")


class Doorway:
    def __init__(self, store: MemoryStore, clock: virtual.VirtualClock, settings: DoorSettings) -> None:
        self.store, self.clock = store, clock
        self.leases = NodeLeases(SeededRng(2))
        self.door = ApiDoor(store, clock, SeededRng(1), leases=self.leases, settings=settings)

    async def pod(self, name: str = "web", *, node: str = "", **changes: Any) -> Ref:
        """A pod that a user made; bound by the scheduler when `node` is given."""
        ref = Ref("pods", name, "default")
        stored = await self.door.create(ADMIN, "pods", "default", pod(name, **changes))
        if node:
            await self.door.bind(SCHEDULER, ref, node, uid=uid(stored), cause=Cause("system:kube-scheduler", "Bind", "", stored.revision))
        return ref

    def meta(self, ref: Ref) -> Document:
        return self.door.get(ADMIN, ref).document()["metadata"]

    def exists(self, ref: Ref) -> bool:
        return self.store.get(ref.key) is not None


def scenario(test: Callable[[Doorway], Awaitable[None]], settings: DoorSettings = DoorSettings()) -> Callable[[], None]:
    """Run `test` with a door of its own."""

    async def main() -> None:
        clock = virtual.VirtualClock(asyncio.get_running_loop())
        store = MemoryStore(clock)
        await store.open()
        here = Doorway(store, clock, settings)
        await bootstrap.ensure(here.door)
        await test(here)
        await store.close()

    def run() -> None:
        virtual.run(main())

    run.__doc__ = test.__doc__
    return run


def uid(stored: Stored) -> str:
    return stored.document()["metadata"]["uid"]


def pod(name: str = "web", *, metadata: Document | None = None, spec: Document | None = None) -> Document:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **(metadata or {})},
        "spec": {"containers": [{"name": "main", "image": "nginx:1.27"}], **(spec or {})},
    }  # fmt: skip


def deployment(name: str = "shop", **spec: Any) -> Document:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "nginx:1.27"}]}},
            **spec,
        },
    }  # fmt: skip


def config(name: str = "settings", **metadata: Any) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"color": "blue"}}
