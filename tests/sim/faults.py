"""What befalls the cluster, by seed: one fault after another, several at a time, each for a while; none after the end.

    cut            one host's connections break once
    partition      one host and the master cannot reach each other
    loss           connections break on some share of all messages
    agent          the agent is killed and comes back, now and then without its journal; its containers run on
    host           the host goes down with all its containers, and comes back
    fence          the same, and the operator says so, with the taint out-of-service; or only the agent and its journal are gone, and
                   the operator is mistaken: two may run then, until the agent is back
    master         the master loses power and comes back; the unacknowledged tail of its store is lost or kept
    slow           a runtime takes seconds for each operation
    away           a runtime does not answer
    container      one container dies
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent.journal import MemoryJournal
from common.aio import tasks
from common.errors import SteersmanError
from master.api.contract import PatchType
from tests.sim.world import MASTER, USER, Host, World

OUT_OF_SERVICE = {"key": "node.kubernetes.io/out-of-service", "value": "fenced", "effect": "NoExecute"}


class Faults:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng("faults")
        self._kinds: list[tuple[float, Callable[[Host], Awaitable[None]]]] = [
            (3, self._cut), (3, self._partition), (2, self._loss), (3, self._agent), (2, self._host), (1, self._fence),
            (2, self._master), (2, self._slow), (1, self._away), (3, self._container),
        ]  # fmt: skip

    async def run(self, until_s: float) -> None:
        """Returns when the last fault is over and everything is back."""
        async with tasks.TaskGroup() as group:
            while self._world.loop.time() < until_s:
                await asyncio.sleep(0.3 + 3 * self._rng.random())
                group.start(self._choose()(self._pick()))

    def _pick(self) -> Host:
        hosts = list(self._world.hosts.values())
        return hosts[int(self._rng.random() * len(hosts))]

    def _choose(self) -> Callable[[Host], Awaitable[None]]:
        left = self._rng.random() * sum(weight for weight, _ in self._kinds)
        for weight, kind in self._kinds:
            left -= weight
            if left <= 0:
                return kind
        return self._kinds[-1][1]

    async def _while(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(least_s + (most_s - least_s) * self._rng.random())

    def _note(self, text: str) -> None:
        self._world.trace.add(f"fault {text}")

    async def _cut(self, host: Host) -> None:
        self._note(f"cut {host.name}")
        self._world.network.cut(host.name)

    async def _partition(self, host: Host) -> None:
        self._note(f"partition {host.name}")
        self._world.network.partition(host.name, MASTER)
        await self._while(1, 15)
        self._note(f"heal {host.name}")
        self._world.network.heal(host.name, MASTER)

    async def _loss(self, host: Host) -> None:
        self._note("loss")
        self._world.loss += 0.05
        await self._while(1, 5)
        self._world.loss = max(0.0, self._world.loss - 0.05)
        self._note("loss over")

    async def _agent(self, host: Host) -> None:
        if host.up:
            await self._world.crash_agent(host)
            if self._rng.random() < 0.3:
                self._note(f"journal of {host.name} lost")
                host.journal = MemoryJournal()
            await self._while(0.1, 8)
            self._world.start_agent(host)

    async def _host(self, host: Host) -> None:
        if host.up:
            await self._world.crash_agent(host, reboot=True)
            await self._while(1, 15)
            self._world.start_agent(host)

    async def _fence(self, host: Host) -> None:
        if not host.up:
            return
        mistaken = self._rng.random() < 0.5
        await self._world.crash_agent(host, reboot=not mistaken)
        if mistaken:
            host.journal = MemoryJournal()
        await self._while(1, 6)
        self._world.monitor.forgiven |= {uid: None for uid, _ in host.containers.running()}
        await self._taint(host, present=True)
        await self._while(2, 10)
        await self._taint(host, present=False)
        self._world.start_agent(host)

    async def _taint(self, host: Host, *, present: bool) -> None:
        """As the operator does it, again until it is acknowledged."""
        self._note(f"{'fence' if present else 'unfence'} {host.name}")
        while True:
            master = self._world.master
            try:
                if master is not None:
                    stored = master.door.get(USER, self._world.node(host)).document()
                    others = [t for t in stored["spec"].get("taints", []) if t["key"] != OUT_OF_SERVICE["key"]]
                    patch = {
                        "metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]},
                        "spec": {"taints": [*others, OUT_OF_SERVICE] if present else others},
                    }
                    await master.door.patch(USER, self._world.node(host), PatchType.MERGE, patch)
                    return
            except SteersmanError as error:
                self._note(f"taint refused {error.reason}")
            await asyncio.sleep(0.5)

    async def _master(self, host: Host) -> None:
        if self._world.master is not None:
            await self._world.crash_master(keep_tail=self._rng.random() < 0.5)
            await self._while(0.1, 8)
            await self._world.start_master()

    async def _slow(self, host: Host) -> None:
        self._note(f"slow {host.name}")
        host.slow_s = 4.0
        await self._while(2, 10)
        host.slow_s = 0.0

    async def _away(self, host: Host) -> None:
        self._note(f"away {host.name}")
        host.containers.set_away(True)
        await self._while(1, 8)
        host.containers.set_away(False)

    async def _container(self, host: Host) -> None:
        running = host.containers.running()
        if running:
            uid, name = running[int(self._rng.random() * len(running))]
            self._note(f"container {uid}")
            host.containers.crash(uid, name)
