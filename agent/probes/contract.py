"""What asks a container from outside, as the agent wishes it: one question, one answer. Implementations: `checks.py`, over the
runtime and the network; hollow hosts answer for the network themselves.

When to ask, and what an answer means, is decided in `agent.lifecycle.probing`.
"""

from __future__ import annotations

import enum
from typing import Protocol

import msgspec

from common.objects.handlers import Handler, HTTPGetAction


class Answer(enum.Enum):
    """UNKNOWN: the question could not be asked, which says nothing about the container."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


class Result(msgspec.Struct, frozen=True):
    """words: the output of a command, or what went wrong; for events."""

    answer: Answer
    words: str = ""


class Place(msgspec.Struct, frozen=True):
    """Where a container is reached: its id in the runtime, its pod's address, its named ports."""

    container_id: str
    address: str = ""
    ports: tuple[tuple[str, int], ...] = ()


class Checks(Protocol):
    async def check(self, handler: Handler, place: Place, *, timeout_s: float) -> Result:
        """Ask once, within the time. Never raises but when cancelled; a command that is late has been killed."""


class Reach(Protocol):
    """The network half: each question takes as long as it takes, and is broken off by its caller."""

    async def http(self, ask: HTTPGetAction, *, host: str, port: int) -> Result: ...

    async def tcp(self, *, host: str, port: int) -> Result: ...

    async def grpc(self, service: str, *, host: str, port: int) -> Result: ...
