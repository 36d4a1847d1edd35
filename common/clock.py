"""Time and randomness, passed in. Nothing else in the project reads either.

Durations and deadlines follow the event loop (`asyncio.sleep`, `asyncio.timeout`, `loop.time()`), so that an event
loop with virtual time makes the whole cluster run under virtual time; `Clock.monotonic` is that same time.
`Clock.now` is wall-clock time, for what people read (timestamps, expiry); it may jump, and nothing that must not
break on a jump may be computed from it.
"""

from __future__ import annotations

import functools
import math
import random
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the Unix epoch, wall-clock; it may jump."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; the running event loop's `time()`. Never jumps back."""


class Rng(Protocol):
    def random(self) -> float:
        """A float in [0, 1)."""

    def uuid(self) -> str:
        """A version-4 UUID in its usual text form."""

    def suffix(self, length: int = 5) -> str:
        """`length` characters of Kubernetes' safe alphabet, for `generateName`."""

    def token_bytes(self, length: int) -> bytes:
        """Bytes for keys and tokens: from the system's secure source, except in simulation."""


SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, no look-alikes: k8s.io/apimachinery `util/rand`."""


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class SystemRng:
    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def random(self) -> float:
        return self._random.random()

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choice(SAFE_ALPHABET) for _ in range(length))

    def token_bytes(self, length: int) -> bytes:
        return self._random.randbytes(length)


class SeededRng:
    """Randomness that replays: for the simulation only, never for keys of a real cluster."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def random(self) -> float:
        return self._random.random()

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choice(SAFE_ALPHABET) for _ in range(length))

    def token_bytes(self, length: int) -> bytes:
        return self._random.randbytes(length)


def rfc3339(seconds: float) -> str:
    """`metav1.Time`: UTC, whole seconds, `2026-01-31T12:00:00Z`."""
    return _second(math.floor(seconds))


@functools.lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    """A busy second is written thousands of times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """`metav1.MicroTime`: UTC, microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3339_nano(seconds: float) -> str:
    """As container logs carry it: nine digits, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time with `Z` or an offset. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
