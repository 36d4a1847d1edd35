"""The raw side of `pod_start`: the calls that any agent has to make of the container runtime, and nothing else.

    python -m bench.raw containerd|docker NAME                  seconds of sandbox, container and start, one after another
    python -m bench.raw containerd|docker NAME COUNT PARALLEL   pods a second of COUNT, so many at once

It is run inside the lab's host, where the runtime and the CNI plugins are, in a process of its own that is warm before its clock starts.
With Docker a sandbox is a pause container to whose network namespace CNI is applied, as kagent has it, so that both sides have the same
network. What it makes carries a label of its own, which kagent does not touch, and is removed again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from agent.network.cni_exec import CniRunner
from agent.runtime.contract import ContainerSpec, Runtime, SandboxSpec
from bench import load
from common.clock import SystemClock
from common.errors import NotFound
from lab import runtimes

IMAGE = "busybox:1.36"
COMMAND = ("sleep", "600")
LOGS = Path("/var/log/pods/bench")
CLUSTER = "bench"
CNI = Path("/etc/cni/net.d")
NETWORKS = Path("/run/bench-networks")


def _runtime(name: str) -> Runtime:
    """Only the client that is used is loaded, as in kagent."""
    endpoint = runtimes.MODULES[name].ENDPOINT
    if name == "docker":
        from agent.runtime.docker import DockerRuntime, DockerSettings

        return DockerRuntime(DockerSettings(endpoint, CLUSTER), network=CniRunner(CNI, NETWORKS), clock=SystemClock())
    from agent.runtime.containerd import ContainerdRuntime

    return ContainerdRuntime(endpoint, cluster=CLUSTER)


class Pods:
    """Raw pods of one image; `made` are those to be removed."""

    def __init__(self, runtime: Runtime, image: str) -> None:
        self._runtime = runtime
        self._image = image
        self._made: list[str] = []

    async def start(self, name: str) -> None:
        spec = SandboxSpec(namespace="default", name=name, uid=f"bench-{name}", attempt=0, hostname=name, log_directory=str(LOGS))
        sandbox = await self._runtime.create_sandbox(spec)
        self._made.append(sandbox)
        container = ContainerSpec(name="main", attempt=0, image=self._image, command=COMMAND, log_path=f"{name}.log")
        await self._runtime.start_container(await self._runtime.create_container(sandbox, container))

    async def remove(self) -> None:
        async def one(_: int, number: int) -> None:
            await self._runtime.stop_sandbox(self._made[number])
            await self._runtime.remove_sandbox(self._made[number])

        await load.rate(8, len(self._made), one)


async def measure(runtime_name: str, name: str, count: int = 1, parallel: int = 0) -> float:
    """Seconds of one pod with `parallel` 0, else pods a second of `count`."""
    LOGS.mkdir(parents=True, exist_ok=True)
    runtime = _runtime(runtime_name)
    try:
        image = await runtime.images.find(IMAGE)
        if image is None:
            raise NotFound(f"the lab has no image {IMAGE}")
        pods = Pods(runtime, image.id)
        try:
            if parallel:
                return await load.rate(parallel, count, lambda _, number: pods.start(f"{name}-{number}"))
            began = time.perf_counter()
            await pods.start(name)
            return time.perf_counter() - began
        finally:
            await pods.remove()
    finally:
        await runtime.close()


if __name__ == "__main__":
    print(asyncio.run(measure(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))))
