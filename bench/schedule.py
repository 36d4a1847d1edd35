"""Scheduling: the decision alone, and pods bound durably, at 500 and 5,000 nodes.

The decision alone is the pure function with its filters and scores, in batches, without store or API. Beside it a floor in numpy: the
cheapest placement that still looks at every node (does it fit, which has most room, take it). Pods bound durably: see binding.py; beside
them SQLite with one row a commit. `whole` is what `fleet` measures with: pods through the API until a watch sees them Running.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiohttp import StreamReader

from bench import binding, load, writes
from bench.report import Figure, Skip
from common.aio.tasks import TaskGroup
from common.objects import node as nodes
from common.objects import pod as pods
from master.scheduler import ask as asks
from master.scheduler.decide import decide
from master.scheduler.snapshot import Snapshot

NAME = "schedule"
DECIDED = 200
REPEAT = 3
BOUND = 1000
CLIENTS = 8
DEADLINE_S = 180.0
POD_PATH = "/api/v1/namespaces/default/pods"
OFFER = {"cpu": "8", "memory": "32Gi", "pods": "110"}
SPEC = {"containers": [{"name": "main", "image": "busybox:1.36", "command": ["sleep", "1d"], "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}


def snapshot(count: int) -> Snapshot:
    found = Snapshot()
    for number in range(count):
        ready = [{"type": "Ready", "status": "True"}]
        status = {"capacity": OFFER, "allocatable": OFFER, "conditions": ready}
        found.set_node(msgspec.convert({"metadata": {"name": f"node-{number}"}, "status": status}, nodes.Node))
    return found


def decision(count: int, pods_count: int = DECIDED) -> float:
    """Pods decided a second; the best of a few batches, since the machine may be shared."""
    table = snapshot(count).table
    batch = [
        asks.of(msgspec.convert({"metadata": {"name": f"p{n}", "namespace": "default", "uid": f"u{n}"}, "spec": SPEC}, pods.Pod))
        for n in range(pods_count)
    ]  # fmt: skip
    best = 0.0
    for _ in range(REPEAT):
        began = time.perf_counter()
        placed = len(decide(batch, table).placed)
        best = max(best, placed / (time.perf_counter() - began))
        if placed != pods_count:
            raise RuntimeError(f"only {placed} of {pods_count} pods found a node")
    return best


def floor(count: int, pods_count: int = DECIDED) -> float:
    best = 0.0
    for _ in range(REPEAT):
        cpu, memory = np.full(count, 8000, dtype=np.int64), np.full(count, 32 << 30, dtype=np.int64)
        began = time.perf_counter()
        for _ in range(pods_count):
            slot = int(np.where((cpu >= 10) & (memory >= 16 << 20), cpu, -1).argmax())
            cpu[slot] -= 10
            memory[slot] -= 16 << 20
        best = max(best, pods_count / (time.perf_counter() - began))
    return best


async def whole(kubeconfig: Path, count: int) -> float:
    """Pods a second, from the first create to the last one seen Running by a watch."""
    async with load.clients(kubeconfig, CLIENTS) as users, users[0].watching(POD_PATH) as lines:

        def create(worker: int, number: int):  # type: ignore[no-untyped-def]
            document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"bench-{number}"}, "spec": SPEC}
            return users[worker].create(POD_PATH, document)

        began = time.perf_counter()
        async with asyncio.timeout(DEADLINE_S), TaskGroup() as group:
            # Subtle: read while creating, or the master rightly drops a watcher that is thousands of events behind.
            seen = group.start(_all_running(lines, count), name="bench-watch")
            await load.rate(CLIENTS, count, create)
            await seen
        return count / (time.perf_counter() - began)


async def _all_running(lines: StreamReader, count: int) -> None:
    running: set[str] = set()
    while len(running) < count:
        event: dict[str, Any] = msgspec.json.decode(await lines.readline())
        if event["type"] == "ERROR":
            raise RuntimeError(f"the watch ended: {event['object'].get('message')}")
        if event["object"].get("status", {}).get("phase") == "Running":
            running.add(event["object"]["metadata"]["name"])


def measure() -> list[Figure | Skip]:
    found: list[Figure | Skip] = []
    for n in (500, 5000):
        found.append(Figure(NAME, f"decision alone, {n:,} nodes", decision(n), "pods/s", "numpy, fit and argmax", floor(n)))
        with load.folder() as folder:
            base = writes.floor(folder, writes.SIZES[1])
            value = asyncio.run(binding.bound(folder, OFFER, nodes=n, pods_count=BOUND, spec=SPEC))
        found.append(Figure(NAME, f"bound durably, {n:,} nodes", value, "pods/s", writes.FLOOR, base))
    return found
