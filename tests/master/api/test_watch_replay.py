"""Whatever happens, a client that follows a watch holds exactly what a list would show it.

Random writes by several clients at once, from a seed; watchers with and without selectors, from the beginning and from revisions in
between. Each replays its events, strictly: nothing is added twice, changed before it came, or deleted when it is not there.
"""

from __future__ import annotations

import random

import pytest

from common.aio.tasks import TaskGroup, gather
from common.errors import CallerFault
from master.api.contract import DeleteOptions, EventType, PatchType, Ref, Selection
from tests.master.api.doorway import ADMIN, Doorway, config, scenario

SELECTIONS = (Selection(), Selection(labels="app=a"), Selection(labels="app!=a"), Selection(fields="metadata.name!=c1"))


async def writer(here: Doorway, dice: random.Random, count: int) -> None:
    for _ in range(count):
        ref = Ref("configmaps", f"c{dice.randrange(6)}", "default")
        label = dice.choice(["a", "b", None])
        try:
            match dice.randrange(4):
                case 0:
                    await here.door.create(ADMIN, "configmaps", "default", config(ref.name, labels={"app": label} if label else {}))
                case 1 | 2:
                    await here.door.patch(ADMIN, ref, PatchType.MERGE, {"metadata": {"labels": {"app": label}}})
                case 3:
                    await here.door.delete(ADMIN, ref, DeleteOptions())
        except CallerFault:
            pass  # it exists, it does not: the others were faster


async def follow(here: Doorway, selection: Selection, *, after: int | None, held: dict[str, bytes]) -> None:
    newest = 0
    async for batch in here.door.watch(ADMIN, "configmaps", "default", selection=selection, after=after, timeout_s=60):
        for event in batch:
            assert (event.key in held) is (event.type is not EventType.ADDED), event
            assert event.revision > newest or after is None
            newest = event.revision
            if event.type is EventType.DELETED:
                del held[event.key]
            else:
                held[event.key] = event.stored.json()


async def shown(here: Doorway, selection: Selection) -> list[bytes]:
    return [item.json() for item in (await here.door.list(ADMIN, "configmaps", "default", selection=selection)).items]


@pytest.mark.parametrize("seed", range(8))
def test_a_watcher_holds_what_a_list_shows(seed: int):
    @scenario
    async def run(here: Doorway):
        dice = random.Random(seed)
        replicas: list[tuple[Selection, dict[str, bytes]]] = []
        async with TaskGroup() as group:
            for _ in range(4):
                for selection in SELECTIONS:
                    page = await here.door.list(ADMIN, "configmaps", "default", selection=selection)
                    late = dice.random() < 0.5
                    held = {f"configmaps/default/{i.document()['metadata']['name']}": i.json() for i in page.items} if late else {}
                    replicas.append((selection, held))
                    group.start(follow(here, selection, after=page.revision if late else None, held=held))
                await gather(*(writer(here, random.Random(dice.random()), 40) for _ in range(3)))
        for selection, held in replicas:
            assert [held[key] for key in sorted(held)] == await shown(here, selection)

    run()
