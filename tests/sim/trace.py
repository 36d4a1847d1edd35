"""What happened in a run, in order: hashed as it comes, so that two runs can be compared, and kept for who wants to read it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

KEPT = 400
"""Lines shown with a failure."""


class Trace:
    def __init__(self, time: Callable[[], float], *, keep: int = KEPT) -> None:
        self._time = time
        self._hash = hashlib.blake2b(digest_size=16)
        self.lines: deque[str] = deque(maxlen=keep)
        self.count = 0

    def add(self, line: str) -> None:
        text = f"{self._time():10.4f} {line}"
        self._hash.update(text.encode() + b"\n")
        self.lines.append(text)
        self.count += 1

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
