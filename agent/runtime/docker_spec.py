"""Between our specs and the Engine API's documents. Conversion only; but a seccomp profile is read.

Owns what a pod is in Docker's terms: a pause container with a network namespace that nothing is connected to (the agent does that, by
CNI) and containers that join its network and IPC; their names, which are unique on an engine and so make creation idempotent; and what
of Docker's states, texts and times is what in ours. The json-file log driver is named here since `log_lines.py` reads its format.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from agent.runtime import labels
from agent.runtime.contract import (
    LABEL_ATTEMPT,
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    ContainerSpec,
    Mount,
    ObservedContainer,
    SandboxSpec,
    Security,
    State,
)  # fmt: skip
from common.clock import parse_rfc3339

Document = dict[str, Any]

LABEL_TYPE = "io.kubernetes.docker.type"
LABEL_SANDBOX = "io.kubernetes.sandbox.id"
LABEL_LOG_PATH = "io.kubernetes.container.logpath"
SANDBOX, CONTAINER = "podsandbox", "container"
RUNS = ("running", "paused", "restarting")
START_ERROR_CODE = 128
NAME_MOST = 200
NAME_KEPT = NAME_MOST - 17
PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}
NO_LOGS = {"Type": "none", "Config": {}}


def name(part: str, sandbox: SandboxSpec, attempt: int, *, parent: str = "") -> str:
    """`k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`, as Kubernetes names them; the pod's is called POD. A name too long is cut, with its hash.
    parent: of a container, its sandbox' attempt, so that a new sandbox may have the same tries."""
    whole = "_".join(filter(None, (*_stem(part, sandbox), parent, str(attempt))))
    if len(whole) <= NAME_MOST:
        return whole
    return f"{whole[:NAME_KEPT]}_{hashlib.blake2s(whole.encode(), digest_size=8).hexdigest()}"


def _stem(part: str, sandbox: SandboxSpec) -> tuple[str, ...]:
    return "k8s", part, sandbox.name, sandbox.namespace, sandbox.uid


def made_here(name: str, told: dict[str, str] | None, cluster: str) -> bool:
    """Has it this cluster's id, and the name that goes with its labels? The name counts too, since what somebody runs from an image that
    was committed from one of ours has inherited all labels."""
    if told is None or told.get(LABEL_CLUSTER) != cluster:
        return False
    part = "POD" if told.get(LABEL_TYPE) == SANDBOX else told.get(LABEL_CONTAINER, "")
    return name.lstrip("/").startswith("_".join((*_stem(part, sandbox_spec(told)), ""))[:NAME_KEPT])


def sandbox_config(spec: SandboxSpec, *, cluster: str, image: str) -> Document:
    own = {LABEL_TYPE: SANDBOX, LABEL_ATTEMPT: str(spec.attempt), **labels.notes(spec)}
    config: Document = {
        "Image": image,
        "Labels": {**labels.of_sandbox(spec, cluster), **own},
        "HostConfig": {
            "NetworkMode": "host" if spec.host_network else "none",
            "IpcMode": "host" if spec.host_ipc else "shareable",
            "LogConfig": NO_LOGS,
            "RestartPolicy": {"Name": "no"},
            **({"CgroupParent": spec.cgroup_parent} if spec.cgroup_parent else {}),
            **({"Runtime": spec.handler} if spec.handler else {}),
            **({"UTSMode": "host"} if spec.host_network else {}),
            **({"PidMode": "host"} if spec.host_pid else {}),
            **({"Sysctls": spec.sysctls} if spec.sysctls else {}),
            **_dns(spec),
        },
    }
    if not spec.host_network:
        config["Hostname"] = spec.hostname
    return config


def _dns(spec: SandboxSpec) -> Document:
    if spec.dns is None:
        return {}
    return {"Dns": list(spec.dns.servers), "DnsSearch": list(spec.dns.searches), "DnsOptions": list(spec.dns.options)}


class HostLimits(msgspec.Struct, frozen=True):
    """What holds for all containers of a host. log_bytes, log_files: Docker keeps so many files of so many bytes each."""

    least_oom_score_adj: int = -1000
    log_bytes: int = 10 << 20
    log_files: int = 5


def container_config(spec: ContainerSpec, sandbox: SandboxSpec, *, cluster: str, sandbox_id: str, host: HostLimits) -> Document:
    log_path = f"{sandbox.log_directory}/{spec.log_path}" if spec.log_path else ""
    own = {LABEL_TYPE: CONTAINER, LABEL_SANDBOX: sandbox_id, LABEL_LOG_PATH: log_path}
    config: Document = {
        "Image": spec.image,
        "Labels": {**labels.of_container(spec, sandbox, cluster), **own},
        "Env": [f"{key}={value}" for key, value in spec.env],
        "WorkingDir": spec.working_dir,
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin_once,
        "User": user(spec),
        "HostConfig": _host_config(spec, sandbox, sandbox_id=sandbox_id, host=host),
    }
    if spec.command:  # Docker then leaves the image's own arguments out, as Kubernetes wants it
        config["Entrypoint"] = list(spec.command)
    if spec.args:
        config["Cmd"] = list(spec.args)
    return config


def _mount(mount: Mount) -> Document:
    """Without a propagation Docker makes it private, unless its own folder is below, as below the host's root: that must be a slave."""
    made: Document = {"Type": "bind", "Source": mount.host_path, "Target": mount.container_path, "ReadOnly": mount.read_only}
    if propagation := PROPAGATION.get(mount.propagation):
        made["BindOptions"] = {"Propagation": propagation}
    return made


def _host_config(spec: ContainerSpec, sandbox: SandboxSpec, *, sandbox_id: str, host: HostLimits) -> Document:
    resources = spec.resources
    config: Document = {
        "NetworkMode": f"container:{sandbox_id}",
        "IpcMode": "host" if sandbox.host_ipc else f"container:{sandbox_id}",
        "LogConfig": {"Type": "json-file", "Config": {"max-size": str(host.log_bytes), "max-file": str(host.log_files)}},
        "RestartPolicy": {"Name": "no"},
        **_security(spec.security),
        "CpuShares": labels.cpu_shares(resources.cpu_request_milli),
        "OomScoreAdj": max(resources.oom_score_adj, host.least_oom_score_adj),
        "Mounts": [_mount(mount) for mount in spec.mounts],
    }
    if spec.devices:
        config["Devices"] = [{"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in spec.devices]
    if resources.cpu_milli:
        config |= {"CpuPeriod": labels.CPU_PERIOD_US, "CpuQuota": labels.cpu_quota(resources.cpu_milli)}
    if resources.memory_bytes:
        config |= {"Memory": resources.memory_bytes, "MemorySwap": resources.memory_bytes}
    if sandbox.cgroup_parent:
        config["CgroupParent"] = sandbox.cgroup_parent
    if sandbox.handler:
        config["Runtime"] = sandbox.handler
    if sandbox.host_network:
        config["UTSMode"] = "host"
    if sandbox.host_pid:
        config["PidMode"] = "host"
    elif sandbox.share_processes or spec.pid_of:
        config["PidMode"] = f"container:{sandbox_id if sandbox.share_processes else spec.pid_of}"
    return config


def _security(asked: Security) -> Document:
    """Raises ValueError for a seccomp profile that cannot be read: Docker wants its text."""
    options = ["no-new-privileges:true"] if asked.no_new_privileges else []
    if asked.seccomp == "Unconfined":
        options.append("seccomp=unconfined")
    elif asked.seccomp.startswith("/"):
        try:
            options.append(f"seccomp={Path(asked.seccomp).read_text()}")
        except OSError as error:
            raise ValueError(f'cannot load seccomp profile "{asked.seccomp}": {error.strerror}') from None
    config: Document = {
        "Privileged": asked.privileged, "ReadonlyRootfs": asked.read_only_root, "CapAdd": list(asked.add), "CapDrop": list(asked.drop),
        "GroupAdd": [str(group) for group in asked.groups], "SecurityOpt": options,
    }  # fmt: skip
    if asked.unmasked:
        config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    return config


def user(spec: ContainerSpec) -> str:
    """Raises ValueError for a group without a user, which the kubelet refuses too."""
    asked = spec.security
    if asked.user is None:
        if asked.group is not None:
            raise ValueError("runAsGroup specified without runAsUser")
        return ""
    return f"{asked.user}:{asked.group}" if asked.group is not None else str(asked.user)


def sandbox_spec(told: dict[str, str]) -> SandboxSpec:
    """Enough of it to make containers, from the labels."""
    return labels.recall(
        told,
        namespace=told.get(labels.LABEL_POD_NAMESPACE, ""),
        name=told.get(labels.LABEL_POD_NAME, ""),
        uid=told.get(labels.LABEL_POD_UID, ""),
        attempt=number(told.get(LABEL_ATTEMPT, "")),
    )


def number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def observed(document: Document, *, image: str, image_id: str) -> ObservedContainer:
    """A container from its inspection."""
    told, state = document["Config"]["Labels"] or {}, document["State"]
    values: Document = {
        "id": document["Id"], "name": told.get(LABEL_CONTAINER, ""), "attempt": number(told.get(LABEL_ATTEMPT, "")),
        "image": image, "image_id": image_id, "created_at": seconds(document.get("Created", "")), "devices": labels.devices(told),
    }  # fmt: skip
    started, finished = seconds(state.get("StartedAt", "")), seconds(state.get("FinishedAt", ""))
    if state["Status"] in RUNS:
        return ObservedContainer(**values, state=State.RUNNING, started_at=started)
    if state["Status"] == "created":
        if not state.get("Error"):
            return ObservedContainer(**values, state=State.CREATED)
        # Docker calls what could not be started "created" still.
        return ObservedContainer(
            **values, state=State.EXITED, exit_code=START_ERROR_CODE, reason="StartError", message=state["Error"],
            finished_at=finished or values["created_at"],
        )  # fmt: skip
    code = int(state.get("ExitCode", 0))
    reason = "OOMKilled" if state.get("OOMKilled") else "Error" if code else "Completed"
    return ObservedContainer(
        **values, state=State.EXITED, exit_code=code, reason=reason, message=state.get("Error", ""),
        started_at=started, finished_at=finished,
    )  # fmt: skip


def seconds(text: str) -> float | None:
    """None for Docker's "never", the year 1."""
    return None if not text or text.startswith("0001-") else parse_rfc3339(text)
