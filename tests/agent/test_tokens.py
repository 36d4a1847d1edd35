"""When tokens are asked for, asked for again, and given up, under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent.lifecycle.life import TokenKey, Waiting
from agent.tokens import PodTokens
from common.errors import Unavailable
from common.wire import messages
from tests.sim import virtual

KEY = TokenKey("u1", "", 3607)
WELCOME = messages.Welcome(7, "c", 10.0, settings={"tokens": "yes"})


class Bench:
    def __init__(self) -> None:
        self.clock = virtual.VirtualClock(asyncio.get_running_loop())
        self.began = self.clock.monotonic()
        self.asked: list[tuple[int, int]] = []
        """Seconds since the beginning, epoch."""
        self.changed: list[str] = []
        self.away = False
        self.tokens = PodTokens(self.clock, self.changed.append)

    async def send(self, message: messages.Message) -> None:
        assert isinstance(message, messages.TokenRequest)
        if self.away:
            raise Unavailable("no session")
        self.asked.append((round(self.clock.monotonic() - self.began), message.epoch))

    def answer(self, token: str, *, uid: str = "u1", lifetime_s: int = 3607, message: str = "") -> None:
        self.tokens.take(messages.Token(7, uid, "", 3607, token, lifetime_s, "NotFound" if message else "", message))


def check(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        running = asyncio.ensure_future(bench.tokens.run(bench.send))
        await test(bench)
        running.cancel()

    virtual.run(main())


def test_a_token_is_asked_for_once_and_again_at_four_fifths_of_its_life() -> None:
    async def test(bench: Bench) -> None:
        bench.tokens.want("u1", (KEY,))
        await asyncio.sleep(1)
        assert bench.asked == [], "without a session nobody is asked"
        bench.tokens.connected(WELCOME)
        await asyncio.sleep(1)
        bench.answer("first")
        assert (bench.tokens.known, bench.changed) == ({KEY: "first"}, ["u1"])
        await asyncio.sleep(2880)
        assert bench.asked == [(1, 7)]
        await asyncio.sleep(10)
        assert bench.asked[1:] == [(round(2 + 0.8 * 3607), 7)] and bench.tokens.known == {KEY: "first"}

    check(test)


def test_a_token_that_lives_for_weeks_is_renewed_after_a_day() -> None:
    async def test(bench: Bench) -> None:
        bench.tokens.connected(WELCOME)
        bench.tokens.want("u1", (KEY,))
        await asyncio.sleep(0)
        bench.answer("long", lifetime_s=30 * 86400)
        await asyncio.sleep(86300)
        assert len(bench.asked) == 1
        await asyncio.sleep(105)
        assert [at for at, _ in bench.asked] == [0, 86400]

    check(test)


def test_what_is_not_answered_is_asked_again_also_in_the_next_session() -> None:
    async def test(bench: Bench) -> None:
        bench.tokens.connected(WELCOME)
        bench.tokens.want("u1", (KEY,))
        await asyncio.sleep(11)
        assert [at for at, _ in bench.asked] == [0, 10]
        bench.tokens.disconnected()
        await asyncio.sleep(100)
        bench.tokens.connected(messages.Welcome(8, "c", 10.0, settings={"tokens": "yes"}))
        await asyncio.sleep(1)
        assert bench.asked[2:] == [(111, 8)]
        bench.tokens.connected(messages.Welcome(9, "c", 10.0))
        await asyncio.sleep(100)
        assert len(bench.asked) == 3, "a master that knows no tokens is not asked"

    check(test)


def test_a_refusal_is_kept_in_its_words_and_a_good_token_outlives_it() -> None:
    async def test(bench: Bench) -> None:
        bench.tokens.connected(WELCOME)
        bench.tokens.want("u1", (KEY,))
        await asyncio.sleep(0.5)
        bench.answer("", message='serviceaccounts "x" not found')
        assert bench.tokens.known == {KEY: Waiting("CreateContainerConfigError", 'failed to fetch token: serviceaccounts "x" not found')}
        await asyncio.sleep(1.1)
        assert len(bench.asked) == 2
        bench.answer("good")
        bench.answer("", message="later")
        assert bench.tokens.known == {KEY: "good"}

    check(test)


def test_a_pod_that_went_leaves_nothing() -> None:
    async def test(bench: Bench) -> None:
        bench.tokens.connected(WELCOME)
        bench.tokens.want("u1", (KEY,))
        await asyncio.sleep(1)
        bench.answer("first")
        bench.tokens.want("u1", ())
        bench.answer("late")
        await asyncio.sleep(7200)
        assert (bench.tokens.known, len(bench.asked)) == ({}, 1)

    check(test)
