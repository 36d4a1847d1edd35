"""PersistentVolumes and the hosts: which volume a claim of a pod is, and the folders that a host is to remove.

    PersistentVolume of ours, being deleted ─► DropVolume to its node ─► VolumeGone ─► the finalizer goes, and with it the object

Owns the finalizer `steersman.io/local-path`. A volume that is to be retained is let go, and its folder stays. A volume whose Node is gone
has gone with it: nobody is left to ask, so it is let go. What lies in the store is the whole memory: a master or an agent that was
restarted is told, or asks, anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import msgspec

from common.aio.workqueue import WorkQueue
from common.errors import Conflict, NotFound, NotNow
from common.objects import storage
from common.objects.storage import CLAIMS, VOLUMES, PersistentVolume, PersistentVolumeClaim
from common.wire import messages
from master.api.contract import Door, PatchObject, Ref, Stored
from master.api.pod_references import ConfigRef
from master.dispatch.assignments import HeldConfig
from master.dispatch.index import Index
from master.dispatch.writer import ACTOR
from master.store.contract import Cause

log = logging.getLogger(__name__)

_volume = msgspec.json.Decoder(PersistentVolume)


def of_claim(door: Door, ref: ConfigRef) -> HeldConfig:
    """The volume that the claim is bound to; nothing while either side does not name the other, or the claim is on its way out."""
    claim = door.views.get(PersistentVolumeClaim, Ref(CLAIMS, ref.name, ref.namespace))
    if claim is None or not claim.bound:
        return HeldConfig()
    volume = Ref(VOLUMES, claim.spec.volume_name)
    seen = door.views.get(PersistentVolume, volume)
    if seen is None or not storage.names(seen, claim):
        return HeldConfig()
    try:
        stored = door.get(ACTOR, volume)
    except NotFound:
        return HeldConfig()
    return HeldConfig(stored.revision, stored.json())


class LocalVolumes:
    """The volumes that are to be removed by their hosts. Plain calls; `run()` until cancelled writes what came of it."""

    def __init__(self, door: Door, index: Index) -> None:
        self._door = door
        self._index = index
        self._leaving: dict[str, tuple[str, str]] = {}
        """Name to node and path; to no node, if its folder stays."""
        self._removed: dict[str, None] = {}
        self._queue: WorkQueue[str] = WorkQueue()

    @property
    def idle(self) -> bool:
        return self._queue.idle

    def set(self, key: str, stored: Stored | None) -> str:
        """A volume as it is now; the node that is to be told, or ""."""
        name = key.rpartition("/")[2]
        volume = _volume.decode(stored.value) if stored is not None else None
        # With another finalizer beside ours, somebody uses it still.
        if volume is None or volume.metadata.deletion_timestamp is None or volume.metadata.finalizers != (storage.LOCAL_PATH,):
            self._removed.pop(name, None)
            return self._leaving.pop(name, ("", ""))[0]
        node, path = volume.metadata.annotations.get(storage.NODE, ""), str((volume.spec.local or {}).get("path", ""))
        if volume.spec.persistent_volume_reclaim_policy != "Delete":
            node = ""
        self._leaving[name] = (node, path)
        self._queue.add(name)
        return node

    def names(self) -> Iterable[str]:
        return list(self._leaving)

    def of_node(self, node: str) -> Mapping[str, str]:
        return {name: path for name, (on, path) in self._leaving.items() if on == node}

    def node_changed(self, node: str) -> None:
        """It may be gone, and its volumes with it."""
        for name in self.of_node(node):
            self._queue.add(name)

    def removed(self, node: str, told: messages.VolumeGone) -> None:
        """What a node says of its own."""
        if self._leaving.get(told.name, ("", ""))[0] != node:
            return
        if told.error:
            log.error("volume-kept volume=%s node=%s why=%s", told.name, node, told.error)
            return
        self._removed[told.name] = None
        self._queue.add(told.name)

    async def run(self) -> None:
        """Not before all nodes are known."""
        try:
            while True:
                name = await self._queue.get()
                try:
                    await self._let_go(name)
                except (NotNow, Conflict) as error:
                    delay_s = self._queue.add_rate_limited(name)
                    log.warning("volume-waits volume=%s retry_s=%.3f why=%s", name, delay_s, error)
                finally:
                    self._queue.done(name)
        finally:
            self._queue.close()

    async def _let_go(self, name: str) -> None:
        node, _ = self._leaving.get(name, ("", ""))
        lost = self._index.node(node) is None
        if name not in self._leaving or not (name in self._removed or lost):
            return
        why = f"node {node} has removed its folder"
        if lost:
            why = f"node {node} is gone, and the folder with it" if node else "its policy is not Delete: the folder stays"
        ref = Ref(VOLUMES, name)
        volume = self._door.views.get(PersistentVolume, ref)
        if volume is None or volume.metadata.deletion_timestamp is None:
            return
        cause = Cause(ACTOR.name, "VolumeGone", why, int(volume.metadata.resource_version))
        left = [each for each in volume.metadata.finalizers if each != storage.LOCAL_PATH]
        patch = PatchObject(ref, {"metadata": {"finalizers": left or None}}, cause, uid=volume.metadata.uid)
        try:
            await self._door.perform(ACTOR, patch)
        except NotFound:
            return
        self._queue.forget(name)
        log.info("volume-gone volume=%s why=%r", name, why)
