"""The host's own shortage, relieved: what is left is measured, the node says so, and one pod after the other is evicted.

    resources.signals ─► lifecycle.pressure.met ─► the node's conditions (`pressed`)
                                        └─► the pods' use ─► lifecycle.pressure.first ─► Worker.evict ─► wait until it is gone ─► …

Owns the pace: a look with each report of the node, no second eviction while the first one still holds what it had. A condition stays for a
while after its cause has gone (`eviction_pressure_transition_s`), so that what was evicted here does not come back at once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from agent.lifecycle import pressure
from agent.lifecycle.pressure import Candidate, Met, Use
from agent.logs import Look
from agent.parts import Parts
from agent.runtime.contract import RuntimeFault
from agent.storage import running, written
from agent.worker import Worker
from common.errors import NotNow

log = logging.getLogger(__name__)


class Pressure:
    """workers: of this host's pods, as they are at each look. reclaim: makes room on the disk without pods, and says how much."""

    def __init__(self, parts: Parts, workers: Mapping[str, Worker], reclaim: Callable[[], Awaitable[int]]) -> None:
        self._parts = parts
        self._reclaim = reclaim
        self._workers = workers
        self._thresholds = pressure.parse(parts.settings.eviction_hard)
        self._until: dict[str, float] = {}
        self._met: tuple[Met, ...] = ()

    def look(self) -> frozenset[str]:
        """The conditions that the node has now, as "MemoryPressure"."""
        now_s = self._parts.clock.monotonic()
        self._met = pressure.met(self._thresholds, self._parts.resources.signals())
        for each in self._met:
            self._until[pressure.CONDITIONS[each.signal]] = now_s + self._parts.settings.eviction_pressure_transition_s
        present = {pressure.CONDITIONS[each.signal] for each in self._met}
        return frozenset(present | {kind for kind, until in self._until.items() if now_s < until})

    async def relieve(self) -> None:
        """Evicts at most one pod, for the first threshold that is crossed. What cannot be measured now is looked at the next time."""
        if not self._met:
            return
        seen = [look for worker in self._workers.values() if (look := worker.look()) is not None and running(look)]
        if any(look.life.evicted is not None for look in seen):
            return
        if any(each.signal in (pressure.DISK, pressure.INODES) for each in self._met) and await self._reclaim():
            return  # it may be enough: that is seen at the next look
        try:
            candidates = await self._candidates([look for look in seen if not (look.life.finished or look.pod.finished)])
        except (NotNow, RuntimeFault, OSError, TimeoutError) as error:
            log.warning("pressure-unmeasured node=%s why=%s", self._parts.name, error)
            return
        for crossed in self._met:
            found = pressure.first(crossed.signal, candidates)
            if found is not None:
                log.warning("evicting node=%s for=%s available=%d", self._parts.name, crossed.signal, crossed.available)
                self._workers[found.pod.metadata.uid].evict(pressure.eviction(crossed, found))
                return

    async def _candidates(self, seen: list[Look]) -> list[Candidate]:
        parts, disk = self._parts, any(each.signal in (pressure.DISK, pressure.INODES) for each in self._met)
        pids = any(each.signal == pressure.PIDS for each in self._met)
        all_running = [identity for look in seen for identity in running(look)]
        stats = {each.id: each for each in await parts.runtime.stats(all_running if disk else ())}
        layers = {identity: each.written_bytes or 0 for identity, each in stats.items()}
        found = []
        for look in seen:
            names = running(look)
            kept = await written(parts.settings, look, layers) if disk else None
            containers = {
                name: Use(
                    memory_bytes=stats[identity].memory_bytes if identity in stats else 0,
                    disk_bytes=kept.containers.get(name, 0) if kept is not None else 0,
                )
                for identity, name in names.items()
            }
            whole = Use(
                memory_bytes=sum(each.memory_bytes for each in containers.values()),
                disk_bytes=sum((*kept.containers.values(), *kept.volumes.values())) if kept is not None else 0,
                processes=parts.cgroups.processes(look.pod.metadata.uid) if pids and parts.cgroups is not None else 0,
            )
            found.append(Candidate(look.pod, whole, containers))
        return found
