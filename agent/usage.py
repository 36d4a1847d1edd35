"""What the host and its pods use, measured between two looks and told to the master, for `kubectl top`.

Owns the looking and the rates. The master says in its Welcome how often it wants to know (`usage_s`), and one that does not say so is
told nothing: it is of a version that knows no such message. Lost news is no loss, the next comes soon: nothing is repeated.

    look ── usage_s ──► look ─► rates ─► Usage ── usage_s ──► …        a session begins with a look and no news

Subtle: a container that began since the last look is measured from its start. A pod of which a container cannot be measured yet is
left out as a whole, as metrics-server does: half a pod's use would mislead an autoscaler.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from agent.node import Consumed
from agent.parts import Parts
from agent.runtime.contract import ContainerStats, RuntimeFault
from common.errors import NotNow
from common.wire import messages

log = logging.getLogger(__name__)

LOOK_TIMEOUT_S = 10.0
SHORTEST_S = 1.0
"""A container that has run for less is not measured yet: a start is no measure of what follows."""

Send = Callable[[messages.Message], Awaitable[None]]


class Look(msgspec.Struct, frozen=True):
    """at: monotonic seconds; now: wall-clock ones."""

    at: float
    now: float
    host: Consumed
    containers: Mapping[str, ContainerStats]


def rates(before: Look, after: Look) -> tuple[int, int, tuple[messages.PodUse, ...]]:
    """The host's nanocores and bytes, and the pods'. Pure."""
    window_s = after.at - before.at
    measured: dict[str, list[messages.ContainerUse]] = {}
    windows: dict[str, float] = {}
    partial: set[str] = set()
    total_nano = total_bytes = 0
    for each in after.containers.values():
        old = before.containers.get(each.id)
        # As it runs since its start, wall-clock: a clock that jumps between the two makes it wait for the next look.
        since_s = _between(old, each, window_s) if old is not None else (each.at or after.now) - (each.started_at or after.now)
        used_ns = each.cpu_ns - (old.cpu_ns if old is not None else 0)
        if not SHORTEST_S <= since_s <= window_s + SHORTEST_S or used_ns < 0:
            partial.add(each.uid)
            continue
        nano = round(used_ns / since_s)
        total_nano, total_bytes = total_nano + nano, total_bytes + each.memory_bytes
        measured.setdefault(each.uid, []).append(messages.ContainerUse(each.name, nano, each.memory_bytes))
        windows[each.uid] = min(since_s, windows.get(each.uid, since_s))
    host_nano = max(0, round((after.host.cpu_ns - before.host.cpu_ns) / window_s))
    if not after.host.whole:
        host_nano += total_nano
    pods = tuple(
        messages.PodUse(uid, windows[uid], tuple(containers)) for uid, containers in measured.items() if uid not in partial
    )
    return host_nano, after.host.memory_bytes + (0 if after.host.whole else total_bytes), pods


def _between(old: ContainerStats, new: ContainerStats, window_s: float) -> float:
    """Seconds between two measures: by their own times, since a runtime measures when it likes, unless the clock jumped in between."""
    if old.at is not None and new.at is not None and abs(new.at - old.at - window_s) < SHORTEST_S:
        return new.at - old.at
    return window_s


def by_id(stats: Iterable[ContainerStats]) -> dict[str, ContainerStats]:
    return {each.id: each for each in stats}


class UsageReport:
    """`run(send)` until cancelled; `connected` and `disconnected` as in `link.Duties`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._epoch = 0
        self._every_s = 0.0
        self._began = asyncio.Event()

    def connected(self, welcome: messages.Welcome) -> None:
        try:
            self._every_s = float(welcome.settings.get("usage_s", "0"))
        except ValueError:
            self._every_s = 0.0
        self._epoch = welcome.epoch if self._every_s > 0 else 0
        self._began.set()

    def disconnected(self) -> None:
        self._epoch = 0

    async def run(self, send: Send) -> None:
        while True:
            self._began.clear()
            if self._epoch:
                await self._session(send)
            else:
                await self._began.wait()

    async def _session(self, send: Send) -> None:
        """While it lasts."""
        epoch, before = self._epoch, await self._look()
        while not await self._over():
            after = await self._look()
            if before is not None and after is not None and after.at > before.at:
                cpu_nano, memory_bytes, pods = rates(before, after)
                try:
                    await send(messages.Usage(epoch, after.at - before.at, cpu_nano, memory_bytes, pods))
                except NotNow:
                    return
            before = after or before

    async def _over(self) -> bool:
        """Wait for the time of the next look; whether the session is another one by then."""
        epoch = self._epoch
        try:
            async with asyncio.timeout(self._every_s):
                await self._began.wait()
        except TimeoutError:
            pass
        return not self._epoch or self._epoch != epoch or self._began.is_set()

    async def _look(self) -> Look | None:
        """None when the runtime does not answer now."""
        parts = self._parts
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                stats = await parts.runtime.stats()
        except (NotNow, RuntimeFault, TimeoutError) as error:
            log.debug("usage-unknown node=%s why=%s", parts.name, error)
            return None
        return Look(parts.clock.monotonic(), parts.clock.now(), parts.resources.consumed(), by_id(stats))
