"""A host that runs short: which limits it has crossed, and which pod has to go for it. Pure.

Owns the kubelet's names and words: signals (`memory.available`, `nodefs.available`, `nodefs.inodesFree`, `pid.available`), hard
thresholds as its `--eviction-hard` writes them, the node's conditions that follow, and the order in which pods are evicted: those that
use more of the scarce resource than they asked for, then by priority, then by how much more. One pod at a time, since each may be enough.

Two kinds are spared: those as important as the system itself, and, unlike with a kubelet, whoever holds nothing of what is scarce; its end
would free nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agent.lifecycle.life import Waiting
from agent.lifecycle.status import EVICTED
from common.objects import pod as pods
from common.objects import quantity

MEMORY, DISK, INODES, PIDS = "memory.available", "nodefs.available", "nodefs.inodesFree", "pid.available"
CONDITIONS = {MEMORY: "MemoryPressure", DISK: "DiskPressure", INODES: "DiskPressure", PIDS: "PIDPressure"}
RESOURCES = {MEMORY: "memory", DISK: "ephemeral-storage", INODES: "inodes", PIDS: "pids"}
CRITICAL_PRIORITY = 2_000_000_000
WORTH_BYTES = 1 << 20
"""Less than that is nothing: a writable layer without a file in it has some KiB."""


class Amount(msgspec.Struct, frozen=True):
    """Bytes, inodes or processes."""

    available: int
    capacity: int


class Threshold(msgspec.Struct, frozen=True):
    """share: of the capacity; it counts if it is above 0, else the quantity does."""

    signal: str
    quantity: int = 0
    share: float = 0.0

    def least(self, capacity: int) -> int:
        return int(capacity * self.share) if self.share > 0 else self.quantity


class Met(msgspec.Struct, frozen=True):
    """A threshold that is crossed: less is available than there must be at the least."""

    signal: str
    least: int
    available: int


class Use(msgspec.Struct, frozen=True):
    """What a pod or one of its containers holds."""

    memory_bytes: int = 0
    disk_bytes: int = 0
    processes: int = 0

    def of(self, signal: str) -> int:
        return self.memory_bytes if signal == MEMORY else self.processes if signal == PIDS else self.disk_bytes


class Candidate(msgspec.Struct, frozen=True):
    """A pod that runs here. use: all of it; containers: of each, by name."""

    pod: pods.Pod
    use: Use
    containers: Mapping[str, Use] = {}


def parse(text: str) -> tuple[Threshold, ...]:
    """`memory.available<100Mi,nodefs.available<10%`; "" is none. Raises ValueError with a sentence."""
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        signal, less, amount = (word.strip() for word in part.partition("<"))
        if not less or signal not in CONDITIONS:
            raise ValueError(f"{part!r} is not SIGNAL<QUANTITY with one of {', '.join(CONDITIONS)}")
        if amount.endswith("%"):
            share = float(quantity.exact(amount[:-1])) / 100
            if not 0 <= share < 1:
                raise ValueError(f"{part!r}: a share is at least 0% and less than 100%")
            found.append(Threshold(signal, share=share))
        else:
            found.append(Threshold(signal, quantity.value(amount)))
    return tuple(found)


def met(thresholds: Iterable[Threshold], signals: Mapping[str, Amount]) -> tuple[Met, ...]:
    """Those that are crossed, memory first, as the kubelet does it. What is not measured crosses nothing."""
    order = list(CONDITIONS)
    found = [
        Met(each.signal, least, amount.available)
        for each in thresholds
        if (amount := signals.get(each.signal)) is not None and amount.available < (least := each.least(amount.capacity))
    ]
    return tuple(sorted(found, key=lambda each: order.index(each.signal)))


def first(signal: str, candidates: Iterable[Candidate]) -> Candidate | None:
    """The pod to evict, or None: nobody's end would help."""

    def rank(candidate: Candidate) -> tuple[bool, int, int, str]:
        used, asked = candidate.use.of(signal), requested(candidate.pod, signal)
        return used <= asked, candidate.pod.spec.priority, asked - used, candidate.pod.metadata.uid

    least = 1 if signal == PIDS else WORTH_BYTES
    able = [each for each in candidates if each.use.of(signal) >= least and each.pod.spec.priority < CRITICAL_PRIORITY]
    return min(able, key=rank, default=None)


def requested(pod: pods.Pod, signal: str) -> int:
    """By all containers together; processes cannot be asked for."""
    return sum(_requested(container, signal) for container in pod.spec.containers)


def _requested(container: pods.Container, signal: str) -> int:
    resource = {MEMORY: "memory", DISK: "ephemeral-storage"}.get(signal, "")
    asked = {**container.resources.limits, **container.resources.requests}
    return quantity.value(asked.get(resource, 0))


def eviction(crossed: Met, candidate: Candidate) -> Waiting:
    """Why the pod has to go, in the kubelet's words."""
    resource, text = RESOURCES[crossed.signal], _text(crossed.signal)
    words = f"The node was low on resource: {resource}. Threshold quantity: {text(crossed.least)}, available: {text(crossed.available)}. "
    for container in candidate.pod.spec.containers:
        used = candidate.containers.get(container.name, Use()).of(crossed.signal)
        asked = _requested(container, crossed.signal)
        if crossed.signal in (MEMORY, DISK) and used > asked:
            words += f"Container {container.name} was using {text(used)}, request is {text(asked)}, has larger consumption of {resource}. "
    return Waiting(EVICTED, words)


def _text(signal: str):  # noqa: ANN202
    """Bytes as the kubelet shows them, in KiB; all else as numbers."""
    return quantity.kibibytes_text if signal in (MEMORY, DISK) else str
