"""What dispatch knows of the cluster, by node: kept as the watches bring it, so that an event touches one node only.

Owns three look-ups: the pods of a node, the nodes whose pods name a ConfigMap or Secret, and every node's address and pod range.
Reads nothing and sends nothing; each call says which nodes' holdings it changed. Everything in it can be made anew from the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from common.objects.node import Node
from common.wire.messages import Peer
from master.api.contract import Stored
from master.dispatch.assignments import ConfigRef, HeldPod

AGENT_KEY = "steersman.io/agent-key"
"""The annotation of a Node that carries its agent's CURVE public key."""


class KnownNode(msgspec.Struct, frozen=True):
    uid: str
    public_key: str
    address: str
    pod_cidr: str


_node = msgspec.json.Decoder(Node)


class Index:
    def __init__(self) -> None:
        self._pods: dict[str, HeldPod] = {}
        self._uid_at: dict[str, str] = {}
        self._by_node: dict[str, dict[str, HeldPod]] = {}
        self._naming: dict[ConfigRef, dict[str, str]] = {}
        self._nodes: dict[str, KnownNode] = {}

    # -- pods

    def set_pod(self, key: str, new: HeldPod | None) -> list[str]:
        """The pod at that store key, None when it is gone; the nodes whose holdings changed."""
        touched: dict[str, None] = {}
        old_uid = self._uid_at.get(key)
        if old_uid is not None and (new is None or new.uid != old_uid):
            touched[self._drop_pod(key, old_uid).node] = None
        if new is not None:
            before = self._pods.get(new.uid)
            if before is not None and before.digest == new.digest:
                # Only its status changed: nobody is told, but a new session shall start from the newest.
                self._pods[new.uid] = new
                if new.node:
                    self._by_node[new.node][new.uid] = new
                return [node for node in touched if node]
            if before is not None:
                touched[self._drop_pod(key, new.uid).node] = None
            self._add_pod(key, new)
            touched[new.node] = None
        return [node for node in touched if node]

    def _add_pod(self, key: str, pod: HeldPod) -> None:
        self._pods[pod.uid] = pod
        self._uid_at[key] = pod.uid
        if not pod.node:
            return
        self._by_node.setdefault(pod.node, {})[pod.uid] = pod
        for ref in pod.configs:
            self._naming.setdefault(ref, {})[pod.uid] = pod.node

    def _drop_pod(self, key: str, uid: str) -> HeldPod:
        pod = self._pods.pop(uid)
        del self._uid_at[key]
        if pod.node:
            of_node = self._by_node[pod.node]
            del of_node[uid]
            if not of_node:
                del self._by_node[pod.node]
            for ref in pod.configs:
                naming = self._naming[ref]
                del naming[uid]
                if not naming:
                    del self._naming[ref]
        return pod

    def pod(self, uid: str) -> HeldPod | None:
        return self._pods.get(uid)

    def pods_of(self, node: str) -> Mapping[str, HeldPod]:
        return self._by_node.get(node, {})

    def pod_keys(self) -> Iterable[str]:
        return list(self._uid_at)

    # -- configs

    def naming(self, ref: ConfigRef) -> list[str]:
        """The nodes that hold a pod which names it."""
        return list(dict.fromkeys(self._naming.get(ref, {}).values()))

    def configs_of(self, node: str) -> list[ConfigRef]:
        return list(dict.fromkeys(ref for pod in self.pods_of(node).values() for ref in pod.configs))

    # -- nodes

    def set_node(self, name: str, stored: Stored | None) -> tuple[KnownNode | None, KnownNode | None]:
        """The node as it was known before, and now."""
        old = self._nodes.pop(name, None)
        if stored is None:
            return old, None
        node = _node.decode(stored.value)
        new = KnownNode(
            node.metadata.uid, node.metadata.annotations.get(AGENT_KEY, ""), node.internal_ip, node.spec.pod_cidr
        )
        self._nodes[name] = new
        return old, new

    def node(self, name: str) -> KnownNode | None:
        return self._nodes.get(name)

    @property
    def node_count(self) -> int:
        return len(self._nodes)

    def node_names(self) -> list[str]:
        return list(self._nodes)

    def peers(self, *only: str) -> tuple[Peer, ...]:
        """The nodes of which an address is known, by name; all, or only those named."""
        known = [(name, self._nodes[name]) for name in sorted(only or self._nodes) if name in self._nodes]
        return tuple(Peer(name, node.address, node.pod_cidr) for name, node in known if node.address)
