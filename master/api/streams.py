"""The one port that does not go through the store: live byte streams to and from a pod's node.

The fronts use it, dispatch implements it, `server.py` wires it. A stream has back-pressure end to end: a log's chunks are
asked for one after another, a conversation's bytes wait on either side until the other takes them, and nobody sends more than
the credit it was given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from common.wire.requests import LogRequest, TalkRequest


class Conversation(Protocol):
    async def send(self, data: bytes, channel: int = 0) -> None:
        """Waits until the node takes them. Empty: that channel has ended. Raises Unavailable when the conversation is over."""

    async def receive(self) -> tuple[int, bytes] | None:
        """A channel and its next bytes (empty: it has ended); None when all is over. Raises Unavailable when the node is lost."""


class Streams(Protocol):
    def logs(self, node: str, request: LogRequest) -> AsyncIterator[bytes]:
        """The log's bytes, ready for the client. Raises Unavailable when the node has no session or loses it,
        BadRequest/NotFound with Kubernetes' texts ("previous terminated container ... not found"). Close with `aclose()`."""

    def talk(self, node: str, request: TalkRequest) -> AbstractAsyncContextManager[Conversation]:
        """Entered when the node has begun it. Raises what the node refuses it with (NotFound, BadRequest), Unavailable as `logs`,
        Timeout. Leaving the block ends it on the node, too."""
