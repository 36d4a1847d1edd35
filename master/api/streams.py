"""The one port that does not go through the store: live byte streams to and from a pod's node.

The fronts use it, dispatch implements it, `server.py` wires it. A stream has back-pressure end to end: its chunks are
asked for one after another, and the agent sends no more than the credit it was given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec


class LogRequest(msgspec.Struct, frozen=True):
    """As the query parameters of `pods/log`. tail_lines -1: all. since_s/since_time (epoch seconds): at most one."""

    namespace: str
    pod: str
    uid: str
    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int = -1
    since_s: int | None = None
    since_time: float | None = None
    limit_bytes: int | None = None


class Streams(Protocol):
    def logs(self, node: str, request: LogRequest) -> AsyncIterator[bytes]:
        """The log's bytes, ready for the client. Raises Unavailable when the node has no session or loses it,
        BadRequest/NotFound with Kubernetes' texts ("previous terminated container ... not found"). Close with `aclose()`."""
