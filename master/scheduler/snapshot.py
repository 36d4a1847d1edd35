"""What the scheduler knows: nodes, and the pods that stand on them, kept up to date change by change.

Owns the one `NodeTable`. A pod counts from the moment it is assumed (its binding has been decided and is being written) until it
is gone or finished. An assumption ends in one of two ways: the watch shows the pod bound, which replaces it, or the
binding failed, and `forget` takes it back. A pod on a node that is not known counts as soon as the node is.

Plain calls, no waiting: between reading the table and assuming what was decided nothing else can happen.
"""

from __future__ import annotations

from common.objects import node as nodes
from common.objects import pod, quantity
from master.scheduler import ask as asks
from master.scheduler.ask import Ask
from master.scheduler.table import NodeTable


class Snapshot:
    def __init__(self) -> None:
        self.table = NodeTable()
        self._standing: dict[str, tuple[str, Ask]] = {}
        self._on: dict[str, dict[str, Ask]] = {}
        self._seen: dict[str, nodes.Node] = {}

    def standing(self, key: str) -> str:
        """The node that a pod is counted on, or ""."""
        found = self._standing.get(key)
        return "" if found is None else found[0]

    # Nodes

    def set_node(self, node: nodes.Node) -> bool:
        """Take over a node as it is now; whether that may help a pod that found no place before."""
        name = node.metadata.name
        old = self._seen.get(name)
        self._seen[name] = node
        if old is not None and _same(old, node):
            return False
        table = self.table
        slot = table.slots.get(name)
        if slot is None:
            slot = table.take_slot(name)
            for ask in self._on.get(name, {}).values():
                table.place(ask, slot)
        table.ready[slot] = node.ready
        table.unschedulable[slot] = node.spec.unschedulable
        table.taint_class[slot] = self._taint_class(node)
        if old is None or old.metadata.labels != node.metadata.labels:
            table.labels[slot] = node.metadata.labels
            table.remembered.clear()
        offered = _offered(node)
        for resource in offered:
            if resource not in table.allocatable:
                table.allocatable[resource] = table.zeros()
        for resource, amounts in table.allocatable.items():
            amounts[slot] = offered.get(resource, 0)
        return old is None or _may_help(old, node)

    def _taint_class(self, node: nodes.Node) -> int:
        wanted = tuple((taint.key, taint.value, taint.effect) for taint in node.spec.taints)
        sets = self.table.taint_sets
        if wanted not in sets:
            sets.append(wanted)
        return sets.index(wanted)

    def remove_node(self, name: str) -> bool:
        self._seen.pop(name, None)
        if name not in self.table.slots:
            return False
        self.table.free_slot(name)
        return True

    # Pods

    def set_pod(self, key: str, item: pod.Pod) -> bool:
        """Take over a bound pod as it is now; whether room was freed."""
        if item.finished:
            return self.remove_pod(key)
        found = self._standing.get(key)
        if found is not None and found[0] == item.spec.node_name and found[1].uid == item.metadata.uid:
            return False
        freed = self.remove_pod(key)
        self._stand(asks.of(item), item.spec.node_name)
        return freed

    def remove_pod(self, key: str) -> bool:
        """The pod is gone or finished, or was never bound; whether it was counted."""
        found = self._standing.pop(key, None)
        if found is None:
            return False
        name, ask = found
        on = self._on[name]
        del on[key]
        if not on:
            del self._on[name]
        slot = self.table.slots.get(name)
        if slot is not None:
            self.table.place(ask, slot, -1)
        return True

    def assume(self, ask: Ask, node: str) -> None:
        """Count a pod whose binding is under way."""
        self.remove_pod(ask.key)
        self._stand(ask, node)

    def forget(self, ask: Ask) -> None:
        """Take an assumption back, unless the pod of that name is another one by now."""
        found = self._standing.get(ask.key)
        if found is not None and found[1] is ask:
            self.remove_pod(ask.key)

    def _stand(self, ask: Ask, node: str) -> None:
        self._standing[ask.key] = (node, ask)
        self._on.setdefault(node, {})[ask.key] = ask
        slot = self.table.slots.get(node)
        if slot is not None:
            self.table.place(ask, slot)


def _same(old: nodes.Node, new: nodes.Node) -> bool:
    """Nothing that placement depends on differs. Heartbeat-like changes of status are the common case."""
    return (
        old.ready == new.ready
        and old.spec.unschedulable == new.spec.unschedulable
        and old.spec.taints == new.spec.taints
        and old.status.allocatable == new.status.allocatable
        and old.status.capacity == new.status.capacity
        and old.metadata.labels == new.metadata.labels
    )


def _may_help(old: nodes.Node, new: nodes.Node) -> bool:
    """Whether it differs by more than having become unready or cordoned."""
    if new.spec.unschedulable and not old.spec.unschedulable:
        return False
    if old.ready and not new.ready:
        return False
    return not _same(old, new)


def _offered(node: nodes.Node) -> dict[str, int]:
    """Allocatable amounts. One that cannot be read is left out: nothing that asks for it goes there."""
    offered = {}
    for resource, text in (node.status.allocatable or node.status.capacity).items():
        try:
            offered[resource] = quantity.of(resource, text)
        except ValueError:
            continue
    return offered
