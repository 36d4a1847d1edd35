"""What a plugin is: a filter, a score, or both. One file each, under Kubernetes' names, all listed in `plugins/__init__.py`.

A filter says which nodes a pod may not go to, and why. It is asked about all nodes at once and answers with vectors; `decide`
lets each node be turned down by the first plugin that objects, as Kubernetes does. A score rates nodes
from 0 to 100. Both are pure: they read the ask and the table, and change neither.

`reason` is Kubernetes' own text, for the message that people and tools know. `resolvable` says whether removing other pods could
help: the message's second half tells the two apart.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from master.scheduler.ask import Ask
from master.scheduler.table import Ints, Mask, NodeTable

BEST = 100


class Rejected(msgspec.Struct, frozen=True):
    """Nodes (mask over slots) that one plugin turns down for one reason. numbers: what decided, per slot. once: it is the pod's own
    fault, and said once, not for each node."""

    plugin: str
    reason: str
    mask: Mask
    resolvable: Mask | None = None
    numbers: dict[str, Ints] = {}
    once: bool = False


class Filter(Protocol):
    name: str

    def filter(self, ask: Ask, table: NodeTable) -> list[Rejected]: ...


class Score(Protocol):
    name: str
    weight: int

    def score(self, ask: Ask, table: NodeTable, feasible: Mask) -> Ints | int:
        """0 (worst) to 100 for each slot, or one number for all; slots that are not feasible may hold anything."""
