"""Pulls of several pods on one host, under virtual time: what is shared, what waits, what goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from agent.images.keyring import Credential
from agent.images.pulls import Pulled, Pulls, Wanted
from agent.runtime.contract import LocalImage, RuntimeFault, Told, unheard
from agent.runtime.hollow import Delays, HollowRuntime
from common.aio import tasks
from tests.agent import virtual

ALICE, BOB = Credential("alice", "a"), Credential("bob", "b")


class Registry:
    """With doors: `private` opens to Bob alone; each pull takes ten seconds."""

    def __init__(self, clock: virtual.LoopClock) -> None:
        self._hollow = HollowRuntime(clock, delays=Delays(pull_s=10.0)).images
        self.asked: list[tuple[str, str]] = []
        self.find, self.use_registries = self._hollow.find, self._hollow.use_registries

    async def pull(self, image: str, credential: Credential | None = None, told: Told = unheard) -> LocalImage:
        self.asked.append((image, credential.username if credential else ""))
        if "private" in image and credential != BOB:
            raise RuntimeFault(f"denied to {credential.username if credential else 'nobody'}", kind="ErrImagePull")
        return await self._hollow.pull(image, credential, told)


def with_pulls(test: Callable[[Registry, Pulls, virtual.LoopClock], Coroutine], at_once: int = 2) -> None:
    async def main(clock: virtual.LoopClock) -> None:
        registry = Registry(clock)
        await test(registry, Pulls(registry, clock, at_once=at_once), clock)

    virtual.run(main)


def test_an_image_that_several_pods_want_is_pulled_once() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        pulled = await tasks.gather(*(pulls.pull(Wanted("app:1", unless_present=True)) for _ in range(5)))
        assert registry.asked == [("app:1", "")]
        assert {each.image.id for each in pulled} == {"sha256:hollow-app:1"} and {each.took_s for each in pulled} == {10.0}

    with_pulls(test)


def test_so_many_images_at_once_and_no_more() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        began = clock.monotonic()
        await tasks.gather(*(pulls.pull(Wanted(f"app:{number}")) for number in range(6)))
        assert clock.monotonic() - began == pytest.approx(30)

    with_pulls(test, at_once=2)


def test_a_registry_that_is_slow_holds_up_no_other() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        async with tasks.TaskGroup() as group:
            for number in range(6):
                group.start(pulls.pull(Wanted(f"slow.test/app:{number}")))
            await asyncio.sleep(1)
            began = clock.monotonic()
            await pulls.pull(Wanted("other.test/app:1"))
            assert clock.monotonic() - began == pytest.approx(10)

    with_pulls(test, at_once=2)


def test_the_pods_that_wait_go_on_when_the_one_that_pulls_is_deleted() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        got: list[Pulled] = []

        async def waiting() -> None:
            got.append(await pulls.pull(Wanted("app:1")))

        async with tasks.TaskGroup() as group:
            first = group.start(pulls.pull(Wanted("app:1")))
            await asyncio.sleep(1)
            group.start(waiting())
            await asyncio.sleep(1)
            first.cancel()
            await virtual.until(lambda: got)
        assert len(registry.asked) == 2

    with_pulls(test)


def test_a_failure_is_told_to_all_who_waited_and_tried_again_for_who_comes_later() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        async def refused() -> str:
            with pytest.raises(RuntimeFault) as caught:
                await pulls.pull(Wanted("example/missing:1"))
            return caught.value.message

        assert len(set(await tasks.gather(refused(), refused()))) == 1 and len(registry.asked) == 1
        await refused()
        assert len(registry.asked) == 2

    with_pulls(test)


def test_credentials_are_tried_in_order_and_what_each_was_told_is_told() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        await pulls.pull(Wanted("private:1", (ALICE, BOB)))
        assert [user for _, user in registry.asked] == ["alice", "bob"]
        with pytest.raises(RuntimeFault) as caught:
            await pulls.pull(Wanted("private:2", (ALICE, Credential("carol", "c"))))
        assert caught.value.message == "[denied to alice, denied to carol]" and caught.value.kind == "ErrImagePull"

    with_pulls(test)


def test_nobody_gets_an_image_by_anothers_credentials() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        async def alice() -> None:
            with pytest.raises(RuntimeFault):
                await pulls.pull(Wanted("private:1", (ALICE,)))

        await tasks.gather(pulls.pull(Wanted("private:1", (BOB,))), alice())
        assert sorted(user for _, user in registry.asked) == ["alice", "bob"]

    with_pulls(test)


def test_what_somebody_else_pulled_meanwhile_is_there() -> None:
    async def test(registry: Registry, pulls: Pulls, clock: virtual.LoopClock) -> None:
        first, second = await tasks.gather(
            pulls.pull(Wanted("app:1", unless_present=True)), pulls.pull(Wanted("app:1", (BOB,), unless_present=True))
        )
        assert first.took_s == 10.0 and second.took_s is None and len(registry.asked) == 1

    with_pulls(test, at_once=1)
