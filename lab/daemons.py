"""The command lines of kmaster and kagent, as the lab starts them: what a lab changes of their defaults, in one place.

Both are started as modules of this very Python, so that they run from a checkout as from an installed package.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lab import runtimes
from lab.contract import LabSettings

PORTS = {"api": 6443, "agents": 6444, "streams": 6445, "native": 6446}
"""By name; kmaster's option is `--NAME-port`."""
KMASTER_DATA = Path("/var/lib/kmaster")
KAGENT_DATA = Path("/var/lib/kagent")
JOIN_VARIABLE = "KAGENT_JOIN"


def kmaster(settings: LabSettings, *, data: Path, address: str, kubeconfig: Path, ports: dict[str, int]) -> list[str]:
    argv = [
        sys.executable, "-m", "master", "--data-dir", str(data), "--advertise-address", address, "--kubeconfig-out", str(kubeconfig),
        "--node-grace-s", f"{settings.node_grace_s:g}", "--eviction-s", f"{settings.eviction_s:g}",
        "--usage-s", "5",
    ]  # fmt: skip
    if settings.pod_cidr:
        argv += ["--pod-cidr", settings.pod_cidr]
    if ports != PORTS:  # on loopback, beside others
        argv += ["--bind", address]
        for name, port in ports.items():
            argv += [f"--{name}-port", str(port)]
    return argv

EVICTION_HARD = "memory.available<100Mi,nodefs.available<5%,nodefs.inodesFree<5%,pid.available<5%"


def kagent_join(*, data: Path) -> list[str]:
    """The join string is in the environment (JOIN_VARIABLE), so that it is in nobody's argv."""
    return [sys.executable, "-m", "agent", "join", "--data-dir", str(data)]


def kagent_run(settings: LabSettings, *, host: str, data: Path, address: str) -> list[str]:
    runtime = runtimes.of(settings.runtime, host)
    return [
        sys.executable, "-m", "agent", "run", "--data-dir", str(data), "--runtime", runtime,
        "--runtime-endpoint", runtimes.MODULES[runtime].ENDPOINT, "--node-address", address,
        "--cpu", str(settings.cpu), "--memory", str(settings.memory_bytes), "--pods", str(settings.pods),
        "--prefer-local-images",  # there is no registry
        # The hosts share this machine's disk, which may be fuller than a host's of its own; and who looks on has no five minutes.
        "--eviction-hard", EVICTION_HARD, "--eviction-pressure-transition-s", "10",
        "--resource", "example.com/device=/dev/kmsg:/dev/zero",  # something to try extended resources with
        "--pod-max-pids", "1024",  # nor does a fork bomb in one pod stop the machine
    ]  # fmt: skip


def kctl_token(config: Path) -> list[str]:
    return [sys.executable, "-m", "ctl", "--config", str(config), "token", "create", "--ttl", "10m"]


def kagent_hollow(settings: LabSettings, *, data: Path, name: str, count: int) -> list[str]:
    """One process that plays `count` hosts; they join by themselves with JOIN_VARIABLE."""
    return [
        sys.executable, "-m", "agent", "run", "--data-dir", str(data), "--hollow", str(count), "--node-name", name,
        "--cpu", str(settings.cpu), "--memory", str(settings.memory_bytes), "--pods", str(settings.pods),
    ]  # fmt: skip
