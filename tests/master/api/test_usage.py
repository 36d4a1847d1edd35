"""metrics.k8s.io at the door: what is shown, of whom, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from common.clock import SeededRng
from common.errors import Forbidden, MethodNotAllowed, NotFound
from common.objects import quantity
from common.wire.messages import ContainerUse
from master.api import bootstrap, tables, usage
from master.api.access import default_roles
from master.api.contract import Actor, Ref, Role, Selection
from master.api.door import ApiDoor
from master.api.usage import NODES, PODS, NodeUsage, PodUsage, UsageBoard
from master.store.memory import MemoryStore
from tests.master.api.doorway import ADMIN, pod, uid
from tests.sim import virtual

M = 10**6
VIEWER = Actor("eve", Role.USER)


class World:
    def __init__(self, clock: virtual.VirtualClock, store: MemoryStore) -> None:
        self.board = UsageBoard(clock, every_s=15)
        self.door = ApiDoor(store, clock, SeededRng(1), computed=self.board.computed)

    async def pod(self, name: str, **labels: str) -> PodUsage:
        document = pod(name)
        document["metadata"]["labels"] = labels
        made = await self.door.create(ADMIN, "pods", "default", document)
        use = (ContainerUse("app", 250 * M, 64 << 20), ContainerUse("side", 1_234_567, 1))
        return PodUsage(Ref("pods", name, "default"), uid(made), 15.0123, use)

    async def names(self, resource: str, namespace: str = "", **selection: str) -> list[str]:
        page = await self.door.list(ADMIN, resource, namespace, selection=Selection(**selection))
        return [item.document()["metadata"]["name"] for item in page.items]


def check(test: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = virtual.VirtualClock(asyncio.get_running_loop())
        store = MemoryStore(clock)
        await store.open()
        world = World(clock, store)
        await bootstrap.ensure(world.door)
        await world.door.create(ADMIN, "nodes", "", {"metadata": {"name": "n1", "labels": {"zone": "a"}}})
        await test(world)
        await store.close()

    virtual.run(main())


def test_figures_are_written_as_metrics_server_writes_them() -> None:
    async def test(world: World) -> None:
        world.board.take("n1", NodeUsage(15.0123, 1_500_000_000, 3 << 30, (await world.pod("web", app="shop"),)))
        node = world.door.get(ADMIN, Ref(NODES, "n1")).document()
        assert (node["kind"], node["apiVersion"], node["window"]) == ("NodeMetrics", "metrics.k8s.io/v1beta1", "15.012s")
        assert (node["usage"], node["metadata"]["labels"]) == ({"cpu": "1500m", "memory": "3145728Ki"}, {"zone": "a"})
        found = world.door.get(ADMIN, Ref(PODS, "web", "default")).document()
        assert found["containers"] == [
            {"name": "app", "usage": {"cpu": "250m", "memory": "65536Ki"}}, {"name": "side", "usage": {"cpu": "1234567n", "memory": "1Ki"}},
        ]  # fmt: skip
        assert (found["metadata"]["namespace"], found["metadata"]["labels"]) == ("default", {"app": "shop"})
        assert "resourceVersion" not in found["metadata"]

    check(test)


def test_they_are_listed_and_selected_like_others() -> None:
    async def test(world: World) -> None:
        world.board.take("n1", NodeUsage(15, 1, 1, (await world.pod("web", app="shop"), await world.pod("db"))))
        assert await world.names(PODS) == await world.names(PODS, "default") == ["db", "web"]
        assert await world.names(PODS, labels="app=shop") == await world.names(PODS, fields="metadata.name=web") == ["web"]
        assert await world.names(PODS, "kube-system") == []
        assert await world.names(NODES, labels="zone=a") == ["n1"]

    check(test)


def test_what_is_old_is_not_shown() -> None:
    async def test(world: World) -> None:
        world.board.take("n1", NodeUsage(15, 1, 1, (await world.pod("web"),)))
        await asyncio.sleep(44)
        assert await world.names(PODS) == ["web"]
        await asyncio.sleep(2)
        assert await world.names(PODS) == await world.names(NODES) == []
        with pytest.raises(NotFound):
            world.door.get(ADMIN, Ref(NODES, "n1"))

    check(test)


def test_a_pod_made_anew_has_no_figures_of_the_one_before() -> None:
    async def test(world: World) -> None:
        world.board.take("n1", NodeUsage(15, 1, 1, (await world.pod("web"),)))
        await world.door.delete(ADMIN, Ref("pods", "web", "default"))
        assert await world.names(PODS) == []
        await world.pod("web")
        assert await world.names(PODS) == []
        with pytest.raises(NotFound):
            world.door.get(ADMIN, Ref(PODS, "web", "default"))

    check(test)


def test_a_node_that_went_takes_its_figures_along() -> None:
    async def test(world: World) -> None:
        web = await world.pod("web")
        world.board.take("n1", NodeUsage(15, 1, 1, (web,)))
        world.board.take("n2", NodeUsage(15, 1, 1, (web,)))  # it moved: who told last has it
        assert await world.names(NODES) == ["n1"]  # n2 is no Node
        world.board.drop("n1")
        assert world.door.get(ADMIN, Ref(PODS, "web", "default"))
        world.board.drop("n2")
        assert await world.names(PODS) == []

    check(test)


def test_they_are_only_read_and_by_whom_roles_allow() -> None:
    async def test(world: World) -> None:
        with pytest.raises(MethodNotAllowed):
            await world.door.create(ADMIN, PODS, "default", {"metadata": {"name": "x"}})
        with pytest.raises(MethodNotAllowed):
            world.door.watch(ADMIN, PODS)
        with pytest.raises(Forbidden):
            await world.door.list(VIEWER, PODS, "default")

    check(test)


def test_whoever_may_view_may_see_them() -> None:
    [role] = [default for default in default_roles.PEOPLE if default.name == "system:aggregated-metrics-reader"]
    assert role.part_of == "view"
    assert role.rules == ({"verbs": ["get", "list", "watch"], "apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"]},)


def test_the_columns_add_a_pod_s_containers_up() -> None:
    async def test(world: World) -> None:
        world.board.take("n1", NodeUsage(15, 1_500_000_000, 1 << 30, (await world.pod("web"),)))

        async def rows(resource: str) -> Any:
            page = await world.door.list(ADMIN, resource)
            known = world.door.catalog.by_key(resource)
            assert known is not None
            return tables.render(known, page.items, now=0.0, include="None")

        assert b'"cells":["web","251234567n","65537Ki","15.012s"]' in await rows(PODS)
        assert b'"cells":["n1","1500m","1048576Ki","15s"]' in await rows(NODES)

    check(test)


@pytest.mark.parametrize(("seconds", "text"), [(15, "15s"), (15.01234, "15.012s"), (60.5, "1m0.5s"), (0.25, "0.25s"), (0, "0s")])
def test_a_window_is_written_as_go_writes_durations(seconds: float, text: str) -> None:
    assert usage.window(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (1, "1n"), (1500, "1500n"), (2000, "2u"), (250 * M, "250m"), (2 * 10**9, "2"), (10**9 + 1, "1000000001n")]
)
def test_billionths_are_written_canonically(count: int, text: str) -> None:
    assert quantity.nano_text(count) == text
    assert quantity.exact(text) * 10**9 == count
