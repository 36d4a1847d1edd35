"""Under lost connections, partitions and restarts of the master, every agent ends up holding what it should, and every report arrives."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from agent.link import Link, Settings
from common.aio.tasks import TaskGroup
from common.clock import SeededRng
from common.errors import NotNow
from common.wire import messages as m
from master.api.contract import DeleteOptions, PatchType, Ref
from tests.agent.test_link import Streams
from tests.master.dispatch import world as masters
from tests.master.dispatch.world import USER, World
from tests.sim import virtual

NODES = ("n1", "n2", "n3")
FAULTS_S = 30.0
SETTLE_S = 60.0


class Mirror:
    """An agent without containers: holds what it is told, says that it runs, says that it is gone."""

    def __init__(self, world: World, node: str) -> None:
        self.pods: dict[str, tuple[int, bytes]] = {}
        self.configs: dict[str, bytes | None] = {}
        self.unacknowledged: dict[int, m.Message] = {}
        self.sequence = 0
        self.link = Link(
            world.network.dialer(node, f"node:{node}"), node=node, cluster=masters.CLUSTER, duties=self, streams=Streams(),
            document=lambda: b'{"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.%s"}]}}' % node[1:].encode(),
            clock=world.clock, rng=SeededRng(node), settings=Settings(answer_s=1.0),
        )  # fmt: skip

    def connected(self, welcome: m.Welcome) -> None:
        self.unacknowledged.clear()
        self._tell(lambda sequence: m.NodeReport(welcome.epoch, sequence, b'{"conditions":[{"type":"Ready","status":"True"}]}'))

    def disconnected(self) -> None:
        pass

    def sync(self, uids: tuple[str, ...]) -> None:
        self.pods = {uid: pod for uid, pod in self.pods.items() if uid in uids}

    def assign(self, uid: str, generation: int, pod: bytes) -> None:
        self.pods[uid] = (generation, pod)
        epoch = self.link.epoch
        if b"deletionTimestamp" in pod:
            self._tell(lambda sequence: m.PodGone(epoch, uid, sequence))
        else:
            status = b'{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}'
            self._tell(lambda sequence: m.PodReport(epoch, uid, generation, sequence, status))

    def forget(self, uid: str) -> None:
        self.pods.pop(uid, None)

    def config(self, config: m.Config) -> None:
        self.configs[config.name] = config.document

    def peers(self, peers: tuple[m.Peer, ...]) -> None:
        self.known = [peer.node for peer in peers]

    def acknowledged(self, sequences: tuple[int, ...]) -> None:
        for sequence in sequences:
            self.unacknowledged.pop(sequence, None)

    def _tell(self, make: object) -> None:
        self.sequence += 1
        self.unacknowledged[self.sequence] = make(self.sequence)  # type: ignore[operator]

    async def report(self) -> None:
        while True:
            for message in list(self.unacknowledged.values()):
                try:
                    await self.link.send(message)
                except NotNow:
                    break
            await asyncio.sleep(0.5)


async def disturb(world: World, rng: SeededRng, group: TaskGroup) -> None:
    """Users change things while connections break."""
    made = 0
    master = group.start(world.make().run())
    loop = asyncio.get_running_loop()
    while loop.time() < FAULTS_S:
        await asyncio.sleep(rng.random())
        node, choice = NODES[int(rng.random() * len(NODES))], rng.random()
        pods = [Ref("pods", record.key.rpartition("/")[2], "default") for record in world.store.list("pods/default/")]
        pod = pods[int(rng.random() * len(pods))] if pods else None
        if choice < 0.4:
            made += 1
            await world.pod(f"p{made}", node=node, containers=[{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "cm"}}]}])
        elif choice < 0.55 and pod is not None:
            await world.door.delete(USER, pod, DeleteOptions(grace_s=0 if rng.random() < 0.3 else None))
        elif choice < 0.65 and pod is not None:
            await world.door.patch(USER, pod, PatchType.MERGE, {"metadata": {"labels": {"touched": str(made)}}})
        elif choice < 0.75:
            world.network.cut(node)
        elif choice < 0.85:
            world.network.partition(node, "master")
        elif choice < 0.95:
            world.network.heal(node, "master")
        else:
            master.cancel()
            world.network.crash("master")
            await asyncio.sleep(rng.random() * 3)
            master = group.start(world.make().run())


def differences(world: World, mirrors: dict[str, Mirror]) -> list[str]:
    """What is not yet as it should be, in words."""
    found = []
    documents = [msgspec.json.decode(record.value) for record in world.store.list("pods/default/")]
    for node, mirror in mirrors.items():
        wanted = {d["metadata"]["uid"] for d in documents if d["spec"].get("nodeName") == node}
        if wanted != set(mirror.pods):
            found.append(f"{node} holds {sorted(mirror.pods)} instead of {sorted(wanted)}")
        if mirror.unacknowledged:
            found.append(f"{node} waits for {len(mirror.unacknowledged)} acknowledgements")
        if world.ready(world.get("nodes", node)).get("status") != "True":
            found.append(f"{node} is not Ready")
        if mirror.pods and mirror.configs.get("cm") is None:
            found.append(f"{node} has no ConfigMap")
    for document in documents:
        if "deletionTimestamp" in document["metadata"]:
            found.append(f"{document['metadata']['name']} is still there")
        elif world.ready(document).get("status") != "True":
            found.append(f"{document['metadata']['name']} is not Ready")
    return found


@pytest.mark.parametrize("seed", range(10))
def test_what_was_disturbed_settles(seed: int) -> None:
    async def main() -> None:
        world, rng = World(), SeededRng(seed)
        await world.store.open()
        await masters.bootstrap.ensure(world.door)
        await world.door.create(USER, "configmaps", "default", {"metadata": {"name": "cm"}, "data": {"a": "1"}})
        for node in NODES:
            await world.node(node)
        loop = asyncio.get_running_loop()
        faulty = SeededRng(f"faults {seed}")
        world.network.breaks = lambda a, b: loop.time() < FAULTS_S and faulty.random() < 0.02
        world.network.delay = lambda a, b: faulty.random() * 0.05
        mirrors = {node: Mirror(world, node) for node in NODES}
        async with TaskGroup() as group:
            tasks = [group.start(run()) for mirror in mirrors.values() for run in (mirror.link.run, mirror.report)]
            tasks.append(group.start(disturb(world, rng, group)))
            await asyncio.sleep(FAULTS_S + 5)
            world.network.heal_all()
            await asyncio.sleep(SETTLE_S)
            assert not differences(world, mirrors)
            assert world.dispatch.idle
            for task in list(group._tasks):
                task.cancel()
        await world.store.close()

    virtual.run(main())
