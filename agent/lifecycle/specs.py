"""From the pod's document to what a runtime is asked for: sandbox and container specs, limits, paths.

Owns Kubernetes' numbers: CPU shares and quota come from milli-cores (the runtime adapter does that last conversion), the
OOM score from the quality of service, log paths `NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.lifecycle import environment, names, security, volumes
from agent.lifecycle.environment import expand
from agent.lifecycle.life import Host
from agent.runtime import contract
from common.objects import pod as pods
from common.objects import quantity

ETC_HOSTS = "/etc/hosts"
OOM_GUARANTEED = -997
OOM_BEST_EFFORT = 1000


def log_directory(pod: pods.Pod, log_root: str) -> str:
    meta = pod.metadata
    return f"{log_root}/{meta.namespace}_{meta.name}_{meta.uid}"


def log_path(container: str, attempt: int) -> str:
    """Relative to `log_directory`."""
    return f"{container}/{attempt}.log"


def last_words(volume_root: str, pod: pods.Pod, container: str, attempt: int) -> str:
    """The host's file for that try's termination message."""
    return f"{volume_root}/{pod.metadata.uid}/containers/{container}/{attempt}"


def runtime_class(pod: pods.Pod) -> environment.Key | None:
    """The RuntimeClass that it names, as it is known among the configs."""
    return ("RuntimeClass", "", pod.spec.runtime_class_name) if pod.spec.runtime_class_name else None


def handler(pod: pods.Pod, host: Host) -> str | None:
    """What the runtime calls that class; "" without one. None: it is not known (yet). Raises LookupError: there is none of that name."""
    key = runtime_class(pod)
    if key is None:
        return ""
    if key not in host.configs:
        return None
    found = host.configs[key]
    if found is None:
        raise LookupError(f'failed to get sandbox runtime: runtimeclass.node.k8s.io "{key[2]}" not found')
    return str(found.get("handler", ""))


def sandbox(pod: pods.Pod, attempt: int, host: Host, *, handler: str = "") -> contract.SandboxSpec:
    meta = pod.metadata
    return contract.SandboxSpec(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        attempt=attempt,
        hostname=names.hostname(pod),
        dns=names.dns(pod, host),
        log_directory=log_directory(pod, host.log_root),
        cgroup_parent=f"{host.cgroup_root}/pod{meta.uid}" if host.cgroup_root else "",
        host_network=pod.spec.host_network,
        host_pid=pod.spec.host_pid,
        host_ipc=pod.spec.host_ipc,
        share_processes=pod.spec.share_process_namespace,
        sysctls=security.sysctls(pod),
        handler=handler,
        labels=dict(meta.labels),
        annotations=dict(meta.annotations),
    )


def container(
    pod: pods.Pod, container: pods.Container, *, attempt: int, image: str, env: Mapping[str, str], ip: str, host: Host,
    parts: volumes.SubPaths = {},
) -> contract.ContainerSpec:  # fmt: skip
    files = tuple(_files(pod, container, attempt=attempt, ip=ip, host=host))
    return contract.ContainerSpec(
        name=container.name,
        attempt=attempt,
        image=image,
        command=tuple(expand(word, env) for word in container.command),
        args=tuple(expand(word, env) for word in container.args),
        env=tuple(env.items()),
        working_dir=container.working_dir,
        log_path=log_path(container.name, attempt),
        resources=limits(pod, container, host),
        extended={name: quantity.value(amount) for name, amount in container.resources.limits.items() if quantity.is_extended(name)},
        tty=container.tty,
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        security=security.of(pod, container, profile_root=host.profile_root),
        mounts=(*volumes.mounts(pod, container, host, parts), *(contract.Mount(file.path, where) for file, where in files)),
        files=tuple(file for file, _ in files),
        subpaths=tuple(parts.values()),
    )


def _files(pod: pods.Pod, container: pods.Container, *, attempt: int, ip: str, host: Host) -> Iterator[tuple[contract.HostFile, str]]:
    """The files that are made for a container, and where it sees them."""
    taken = {mount.mount_path for mount in container.volume_mounts}
    hosts = names.hosts_file(pod, ip=ip, host=host)
    if hosts is not None and ETC_HOSTS not in taken:
        yield contract.HostFile(f"{host.volume_root}/{pod.metadata.uid}/etc-hosts", 0o644, hosts), ETC_HOSTS
    words = container.termination_message_path
    if words and words not in taken:
        yield contract.HostFile(last_words(host.volume_root, pod, container.name, attempt), 0o666), words


def limits(pod: pods.Pod, container: pods.Container, host: Host) -> contract.ResourceLimits:
    """A missing request is the limit, as in Kubernetes."""
    asked = {**container.resources.limits, **container.resources.requests}
    return contract.ResourceLimits(
        cpu_milli=quantity.milli(container.resources.limits.get("cpu", 0)),
        memory_bytes=quantity.value(container.resources.limits.get("memory", 0)),
        cpu_request_milli=quantity.milli(asked.get("cpu", 0)),
        memory_request_bytes=quantity.value(asked.get("memory", 0)),
        oom_score_adj=oom_score_adj(pod, quantity.value(asked.get("memory", 0)), host.memory_bytes),
    )


def oom_score_adj(pod: pods.Pod, request_bytes: int, node_bytes: int) -> int:
    """As the kubelet computes it: the more of the node's memory was asked for, the less likely to be killed."""
    quality = qos(pod)
    if quality == "Guaranteed":
        return OOM_GUARANTEED
    if quality == "BestEffort" or node_bytes <= 0:
        return OOM_BEST_EFFORT
    share = OOM_BEST_EFFORT - 1000 * request_bytes // node_bytes
    return max(1000 + OOM_GUARANTEED, min(share, OOM_BEST_EFFORT - 1))


def qos(pod: pods.Pod) -> str:
    """Guaranteed when every container's limits and requests for CPU and memory are given and equal; BestEffort when none is."""
    if pod.status.qos_class:
        return pod.status.qos_class
    none, guaranteed = True, True
    for each in pod.spec.containers + pod.spec.init_containers:
        for resource in ("cpu", "memory"):
            stated = each.resources.limits.get(resource, 0)
            limit = quantity.of(resource, stated)
            request = quantity.of(resource, each.resources.requests.get(resource, stated))
            none = none and not limit and not request
            guaranteed = guaranteed and limit > 0 and limit == request
    return "BestEffort" if none else "Guaranteed" if guaranteed else "Burstable"
