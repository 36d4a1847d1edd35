"""The probes of one pod, asked in their rhythm: a task for each probe of each running container.

Owns the rhythm alone: the first question after the initial delay, counted from the container's start, then one each period. Which
probes there are now is `agent.lifecycle.probing`'s answer, and so is what becomes of a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.lifecycle.probing import Target
from agent.probes.contract import Checks, Result
from common.aio.tasks import TaskGroup
from common.clock import Clock


class Prober:
    def __init__(self, group: TaskGroup, checks: Checks, clock: Clock, tell: Callable[[Target, Result], None]) -> None:
        self._group = group
        self._checks = checks
        self._clock = clock
        self._tell = tell
        self._tasks: dict[Target, asyncio.Task] = {}

    def want(self, targets: tuple[Target, ...]) -> None:
        """These and no others, from now on. Those that are asked already go on in their rhythm."""
        for target in [each for each in self._tasks if each not in targets]:
            self._tasks.pop(target).cancel()
        for target in targets:
            if target not in self._tasks:
                self._tasks[target] = self._group.start(self._ask(target), name=f"{target.kind} probe {target.container}")

    async def _ask(self, target: Target) -> None:
        probe = target.probe
        await asyncio.sleep(max(0.0, probe.initial_delay_seconds - (self._clock.now() - target.started_at)))
        while True:
            due = self._clock.monotonic() + max(1, probe.period_seconds)
            self._tell(target, await self._checks.check(probe, target.place, timeout_s=max(1, probe.timeout_seconds)))
            await asyncio.sleep(max(0.0, due - self._clock.monotonic()))
