"""One run of the simulation: a seed in, a trace hash out, or a violation with the way to see it again.

    0 s ── nodes register ── 3 s ── the user works, faults befall ── FAULTS_S ── all is back ── settled, by FAULTS_S + SETTLE_S at the latest

`python -m tests.sim.scenario SEED` shows a run's last lines; with `--all` all of them.
"""

from __future__ import annotations

import asyncio
import logging
import sys

import msgspec

from common.aio import tasks
from tests.sim import virtual
from tests.sim.faults import Faults
from tests.sim.monitor import Violation
from tests.sim.settled import unsettled
from tests.sim.user import User
from tests.sim.world import World

FAULTS_S = 45.0
SETTLE_S = 400.0
"""Crash loops back off for up to five minutes; nothing else takes so long."""


class Result(msgspec.Struct, frozen=True):
    seed: int
    digest: str
    events: int
    revisions: int
    virtual_s: float


class Failure(AssertionError):
    """A violation, with the seed and how to replay it."""


def run(seed: int, *, keep: int = 60) -> Result:
    """Raises Failure."""

    async def main() -> Result:
        world = World(seed)
        world.trace.lines = type(world.trace.lines)(maxlen=keep)
        try:
            await world.run(_play(world))
            world.check_bugs()
        except (Violation, virtual.Deadlock, TimeoutError) as error:
            lines = "\n".join(world.trace.lines)
            raise Failure(f"{lines}\n\nseed {seed}: {error}\nreplay: python -m tests.sim.scenario {seed} --all") from error
        return Result(seed, world.trace.digest, world.trace.count, world.monitor.revision, world.loop.time())

    logging.getLogger().setLevel(logging.ERROR)
    return virtual.run(main())


async def _play(world: World) -> None:
    async with tasks.TaskGroup() as group:
        guard = group.start(world.guard())
        await asyncio.sleep(3)
        await tasks.gather(User(world).run(FAULTS_S), Faults(world).run(FAULTS_S))
        world.trace.add("faults are over")
        await _settle(world)
        guard.cancel()
    world.trace.add("settled")


async def _settle(world: World) -> None:
    deadline_s = world.loop.time() + SETTLE_S
    while (left := unsettled(world)) is not None:
        world.check_bugs()
        if world.loop.time() > deadline_s:
            raise Violation(f"not settled {SETTLE_S:.0f} s after the last fault: {left}")
        await asyncio.sleep(0.5)


def main() -> None:
    seed, everything = int(sys.argv[1]), "--all" in sys.argv
    try:
        print(run(seed, keep=10**9 if everything else 60))
    except Failure as error:
        print(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
