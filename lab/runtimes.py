"""Which container runtime a lab host has: that of the lab, or in a mixed lab containerd and Docker in turn.

Each runtime is a module of its own (`containerd.py`, `docker.py`) with the same functions; the list is here and nowhere else. A host's
runtime follows from its name, so that the state need not hold it; its service is called as its daemon is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from lab import containerd, docker
from lab.contract import MASTER
from lab.processes import Process

MIXED = "mixed"


class Module(Protocol):
    ENDPOINT: str

    def spawn(self, init: Process, disk: Path) -> Process: ...

    def wait_ready(self, init: Process, process: Process, disk: Path) -> None: ...

    def import_images(self, init: Process, archive: Path) -> None: ...


MODULES: dict[str, Module] = {"containerd": containerd, "docker": docker}
SERVICES = {"containerd": "containerd", "docker": "dockerd"}
"""The runtime's daemon, by the runtime's name."""


def of(runtime: str, host: str) -> str:
    """host-1, host-3, …: containerd, the others Docker, if the lab is mixed."""
    if runtime != MIXED:
        return runtime
    return "docker" if host[-1] in "02468" else "containerd"


def service(runtime: str, host: str) -> str:
    """What a fault of the runtime on this host is to stop."""
    return SERVICES[of(runtime, host)]


def services(runtime: str, host: str) -> tuple[str, ...]:
    """In the order in which they start."""
    return ("kmaster",) if host == MASTER else (service(runtime, host), "kagent")
