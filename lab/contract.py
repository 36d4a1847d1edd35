"""The lab's port: a small cluster on one machine, for people who try it out and for the end-to-end tests.

A lab has one master host and some agent hosts. Implementations: `hosts.py` (a host is a set of namespaces, a cgroup and folders
of its own, with a real containerd in it; needs root) and `hollow.py` (plain processes on loopback, containers only in memory; needs
nothing). Virtual machines come later and keep to the same port. `open.py` picks the implementation.

All methods are synchronous: a lab is built from commands that block, one after another. What fails raises LabFault with one
sentence that says what was wrong and what to do. What a lab makes carries its id in its name, and nothing else is ever touched.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from common.errors import SteersmanError

MASTER = "master"
"""The master's host name. Agent hosts are `host-1`, `host-2`, …"""


FAULTS = {
    "kill": "The power fails: all processes die at once, nothing is sent to anybody, what was in memory is gone, the disk stays.",
    "freeze": "Nothing is scheduled any more, the pods included; all is there still.",
    "partition": "The cable is pulled: nothing gets in or out, all goes on running.",
    "slow": "The cable carries 1 Mbit/s each way and loses what does not fit. Of a daemon: it gets a twentieth of a CPU.",
    "disk-full": "Not a block of the disk is free.",
    "clock": "The wall clock of kagent (of kmaster on master) jumps an hour ahead; heal lets it jump back.",
}
OF_DAEMON = ("kill", "freeze", "slow")
"""The faults that can be of one daemon instead of the whole host."""


class LabFault(SteersmanError):
    """One sentence for the person at the terminal."""

    reason = "LabFault"


class LabSettings(msgspec.Struct, frozen=True):
    """runtime: containerd, docker, mixed (both in turn) or hollow. cpu, memory_bytes, pods: each agent host's capacity,
    enforced where the machine's cgroups can, stated to kagent in any case. pod_cidr: kmaster's, "" for its default, which has
    ranges for 256 nodes. node_grace_s, eviction_s: kmaster's, short so
    that faults show soon. example: apply examples/web.yaml and wait for it."""

    runtime: str = "containerd"
    hosts: int = 2
    cpu: int = 2
    memory_bytes: int = 2 << 30
    pods: int = 110
    pod_cidr: str = ""
    node_grace_s: float = 4.0
    eviction_s: float = 0.0
    example: bool = True


class ServiceStatus(msgspec.Struct, frozen=True):
    name: str
    running: bool
    pid: int = 0


class HostStatus(msgspec.Struct, frozen=True):
    """state: running, killed (no power), partitioned (cut off), down (never started, or lost); or the faults that were made:
    freeze, slow, disk-full, clock, with `:agent` or `:runtime` after it when one daemon has it."""

    name: str
    address: str
    state: str
    services: tuple[ServiceStatus, ...] = ()


class LabStatus(msgspec.Struct, frozen=True):
    id: str
    runtime: str
    directory: str
    kubeconfig: str
    hosts: tuple[HostStatus, ...] = ()

    @property
    def healthy(self) -> bool:
        return bool(self.hosts) and all(
            host.state == "running" and all(service.running for service in host.services) for host in self.hosts
        )


class Progress(Protocol):
    """Where `up` and `down` tell how far they are. Never raises."""

    def step(self, text: str) -> None:
        """A new step begins (and the one before it is done)."""

    def detail(self, text: str) -> None:
        """News within the step: replaces the detail before it."""

    def done(self) -> None:
        """The last step is done."""


class Quiet:
    """Progress for nobody."""

    def step(self, text: str) -> None: ...

    def detail(self, text: str) -> None: ...

    def done(self) -> None: ...


class Lab(Protocol):
    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig (mode 0600), valid from this machine's shell; it exists once `up` has returned."""

    def up(self, progress: Progress) -> None:
        """Bring everything to health: idempotent; what runs is not touched, what is missing or broken (faults included) is
        made. Raises LabFault; a first `up` that fails leaves nothing behind, a later one leaves what ran."""

    def down(self, progress: Progress) -> None:
        """Remove everything. Idempotent; works after a half-failed `up`, after a lost state file, after a reboot."""

    def status(self) -> LabStatus:
        """What is really there, not what should be."""

    def run(self, host: str, argv: Sequence[str], *, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a command on that host and return its exit code and output. Raises LabFault on timeout or an unknown or dead host."""

    def exec(self, host: str, argv: Sequence[str]) -> int:
        """The same with this terminal's stdin, stdout and stderr; returns the exit code."""

    def fault(self, host: str, kind: str, of: str = "host") -> None:
        """Break the host in one of the ways that FAULTS names, or only its daemon "agent" or "runtime" where the kind is in OF_DAEMON.
        Idempotent. Raises LabFault when this lab has nothing of the kind to break."""

    def heal(self, host: str) -> None:
        """Undo all faults: plug in, boot, thaw, free, start the services that do not run. Idempotent."""

    def stop(self, host: str, service: str, sig: signal.Signals = signal.SIGKILL) -> None:
        """End one service (`kmaster`, `containerd` or `dockerd`, `kagent`) and wait until it is gone; its children live on. Idempotent."""

    def start(self, host: str, service: str) -> None:
        """Start one service again and wait until it answers. Idempotent."""
