"""A native front over a real door and a store in memory, with kctl's own client for it, over the transport in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from common.aio.tasks import TaskGroup
from common.clock import SeededRng, SystemClock
from common.errors import NotFound, Unavailable
from common.wire.memory_transport import Network
from ctl.client import Client, talking
from master.api import bootstrap
from master.api.contract import Actor
from master.api.door import ApiDoor
from master.native.calls import UserCreate
from master.native.desk import Desks
from master.native.front import NativeFront, Settings
from master.store.memory import MemoryStore
from tests.master.rest.served import Node

ADMIN = Actor("kubernetes-admin", groups=("system:masters", "system:authenticated"))


async def _made(actor: Actor, ttl_s: int, description: str) -> dict[str, Any]:
    return {"id": "abcdef", "join": f"{ttl_s} {description}", "expires": ""}


async def _revoked(actor: Actor, identity: str) -> None:
    raise NotFound(f"token {identity} not found")


async def _issued(actor: Actor, asked: UserCreate) -> dict[str, Any]:
    return {"kubeconfig": f"{asked.name} {' '.join(asked.groups)}", "expires": ""}


def caller(identity: str) -> Actor | None:
    kind, _, name = identity.partition(":")
    if kind != "user":
        return None
    return ADMIN if name == ADMIN.name else Actor(name, groups=("system:authenticated",))


class Native:
    """client: of the administrator. As somebody else: `as_user`."""

    def __init__(self, door: ApiDoor, node: Node, network: Network, *, front: NativeFront) -> None:
        self.door, self.node, self.network, self.front = door, node, network, front
        self.client: Client

    @contextlib.asynccontextmanager
    async def as_user(self, identity: str, host: str = "laptop", **acting: Any) -> AsyncIterator[Client]:
        connection = await self.network.dialer(host, identity).dial("control")
        async with talking(connection, "memory", **acting) as client:
            yield client
        await connection.close()


def front_over(door: ApiDoor, node: Node, network: Network, settings: Settings = Settings()) -> NativeFront:
    return NativeFront(
        door, node, listener=network.listener("control"), desks=Desks(_made, _revoked, _issued), caller=caller,
        clock=SystemClock(), cluster="c", settings=settings,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def native(door: ApiDoor, settings: Settings = Settings()) -> AsyncIterator[Native]:
    network, node = Network(), Node()
    front = front_over(door, node, network, settings)
    made = Native(door, node, network, front=front)

    async def run() -> None:
        with contextlib.suppress(Unavailable):  # a crash of the listener's host
            await front.run()

    async with TaskGroup() as group:
        task = group.start(run())
        async with made.as_user("user:kubernetes-admin") as made.client:
            yield made
        task.cancel()


def serve(use: Callable[[Native], Awaitable[None]], settings: Settings = Settings()) -> None:
    """Run `use` with a front that stands on a fresh store."""

    async def main() -> None:
        clock = SystemClock()
        store = MemoryStore(clock)
        await store.open()
        door = ApiDoor(store, clock, SeededRng(1))
        await bootstrap.ensure(door)
        async with native(door, settings) as made:
            await use(made)

    asyncio.run(asyncio.wait_for(main(), 20))
