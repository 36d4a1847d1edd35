"""The watches: what the store says, brought into the index, the key ring and the liveness table.

Owns the reading side of dispatch and nothing else: it writes no object and sends no message. Whose holdings changed is said to
`touched`; a node that went, or came back under another key, to `ended`. `listed` is set once all resources were listed: before that
no session may open, since a Sync that lacks a pod would end that pod's containers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from common.aio.tasks import TaskGroup, supervise
from common.clock import Clock
from common.errors import Expired
from common.objects.pod import Pod
from master.api import pod_references
from master.api.contract import Actor, Door, EventType, Ref, Role, Stored
from master.api.pod_references import CLAIM
from master.dispatch import tokens
from master.dispatch.assignments import ConfigRef, held_pod
from master.dispatch.index import Index
from master.dispatch.keyring import KeyRing
from master.dispatch.liveness import Liveness
from master.dispatch.volumes import LocalVolumes

log = logging.getLogger(__name__)

READER = Actor("system:dispatch", Role.DISPATCH)
RUNTIME_CLASSES = pod_references.RESOURCES["RuntimeClass"]
WATCHED = ("nodes", "secrets", "configmaps", RUNTIME_CLASSES, "persistentvolumeclaims", "persistentvolumes", "pods")

Take = Callable[[str, Stored | None], None]
Keys = Callable[[], Iterable[str]]


class Following:
    """touched(node): what it should hold changed. ended(node, why): its session may not go on. readdressed(node): its
    address or pod range changed."""

    def __init__(
        self, door: Door, clock: Clock, *, index: Index, ring: KeyRing, liveness: Liveness, volumes: LocalVolumes,
        touched: Callable[[str], None], ended: Callable[[str, str], None], readdressed: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._door = door
        self._clock = clock
        self._index = index
        self._ring = ring
        self._volumes = volumes
        self._liveness = liveness
        self._touched = touched
        self._ended = ended
        self._readdressed = readdressed
        self._unlisted = dict.fromkeys(WATCHED)
        self.listed = asyncio.Event()
        self._takers: dict[str, tuple[Take, Keys]] = {
            "nodes": (self.take_node, lambda: [Ref("nodes", name).key for name in index.node_names()]),
            "secrets": (self._take_secret, lambda: [tokens.ref(identifier).key for identifier in ring.token_ids()]),
            "configmaps": (partial(self._take_config, "ConfigMap"), lambda: ()),
            RUNTIME_CLASSES: (partial(self._take_config, "RuntimeClass"), lambda: ()),
            "persistentvolumeclaims": (partial(self._take_config, CLAIM), lambda: ()),
            "persistentvolumes": (self._take_volume, lambda: [Ref("persistentvolumes", name).key for name in volumes.names()]),
            "pods": (self._take_pod, index.pod_keys),
        }

    def start(self, group: TaskGroup) -> None:
        for resource in WATCHED:
            name = f"dispatch-watch-{resource}"
            group.start(supervise(name, partial(self._follow, resource)), name=name)

    async def _follow(self, resource: str) -> None:
        take, known = self._takers[resource]
        while True:
            batches = self._door.watch(READER, resource, bookmarks=True, initial=True)
            seen: dict[str, None] | None = {}
            try:
                async for batch in batches:
                    for event in batch:
                        if event.type is not EventType.BOOKMARK:
                            if seen is not None:
                                seen[event.key] = None
                            self._take(take, event.key, None if event.type is EventType.DELETED else event.stored)
                        elif event.initial_end and seen is not None:
                            self._complete(resource, [key for key in known() if key not in seen], take)
                            seen = None
            except Expired:
                log.info("watch-expired resource=%s next=list", resource)
            finally:
                await batches.aclose()  # type: ignore[attr-defined]

    def _complete(self, resource: str, gone: list[str], take: Take) -> None:
        """A list is complete: what was known before and is not in it went while nobody watched."""
        for key in gone:
            take(key, None)
        self._unlisted.pop(resource, None)
        if not self._unlisted:
            self.listed.set()

    def _take(self, take: Take, key: str, stored: Stored | None) -> None:
        try:
            take(key, stored)
        except msgspec.ValidationError as error:
            log.error("object-unreadable key=%s why=%s", key, error)

    def _take_pod(self, key: str, stored: Stored | None) -> None:
        held = None
        if stored is not None:
            _, namespace, name = key.split("/", 2)
            held = held_pod(self._door.views.of(Pod, Ref("pods", name, namespace), stored), stored)
        for node in self._index.set_pod(key, held):
            self._touched(node)

    def _take_config(self, kind: str, key: str, stored: Stored | None) -> None:
        _, namespace, name = key.split("/", 2)
        for node in self._index.naming(ConfigRef(kind, namespace, name)):
            self._touched(node)

    def _take_volume(self, key: str, stored: Stored | None) -> None:
        if node := self._volumes.set(key, stored):
            self._touched(node)

    def _take_secret(self, key: str, stored: Stored | None) -> None:
        self._take_config("Secret", key, stored)
        _, namespace, name = key.split("/", 2)
        if namespace == tokens.NAMESPACE and name.startswith(tokens.PREFIX):
            self._ring.set_token(name.removeprefix(tokens.PREFIX), tokens.read(stored.value) if stored is not None else None)

    def take_node(self, key: str, stored: Stored | None) -> None:
        """Also called by the registrar for a Node it just made, ahead of the watch: a host that joined says hello at once."""
        name = key.rpartition("/")[2]
        old, new = self._index.set_node(name, stored)
        self._ring.set_node(name, new.public_key if new is not None else "")
        if new is None:
            self._liveness.forget(name)
            self._volumes.node_changed(name)
            self._ended(name, "its Node was deleted")
        else:
            self._liveness.track(name, self._clock.monotonic())
            if old is not None and (old.uid, old.public_key) != (new.uid, new.public_key):
                self._ended(name, "its Node or its key was replaced")
        if (old and (old.address, old.pod_cidr)) != (new and (new.address, new.pod_cidr)):
            self._readdressed(name)
