"""The pods that wait for a node: which to try now, which later, and what would make it worth while.

    new or changed pod ─► active ──take──► (decided) ──park──► parked ──stir──► active, once its back-off has passed
                            ▲                                    │
                            └────────── after FLUSH_S ───────────┘

A pod that fits nowhere is parked with the plugins that turned it down. Trying again is pointless until something changes that one of
those plugins looks at: a node that appeared or changed helps any, a pod that went away only where room was short. A
back-off per pod (1 s doubling to 10 s, Kubernetes' own) keeps a busy cluster from trying the same pods all the time.

Plain data with the time passed in: no timer, no waiting. `next_time` tells the shell when to look again. Bounded by the number of
pods.
"""

from __future__ import annotations

import enum
import heapq
import math
from dataclasses import dataclass

from master.scheduler.ask import Ask

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 10.0
FLUSH_S = 300.0


class Stir(enum.Enum):
    """What happened in the cluster."""

    NODE = "a node appeared or changed"
    ROOM = "a pod went away"
    VOLUME = "a claim, a volume or a class of them changed"


ROOM_PLUGINS = frozenset(("NodeResourcesFit", "NodePorts", "VolumeRestrictions"))
HELPED = {Stir.ROOM: ROOM_PLUGINS, Stir.VOLUME: frozenset(("VolumeBinding",))}
"""What each may help; a node may help all."""


@dataclass(slots=True)
class Waiting:
    """One pod. trigger: the revision that made it worth trying. wanted: worth it as soon as `until` has passed; `flush`: at
    the latest then."""

    ask: Ask
    order: int
    trigger: int
    attempts: int = 0
    until: float = 0.0
    flush: float = 0.0
    wanted: bool = False
    plugins: frozenset[str] = frozenset()

    @property
    def due(self) -> float:
        return self.until if self.wanted else self.flush


class PendingQueue:
    """Each pod is active (in the heap), parked, or taken by the caller; `_pods` has them all."""

    def __init__(self) -> None:
        self._pods: dict[str, Waiting] = {}
        self._active: list[tuple[int, int, str]] = []
        self._parked: dict[str, Waiting] = {}
        self._taken: set[str] = set()
        self._count = 0
        self._next_due = math.inf

    def __len__(self) -> int:
        return len(self._pods)

    def set(self, ask: Ask) -> bool:
        """A pod is pending, or has changed; whether it is to be tried now. A change that asks for the same things, as the
        scheduler's own report on the pod is, leaves it where it is."""
        key, found = ask.key, self._pods.get(ask.key)
        if found is not None and found.ask.uid == ask.uid:
            same = _same(found.ask, ask)
            found.ask = ask
            if same or key in self._taken:
                return False
            found.trigger = ask.revision
            if self._parked.pop(key, None) is None:
                return False
            self._activate(found)
            return True
        self.remove(key)
        self._count += 1
        waiting = self._pods[key] = Waiting(ask, self._count, ask.revision)
        self._activate(waiting)
        return True

    def _activate(self, waiting: Waiting) -> None:
        heapq.heappush(self._active, (-waiting.ask.priority, waiting.order, waiting.ask.key))

    def hold(self, key: str) -> None:
        """The pod's binding is under way already: it is the caller's."""
        if key in self._pods:
            self._parked.pop(key, None)
            self._taken.add(key)

    def remove(self, key: str) -> None:
        """Bound, gone, or going."""
        self._pods.pop(key, None)
        self._parked.pop(key, None)
        self._taken.discard(key)

    def take(self, now: float, limit: int) -> list[Waiting]:
        """The pods to try now, by priority, then in order of arrival. They are the caller's until parked or removed."""
        if now >= self._next_due:
            self._ripen(now)
        taken: list[Waiting] = []
        while self._active and len(taken) < limit:
            _, order, key = heapq.heappop(self._active)
            waiting = self._pods.get(key)
            # An entry may be of a pod that was removed, taken otherwise or queued anew since.
            if waiting is None or waiting.order != order or key in self._taken or key in self._parked:
                continue
            self._taken.add(key)
            taken.append(waiting)
        return taken

    def _ripen(self, now: float) -> None:
        for key, waiting in list(self._parked.items()):
            if now >= waiting.due:
                del self._parked[key]
                self._activate(waiting)
        self._next_due = min((waiting.due for waiting in self._parked.values()), default=math.inf)

    def park(self, ask: Ask, plugins: frozenset[str], now: float, *, retry: bool = False) -> None:
        """It did not work out. retry: try again after the back-off whatever happens."""
        waiting = self._pods.get(ask.key)
        if waiting is None or waiting.ask.uid != ask.uid:
            return
        self._taken.discard(ask.key)
        self._parked[ask.key] = waiting
        backoff_s = min(FIRST_BACKOFF_S * 2 ** min(waiting.attempts, 10), MAX_BACKOFF_S)
        waiting.attempts += 1
        waiting.wanted, waiting.plugins = retry, plugins
        waiting.until, waiting.flush = now + backoff_s, now + FLUSH_S
        self._next_due = min(self._next_due, waiting.due)

    def stir(self, what: Stir, revision: int) -> None:
        """Mark those parked pods that this could help; `revision` made it happen."""
        for waiting in self._parked.values():
            if not waiting.wanted and (what is Stir.NODE or not waiting.plugins.isdisjoint(HELPED[what])):
                waiting.wanted, waiting.trigger = True, revision
                self._next_due = min(self._next_due, waiting.due)

    def counts(self, now: float) -> dict[str, int]:
        """How many pods wait, by Kubernetes' names of its queues: to be tried now, after their back-off, or when something changes."""
        backoff = sum(waiting.wanted or waiting.until > now for waiting in self._parked.values())
        return {
            "active": len(self._pods) - len(self._parked), "backoff": backoff, "unschedulable": len(self._parked) - backoff, "gated": 0,
        }  # fmt: skip

    def next_time(self, now: float) -> float | None:
        """When there is something to take: now, when a parked pod is due, or not before something happens."""
        if self._active:
            return now
        return None if math.isinf(self._next_due) else self._next_due


def _same(old: Ask, new: Ask) -> bool:
    """Nothing that placement depends on differs."""
    return (old.requests, old.node_selector, old.node_affinity, old.tolerations, old.priority, old.claims) == (
        new.requests, new.node_selector, new.node_affinity, new.tolerations, new.priority, new.claims,
    )  # fmt: skip
