"""What a pod's and a container's securityContext ask for, as the runtime is told, and what the agent itself refuses.

Owns the merging of the two (the container's word before the pod's), the groups of a container's processes, and two checks that no
API server can make: that an image does not run as root under `runAsNonRoot`, and that only those sysctls are set that are the pod's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.lifecycle.life import Waiting
from agent.runtime import contract
from common.objects import pod as pods

SAFE_SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
)  # fmt: skip
"""Those that the kernel keeps per namespace and that harm nobody else, as Kubernetes lists them."""
CONFIG_ERROR = "CreateContainerConfigError"


def merged(pod: pods.Pod, container: pods.Container) -> Mapping:
    return {**(pod.spec.security_context or {}), **(container.security_context or {})}


def of(pod: pods.Pod, container: pods.Container, *, profile_root: str) -> contract.Security:
    asked = merged(pod, container)
    capabilities = asked.get("capabilities") or {}
    privileged = bool(asked.get("privileged"))
    return contract.Security(
        privileged=privileged,
        read_only_root=bool(asked.get("readOnlyRootFilesystem")),
        user=_integer(asked.get("runAsUser")),
        group=_integer(asked.get("runAsGroup")),
        groups=_groups(pod),
        add=tuple(_capability(name) for name in capabilities.get("add") or ()),
        drop=tuple(_capability(name) for name in capabilities.get("drop") or ()),
        no_new_privileges=asked.get("allowPrivilegeEscalation") is False and not privileged,
        seccomp=_seccomp(asked.get("seccompProfile") or {}, profile_root),
        unmasked=asked.get("procMount") == "Unmasked",
    )


def _groups(pod: pods.Pod) -> tuple[int, ...]:
    asked = pod.spec.security_context or {}
    groups = [*(asked.get("supplementalGroups") or ()), *([asked["fsGroup"]] if asked.get("fsGroup") is not None else ())]
    return tuple(dict.fromkeys(group for group in groups if _integer(group) is not None))


def fs_group(pod: pods.Pod) -> int | None:
    """The group that the pod's own volumes belong to."""
    return _integer((pod.spec.security_context or {}).get("fsGroup"))


def common_user(pod: pods.Pod) -> int | None:
    """The one user that all its containers are said to run as: the pod's token is that user's."""
    users = {_integer(merged(pod, container).get("runAsUser")) for container in pod.spec.init_containers + pod.spec.containers}
    return users.pop() if len(users) == 1 else None


def _capability(name: object) -> str:
    return str(name).upper().removeprefix("CAP_")


def _seccomp(profile: Mapping, root: str) -> str:
    """"", RuntimeDefault, Unconfined, or the path of a profile on the host."""
    kind = str(profile.get("type") or "")
    return f"{root}/{profile.get('localhostProfile', '')}" if kind == "Localhost" else kind


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def root_trouble(pod: pods.Pod, container: pods.Container, image_user: str) -> Waiting | None:
    """Why the container may not run under `runAsNonRoot`. image_user: as the image says it, "" for none."""
    asked, meta = merged(pod, container), pod.metadata
    if not asked.get("runAsNonRoot"):
        return None
    who = f'(pod: "{meta.name}_{meta.namespace}({meta.uid})", container: {container.name})'
    user = _integer(asked.get("runAsUser"))
    if user is not None:
        return Waiting(CONFIG_ERROR, f"container's runAsUser breaks non-root policy {who}") if user == 0 else None
    if image_user in ("", "0"):
        return Waiting(CONFIG_ERROR, f"container has runAsNonRoot and image will run as root {who}")
    if not image_user.isdecimal():
        words = f"container has runAsNonRoot and image has non-numeric user ({image_user}), cannot verify user is non-root {who}"
        return Waiting(CONFIG_ERROR, words)
    return None


def sysctls(pod: pods.Pod) -> dict[str, str]:
    asked = (pod.spec.security_context or {}).get("sysctls") or ()
    return {str(each.get("name", "")).replace("/", "."): str(each.get("value", "")) for each in asked}


def forbidden_sysctl(pod: pods.Pod) -> Waiting | None:
    """Why the pod is not run at all, as `pod.status.reason` and `message`."""
    for name in sysctls(pod):
        if name not in SAFE_SYSCTLS:
            return Waiting("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')
        if pod.spec.host_network and name.startswith("net."):
            return Waiting("SysctlForbidden", f'forbidden sysctl: "{name}" not allowed with host net enabled')
        if pod.spec.host_ipc and name.startswith("kernel.shm"):
            return Waiting("SysctlForbidden", f'forbidden sysctl: "{name}" not allowed with host ipc enabled')
    return None
