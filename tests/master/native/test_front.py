"""The native front: kctl's own client against the real door, over the transport in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from common.aio.tasks import TaskGroup
from common.clock import SeededRng, SystemClock
from common.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound
from common.wire.memory_transport import Network
from ctl.client import Client
from master.api import bootstrap
from master.api.contract import Actor
from master.api.door import ApiDoor
from master.native.front import NativeFront
from master.native.verbs import Desks
from master.store.memory import MemoryStore

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}


def serve(use: Callable[[Client], Awaitable[None]], *, identity: str = "user:kubernetes-admin") -> None:
    """Run `use` with a client of a front that stands on a fresh store."""

    async def made(actor: Actor, ttl_s: int, description: str) -> dict[str, Any]:
        return {"id": "abcdef", "join": f"{ttl_s} {description}", "expires": ""}

    async def revoked(actor: Actor, identity: str) -> None:
        raise NotFound(f"token {identity} not found")

    def issued(name: str, groups: tuple[str, ...], ttl_s: int) -> dict[str, Any]:
        return {"kubeconfig": f"{name} {' '.join(groups)}", "expires": ""}

    async def main() -> None:
        clock = SystemClock()
        store = MemoryStore(clock)
        await store.open()
        door = ApiDoor(store, clock, SeededRng(1))
        await bootstrap.ensure(door)
        network = Network()
        front = NativeFront(door, listener=network.listener("control"), desks=Desks(made, revoked, issued), groups={"kubernetes-admin": ("system:masters",)}, clock=clock, cluster="c")
        connection = await network.dialer("laptop", identity).dial("control")
        async with TaskGroup() as group:
            task = group.start(front.run())
            await use(Client(connection, "memory"))
            task.cancel()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_objects_are_made_read_changed_and_deleted() -> None:
    async def use(client: Client) -> None:
        made = await client.call("create", resource="cm", document=MAP)
        assert made["metadata"]["namespace"] == "default"
        await client.call("patch", resource="configmaps", name="c", patch={"data": {"b": "2"}})
        assert (await client.call("get", resource="ConfigMap", name="c"))["data"] == {"a": "1", "b": "2"}
        listed = await client.call("list", resource="configmaps", namespace="default", table=True)
        assert [row["cells"][:2] for row in listed["rows"]] == [["c", 2]]
        with pytest.raises(Conflict):
            await client.call("update", resource="configmaps", name="c", document=made)
        assert (await client.call("delete", resource="configmaps", name="c"))["gone"]
        with pytest.raises(NotFound, match='configmaps "c" not found'):
            await client.call("get", resource="configmaps", name="c")

    serve(use)


def test_a_watch_brings_changes_until_its_end() -> None:
    async def use(client: Client) -> None:
        listed = await client.call("list", resource="configmaps")
        await client.call("create", resource="configmaps", document=MAP)
        await client.call("delete", resource="configmaps", name="c")
        seen = [e async for e in client.watch(resource="configmaps", after=int(listed["metadata"]["resourceVersion"]), timeout_s=0.05)]
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in seen] == [("ADDED", "c"), ("DELETED", "c")]

    serve(use)


def test_errors_come_back_as_what_they_were() -> None:
    async def use(client: Client) -> None:
        with pytest.raises(BadRequest, match="unknown method"):
            await client.call("explode")
        with pytest.raises(BadRequest, match="unknown field"):
            await client.call("get", resource="pods", name="x", colour="red")
        with pytest.raises(NotFound, match="doesn't have a resource type"):
            await client.call("list", resource="unicorns")
        with pytest.raises(Invalid) as caught:
            await client.call("create", resource="cm", document={**MAP, "metadata": {"name": "A B"}})
        assert caught.value.causes[0].field == "metadata.name"
        with pytest.raises(BadRequest, match="unknown field"):
            await client.call("create", resource="cm", document={**MAP, "dataa": {}})

    serve(use)


def test_why_tells_who_deleted_it_also_when_it_is_gone() -> None:
    async def use(client: Client) -> None:
        await client.call("create", resource="cm", document=MAP)
        await client.call("delete", resource="cm", name="c")
        steps = (await client.call("why", resource="configmap", name="c", namespace="default"))["steps"]
        assert (steps[0]["object"], steps[0]["verb"], steps[0]["actor"]) == ("configmap/c", "deleted", "kubernetes-admin")

    serve(use)


def test_a_hosts_key_opens_nothing_here() -> None:
    async def use(client: Client) -> None:
        with pytest.raises(Forbidden, match="only users' keys may"):
            await client.call("list", resource="secrets")

    serve(use, identity="node:host-1")


def test_tokens_are_made_and_revoked_where_they_are_wired() -> None:
    async def use(client: Client) -> None:
        assert (await client.call("token-create", ttl_s=60, description="d"))["join"] == "60 d"
        with pytest.raises(BadRequest, match="cannot expire before it is made"):
            await client.call("token-create", ttl_s=-1)
        with pytest.raises(NotFound):
            await client.call("token-delete", id="x")

    serve(use)


def test_rights_are_those_of_the_key_s_user() -> None:
    async def use(client: Client) -> None:
        with pytest.raises(Forbidden, match='configmaps is forbidden: User "alice" cannot list resource "configmaps" in API group "" at the cluster scope'):
            await client.call("list", resource="configmaps")
        with pytest.raises(Forbidden, match='users "bob" is forbidden: User "alice" cannot impersonate resource "users"'):
            await client.call("user-create", name="bob")
        assert (await client.call("version"))["user"] == "alice"

    serve(use, identity="user:alice")


def test_credentials_for_people_are_made_where_they_are_wired() -> None:
    async def use(client: Client) -> None:
        assert (await client.call("user-create", name="bob", groups=["dev"]))["kubeconfig"] == "bob dev"

    serve(use)
