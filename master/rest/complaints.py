"""What is said about bad clients: one line per address and interval, however much they send.

A port on a network meets scanners, broken proxies and garbage; each of them must leave a trace in the log, and none may fill it.
Owns the memory of whom we complained about, which is bounded: when it is full, the oldest is forgotten.
"""

from __future__ import annotations

import logging

from common.clock import Clock

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
MAX_ADDRESSES = 1024


class Complaints:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, tuple[float, int]] = {}

    def about(self, address: str, event: str, why: object) -> bool:
        """Log it unless this address had its line within the interval; True when a line was written."""
        now = self._clock.monotonic()
        until, suppressed = self._until.pop(address, (0.0, 0))
        if now < until:
            self._until[address] = (until, suppressed + 1)
            return False
        while len(self._until) >= MAX_ADDRESSES:
            del self._until[next(iter(self._until))]
        self._until[address] = (now + INTERVAL_S, 0)
        log.warning("%s address=%s why=%r suppressed=%d", event, address, str(why)[:200], suppressed)
        return True
