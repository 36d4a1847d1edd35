"""The transport's port: authenticated messages between one listener and many dialers.

`zmq_transport.py` is the real one (ROUTER and DEALER with CURVE and ZAP); `memory_transport.py` runs in one event loop for
tests and the simulation, with a hook for loss, delay and partitions. One suite runs over both.

Order is kept per connection and direction. A message may be lost when a connection breaks (the protocol above repeats
what matters). Nothing is delivered twice. Identity is the authenticated key's, never what the peer says.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Inbound(msgspec.Struct, frozen=True):
    """peer: the connection (opaque, unique among living ones). identity: what the key was admitted as: a node's name as
    `node:NAME`, `join:ID`, or `user:NAME`. address: for logs."""

    peer: bytes
    identity: str
    body: bytes
    address: str = ""


class Listener(Protocol):
    async def receive(self) -> Inbound:
        """The next message of anybody. Raises Unavailable once closed. Safe to cancel."""

    async def send(self, peer: bytes, body: bytes) -> bool:
        """Queue for that connection; False when it is gone or its queue is full (then it is dropped: the peer must
        say hello again). Never blocks."""

    def drop(self, peer: bytes) -> None:
        """Close that connection. Idempotent."""

    async def close(self) -> None: ...


class Connection(Protocol):
    """A dialer's end. It reconnects by itself underneath; the protocol above notices through missing answers."""

    async def receive(self) -> bytes:
        """Raises Unavailable once closed. Safe to cancel."""

    async def send(self, body: bytes) -> None:
        """Queue; raises Unavailable when the queue is full or the connection closed."""

    async def close(self) -> None: ...


class Dialer(Protocol):
    async def dial(self, channel: str) -> Connection:
        """channel: "control" or "stream". Dialing succeeds at once; whether anybody answers shows later."""
