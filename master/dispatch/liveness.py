"""Which nodes are silent: times of last words, in memory alone.

Pure book-keeping over a monotonic time that is passed in. Heartbeats come here and nowhere else, so they cost no write. A node has
one full grace period from when it is first seen: after a start of the master nobody is silent yet.

Subtle: when the master itself did not run (a stopped process, a suspended machine), everybody seems silent at once. `woke` gives
everybody the time back that was lost.
"""

from __future__ import annotations


class Liveness:
    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s
        self._last: dict[str, float] = {}
        self._silent: dict[str, None] = {}

    def track(self, node: str, now: float) -> None:
        """A node exists; its grace period begins unless it is known."""
        self._last.setdefault(node, now)

    def forget(self, node: str) -> None:
        self._last.pop(node, None)
        self._silent.pop(node, None)

    def heard(self, node: str, now: float) -> bool:
        """It spoke. True when it had been declared silent."""
        self._last[node] = now
        was_silent = node in self._silent
        self._silent.pop(node, None)
        return was_silent

    def last(self, node: str) -> float | None:
        return self._last.get(node)

    def silent(self, node: str) -> bool:
        return node in self._silent

    def fell_silent(self, now: float) -> list[str]:
        """Those whose grace period has passed since the last call; each is named once per silence, in order of first sight."""
        fallen = [node for node, last in self._last.items() if now - last > self.grace_s and node not in self._silent]
        self._silent.update(dict.fromkeys(fallen))
        return fallen

    def woke(self, lost_s: float) -> None:
        for node in self._last:
            self._last[node] += lost_s
