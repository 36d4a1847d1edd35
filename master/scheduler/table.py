"""The nodes as vectors: one slot a node, one array a property, so that a pod is tried on all nodes at once.

    slot          0        1        2      …
    names       "n1"     "n2"      ""            "" is a free slot, to be used again
    alive       True     True     False
    allocatable[resource]  int64 per slot        what the node offers
    requested[resource]    int64 per slot        what the pods on it ask
    taint_class            small int per slot    index into `taint_sets`: few distinct sets, judged once each

`snapshot` owns the one table and updates it in place. `decide` works on a `fork`, which shares what placement does not change, so
that pods of one decision see each other and the original does not see them before they are assumed. On a fork nothing changes but the
slots that pods were placed on, so what plugins compute slot by slot is kept there and mended (`derived`): most pods of a decision ask
for the same, and looking at all nodes anew for each was most of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from master.scheduler.ask import Ask

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
TaintSet = tuple[tuple[str, str, str], ...]

FIRST_SLOTS = 16
REMEMBERED = 512
ALL = slice(None)
MENDED = 32
"""More slots than this are computed with all others at once."""


@dataclass(slots=True)
class _Derived:
    """placed: how many placements the values take into account."""

    values: NDArray[Any]
    placed: int


class NodeTable:
    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.names: list[str] = [""] * FIRST_SLOTS
        self.labels: list[dict[str, str]] = [{}] * FIRST_SLOTS
        self.alive: Mask = np.zeros(FIRST_SLOTS, np.bool_)
        self.ready: Mask = np.zeros(FIRST_SLOTS, np.bool_)
        self.unschedulable: Mask = np.zeros(FIRST_SLOTS, np.bool_)
        self.taint_sets: list[TaintSet] = [()]
        self.taint_class: Ints = np.zeros(FIRST_SLOTS, np.int64)
        self.allocatable: dict[str, Ints] = {}
        self.requested: dict[str, Ints] = {}
        self.scored: Ints = np.zeros((2, FIRST_SLOTS), np.int64)
        self.owners: dict[str, Ints] = {}
        self.ports: dict[int, dict[tuple[str, str, int], int]] = {}
        self.remembered: dict[Hashable, Any] = {}
        """What plugins derived from labels alone; emptied when any label changes."""
        self._forked: set[str] | None = None
        self._placed: list[int] = []
        self._derived: dict[Hashable, _Derived] = {}

    @property
    def size(self) -> int:
        return len(self.names)

    def zeros(self) -> Ints:
        return np.zeros(self.size, np.int64)

    def offered(self, resource: str) -> Ints:
        found = self.allocatable.get(resource)
        return self.zeros() if found is None else found

    def used(self, resource: str) -> Ints:
        found = self.requested.get(resource)
        return self.zeros() if found is None else found

    def remember(self, key: Hashable, value: Any) -> Any:
        if len(self.remembered) >= REMEMBERED:
            self.remembered.clear()
        self.remembered[key] = value
        return value

    def derived(self, key: Hashable, compute: Callable[[slice], NDArray[Any]]) -> NDArray[Any]:
        """What `compute` makes of some slots, for all of them: from nodes and what pods take there, each slot by itself. Not to be
        changed by the caller, and to be read before the next placement."""
        if self._forked is None:
            return compute(ALL)
        found, placed = self._derived.get(key), self._placed
        if found is None or len(placed) - found.placed > MENDED:
            if len(self._derived) >= REMEMBERED:
                self._derived.clear()
            found = self._derived[key] = _Derived(compute(ALL), len(placed))
        for slot in placed[found.placed :]:
            only = slice(slot, slot + 1)
            found.values[only] = compute(only)
        found.placed = len(placed)
        return found.values

    def fork(self) -> NodeTable:
        """A copy to place pods on. What nodes are is shared; what pods take is copied."""
        copy = NodeTable.__new__(NodeTable)
        copy.__dict__.update(self.__dict__)
        copy.requested = {resource: amounts.copy() for resource, amounts in self.requested.items()}
        copy.scored = self.scored.copy()
        copy.owners = dict(self.owners)
        copy.ports = {slot: dict(ports) for slot, ports in self.ports.items()}
        copy._forked, copy._placed, copy._derived = set(), [], {}
        return copy

    def place(self, ask: Ask, slot: int, sign: int = 1) -> None:
        """Count a pod on a node; with sign -1 no longer."""
        if self._forked is not None:
            self._placed.append(slot)
        for resource, amount in ask.requests.items():
            if resource not in self.requested:
                self.requested[resource] = self.zeros()
            self.requested[resource][slot] += sign * amount
        self.scored[0, slot] += sign * ask.scored[0]
        self.scored[1, slot] += sign * ask.scored[1]
        if ask.owner:
            self._count_owner(ask.owner, slot, sign)
        for port in ask.ports:
            taken = self.ports.setdefault(slot, {})
            taken[port] = taken.get(port, 0) + sign
            if not taken[port]:
                del taken[port]

    def _count_owner(self, owner: str, slot: int, sign: int) -> None:
        counts = self.owners.get(owner)
        if counts is None:
            counts = self.owners[owner] = self.zeros()
        elif self._forked is not None and owner not in self._forked:
            counts = self.owners[owner] = counts.copy()
        if self._forked is not None:
            self._forked.add(owner)
        counts[slot] += sign
        if sign < 0 and not counts.any():
            del self.owners[owner]

    def take_slot(self, name: str) -> int:
        """The slot of a node that is new to the table."""
        free = np.flatnonzero(~self.alive)
        if not len(free):
            self._grow()
            free = np.flatnonzero(~self.alive)
        slot = int(free[0])
        self.slots[name], self.names[slot], self.alive[slot] = slot, name, True
        return slot

    def free_slot(self, name: str) -> None:
        slot = self.slots.pop(name)
        self.names[slot], self.labels[slot], self.alive[slot] = "", {}, False
        for amounts in (*self.allocatable.values(), *self.requested.values(), *self.owners.values()):
            amounts[slot] = 0
        self.owners = {owner: counts for owner, counts in self.owners.items() if counts.any()}
        self.scored[:, slot] = 0
        self.ports.pop(slot, None)
        self.remembered.clear()

    def _grow(self) -> None:
        more = self.size
        self.names += [""] * more
        self.labels += [{}] * more
        for field in ("alive", "ready", "unschedulable", "taint_class"):
            old = getattr(self, field)
            setattr(self, field, np.concatenate([old, np.zeros(more, old.dtype)]))
        for table in (self.allocatable, self.requested, self.owners):
            for key, old in table.items():
                table[key] = np.concatenate([old, np.zeros(more, np.int64)])
        self.scored = np.concatenate([self.scored, np.zeros((2, more), np.int64)], axis=1)
        self.remembered.clear()
