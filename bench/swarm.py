"""Docker Swarm as the peer of `pod_start`: the containers of one service on one host, from `service create` until all run.

Its dockerd is a second one beside the lab's own, in the same lab host and so under the same limits: Swarm cannot be had with live
restore, which kagent's engine has. It ends with the lab. The clock stops when the engine says that all replicas run (as `docker ps`
does); `service create` itself waits five seconds longer, to see whether they stay. A replica is one container on Docker's bridge, where
a pod is two and CNI's network: the comparison favours Swarm. Image and command are those of the pods.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from agent.runtime.docker_engine import Engine
from bench.raw import COMMAND, IMAGE
from lab import boot, processes
from lab.contract import LabFault
from lab.processes import Process

SOCKET = "/run/swarm.sock"
START_S = 30.0
DEADLINE_S = 120.0
POLL_S = 0.02
SERVICE = "bench"


def _docker(init: Process, *args: str, timeout_s: float = 60.0) -> None:
    """Raises LabFault with the engine's own words."""
    result = boot.run(init, ["docker", "--host", f"unix://{SOCKET}", *args], timeout_s=timeout_s)
    if result.returncode:
        raise LabFault(f"`docker {' '.join(args[:2])}` failed: {(result.stderr or result.stdout).strip()[-300:]}")


def start(init: Process, disk: Path, archive: Path, address: str) -> None:
    """A swarm of one in the lab host, with the lab's images. Raises LabFault."""
    config, log = disk / "swarm.json", disk / "log" / "swarm.log"
    config.write_text("{}\n")
    argv = [
        "dockerd", "--config-file", str(config), "--data-root", str(disk / "var/lib/swarm"), "--exec-root", "/run/swarm", "--pidfile",
        "/run/swarm.pid", "--host", f"unix://{SOCKET}", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--exec-opt",
        "native.cgroupdriver=cgroupfs", "--oom-score-adjust=0",
    ]  # fmt: skip
    process = boot.spawn(init, argv, log=log)

    def ready() -> bool:
        if not processes.alive(process):
            raise LabFault(f"dockerd ended: {processes.tail(log)} (see {log})")
        return boot.run(init, ["docker", "--host", f"unix://{SOCKET}", "version"], timeout_s=10).returncode == 0

    processes.until(ready, START_S, lambda: f"dockerd did not answer within {START_S:g} s: {processes.tail(log)}")
    _docker(init, "load", "--quiet", "--input", str(archive))
    _docker(init, "swarm", "init", "--advertise-addr", address, "--listen-addr", f"{address}:2377")


def rate(init: Process, count: int) -> float:
    """Containers a second of so many; the service is removed afterwards. Raises LabFault, TimeoutError."""
    began = time.perf_counter()
    create = ("service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", SERVICE, "--replicas", str(count), IMAGE, *COMMAND)
    _docker(init, *create)
    asyncio.run(_running(init, count))
    passed = time.perf_counter() - began
    _docker(init, "service", "rm", SERVICE)
    asyncio.run(_running(init, 0))
    return count / passed


async def _running(init: Process, wanted: int) -> None:
    """Asked through the socket in the host's root, which costs the engine less than a command each time."""
    engine = Engine(f"unix:///proc/{init.pid}/root{SOCKET}")
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = await engine.containers(f"com.docker.swarm.service.name={SERVICE}")
                if sum(item["State"] == "running" for item in found) == wanted:
                    return
                await asyncio.sleep(POLL_S)
    finally:
        await engine.close()
