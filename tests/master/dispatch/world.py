"""A master's dispatch over the real door and a memory store, and agents that speak the wire by hand; under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from common.aio.tasks import TaskGroup
from common.clock import SeededRng
from common.wire import codec, keys
from common.wire import messages as m
from common.wire.memory_transport import Network
from common.wire.transport import Connection
from master import pki
from master.api import bootstrap
from master.api.access.tokens import TokenAuthority
from master.api.contract import Actor, Document, Ref, Role, Views
from master.api.door import ApiDoor
from master.api.leases import NodeLeases
from master.api.usage import UsageBoard
from master.dispatch.dispatch import Dispatch, Settings
from master.dispatch.index import AGENT_KEY
from master.store.contract import Cause
from master.store.memory import MemoryStore
from tests.sim import virtual

USER = Actor("admin", Role.USER, ("system:masters",))
SCHEDULER = Actor("system:kube-scheduler", Role.SCHEDULER)
CLUSTER = "c-1"
KEY = pki._key_pem(pki.ec.generate_private_key(pki.ec.SECP256R1()))
SETTINGS = Settings(CLUSTER, heartbeat_s=1.0, node_grace_s=4.0)
DEADLINE_S = 30.0
M = TypeVar("M", bound=m.Message)


class Agent:
    """One connection of an agent, by hand."""

    def __init__(self, connection: Connection, node: str) -> None:
        self.connection = connection
        self.node = node
        self.epoch = 0
        self.heard: list[m.Message] = []

    async def say(self, message: m.Message) -> None:
        await self.connection.send(codec.encode(message))

    async def hear(self) -> m.Message:
        async with asyncio.timeout(DEADLINE_S):
            message: m.Message = codec.decode(await self.connection.receive(), m.CONTROL_FROM_MASTER)
        self.heard.append(message)
        return message

    async def expect(self, kind: type[M], when: Callable[[M], bool] = lambda message: True) -> M:
        """The next message of that kind; others are passed over (and kept in `heard`)."""
        while True:
            message = await self.hear()
            if isinstance(message, kind) and when(message):
                return message

    async def quiet(self, seconds: float = 1.0) -> list[m.Message]:
        """What arrives within that time."""
        found: list[m.Message] = []
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found.append(codec.decode(await self.connection.receive(), m.CONTROL_FROM_MASTER))
        except TimeoutError:
            return found

    async def hello(self, instance: str = "i1", **changes: Any) -> m.Message:
        document = msgspec.json.encode({
            "metadata": {"labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
            "status": {
                "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"}, "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "addresses": [{"type": "InternalIP", "address": f"10.0.0.{self.node[1:]}"}],
            },
        })  # fmt: skip
        said = m.Hello(m.PROTOCOL, CLUSTER, self.node, instance, "0.1", document)
        await self.say(msgspec.structs.replace(said, **changes))
        answer = await self.expect(m.Welcome | m.Refused)  # type: ignore[arg-type]
        if isinstance(answer, m.Welcome):
            self.epoch = answer.epoch
        return answer

    async def beat(self) -> None:
        await self.say(m.Heartbeat(self.epoch))

    async def ready(self, sequence: int = 1) -> None:
        document = {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kagent is posting ready status"}]}
        await self.say(m.NodeReport(self.epoch, sequence, msgspec.json.encode(document)))
        await self.expect(m.Ack, lambda ack: sequence in ack.sequences)

    async def report(self, assign: m.Assign, sequence: int, **status: Any) -> None:
        await self.say(m.PodReport(self.epoch, assign.uid, assign.generation, sequence, msgspec.json.encode(status)))


class World:
    def __init__(self) -> None:
        self.clock = virtual.VirtualClock(asyncio.get_running_loop())
        self.rng = SeededRng("dispatch")
        self.store = MemoryStore(self.clock)
        self.leases = NodeLeases(self.rng)
        self.board = UsageBoard(self.clock, every_s=15.0)
        self.door = ApiDoor(self.store, self.clock, self.rng, leases=self.leases, computed=self.board.computed, authority=self.authority)
        self.network = Network()
        self.dispatch: Dispatch

    def authority(self, views: Views) -> TokenAuthority:
        return TokenAuthority(KEY, issuer="https://kubernetes.default.svc", views=views, clock=self.clock, rng=self.rng)

    def make(self) -> Dispatch:
        control = self.network.listener("control", host="master")
        streams = self.network.listener("stream", host="master")
        self.dispatch = Dispatch(
            self.door, control=control, streams=streams, clock=self.clock, settings=SETTINGS, leases=self.leases,
            board=self.board,
        )  # fmt: skip
        return self.dispatch

    # -- objects

    async def node(self, name: str = "n1") -> None:
        key = keys.new_pair(self.rng).public
        document = {"metadata": {"name": name, "annotations": {AGENT_KEY: key}}}
        await self.door.create(USER, "nodes", "", document)

    async def pod(self, name: str = "web", *, node: str = "n1", **spec: Any) -> Document:
        document = {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
        made = (await self.door.create(USER, "pods", "default", document)).document()
        if node:
            ref = Ref("pods", name, "default")
            await self.door.bind(SCHEDULER, ref, node, uid=made["metadata"]["uid"], cause=Cause(SCHEDULER.name, "Bind"))
        return made

    def get(self, resource: str, name: str, namespace: str = "") -> Document:
        return {"status": {}, **self.door.get(USER, Ref(resource, name, namespace)).document()}

    def get_pod(self, name: str = "web") -> Document:
        return self.get("pods", name, "default")

    def ready(self, document: Document) -> dict:
        return next((c for c in document["status"].get("conditions", ()) if c["type"] == "Ready"), {})

    async def until(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not (found := condition()):
                await asyncio.sleep(0.05)
            return found

    # -- agents

    async def agent(self, node: str = "n1", *, identity: str = "", name: str = "") -> Agent:
        connection = await self.network.dialer(name or node, identity or f"node:{node}").dial("control")
        return Agent(connection, node)

    async def connected(self, node: str = "n1") -> Agent:
        """An agent in a session, its node Ready."""
        agent = await self.agent(node)
        answer = await agent.hello()
        assert isinstance(answer, m.Welcome), answer
        await agent.expect(m.Sync)
        await agent.ready()
        return agent


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    world = World()
    await world.store.open()
    await bootstrap.ensure(world.door)
    await world.node("n1")
    async with TaskGroup() as group:
        task = group.start(world.make().run(), name="dispatch")
        try:
            yield world
        finally:
            task.cancel()
    await world.store.close()


def check(test: Callable[[World], Any]) -> None:
    """Run one test in a world of its own."""

    async def main() -> None:
        async with running() as world:
            await test(world)

    virtual.run(main())
