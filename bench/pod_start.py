"""One pod on a real host, from create to Ready as a watch sees it, beside the raw CRI calls for the same pod.

Root only: a containerd lab with one host. The raw side asks that same containerd for a sandbox, a container and its start, one call after
another, as the least that any agent must do; it runs from outside the host, through the socket in its root. Both sides are taken
in turn, pod by pod, and compared at the median, so that a busy moment of the machine falls on both.

The API's side has on top: the create itself, the scheduler's decision and its binding (two durable writes), the way to the agent, its
own preparations (log folder, token), its report and the status write, and the watch. The ratio tells how that weighs against runc.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import msgspec

from agent.runtime.containerd import ContainerdRuntime
from agent.runtime.contract import ContainerSpec, SandboxSpec
from bench import load
from bench.report import Figure, Skip
from lab.containerd import SOCKET
from lab.contract import Lab, LabSettings
from lab.state import StateFile

NAME = "pod_start"
PODS = 9
MANY = 30
PARALLEL = (4, 8, 16, 30)
WARM_UP = 1
"""The first of each kind pays for files that nobody has read yet, and is not counted."""
HOST = "host-1"
IMAGE = "busybox:1.36"
COMMAND = ("sleep", "600")
LOGS = "/var/log/pods/bench"
DEADLINE_S = 60.0
POD_PATH = "/api/v1/namespaces/default/pods"
CLUSTER = "bench"
"""The label of what the raw side makes: kagent does not touch what is not its cluster's."""


async def raw_s(runtime: ContainerdRuntime, image: str, number: int) -> float:
    """Seconds of the three calls; the pod is removed afterwards."""
    name = f"raw-{number}"
    spec = SandboxSpec(namespace="default", name=name, uid=f"bench-{number}", attempt=0, hostname=name, log_directory=LOGS)
    began = time.perf_counter()
    sandbox = await runtime.create_sandbox(spec)
    try:
        made = ContainerSpec(name="main", attempt=0, image=image, command=COMMAND, log_path=f"{name}.log")
        await runtime.start_container(await runtime.create_container(sandbox, made))
        return time.perf_counter() - began
    finally:
        await runtime.stop_sandbox(sandbox)
        await runtime.remove_sandbox(sandbox)


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


async def raw_rate(runtime: ContainerdRuntime, image: str, parallel: int) -> float:
    """Pods a second of MANY, so many at once; all are removed afterwards."""
    made: list[str] = []

    async def one(_: int, number: int) -> None:
        name = f"raw-{parallel}-{number}"
        spec = SandboxSpec(namespace="default", name=name, uid=f"bench-{name}", attempt=0, hostname=name, log_directory=LOGS)
        sandbox = await runtime.create_sandbox(spec)
        made.append(sandbox)
        container = ContainerSpec(name="main", attempt=0, image=image, command=COMMAND, log_path=f"{name}.log")
        await runtime.start_container(await runtime.create_container(sandbox, container))

    async def remove(_: int, number: int) -> None:
        await runtime.stop_sandbox(made[number])
        await runtime.remove_sandbox(made[number])

    try:
        return await load.rate(parallel, MANY, one)
    finally:
        await load.rate(parallel, len(made), remove)


async def ready_rate(user: load.Client) -> float:
    """Pods a second of MANY created at once, until a watch has seen them all Ready; they are deleted afterwards."""
    names = [f"many-{number}" for number in range(MANY)]
    async with asyncio.timeout(DEADLINE_S), user.watching(POD_PATH) as lines:

        async def create(_: int, number: int) -> None:
            await user.create(POD_PATH, _document(names[number]))

        began = time.perf_counter()
        await load.rate(2, MANY, create)
        waiting = set(names)
        while waiting:
            found = msgspec.json.decode(await lines.readline())["object"]
            if _is_ready(found):
                waiting.discard(found["metadata"]["name"])
        passed = time.perf_counter() - began
        gone: set[str] = set()
        await load.rate(2, MANY, lambda _, number: user.delete(f"{POD_PATH}/{names[number]}"))
        while len(gone) < MANY:
            event = msgspec.json.decode(await lines.readline())
            if event["type"] == "DELETED":
                gone.add(event["object"]["metadata"]["name"])
    return MANY / passed


async def both(lab: Lab, directory: Path) -> tuple[list[float], list[float], list[float], dict[int, float]]:
    """Seconds of each pod, through the API and raw; pods a second of MANY, through the API (twice) and raw by parallelism."""
    state = StateFile(directory).load()
    init = None if state is None else state.host(HOST).init
    if init is None:
        raise RuntimeError(f"{HOST} has no process to reach its containerd through")
    lab.run(HOST, ["mkdir", "-p", LOGS])
    runtime = ContainerdRuntime(f"unix:///proc/{init.pid}/root{SOCKET}", cluster=CLUSTER)
    whole, raw = [], []
    try:
        image = await runtime.image(IMAGE)
        if image is None:
            raise RuntimeError(f"the lab has no image {IMAGE}")
        async with load.clients(lab.kubeconfig, 1) as (user,):
            for number in range(WARM_UP + PODS):
                whole.append(await ready_s(user, number))
                raw.append(await raw_s(runtime, image, number))
            rates = [await ready_rate(user)]
            raw_rates = {parallel: await raw_rate(runtime, image, parallel) for parallel in PARALLEL}
            rates.append(await ready_rate(user))
    finally:
        await runtime.close()
    return whole[WARM_UP:], raw[WARM_UP:], rates, raw_rates


def measure() -> list[Figure | Skip]:
    if os.geteuid() != 0 or shutil.which("containerd") is None:
        return [Skip(NAME, "it needs root and containerd")]
    with load.running_lab(LabSettings(runtime="containerd", hosts=1, example=False)) as lab:
        whole, raw, rates, raw_rates = asyncio.run(both(lab, lab.kubeconfig.parent))
    value, base = statistics.median(whole) * 1000, statistics.median(raw) * 1000
    best = max(raw_rates, key=lambda parallel: raw_rates[parallel])
    return [
        Figure(NAME, f"create to Ready, median of {PODS}", value, "ms", "raw CRI: sandbox, container, start", base),
        Figure(NAME, "the difference of these medians", value - base, "ms"),
        Figure(NAME, f"{MANY} pods at once, mean of two", statistics.mean(rates), "pods/s", f"raw CRI, {best} at once", raw_rates[best]),
        Skip(f"{NAME} with Docker, and beside Docker Swarm", "the comparison is not written yet"),
    ]
