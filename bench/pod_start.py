"""Pods on a real host, from create to Ready as a watch sees it, beside the raw calls to the same runtime, and beside Docker Swarm.

Root only: a lab with one host, of containerd and then of Docker. The raw side (raw.py) asks that same runtime for a sandbox, a
container and its start, as the least that any agent must do. Both sides are taken in turn, pod by pod, and compared at the
median, so that a busy moment of the machine falls on both. Many pods at once: raw at several parallelisms, the best of which counts.

The API's side has on top: the create itself, the scheduler's decision and its binding (two durable writes), the way to the agent, its
own preparations (log folder, token), its report and the status write, and the watch. The ratio tells how that weighs against runc.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench import load, swarm
from bench.raw import COMMAND, IMAGE
from bench.report import Budget, Figure, Skip
from lab.contract import Lab, LabFault, LabSettings
from lab.open import PROJECT
from lab.state import Host, StateFile

NAME = "pod_start"
PODS = 9
MANY = 30
PARALLEL = (4, 8, 16, 30)
WARM_UP = 1
"""The first of each kind pays for files that nobody has read yet, and is not counted."""
HOST = "host-1"
RAW_S = 120.0
DEADLINE_S = 60.0
POD_PATH = "/api/v1/namespaces/default/pods"
RUNTIMES = {"containerd": "raw CRI: sandbox, container, start", "docker": "raw Docker: pause, CNI, container, start"}
"""And what stands beside each."""
MORE_MS = Budget(most=60)
OF_RAW = Budget(least=0.75, ratio=True)


def raw(lab: Lab, runtime: str, *args: str) -> float:
    """What raw.py measures in the lab's host. Raises LabFault with its last words."""
    argv = ["env", f"PYTHONPATH={PROJECT}", sys.executable, "-m", "bench.raw", runtime, *args]
    result = lab.run(HOST, argv, timeout_s=RAW_S)
    if result.returncode:
        raise LabFault(f"the raw calls failed: {(result.stderr or result.stdout).strip().splitlines()[-1:]}")
    return float(result.stdout)


def _document(name: str) -> dict[str, Any]:
    container = {"name": "main", "image": IMAGE, "command": COMMAND}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = {entry["type"]: entry["status"] for entry in pod.get("status", {}).get("conditions", ())}
    return conditions.get("Ready") == "True"


async def ready_s(user: load.Client, number: int) -> float:
    """Seconds from the create to the watch's event that says Ready; the pod is deleted afterwards."""
    name = f"bench-{number}"
    async with asyncio.timeout(DEADLINE_S), user.watching(POD_PATH) as lines:
        began = time.perf_counter()
        await user.create(POD_PATH, _document(name))
        while True:
            found = msgspec.json.decode(await lines.readline())["object"]
            if found["metadata"]["name"] == name and _is_ready(found):
                passed = time.perf_counter() - began
                break
        await user.delete(f"{POD_PATH}/{name}")
        while msgspec.json.decode(await lines.readline())["type"] != "DELETED":
            pass
    return passed


async def ready_rate(user: load.Client, count: int) -> float:
    """Pods a second of `count` created at once, until a watch has seen them all Ready; they are deleted afterwards."""
    names = [f"many-{number}" for number in range(count)]
    async with asyncio.timeout(DEADLINE_S), user.watching(POD_PATH) as lines:

        async def create(_: int, number: int) -> None:
            await user.create(POD_PATH, _document(names[number]))

        began = time.perf_counter()
        await load.rate(2, count, create)
        waiting = set(names)
        while waiting:
            found = msgspec.json.decode(await lines.readline())["object"]
            if _is_ready(found):
                waiting.discard(found["metadata"]["name"])
        passed = time.perf_counter() - began
        gone: set[str] = set()
        await load.rate(2, count, lambda _, number: user.delete(f"{POD_PATH}/{names[number]}"))
        while len(gone) < count:
            event = msgspec.json.decode(await lines.readline())
            if event["type"] == "DELETED":
                gone.add(event["object"]["metadata"]["name"])
    return count / passed


def _host(lab: Lab) -> Host:
    state = StateFile(lab.kubeconfig.parent).load()
    if state is None or state.host(HOST).init is None:
        raise LabFault(f"{HOST} has no process to be reached through")
    return state.host(HOST)


async def _ready(lab: Lab, number: int) -> float:
    async with load.clients(lab.kubeconfig, 1) as (user,):
        return await ready_s(user, number)


async def _ready_rate(lab: Lab, count: int) -> float:
    async with load.clients(lab.kubeconfig, 1) as (user,):
        return await ready_rate(user, count)


def beside_raw(lab: Lab, runtime: str, *, pods: int = PODS, many: int = MANY, parallel: Sequence[int] = PARALLEL) -> list[Figure]:
    """One pod, and many at once: the last figure."""
    label, beside = f"{runtime}: ", RUNTIMES[runtime]
    whole, bare = [], []
    for number in range(WARM_UP + pods):
        whole.append(asyncio.run(_ready(lab, number)))
        bare.append(raw(lab, runtime, f"raw-{number}"))
    value, base = (1000 * statistics.median(times[WARM_UP:]) for times in (whole, bare))
    rates = [asyncio.run(_ready_rate(lab, many))]
    raw_rates = {count: raw(lab, runtime, f"raw-{count}", str(many), str(count)) for count in parallel}
    rates.append(asyncio.run(_ready_rate(lab, many)))
    best = max(raw_rates, key=lambda count: raw_rates[count])
    at_once, best_name = f"{label}{many} pods at once, mean of two", f"{beside.partition(':')[0]}, {best} at once"
    return [
        Figure(NAME, f"{label}create to Ready, median of {pods}", value, "ms", beside, base),
        Figure(NAME, f"{label}the difference of these medians", value - base, "ms", budget=MORE_MS),
        Figure(NAME, at_once, statistics.mean(rates), "pods/s", best_name, raw_rates[best], budget=OF_RAW),
    ]


def beside_swarm(lab: Lab, at_once: Sequence[Figure], *, many: int = MANY) -> list[Figure]:
    """The figures of many pods at once, beside as many replicas of a service in this lab of Docker's."""
    host, folder = _host(lab), lab.kubeconfig.parent
    assert host.init is not None
    archive = next((folder / "cache").glob("images-*.tar"))
    swarm.start(host.init, folder / "hosts" / HOST, archive, host.address)
    swarm.rate(host.init, 1)  # the first creates what all services share
    peer = swarm.rate(host.init, many)
    beside = f"Docker Swarm: service create --replicas {many}, all running"
    return [Figure(NAME, figure.name, figure.value, "pods/s", beside, peer) for figure in at_once]


def missing(runtime: str) -> str:
    """Why it cannot be measured here, or ""."""
    daemon = {"containerd": "containerd", "docker": "dockerd"}[runtime]
    return "" if os.geteuid() == 0 and shutil.which(daemon) is not None else f"it needs root and {daemon}"


def measure() -> Iterator[Figure | Skip]:
    at_once: list[Figure] = []
    for runtime in RUNTIMES:
        if why := missing(runtime):
            yield Skip(f"{NAME} with {runtime}", why)
            continue
        with load.running_lab(LabSettings(runtime=runtime, hosts=1, example=False)) as lab:
            figures = beside_raw(lab, runtime)
            yield from figures
            at_once.append(figures[-1])
            if runtime == "docker":
                yield from beside_swarm(lab, at_once)
