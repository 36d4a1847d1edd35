"""The controllers' one read view: the present state of the store, with the indexes that reconciles ask for.

Objects are always read through the door's `views`, from the store's memory, so they are current to the last acknowledged
write. The index holds only *which* objects belong together (by owner, by node, without a controller, not ready); it follows the
watch, and `note` adds at once what a controller itself has just written. Because each answer is read anew and checked
against the present object, a stale entry is harmless, and a reconcile always sees its own earlier writes: there is no
machinery of expectations.

Subtle: an index entry that is missing can only be of an object which another writer made a moment ago; its event is
on its way and wakes whoever asked.
"""

from __future__ import annotations

from typing import TypeVar

from common.objects import meta, node, pod
from master.api.catalog import Catalog
from master.api.contract import Ref, Stored, Views

V = TypeVar("V", bound=meta.View)
Bucket = tuple[str, ...]

UNREADY: Bucket = ("unready",)
ADOPTED = ("pods", "replicasets.apps")
"""Resources whose objects a controller may adopt by its selector."""


class ReadView:
    """What `reconcile` reads. Lists are ordered by key."""

    def __init__(self, views: Views, catalog: Catalog) -> None:
        self.catalog = catalog
        self._views = views
        self._members: dict[Bucket, dict[Ref, None]] = {}
        self._buckets: dict[Ref, tuple[Bucket, ...]] = {}

    def get(self, kind: type[V], ref: Ref) -> V | None:
        return self._views.get(kind, ref)

    def list(self, kind: type[V], resource: str, namespace: str = "") -> list[V]:
        return self._views.list(kind, resource, namespace)

    def current(self, ref: Ref) -> meta.View | None:
        """The object in its resource's own view, whatever it is."""
        resource = self.catalog.by_key(ref.resource)
        return None if resource is None else self._views.get(resource.view, ref)

    def stored(self, ref: Ref) -> Stored | None:
        """What stands at `ref` now, as it is kept in memory."""
        return None if self.catalog.by_key(ref.resource) is None else self._views.stored(ref)

    def of(self, ref: Ref, stored: Stored) -> meta.View:
        """A state of the object, in its resource's own view; in the least one when the resource is gone."""
        resource = self.catalog.by_key(ref.resource)
        return self._views.of(meta.Object if resource is None else resource.view, ref, stored)

    def owned(self, kind: type[V], resource: str, uid: str) -> list[V]:
        """Objects of a resource that name `uid` among their owners."""
        found = []
        for ref in sorted(self._members.get(("owner", uid), ())):
            if ref.resource == resource:
                item = self._views.get(kind, ref)
                if item is not None and _names_owner(item, uid):
                    found.append(item)
        return found

    def dependents(self, uid: str) -> list[tuple[Ref, meta.View]]:
        """Objects of every watched resource that name `uid` among their owners."""
        found = []
        for ref in sorted(self._members.get(("owner", uid), ())):
            item = self.current(ref)
            if item is not None and _names_owner(item, uid):
                found.append((ref, item))
        return found

    def loose(self, kind: type[V], resource: str, namespace: str) -> list[V]:
        """Objects that could be adopted: they have no controller."""
        found = []
        for ref in sorted(self._members.get(("loose", resource, namespace), ())):
            item = self._views.get(kind, ref)
            if item is not None and item.metadata.controller is None:  # type: ignore[attr-defined]
                found.append(item)
        return found

    def on_node(self, node: str) -> list[pod.Pod]:
        """Pods that are bound to a node, finished ones included."""
        found = []
        for ref in sorted(self._members.get(("node", node), ())):
            item = self._views.get(pod.Pod, ref)
            if item is not None and item.spec.node_name == node:
                found.append(item)
        return found

    def unready_nodes(self) -> list[Ref]:
        """The nodes that do not say of themselves that they are ready."""
        return sorted(self._members.get(UNREADY, ()))

    def note(self, ref: Ref) -> None:
        """Bring the index up to date with what stands at `ref` now. Idempotent."""
        self.index(ref, self.current(ref))

    def index(self, ref: Ref, item: meta.View | None) -> None:
        """The same, of what was just read there."""
        new = () if item is None else _buckets(ref, item)
        old = self._buckets.get(ref, ())
        if new == old:
            return
        for bucket in old:
            members = self._members[bucket]
            members.pop(ref, None)
            if not members:
                del self._members[bucket]
        for bucket in new:
            self._members.setdefault(bucket, {})[ref] = None
        if new:
            self._buckets[ref] = new
        else:
            self._buckets.pop(ref, None)


def _names_owner(item: meta.View, uid: str) -> bool:
    return any(owner.uid == uid for owner in item.metadata.owner_references)  # type: ignore[attr-defined]


def _buckets(ref: Ref, item: meta.View) -> tuple[Bucket, ...]:
    metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
    found: list[Bucket] = [("owner", owner.uid) for owner in metadata.owner_references]
    if ref.resource in ADOPTED and metadata.controller is None:
        found.append(("loose", ref.resource, ref.namespace))
    if isinstance(item, pod.Pod) and item.spec.node_name:
        found.append(("node", item.spec.node_name))
    if isinstance(item, node.Node) and not item.ready:
        found.append(UNREADY)
    return tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)
