"""The arithmetic of a rollout: how large each ReplicaSet of a Deployment should be next. Numbers in, numbers out.

Two promises hold at every step: never fewer than `desired - unavailable` pods are available because of us, and never are
there more than `desired + surge` pods. So the new set grows into whatever room the surge leaves, and old sets shrink by no
more than what is available above the floor; unhealthy old pods, which hold up nothing, go first.

Subtle: a set's place is counted by what it wants or by what it still has, whichever is more. An old set that was told to
shrink keeps its room until its pods are really on their way out.
"""

from __future__ import annotations

import math

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """In whole pods."""

    desired: int
    surge: int = 0
    unavailable: int = 0

    @property
    def most(self) -> int:
        """No more pods than this at any time."""
        return self.desired + self.surge

    @property
    def least(self) -> int:
        """No fewer available pods than this at any time."""
        return self.desired - self.unavailable


class Size(msgspec.Struct, frozen=True):
    """One ReplicaSet in numbers. wanted: spec.replicas; present: pods that hold a place; available: of those. Lists of
    sizes are ordered from the oldest to the newest set."""

    name: str
    wanted: int
    present: int = 0
    available: int = 0

    @property
    def place(self) -> int:
        return max(self.wanted, self.present)


def amount(value: int | str, desired: int, *, up: bool) -> int:
    """A count, or a percentage of `desired`, rounded up or down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * desired / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


def limits(max_surge: int | str, max_unavailable: int | str, desired: int) -> Limits:
    """Surge rounds up and unavailable down; both zero would never move, so then one may be unavailable. No more can be
    unavailable than are desired."""
    surge = amount(max_surge, desired, up=True)
    unavailable = amount(max_unavailable, desired, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(desired, surge, min(unavailable, desired))


def grow_new(bounds: Limits, new: Size, others: list[Size]) -> int:
    """What the new set should want now."""
    if new.wanted >= bounds.desired:
        return bounds.desired
    room = bounds.most - new.place - sum(size.place for size in others)
    return new.wanted + max(0, min(room, bounds.desired - new.wanted))


def shrink_old(bounds: Limits, new: Size, old: list[Size]) -> dict[str, int]:
    """What old sets should want now, by name; only those that change."""
    total = new.wanted + sum(size.wanted for size in old)
    new_missing = max(0, new.wanted - new.available)
    spare = total - bounds.least - new_missing
    if spare <= 0:
        return {}
    sizes = {size.name: size.wanted for size in old}
    for size in old:  # what is not available can go without harm
        cut = max(0, min(spare, size.wanted - size.available))
        sizes[size.name] -= cut
        spare -= cut
    available = min(new.available, new.wanted) + sum(min(size.available, size.wanted) for size in old)
    spare = min(spare, available - bounds.least)
    for size in old:
        cut = max(0, min(spare, sizes[size.name]))
        sizes[size.name] -= cut
        spare -= cut
    return {size.name: sizes[size.name] for size in old if sizes[size.name] != size.wanted}


def proportional(most: int, sizes: list[Size], previous_most: dict[str, int]) -> dict[str, int]:
    """New sizes when a Deployment is scaled in the middle of a rollout: each set gets its share of the difference.

    most: pods allowed now. previous_most: by set, how many were allowed when it was last sized. The largest set takes what
    rounding leaves; among equals the newest grows first and the oldest shrinks first.
    """
    total = sum(size.wanted for size in sizes)
    left = most - total
    if left == 0:
        return {size.name: size.wanted for size in sizes}
    age = {size.name: position for position, size in enumerate(sizes)}
    order = sorted(sizes, key=lambda s: (-s.wanted, -age[s.name] if left > 0 else age[s.name]))
    result = {}
    for size in order:
        share = 0
        if size.wanted and left:
            basis = previous_most.get(size.name, 0)
            share = math.floor(size.wanted * most / basis + 0.5) - size.wanted if basis else 0
            share = max(min(share, left), 0) if left > 0 else min(max(share, left), 0)
        result[size.name] = size.wanted + share
        left -= share
    largest = order[0].name
    result[largest] = max(0, result[largest] + left)
    return result
