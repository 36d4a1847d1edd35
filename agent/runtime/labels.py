"""What every real runtime writes on its objects beyond the contract's labels, and what it leaves behind of a pod: its cgroup.

Owns the names of the notes that a restarted agent reads back (containerd keeps them as annotations, Docker as labels), the sums that turn
millicores into shares and quotas, and the removal of a pod's empty cgroup, which runc makes with the first container and nobody removes.
Which objects carry these and when they are made is each runtime's business. Nothing here talks to a runtime.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from agent.runtime.contract import (
    LABEL_ATTEMPT,
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    LABEL_DEVICES,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
    ContainerSpec,
    SandboxSpec,
)  # fmt: skip

LOG_DIRECTORY = "steersman.io/log-directory"
CGROUP_PARENT = "steersman.io/cgroup-parent"
HOST_NETWORK = "steersman.io/host-network"
HOST_PID = "steersman.io/host-pid"
HOST_IPC = "steersman.io/host-ipc"
SHARE_PROCESSES = "steersman.io/share-processes"
HANDLER = "steersman.io/runtime-handler"
HOSTNAME = "steersman.io/hostname"
"""On our sandboxes: what the runtime does not give back and a restarted agent needs."""

CGROUPS = Path("/sys/fs/cgroup")
CPU_PERIOD_US = 100_000
CPU_QUOTA_LEAST_US = 1_000
SHARES_LEAST = 2
SHARES_MOST = 262_144


def notes(spec: SandboxSpec) -> dict[str, str]:
    return {
        LOG_DIRECTORY: spec.log_directory,
        CGROUP_PARENT: spec.cgroup_parent,
        HOSTNAME: spec.hostname,
        HANDLER: spec.handler,
        HOST_NETWORK: _flag(spec.host_network),
        HOST_PID: _flag(spec.host_pid),
        HOST_IPC: _flag(spec.host_ipc),
        SHARE_PROCESSES: _flag(spec.share_processes),
    }


def recall(told: Mapping[str, str], *, namespace: str, name: str, uid: str, attempt: int) -> SandboxSpec:
    """From `notes`: enough of a sandbox to make containers in it."""
    return SandboxSpec(
        namespace=namespace,
        name=name,
        uid=uid,
        attempt=attempt,
        hostname=told.get(HOSTNAME, ""),
        handler=told.get(HANDLER, ""),
        log_directory=told.get(LOG_DIRECTORY, ""),
        cgroup_parent=told.get(CGROUP_PARENT, ""),
        host_network=told.get(HOST_NETWORK) == _flag(True),
        host_pid=told.get(HOST_PID) == _flag(True),
        host_ipc=told.get(HOST_IPC) == _flag(True),
        share_processes=told.get(SHARE_PROCESSES) == _flag(True),
    )


def _flag(value: bool) -> str:
    return "true" if value else "false"


def of_sandbox(spec: SandboxSpec, cluster: str) -> dict[str, str]:
    """The user's labels never override ours."""
    return {**spec.labels, **_whose(spec, cluster)}


def _whose(spec: SandboxSpec, cluster: str) -> dict[str, str]:
    return {
        LABEL_CLUSTER: cluster,
        LABEL_POD_UID: spec.uid,
        LABEL_POD_NAME: spec.name,
        LABEL_POD_NAMESPACE: spec.namespace,
    }


def of_container(spec: ContainerSpec, sandbox: SandboxSpec, cluster: str) -> dict[str, str]:
    own = {LABEL_CONTAINER: spec.name, LABEL_ATTEMPT: str(spec.attempt)}
    if spec.devices:
        own[LABEL_DEVICES] = ",".join(spec.devices)
    return {**spec.labels, **_whose(sandbox, cluster), **own}


def devices(told: Mapping[str, str]) -> tuple[str, ...]:
    """Those that a container has."""
    return tuple(filter(None, told.get(LABEL_DEVICES, "").split(",")))


def cpu_shares(milli: int) -> int:
    """cgroup v1's weight; the runtime converts it for v2."""
    return max(SHARES_LEAST, min(SHARES_MOST, milli * 1024 // 1000))


def cpu_quota(milli: int) -> int:
    """Microseconds of each period; 0 is no limit."""
    return max(CPU_QUOTA_LEAST_US, milli * CPU_PERIOD_US // 1000) if milli else 0


def remove_cgroup(parent: str, mount: Path = CGROUPS) -> None:
    """The pod's empty cgroup, in the unified hierarchy and in each of version 1, with what a runtime that died forgot below it. What is
    in use stays."""
    below = parent.lstrip("/")
    for root in (mount, *(path for path in sorted(mount.glob("*")) if path.is_dir())):
        for folder, _, _ in os.walk(root / below, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
