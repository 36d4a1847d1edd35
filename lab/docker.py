"""A Docker engine of its own for each lab host: its command line, its start and the images in it.

It runs in the host's namespaces, with its data on the host's disk and its sockets in the host's /run, and starts a containerd of its
own. It makes no bridge and no rules: a pod's network is kagent's work, by CNI. Containers outlive it (live restore), as they do containerd.
Its data is no bind mount of a usual path: it is told where the disk is.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab import boot, processes
from lab.contract import LabFault
from lab.processes import Process

SOCKET = "/run/docker.sock"
ENDPOINT = f"unix://{SOCKET}"
START_TIMEOUT_S = 30.0


def write_config(disk: Path) -> Path:
    """Of our own, so that the machine's /etc/docker/daemon.json has no say."""
    path = disk / "docker.json"
    path.write_text("{}\n")
    return path


def argv(disk: Path) -> list[str]:
    return [
        "dockerd", "--config-file", str(write_config(disk)), "--data-root", str(disk / "var/lib/docker"),
        "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid", "--host", ENDPOINT, "--bridge=none", "--iptables=false",
        "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--live-restore", "--exec-opt", "native.cgroupdriver=cgroupfs",
        *own_score(),
    ]  # fmt: skip


def own_score() -> list[str]:
    """Where root may not lower its oom_score_adj, Docker must not try, as older versions do. Newer ones do not, and refuse the flag."""
    path = f"{os.environ.get('PATH', '')}:{boot.SYSTEM_PATH}"
    told = subprocess.run(["dockerd", "--help"], env={"PATH": path}, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
    return ["--oom-score-adjust=0"] if "--oom-score-adjust" in told.stdout else []


def spawn(init: Process, disk: Path) -> Process:
    """Start it; `ready` tells when it answers."""
    return boot.spawn(init, argv(disk), log=disk / "log" / "dockerd.log")


def wait_ready(init: Process, process: Process, disk: Path) -> None:
    """Raises LabFault with Docker's own last words when it ends or does not answer in time."""
    log = disk / "log" / "dockerd.log"

    def ready() -> bool:
        if not processes.alive(process):
            raise LabFault(f"dockerd ended: {processes.tail(log)} (see {log})")
        socket = Path(f"/proc/{init.pid}/root{SOCKET}")
        return socket.exists() and boot.run(init, ["docker", "--host", ENDPOINT, "version"], timeout_s=10).returncode == 0

    processes.until(ready, START_TIMEOUT_S, lambda: f"dockerd did not answer within {START_TIMEOUT_S:g} s (see {log})")


def import_images(init: Process, archive: Path) -> None:
    """Idempotent. Raises LabFault."""
    result = boot.run(init, ["docker", "--host", ENDPOINT, "load", "--quiet", "--input", str(archive)], timeout_s=60)
    if result.returncode:
        raise LabFault(f"the images could not be loaded: {(result.stderr or result.stdout).strip()[-300:]}")
