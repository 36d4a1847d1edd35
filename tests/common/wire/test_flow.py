"""Credit and channels of one stream, both ends joined without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from common.aio.tasks import TaskGroup
from common.errors import NotFound, Unavailable
from common.wire import flow, messages
from common.wire.flow import Flow


def pair() -> tuple[Flow, Flow]:
    """What one sends is at once with the other."""
    ends: list[Flow] = []

    def to(other: int) -> Callable[[messages.Message], Coroutine[Any, Any, None]]:
        async def bring(message: messages.Message) -> None:
            if isinstance(message, messages.Credit):
                ends[other].credit(message.bytes)
            elif isinstance(message, messages.Data):
                ends[other].put(message.channel, message.data)

        return bring

    ends += [Flow(1, 7, to(1)), Flow(1, 7, to(0))]
    return ends[0], ends[1]


def check(test: Coroutine[Any, Any, None]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await test

    asyncio.run(main())


def test_channels_keep_their_order_and_end_by_themselves() -> None:
    async def test() -> None:
        a, b = pair()
        await b.accept()
        for channel, data in ((1, b"x"), (2, b"y"), (1, b""), (2, b"z")):
            await a.send(data, channel)
        assert [await b.receive() for _ in range(4)] == [(1, b"x"), (2, b"y"), (1, b""), (2, b"z")]

    check(test())


def test_small_pieces_of_a_channel_are_joined_while_they_wait() -> None:
    async def test() -> None:
        a, b = pair()
        await b.accept()
        for _ in range(1000):
            await a.send(b"x", 1)
        assert await b.receive() == (1, b"x" * 1000)

    check(test())


def test_no_more_than_a_window_is_under_way() -> None:
    async def test() -> None:
        a, b = pair()
        await b.accept()
        async with TaskGroup() as group:
            sending = group.start(a.send(bytes(3 * flow.WINDOW)))
            await asyncio.sleep(0.01)
            assert not sending.done() and b._granted == 0
            got = 0
            while got < 3 * flow.WINDOW:
                received = await b.receive()
                assert received is not None
                got += len(received[1])
        assert got == 3 * flow.WINDOW

    check(test())


@pytest.mark.parametrize("piece", [b"x" * 1024, b""], ids=["with bytes", "of ends alone"])
def test_an_overrun_is_refused(piece: bytes) -> None:
    async def test() -> None:
        _, b = pair()
        await b.accept()
        with pytest.raises(Unavailable, match="more was sent than was allowed"):
            for _ in range(flow.WINDOW + 1):
                b.put(1, piece)

    check(test())


def test_what_came_before_an_error_is_received_first() -> None:
    async def test() -> None:
        _, b = pair()
        await b.accept()
        b.put(1, b"last words")
        b.end(NotFound("gone"))
        b.end()
        assert await b.receive() == (1, b"last words")
        with pytest.raises(NotFound, match="gone"):
            await b.receive()

    check(test())


def test_who_waits_for_credit_learns_of_the_end() -> None:
    async def test() -> None:
        a, _ = pair()
        async with TaskGroup() as group:
            sending = group.start(_refused(a))
            await asyncio.sleep(0)
            a.end()
            assert await sending
        with pytest.raises(Unavailable, match="ended before it began"):
            await a.accepted()

    async def _refused(end: Flow) -> bool:
        with pytest.raises(Unavailable, match="has ended"):
            await end.send(b"x")
        return True

    check(test())
