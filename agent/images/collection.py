"""Which images go when the disk that they fill is nearly full: the kubelet's image garbage collection, for those images that are ours.
Pure.

    used ≥ high %  ─► enough to come down to low %, those unused the longest first; of those never seen in use, the oldest pull first
    max age        ─► whatever has been unused for longer goes, however much room there is (0: never)

Never goes what a container has, running or not, what is younger than the minimum age, what the runtime keeps for itself, and what is not
ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agent.images.reference import Reference


class StoredImage(msgspec.Struct, frozen=True):
    """used: a container has it, whoever's. pinned: the runtime itself needs it."""

    id: str
    tags: tuple[Reference, ...] = ()
    digests: tuple[Reference, ...] = ()
    size_bytes: int = 0
    used: bool = False
    pinned: bool = False

    @property
    def name(self) -> str:
        """As people call it."""
        return str(next(iter((*self.tags, *self.digests)), self.id))


class Policy(msgspec.Struct, frozen=True):
    """Kubernetes' names and defaults: imageGCHighThresholdPercent, imageGCLowThresholdPercent, imageMinimumGCAge, imageMaximumGCAge."""

    high_percent: int = 85
    low_percent: int = 80
    minimum_age_s: float = 120.0
    maximum_age_s: float = 0.0


class Disk(msgspec.Struct, frozen=True):
    """available_bytes: to those who are not root."""

    capacity_bytes: int
    available_bytes: int


class Ours(msgspec.Struct, frozen=True):
    """An image of ours. Times are wall-clock seconds; unused_since: when it was seen in use last, 0 for never."""

    image: StoredImage
    pulled_at: float
    last_used_at: float = 0.0


class Plan(msgspec.Struct, frozen=True):
    """aged: to go for their age. order: what may go besides, first to last, until free_bytes are freed."""

    aged: tuple[StoredImage, ...] = ()
    order: tuple[StoredImage, ...] = ()
    free_bytes: int = 0


def plan(ours: Mapping[str, Ours], disk: Disk, policy: Policy, now: float, *, everything: bool = False) -> Plan:
    """everything: all that may go goes, as for a node whose pods would be evicted otherwise."""
    may_go = [
        each for each in ours.values() if not each.image.used and not each.image.pinned and now - each.pulled_at >= policy.minimum_age_s
    ]
    may_go.sort(key=lambda each: (each.last_used_at, each.pulled_at))
    aged = [
        each.image for each in may_go if policy.maximum_age_s and now - max(each.last_used_at, each.pulled_at) >= policy.maximum_age_s
    ]
    if everything:
        return Plan(tuple(each.image for each in may_go))
    free_bytes = to_free(disk, policy)
    return Plan(tuple(aged), tuple(each.image for each in may_go if each.image not in aged) if free_bytes else (), free_bytes)


def to_free(disk: Disk, policy: Policy) -> int:
    """0 unless the disk is fuller than it may be. A threshold of 100 never acts."""
    if disk.capacity_bytes <= 0 or policy.high_percent >= 100:
        return 0
    available = min(disk.available_bytes, disk.capacity_bytes)
    if 100 - available * 100 // disk.capacity_bytes < policy.high_percent:
        return 0
    return max(0, disk.capacity_bytes * (100 - policy.low_percent) // 100 - available)
