"""Scheduling: the decision alone at 500 and 5,000 nodes, and whole pods from create to Running on 200 hollow hosts.

The decision alone is the pure function with its filters and scores, in batches, without store or API. Beside it a floor in numpy: the
cheapest placement that still looks at every node (does it fit, which has most room, take it). Whole pods go through the real API,
scheduler, store and agent protocol; their containers live in kagent's memory only. Beside them ConfigMap creates through the
same API by as many clients: a pod costs that same create and then its binding and its status on top.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import load, writes
from bench.report import Figure, Skip
from common.objects import node as nodes
from common.objects import pod as pods
from lab.contract import LabSettings
from master.scheduler import ask as asks
from master.scheduler.decide import decide
from master.scheduler.snapshot import Snapshot

NAME = "schedule"
DECIDED = 200
REPEAT = 3
HOSTS = 200
PODS = 400
CLIENTS = 8
DEADLINE_S = 60.0
POD_PATH = "/api/v1/namespaces/default/pods"
OFFER = {"cpu": "8", "memory": "32Gi", "pods": "110"}
SPEC = {"containers": [{"name": "main", "image": "busybox:1.36", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}


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
        async with asyncio.timeout(DEADLINE_S):
            await load.rate(CLIENTS, count, create)
            running: set[str] = set()
            while len(running) < count:
                event: dict[str, Any] = msgspec.json.decode(await lines.readline())
                if event["object"].get("status", {}).get("phase") == "Running":
                    running.add(event["object"]["metadata"]["name"])
        return count / (time.perf_counter() - began)


def measure() -> list[Figure | Skip]:
    found: list[Figure | Skip] = [
        Figure(NAME, f"decision alone, {n:,} nodes", decision(n), "pods/s", "numpy, fit and argmax", floor(n)) for n in (500, 5000)
    ]
    with load.running_lab(LabSettings(runtime="hollow", hosts=HOSTS, example=False)) as lab:
        base = asyncio.run(writes.through_api(lab.kubeconfig, CLIENTS, PODS))
        value = asyncio.run(whole(lab.kubeconfig, PODS))
        beside = f"ConfigMap creates, {CLIENTS} clients"
        found.append(Figure(NAME, f"create to Running, {HOSTS} hollow hosts, {PODS} pods", value, "pods/s", beside, base))
    return found
