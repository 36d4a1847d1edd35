"""Between our specs and the CRI's messages. Pure conversion.

Owns what the kubelet would set by default: namespaces and masked paths. The CRI stubs are the published
ones of `container-runtime-interface-api`, version v1.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from cri_api.v1 import api_pb2 as cri

from agent.images import reference
from agent.images.collection import StoredImage
from agent.images.keyring import Credential
from agent.runtime import labels
from agent.runtime.contract import (
    LABEL_POD_UID,
    ContainerSpec,
    ContainerStats,
    LocalImage,
    ObservedContainer,
    ResourceLimits,
    RuntimeInfo,
    SandboxSpec,
    State,
)  # fmt: skip

MASKED_PATHS = (
    "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
)  # fmt: skip
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
PROPAGATION = {"HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER, "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL}
REGISTRY_FOLDER = "/etc/containerd/certs.d"
SECCOMP = {"RuntimeDefault": cri.SecurityProfile.RuntimeDefault, "Unconfined": cri.SecurityProfile.Unconfined}
STATES = {cri.CONTAINER_CREATED: State.CREATED, cri.CONTAINER_RUNNING: State.RUNNING, cri.CONTAINER_EXITED: State.EXITED}


def namespaces(spec: SandboxSpec, *, pid_of: str = "") -> cri.NamespaceOption:
    """Of the sandbox, or of one of its containers: pid_of is another, whose processes it sees."""
    pid = cri.NODE if spec.host_pid else cri.POD if spec.share_processes else cri.TARGET if pid_of else cri.CONTAINER
    return cri.NamespaceOption(
        network=cri.NODE if spec.host_network else cri.POD,
        pid=pid,
        ipc=cri.NODE if spec.host_ipc else cri.POD,
        target_id=pid_of if pid == cri.TARGET else "",
    )


def sandbox_config(spec: SandboxSpec, cluster: str) -> cri.PodSandboxConfig:
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=spec.name, uid=spec.uid, namespace=spec.namespace, attempt=spec.attempt),
        # A pod in the host's network has the host's name.
        hostname="" if spec.host_network else spec.hostname,
        log_directory=spec.log_directory,
        dns_config=None if spec.dns is None else cri.DNSConfig(**msgspec.structs.asdict(spec.dns)),
        labels=labels.of_sandbox(spec, cluster),
        annotations=dict(spec.annotations),
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=spec.cgroup_parent,
            security_context=cri.LinuxSandboxSecurityContext(namespace_options=namespaces(spec)),
            sysctls=spec.sysctls,
        ),
    )


def container_config(spec: ContainerSpec, sandbox: SandboxSpec, cluster: str) -> cri.ContainerConfig:
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=spec.name, attempt=spec.attempt),
        image=cri.ImageSpec(image=spec.image),
        command=list(spec.command),
        args=list(spec.args),
        working_dir=spec.working_dir,
        envs=[cri.KeyValue(key=key, value=value) for key, value in spec.env],
        labels=labels.of_container(spec, sandbox, cluster),
        mounts=[
            cri.Mount(
                container_path=mount.container_path, host_path=mount.host_path, readonly=mount.read_only,
                propagation=PROPAGATION.get(mount.propagation, cri.PROPAGATION_PRIVATE),
            )
            for mount in spec.mounts
        ],
        devices=[cri.Device(container_path=path, host_path=path, permissions="rwm") for path in spec.devices],
        log_path=spec.log_path,
        tty=spec.tty,
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        linux=cri.LinuxContainerConfig(resources=limits(spec.resources), security_context=security(spec, sandbox)),
    )


def limits(resources: ResourceLimits) -> cri.LinuxContainerResources:
    return cri.LinuxContainerResources(
        cpu_period=labels.CPU_PERIOD_US,
        cpu_quota=labels.cpu_quota(resources.cpu_milli),
        cpu_shares=labels.cpu_shares(resources.cpu_request_milli),
        memory_limit_in_bytes=resources.memory_bytes,
        oom_score_adj=resources.oom_score_adj,
    )


def security(spec: ContainerSpec, sandbox: SandboxSpec) -> cri.LinuxContainerSecurityContext:
    asked = spec.security
    context = cri.LinuxContainerSecurityContext(
        namespace_options=namespaces(sandbox, pid_of=spec.pid_of),
        privileged=asked.privileged,
        readonly_rootfs=asked.read_only_root,
        supplemental_groups=asked.groups,
        capabilities=cri.Capability(add_capabilities=asked.add, drop_capabilities=asked.drop),
        no_new_privs=asked.no_new_privileges,
    )
    if not asked.privileged and not asked.unmasked:
        context.masked_paths.extend(MASKED_PATHS)
        context.readonly_paths.extend(READONLY_PATHS)
    if asked.user is not None:
        context.run_as_user.value = asked.user
    if asked.group is not None:
        context.run_as_group.value = asked.group
    if asked.seccomp:
        kind = SECCOMP.get(asked.seccomp, cri.SecurityProfile.Localhost)
        ref = asked.seccomp if kind == cri.SecurityProfile.Localhost else ""
        context.seccomp.CopyFrom(cri.SecurityProfile(profile_type=kind, localhost_ref=ref))
    return context


def image(found: cri.Image) -> LocalImage | None:
    if not found.id:
        return None
    return LocalImage(found.id, str(found.uid.value) if found.HasField("uid") else found.username, found.size)


def stored_image(found: cri.Image, *, used: Collection[str], own: str) -> StoredImage:
    """used: ids and names that containers have; own: what containerd makes sandboxes of."""
    tags, digests = reference.readable(found.repo_tags), reference.readable(found.repo_digests)
    names = {found.id, *found.repo_tags, *found.repo_digests}
    own_too = bool(own) and reference.readable([own]) in [[tag] for tag in tags]
    return StoredImage(
        found.id, tuple(tags), tuple(digests), found.size, used=not names.isdisjoint(used), pinned=found.pinned or own_too
    )


def auth(credential: Credential | None) -> cri.AuthConfig | None:
    if credential is None:
        return None
    return cri.AuthConfig(
        username=credential.username, password=credential.password, server_address=credential.server,
        identity_token=credential.identity_token,
    )  # fmt: skip


def settings(status: cri.StatusResponse) -> dict:
    """containerd's own of the CRI, as its verbose status tells them."""
    try:
        return msgspec.json.decode(status.info.get("config", "{}"), type=dict)
    except msgspec.DecodeError:
        return {}


def registry_folder(status: cri.StatusResponse) -> str:
    """Where containerd looks for registries' hosts.toml, "" if nowhere. From version 2 on it does not say, and looks here by itself."""
    registry = settings(status).get("registry")
    return str(registry.get("configPath") or "") if isinstance(registry, dict) else REGISTRY_FOLDER


def ended(status: cri.ContainerStatus) -> ObservedContainer:
    """A container from its full status."""
    return ObservedContainer(
        id=status.id,
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        state=STATES.get(status.state, State.EXITED),
        image=status.image.image,
        image_id=status.image_ref,
        created_at=seconds(status.created_at),
        started_at=seconds(status.started_at),
        finished_at=seconds(status.finished_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        devices=labels.devices(status.labels),
    )


def stats(item: cri.ContainerStats, started_at: float | None) -> ContainerStats | None:
    """None for one that does not run: it has no figures."""
    if not item.cpu.HasField("usage_core_nano_seconds") or not item.memory.HasField("working_set_bytes"):
        return None
    return ContainerStats(
        id=item.attributes.id,
        uid=item.attributes.labels.get(LABEL_POD_UID, ""),
        name=item.attributes.metadata.name,
        cpu_ns=item.cpu.usage_core_nano_seconds.value,
        memory_bytes=item.memory.working_set_bytes.value,
        started_at=started_at,
        at=seconds(item.cpu.timestamp),
        written_bytes=item.writable_layer.used_bytes.value if item.writable_layer.HasField("used_bytes") else None,
    )


def seconds(nanoseconds: int) -> float | None:
    return nanoseconds / 1e9 if nanoseconds > 0 else None


def info(version: cri.VersionResponse, status: cri.StatusResponse) -> RuntimeInfo:
    """Ready when both of the runtime's conditions are true; the message in the kubelet's words."""
    words = []
    for condition in status.status.conditions:
        if not condition.status:
            network = " network" if condition.type == "NetworkReady" else ""
            words.append(
                f"container runtime{network} not ready: {condition.type}=false reason:{condition.reason} message:{condition.message}"
            )
    return RuntimeInfo(version.runtime_name, version.runtime_version.removeprefix("v"), not words, "; ".join(words))
