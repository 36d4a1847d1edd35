"""What goes out to the client of one call: an answer as one message, or its head and then bytes; or an error.

Owns the difference between an error before an answer has begun (Fault) and after (the stream's end), and giving up on a client that takes
nothing. Everything raises Unavailable once the client's connection is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from common.errors import SteersmanError, Timeout, Unavailable
from common.wire import codec, messages
from common.wire.flow import Flow
from common.wire.transport import Listener
from master.api import status


class Out:
    """peer, number: whose call, and which. flow: the stream, to which its user brings the client's credit."""

    def __init__(self, listener: Listener, peer: bytes, number: int, *, stall_s: float) -> None:
        self.flow = Flow(0, number, self.message)
        self._listener = listener
        self._peer = peer
        self._number = number
        self._stall_s = stall_s
        self._begun = False

    async def message(self, message: messages.Message) -> None:
        if not await self._listener.send(self._peer, codec.encode(message)):
            raise Unavailable("the client is gone")

    async def head(self, code: int = 200, warnings: Sequence[str] = ()) -> None:
        self._begun = True
        await self.message(messages.Reply(self._number, {"code": code, "warnings": list(warnings)}, end=False))

    async def send(self, data: bytes) -> None:
        """The next bytes, when the client has credit for them. Raises Timeout for one that gives none."""
        if not data:
            return  # it would mean the end
        try:
            async with asyncio.timeout(self._stall_s):
                await self.flow.send(data)
        except TimeoutError:
            raise Timeout(f"the client took nothing for {self._stall_s:g} s") from None

    def bring(self, channel: int, data: bytes) -> None:
        """What the client sends. More than it was allowed to ends the call."""
        try:
            self.flow.put(channel, data)
        except Unavailable as error:
            self.flow.end(error)

    async def end(self, result: Any = None) -> None:
        await self.message(messages.End(0, self._number) if self._begun else messages.Reply(self._number, result))

    async def fail(self, error: SteersmanError) -> None:
        """Says it if the client is still there."""
        said: messages.Message = messages.Fault(self._number, status.of(error))
        if self._begun:
            said = messages.End(0, self._number, error.reason, error.message)
        await self._listener.send(self._peer, codec.encode(said))

    async def present(self) -> bool:
        """Whether the client is still there, as far as the connection knows; it is told that the call goes on."""
        return await self._listener.send(self._peer, codec.encode(messages.Credit(0, self._number, 0)))
