"""What nodes and pods use, as `metrics.k8s.io` shows it: for `kubectl top` and whoever scales by it.

Kept in memory and nowhere else: a node's newest figures replace those before, and are shown while they are fresh, that is for
FRESH_WINDOWS reports. Dispatch brings them and has made sure that a node speaks of its own pods only. Names, labels and what still exists
are looked up when somebody asks, so that a pod which is gone or was made anew has no figures of another.

Times are the master's: a host's clock may be wrong. Quantities are written as metrics-server writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from common.clock import Clock, rfc3339
from common.objects import node as nodes
from common.objects import pod as pods
from common.objects import quantity
from common.wire.messages import ContainerUse
from master.api.computed import Computed
from master.api.contract import Document, Ref, Views

NODES, PODS = "nodes.metrics.k8s.io", "pods.metrics.k8s.io"
API_VERSION = "metrics.k8s.io/v1beta1"
FRESH_WINDOWS = 3


class PodUsage(msgspec.Struct, frozen=True):
    """window_s: over how many seconds it was measured."""

    ref: Ref
    uid: str
    window_s: float
    containers: tuple[ContainerUse, ...]


class NodeUsage(msgspec.Struct, frozen=True):
    window_s: float
    cpu_nano: int
    memory_bytes: int
    pods: tuple[PodUsage, ...]


class _Heard(msgspec.Struct, frozen=True):
    """at: wall-clock seconds, for people; monotonic: for its age."""

    usage: NodeUsage
    at: float
    monotonic: float


class UsageBoard:
    """every_s: how often nodes report."""

    def __init__(self, clock: Clock, *, every_s: float) -> None:
        self._clock = clock
        self._fresh_s = every_s * FRESH_WINDOWS
        self._heard: dict[str, _Heard] = {}
        self._node_of: dict[Ref, str] = {}
        self.computed: dict[str, Computed] = {NODES: _Nodes(self), PODS: _Pods(self)}

    def take(self, node: str, usage: NodeUsage) -> None:
        self.drop(node)
        self._heard[node] = _Heard(usage, self._clock.now(), self._clock.monotonic())
        self._node_of.update(dict.fromkeys((pod.ref for pod in usage.pods), node))

    def drop(self, node: str) -> None:
        """The node is gone, or reports anew. Idempotent."""
        heard = self._heard.pop(node, None)
        for pod in heard.usage.pods if heard is not None else ():
            if self._node_of.get(pod.ref) == node:
                del self._node_of[pod.ref]

    def of_node(self, node: str) -> _Heard | None:
        heard = self._heard.get(node)
        return heard if heard is not None and self._clock.monotonic() - heard.monotonic <= self._fresh_s else None

    def of_pod(self, ref: Ref) -> tuple[_Heard, PodUsage] | None:
        heard = self.of_node(self._node_of.get(ref, ""))
        found = next((pod for pod in heard.usage.pods if pod.ref == ref), None) if heard is not None else None
        return None if heard is None or found is None else (heard, found)

    def fresh(self) -> Iterator[tuple[str, _Heard]]:
        """In the order of names."""
        for node in sorted(self._heard):
            heard = self.of_node(node)
            if heard is not None:
                yield node, heard


class _Nodes:
    def __init__(self, board: UsageBoard) -> None:
        self._board = board

    def get(self, views: Views, ref: Ref) -> Document | None:
        heard = self._board.of_node(ref.name)
        return None if heard is None else _of_node(views, ref.name, heard)

    def list(self, views: Views, namespace: str) -> Iterable[Document]:
        found = (_of_node(views, node, heard) for node, heard in self._board.fresh())
        return [document for document in found if document is not None]


class _Pods:
    def __init__(self, board: UsageBoard) -> None:
        self._board = board

    def get(self, views: Views, ref: Ref) -> Document | None:
        found = self._board.of_pod(Ref("pods", ref.name, ref.namespace))
        return None if found is None else _of_pod(views, *found)

    def list(self, views: Views, namespace: str) -> Iterable[Document]:
        heard = [(heard, pod) for _, heard in self._board.fresh() for pod in heard.usage.pods]
        wanted = [(one, pod) for one, pod in heard if not namespace or pod.ref.namespace == namespace]
        wanted.sort(key=lambda pair: (pair[1].ref.namespace, pair[1].ref.name))
        return [document for one, pod in wanted if (document := _of_pod(views, one, pod)) is not None]


def _of_node(views: Views, name: str, heard: _Heard) -> Document | None:
    node = views.get(nodes.Node, Ref("nodes", name))
    if node is None:
        return None
    usage = heard.usage
    return {
        "metadata": _metadata(heard, name, "", node.metadata.labels), "kind": "NodeMetrics", "apiVersion": API_VERSION,
        "timestamp": rfc3339(heard.at), "window": window(usage.window_s), "usage": _used(usage.cpu_nano, usage.memory_bytes),
    }  # fmt: skip


def _of_pod(views: Views, heard: _Heard, usage: PodUsage) -> Document | None:
    pod = views.get(pods.Pod, usage.ref)
    if pod is None or pod.metadata.uid != usage.uid:
        return None
    containers = [{"name": each.name, "usage": _used(each.cpu_nano, each.memory_bytes)} for each in usage.containers]
    return {
        "metadata": _metadata(heard, usage.ref.name, usage.ref.namespace, pod.metadata.labels), "kind": "PodMetrics",
        "apiVersion": API_VERSION, "timestamp": rfc3339(heard.at), "window": window(usage.window_s), "containers": containers,
    }  # fmt: skip


def _metadata(heard: _Heard, name: str, namespace: str, labels: dict[str, str]) -> Document:
    found: Document = {"name": name, "creationTimestamp": rfc3339(heard.at)}
    if namespace:
        found["namespace"] = namespace
    return {**found, "labels": dict(labels)} if labels else found


def _used(cpu_nano: int, memory_bytes: int) -> Document:
    return {"cpu": quantity.nano_text(max(0, cpu_nano)), "memory": quantity.kibibytes_text(max(0, memory_bytes))}


def window(seconds: float) -> str:
    """As Go writes a duration, to the millisecond: `15.012s`, `1m0.5s`."""
    minutes, rest = divmod(round(max(0.0, seconds), 3), 60)
    return f"{minutes:.0f}m{rest:.6g}s" if minutes else f"{rest:.6g}s"


