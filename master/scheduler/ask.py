"""What a pod asks of a node: a pod, reduced to the numbers and words that placement depends on.

Made once per pod from its typed view; the plugins read nothing else. Requests follow Kubernetes' rule for a pod's effective
request: the containers that run together (sidecars included), or the hungriest moment of initialisation, whichever is larger,
and the overhead on top (k8s.io/component-helpers `resource.PodRequests`).

Units: thousandths of a core for cpu, bytes for memory and ephemeral-storage, a count for the rest.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from common.objects import pod, quantity, storage
from common.objects.storage import PersistentVolume, StorageClass

UNASKED_CPU = 100
UNASKED_MEMORY = 200 * 1024 * 1024
"""What scores count for a container that requests nothing, so that such pods spread too (`NonZeroRequested`)."""

Requests = dict[str, int]


class OpenClaim(msgspec.Struct, frozen=True):
    """A claim that waits for its first pod. volumes: that fit it, the best first. storage_class: by which one can be made, None: cannot.
    selected: the node on which it is being made already; then nothing else counts."""

    name: str
    volumes: tuple[PersistentVolume, ...] = ()
    storage_class: StorageClass | None = None
    selected: str = ""


class Need(msgspec.Struct, frozen=True):
    """What a pod's claims ask of a node. trouble: why there is no node for it at all. affinities: the terms of each bound volume that
    has any. open: the claims that get their volume with the node. taken: a claim is for one pod alone, and another has it."""

    trouble: str = ""
    affinities: tuple[tuple[dict, ...], ...] = ()
    open: tuple[OpenClaim, ...] = ()
    taken: bool = False


class Ask(msgspec.Struct, frozen=True):
    """requests: by resource, with "pods": 1. scored: cpu and memory as scores count them. owner: uid of the controller, or
    "". ports: (protocol, host IP, port). revision: of the pod as read. claims: by name; need: what they ask for, looked up when the pod
    is decided on."""

    key: str
    name: str
    namespace: str
    uid: str
    requests: Requests
    scored: tuple[int, int]
    tolerations: tuple[pod.Toleration, ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    node_affinity: dict[str, Any] | None = None
    node_name: str = ""
    owner: str = ""
    ports: tuple[tuple[str, str, int], ...] = ()
    priority: int = 0
    revision: int = 0
    claims: tuple[str, ...] = ()
    need: Need | None = None


def of(item: pod.Pod) -> Ask:
    meta, spec = item.metadata, item.spec
    requests = requests_of(spec)
    owner = meta.controller
    containers = len(spec.containers)
    return Ask(
        key=f"pods/{meta.namespace}/{meta.name}", name=meta.name, namespace=meta.namespace, uid=meta.uid,
        requests=_shared_requests(tuple(requests.items())),
        scored=(requests.get("cpu") or UNASKED_CPU * containers, requests.get("memory") or UNASKED_MEMORY * containers),
        tolerations=_shared_tolerations(spec.tolerations), node_selector=tuple(sorted(spec.node_selector.items())),
        node_affinity=(spec.affinity or {}).get("nodeAffinity"), node_name=spec.node_name,
        owner="" if owner is None else owner.uid,
        ports=tuple(
            (port.protocol, port.host_ip or "0.0.0.0", port.host_port)
            for container in spec.containers for port in container.ports if port.host_port
        ),
        priority=spec.priority, revision=int(meta.resource_version or 0),
        claims=storage.claims_of(meta.name, spec.volumes) if spec.volumes else (),
    )  # fmt: skip


# Pods of one workload ask the same: what they ask is one object for all of them, or it would be half a kilobyte for each that stands.


@functools.lru_cache(maxsize=4096)
def _shared_tolerations(tolerations: tuple[pod.Toleration, ...]) -> tuple[pod.Toleration, ...]:
    return tolerations


@functools.lru_cache(maxsize=4096)
def _shared_requests(requests: tuple[tuple[str, int], ...]) -> Requests:
    """With the pod itself. Nobody changes it."""
    return {**dict(requests), "pods": 1}


def requests_of(spec: pod.PodSpec) -> Requests:
    """The pod's effective request."""
    running: Requests = {}
    for container in spec.containers:
        _add(running, _requests(container))
    sidecars: Requests = {}
    initial: Requests = {}
    for container in spec.init_containers:
        wanted = _requests(container)
        if container.restart_policy == "Always":
            _add(running, wanted)
            _add(sidecars, wanted)
            moment = dict(sidecars)
        else:
            moment = dict(sidecars)
            _add(moment, wanted)
        for resource, amount in moment.items():
            initial[resource] = max(initial.get(resource, 0), amount)
    total = {resource: max(running.get(resource, 0), initial.get(resource, 0)) for resource in {**running, **initial}}
    _add(total, {resource: quantity.of(resource, amount) for resource, amount in spec.overhead.items()})
    return total


def _requests(container: pod.Container) -> Requests:
    return {resource: quantity.of(resource, amount) for resource, amount in container.resources.requests.items()}


def _add(total: Requests, more: Requests) -> None:
    for resource, amount in more.items():
        total[resource] = total.get(resource, 0) + amount
