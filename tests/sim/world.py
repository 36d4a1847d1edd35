"""A whole cluster in one process under virtual time: the real master, real agents, hollow containers, and what may befall them.

    Hosts: HollowWorld and MemoryJournal outlive the agents that use them, as containers and disks do.
    Master: `server.compose` over a MemoryStore, whose crash model says what a power cut leaves.
    Network: in memory, with seeded delays and losses.

Killing is abrupt: first the network and the disk of the victim are gone, then its tasks are cancelled, so nothing that it still
does on its way out can reach anybody. Everything random comes from the seed, each part from a stream of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import msgspec

from agent.agent import Agent
from agent.journal import MemoryJournal
from agent.link import Link
from agent.network.contract import NoNetwork
from agent.parts import Parts
from agent.resources import HollowResources
from agent.runtime.hollow import Delays, HollowRuntime
from agent.runtime.hollow_world import HollowWorld
from agent.settings import Settings as AgentSettings
from common.aio import tasks
from common.clock import SeededRng
from common.errors import Unavailable
from common.wire.memory_transport import Network
from master import server
from master.api.contract import Actor, Ref, Role, WriteOptions
from master.dispatch.keyring import KeyRing
from master.settings import Settings
from master.store.contract import Cause
from master.store.memory import MemoryStore
from tests.sim.monitor import Monitor, Violation
from tests.sim.trace import Trace
from tests.sim.virtual import VirtualClock

MASTER = "master"
SETTINGS = Settings(heartbeat_s=1.0, node_grace_s=4.0, eviction_s=2)
AGENT_SETTINGS = AgentSettings(runtime="hollow", node_status_s=10.0)
DELAYS = Delays(pull_s=0.2, sandbox_s=0.08, create_s=0.03, start_s=0.03, stop_s=0.02)
USER = Actor("user", Role.USER, ("system:masters",))


class WatchedContainers(HollowWorld):
    """One host's containers, which outlive its agents; the monitor is told of each operation."""

    def __init__(self, name: str, monitor: Monitor, clock: VirtualClock) -> None:
        super().__init__(clock, pod_cidr="10.244.0.0/24")
        self.operations = _Told(lambda operation, uid: monitor.acted(name, operation, uid))  # never raises into the agent

    def live_sandboxes(self) -> list[str]:
        return [sandbox.spec.uid for sandbox in self.sandboxes.values() if sandbox.ready]

    def known_uids(self) -> list[str]:
        """Of every sandbox, dead or alive."""
        return [sandbox.spec.uid for sandbox in self.sandboxes.values()]


class _Told(list[tuple[str, str]]):
    def __init__(self, tell: Any) -> None:
        super().__init__()
        self._tell = tell

    def append(self, item: tuple[str, str]) -> None:
        self._tell(*item)


class Bugs(logging.Handler):
    """Whatever is logged as an error is a bug: the supervisor logs tasks that died so."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(logging.Formatter("%(name)s %(message)s").format(record))


class Host:
    def __init__(self, world: World, number: int) -> None:
        self.name = f"n{number}"
        self.address = f"10.0.0.{number}"
        self.containers = WatchedContainers(self.name, world.monitor, world.clock)
        self.journal = MemoryJournal()
        self.task: asyncio.Task[None] | None = None
        self.lives = 0
        self.slow_s = 0.0
        """Set by the faults: each operation takes up to so much longer."""
        self._rng = world.rng(f"runtime/{self.name}")

    async def delay(self, operation: str, about: str) -> None:
        """The runtime's hook."""
        if self.slow_s and operation not in ("observe", "image"):
            await asyncio.sleep(self.slow_s * self._rng.random())

    @property
    def up(self) -> bool:
        return self.task is not None


class World:
    def __init__(self, seed: int | str, *, agents: int = 5, loss: float = 0.0) -> None:
        self.seed = seed
        self.loop = asyncio.get_running_loop()
        self.clock = VirtualClock(self.loop)
        self.trace = Trace(self.loop.time)
        self.monitor = Monitor(self.trace)
        self.loss = loss
        network_rng = self.rng("network")
        self.network = Network(
            delay=lambda source, target: 0.0005 + 0.004 * network_rng.random(),
            breaks=lambda source, target: bool(self.loss) and network_rng.random() < self.loss,
        )
        disk_rng = self.rng("disk")
        self.store = MemoryStore(self.clock, delay_s=lambda: 0.0005 + 0.02 * disk_rng.random() ** 4)
        self.master: server.Master | None = None
        self.cluster = ""
        self.hosts = {host.name: host for host in (Host(self, number + 1) for number in range(agents))}
        self.monitor.runtimes = {name: host.containers for name, host in self.hosts.items()}
        self.bugs = Bugs()
        self._group: tasks.TaskGroup | None = None
        self._master_task: asyncio.Task[None] | None = None
        self._master_lives = 0

    def rng(self, stream: str) -> SeededRng:
        return SeededRng(f"{self.seed}/{stream}")

    async def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Master and agents up, then the scenario; everything ended when it is over, in order."""
        logging.getLogger().addHandler(self.bugs)
        try:
            async with tasks.TaskGroup() as group:
                self._group = group
                await self.start_master()
                await self._make_nodes()
                for host in self.hosts.values():
                    self.start_agent(host)
                await scenario
                for host in self.hosts.values():
                    await self.crash_agent(host)
                await self.crash_master(keep_tail=True)
        finally:
            logging.getLogger().removeHandler(self.bugs)

    async def guard(self) -> None:
        """Raises the first Violation there is, whoever ran into it."""
        await self.monitor.failed.wait()
        raise self.monitor.violation or Violation("unknown")

    def check_bugs(self) -> None:
        if self.monitor.violation is not None:
            raise self.monitor.violation
        if self.bugs.found:
            raise Violation("an error was logged:\n" + "\n".join(self.bugs.found))

    # ----------------------------------------------------------------- master

    async def start_master(self) -> None:
        """Returns when it can be asked."""
        assert self._group is not None and self._master_task is None
        self._master_lives += 1
        ready = asyncio.Event()
        self._master_task = self._group.start(self._live_master(ready), name=MASTER)
        await ready.wait()
        self.trace.add(f"master up, life {self._master_lives}")

    async def _live_master(self, ready: asyncio.Event) -> None:
        store, life = self.store, self._master_lives
        await store.open()
        self.monitor.recovered(store, self.monitor.revision)
        try:
            async with tasks.TaskGroup() as group:
                group.start(self._watch(store), name="monitor")
                control, streams = (self.network.listener(name, host=MASTER) for name in ("control", "stream"))
                parts = server.World(store, self.clock, self.rng(f"{MASTER}/{life}"), control, streams, KeyRing(self.clock))
                self.master = await server.compose(parts, SETTINGS)
                self.cluster = self.master.cluster_id
                group.start(self.master.run(), name="master-run")
                ready.set()
        finally:
            self.master = None
            await store.close()

    async def _watch(self, store: MemoryStore) -> None:
        """Each revision to the monitor, in the turn of the loop after it became visible."""
        cursor = store.watch("", after=self.monitor.revision)
        while True:
            try:
                changes, _ = await cursor.next()
            except Unavailable:
                return
            for change in changes:
                self.monitor.changed(change)

    async def crash_master(self, *, keep_tail: bool) -> None:
        """As by a power cut. What was visible is on the disk; of what was under way, all or nothing."""
        if self._master_task is None:
            return
        task, self._master_task = self._master_task, None
        await self._catch_up()
        self.trace.add(f"master crashes, tail {'kept' if keep_tail else 'lost'}")
        self.network.crash(MASTER)
        self.store = self.store.crash(keep_tail)
        task.cancel()
        await tasks.settle(task)

    async def _catch_up(self) -> None:
        """What is visible is also judged; without a turn of the loop, since it is there already."""
        cursor = self.store.watch("", after=self.monitor.revision)
        while self.monitor.revision < self.store.revision:
            changes, _ = await cursor.next()
            for change in changes:
                self.monitor.changed(change)

    # ----------------------------------------------------------------- agents

    async def _make_nodes(self) -> None:
        """The hosts have joined before."""
        assert self.master is not None
        for host in self.hosts.values():
            document = {"metadata": {"name": host.name, "annotations": {"steersman.io/agent-key": f"key-of-{host.name}"}}}
            cause = Cause("system:bootstrap:sim", "Join", f"{host.name} joined")
            await self.master.door.create(Actor("system:dispatch", Role.DISPATCH), "nodes", "", document, WriteOptions(cause=cause))

    def start_agent(self, host: Host) -> None:
        assert self._group is not None and host.task is None
        host.lives += 1
        self.trace.add(f"agent {host.name} up, life {host.lives}")
        host.task = self._group.start(self._live_agent(host), name=host.name)

    async def _live_agent(self, host: Host) -> None:
        parts = Parts(
            name=host.name, settings=AGENT_SETTINGS, clock=self.clock, journal=host.journal,
            resources=HollowResources(host.name, settings=AGENT_SETTINGS, address=host.address),
            network=NoNetwork(host.containers.use_pod_cidr),
            runtime=HollowRuntime(self.clock, delays=DELAYS, hook=host.delay, world=host.containers),
        )  # fmt: skip
        agent = Agent(parts)
        dialer = self.network.dialer(host.name, f"node:{host.name}")
        await agent.run(self.link(agent, dialer, self.rng(f"link/{host.name}/{host.lives}")))

    def link(self, agent: Agent, dialer: Any, rng: SeededRng) -> Link:
        return Link(
            dialer, node=agent.name, cluster=self.cluster, duties=agent, streams=agent, document=agent.hello_document, clock=self.clock, rng=rng
        )

    async def crash_agent(self, host: Host, *, reboot: bool = False) -> None:
        """kill -9 of the agent; with reboot, of the whole host."""
        if host.task is None:
            return
        task, host.task = host.task, None
        self.trace.add(f"agent {host.name} crashes{', and its host' if reboot else ''}")
        self.network.crash(host.name)
        task.cancel()
        await tasks.settle(task)
        if reboot:
            host.containers.reboot()

    # ------------------------------------------------------------------ state

    def present(self, resource: str) -> list[dict[str, Any]]:
        """Documents as stored."""
        return [msgspec.json.decode(record.value) for record in self.store.list(f"{resource}/")]

    @property
    def running(self) -> int:
        return sum(len(host.containers.running()) for host in self.hosts.values())

    def node(self, host: Host) -> Ref:
        return Ref("nodes", host.name)
