"""One end of a byte stream between master and agent: credit for what goes out, a bounded queue for what comes in.

Both ends are alike. Who receives gives credit (`accept`, then as it reads), and who sends waits for it, so a slow reader stalls its
own stream and nothing else; what comes beyond its credit ends the stream. A stream has channels, numbered by its kind (a log
has one, exec has Kubernetes' own: see below); a channel is a byte stream of its own in order, and empty data ends it.

Owns counting and waiting. Messages are sent by `send`, given by the owner, which also brings in what arrives.

Subtle: pieces that follow one another on a channel are joined while they wait, so the queue is bounded by its bytes, however
small the pieces are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from common.errors import SteersmanError, Unavailable
from common.wire import messages

WINDOW = 256 * 1024
"""Bytes under way per stream and direction."""
CHUNK = 64 * 1024
STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
"""Channels of exec and attach, as Kubernetes numbers them. STATUS: how it ended, as a Status document; RESIZE: the terminal's
sizes, as JSON objects one after another."""
DATA, TROUBLE = 0, 1
"""Channels of a forwarded port: its bytes, and a sentence when it cannot be reached."""


def _cost(data: bytes | bytearray) -> int:
    return len(data) or 1


class Flow:
    """send: brings one message to the other end; it may wait, and raises Unavailable when the other end is gone."""

    def __init__(self, epoch: int, number: int, send: Callable[[messages.Message], Awaitable[None]]) -> None:
        self.epoch = epoch
        self.number = number
        self.over: SteersmanError | bool = False
        """False while it runs; then True, or the error it ended with."""
        self._send = send
        self._owed = 0
        self._granted = 0
        self._may_send = 0
        self._queue: deque[tuple[int, bytearray]] = deque()
        self._accepted = False
        self._waiters: list[asyncio.Future[None]] = []

    # What the wire brings.

    def put(self, channel: int, data: bytes) -> None:
        """Raises Unavailable when that is more than was allowed."""
        self._granted -= _cost(data)
        if self._granted < 0:
            raise Unavailable("more was sent than was allowed: the stream was closed")
        last = self._queue[-1] if self._queue else None
        if last is not None and last[0] == channel and data and last[1] and len(last[1]) < CHUNK:
            last[1].extend(data)
        else:
            self._queue.append((channel, bytearray(data)))
        self._wake()

    def credit(self, count: int) -> None:
        self._accepted = True
        self._may_send += max(0, count)
        self._wake()

    def end(self, error: SteersmanError | None = None) -> None:
        """What came before is still received. The first call counts."""
        if self.over is False:
            self.over = error or True
            self._wake()

    # What its user does.

    async def accept(self) -> None:
        """Let the other end send."""
        self._granted += WINDOW
        await self._send(messages.Credit(self.epoch, self.number, WINDOW))

    async def accepted(self) -> None:
        """Returns when the other end lets us send. Raises the error that the stream ended with."""
        while not self._accepted:
            if self.over is not False:
                raise self.over if isinstance(self.over, SteersmanError) else Unavailable("the stream ended before it began")
            await self._news()

    async def receive(self) -> tuple[int, bytes] | None:
        """A channel and its next bytes (none: it ended), or None at the end of the stream. Raises what the stream ended with."""
        if self._owed >= WINDOW // 4 and self.over is False:
            # Only now is the user done with what it got before.
            owed, self._owed = self._owed, 0
            self._granted += owed
            await self._send(messages.Credit(self.epoch, self.number, owed))
        while not self._queue:
            if isinstance(self.over, SteersmanError):
                raise self.over
            if self.over:
                return None
            await self._news()
        channel, data = self._queue.popleft()
        self._owed += _cost(data)
        return channel, bytes(data)

    async def send(self, data: bytes, channel: int = 0) -> None:
        """In pieces, as the other end allows. Raises Unavailable when the stream has ended."""
        view = memoryview(data)
        while True:
            while self._may_send <= 0 and self.over is False:
                await self._news()
            if self.over is not False:
                raise Unavailable("the stream has ended")
            piece = bytes(view[: min(CHUNK, self._may_send)])
            self._may_send -= _cost(piece)
            view = view[len(piece) :]
            await self._send(messages.Data(self.epoch, self.number, piece, channel))
            if not view:
                return

    async def _news(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
