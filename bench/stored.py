"""Pods of usual size, and a store full of them: what `api` is measured with.

A pod as a user writes it (one container with a probe, resources, a variable and a volume), and as it stands in the store once it runs:
defaulted, bound, with a status and with the owners of its fields, about 4 KB. The master's own code makes the first one of them; the others are
copies under other names. The store is filled through `SqliteStore`, as kmaster fills it, with nodes that only stand there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bench import load
from common.clock import SystemClock, SystemRng
from master.api import bootstrap
from master.api.contract import Actor, Ref, Role, WriteOptions
from master.api.door import ApiDoor
from master.store.contract import Cause
from master.store.sqlite import SqliteStore

USER = Actor("kubernetes-admin", Role.USER, ("system:masters",))
AGENTS = Actor("system:dispatch", Role.DISPATCH)
SCHEDULER = "nobody"
"""Of pods that are to be created and nothing else: no scheduler of this name exists."""
WRITERS = 500
MODEL = {"pod": "pod-of-the-model", "node": "node-of-the-model", "network": "203.0.113.0/24", "namespace": '"namespace":"default"'}
"""What is replaced in the copies."""
BY_BENCH = Cause("bench", "Request")
OFFER = {"cpu": "64", "memory": "256Gi", "pods": "250"}


def pod(name: str) -> bytes:
    """As a user writes it."""
    return msgspec.json.encode(_document(name))


def _document(name: str) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10}
    variables = [{"name": "LOG_LEVEL", "value": "info"}]
    container = {
        "name": "web", "image": "registry.example.com/team/web:1.27.3", "args": ["--listen=:8080", "--verbose"],
        "ports": [{"name": "http", "containerPort": 8080}], "env": variables, "readinessProbe": probe,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
    }  # fmt: skip
    labels = {"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": name, "tier": "frontend"}
    volumes = [{"name": "config", "configMap": {"name": "web-config"}}]
    spec = {"schedulerName": SCHEDULER, "containers": [container], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def _status() -> dict[str, Any]:
    then = "2026-01-02T03:04:05Z"
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": then}
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    container = {
        "name": "web", "ready": True, "started": True, "restartCount": 0, "image": "registry.example.com/team/web:1.27.3",
        "imageID": "registry.example.com/team/web@sha256:" + "0f" * 32, "containerID": "containerd://" + "a5" * 32,
        "state": {"running": {"startedAt": then}}, "lastState": {},
    }  # fmt: skip
    return {
        "phase": "Running", "conditions": conditions, "hostIP": "10.0.0.7", "podIP": "10.244.3.17", "podIPs": [{"ip": "10.244.3.17"}],
        "startTime": then, "containerStatuses": [container], "qosClass": "Burstable",
    }  # fmt: skip


def namespace(number: int) -> str:
    return f"stored-{number}"


class _Model:
    """The bytes of one object, to be copied under other names."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._uid = msgspec.json.decode(value)["metadata"]["uid"]

    def copy(self, rng: SystemRng, **others: str) -> bytes:
        """others: what stands there instead of what MODEL names."""
        copied = self._value.replace(self._uid.encode(), rng.uuid().encode())
        for known, other in others.items():
            copied = copied.replace(MODEL[known].encode(), other.encode())
        return copied


async def _modelled(store: SqliteStore, door: ApiDoor) -> tuple[_Model, _Model]:
    """A node and a pod on it, made through the door and taken away again."""
    conditions = [{"type": "Ready", "status": "True"}]
    network = {"podCIDR": MODEL["network"], "podCIDRs": [MODEL["network"]]}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": MODEL["node"]}, "spec": network}
    await door.create(AGENTS, "nodes", "", node)
    document = _document(MODEL["pod"])
    document["spec"]["nodeName"] = MODEL["node"]
    ref = Ref("pods", MODEL["pod"], "default")
    await door.create(USER, "pods", "default", document, WriteOptions(field_manager="kubectl-client-side-apply"))
    of_node = {"capacity": OFFER, "allocatable": OFFER, "conditions": conditions}
    for of, status in ((Ref("nodes", MODEL["node"]), of_node), (ref, _status())):
        present = door.get(USER, of).document()
        await door.update(USER, of, {**present, "status": status}, WriteOptions(field_manager="kagent"), subresource="status")
    node_record, pod_record = store.get(f"nodes//{MODEL['node']}"), store.get(ref.key)
    assert node_record is not None and pod_record is not None
    for record in (node_record, pod_record):
        await store.delete(record.key, BY_BENCH, expected=record.revision)
    return _Model(node_record.value), _Model(pod_record.value)


async def fill(path: Path, *, pods: int, nodes: int, each: int) -> float:
    """So many nodes and pods, `each` of them in a namespace; the bytes of a pod."""
    rng = SystemRng()
    store = SqliteStore(str(path), SystemClock())
    await store.open()
    try:
        door = ApiDoor(store, SystemClock(), rng)
        await bootstrap.ensure(door)
        node, model = await _modelled(store, door)
        for number in range(0, pods, each):
            name = namespace(number // each)
            await door.create(USER, "namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        sizes = []

        async def make_node(_: int, number: int) -> None:
            name, network = f"node-{number}", f"10.{128 + number // 256}.{number % 256}.0/24"
            await store.create(f"nodes//{name}", node.copy(rng, node=name, network=network), BY_BENCH)

        async def make_pod(_: int, number: int) -> None:
            place, name = namespace(number // each), f"web-{number:06}"
            value = model.copy(rng, pod=name, namespace=f'"namespace":"{place}"', node=f"node-{number % nodes}")
            sizes.append(len(value))
            await store.create(f"pods/{place}/{name}", value, BY_BENCH)

        await load.rate(WRITERS, nodes, make_node)
        await load.rate(WRITERS, pods, make_pod)
        return sum(sizes) / len(sizes)
    finally:
        await store.close()
