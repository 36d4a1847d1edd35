"""Claims and volumes as the scheduler needs them: looked up before a decision, written after it.

    need(views, ask)   what the pod's claims ask of a node, from the present state of the store
    Volumes.bind       for the claims that waited for this pod: a volume is given to each, or is asked for on the chosen node; then it waits
                       until the binder has bound them all, so that a pod with a node has its volumes

Owns the annotation `selected-node` of claims and `claimRef` of the volumes that it gives. Two pods that reach for one volume: the second
write fails, and its pod is looked at again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from common.errors import Conflict, NotFound, Timeout
from common.objects import node as nodes
from common.objects import pod as pods
from common.objects import storage
from common.objects.storage import CLAIMS, CLASSES, VOLUMES, PersistentVolume, PersistentVolumeClaim, StorageClass
from master.api.contract import Actor, Door, PatchObject, Ref, Views
from master.scheduler.ask import Ask, Need, OpenClaim
from master.store.contract import Cause

IMMEDIATE = "pod has unbound immediate PersistentVolumeClaims"
BIND_S = 600.0
"""How long a volume may take to be made, as with kube-scheduler."""


ALONE = "ReadWriteOncePod"


def need(views: Views, ask: Ask, taken: dict[str, str] = {}) -> Need | None:
    """None: the pod has no claims. Plain reads. taken: claims for one pod alone, by namespace/name, that pods which are being bound, or are
    decided on before this one, will have: to that pod's uid."""
    if not ask.claims:
        return None
    affinities: list[tuple[dict, ...]] = []
    waiting: list[OpenClaim] = []
    immediate = alone = False
    for name in ask.claims:
        claim = views.get(PersistentVolumeClaim, Ref(CLAIMS, name, ask.namespace))
        if claim is None:
            return Need(trouble=f'persistentvolumeclaim "{name}" not found')
        if claim.metadata.deletion_timestamp is not None:
            return Need(trouble=f'persistentvolumeclaim "{name}" is being deleted')
        if claim.status.phase == "Lost":
            return Need(trouble=f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim.spec.volume_name}"')
        alone = alone or (ALONE in claim.spec.access_modes and _others(views, ask, name, taken))
        if claim.bound:
            volume = views.get(PersistentVolume, Ref(VOLUMES, claim.spec.volume_name))
            if volume is None:
                return Need(trouble=f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim.spec.volume_name}"')
            required = (volume.spec.node_affinity or {}).get("required")
            if required is not None:
                affinities.append(tuple(required.get("nodeSelectorTerms") or ()))
            continue
        storage_class = views.get(StorageClass, Ref(CLASSES, claim.class_name)) if claim.class_name else None
        if claim.spec.volume_name or storage_class is None or not storage_class.waits:
            immediate = True
            continue
        waiting.append(_open(views, claim, storage_class))
    return Need(IMMEDIATE if immediate else "", tuple(affinities), tuple(waiting), alone)


def _others(views: Views, ask: Ask, name: str, taken: dict[str, str]) -> bool:
    """Whether another pod has that claim."""
    if taken.get(f"{ask.namespace}/{name}", ask.uid) != ask.uid:
        return True
    return any(
        pod.spec.node_name and pod.metadata.uid != ask.uid and not pod.finished
        and name in storage.claims_of(pod.metadata.name, pod.spec.volumes)
        for pod in views.list(pods.Pod, "pods", ask.namespace)
    )  # fmt: skip


def _open(views: Views, claim: PersistentVolumeClaim, storage_class: StorageClass) -> OpenClaim:
    selected = claim.metadata.annotations.get(storage.SELECTED_NODE, "")
    if selected:
        return OpenClaim(claim.metadata.name, selected=selected)
    found = storage.candidates(claim, views.list(PersistentVolume, VOLUMES))
    made = storage_class if storage_class.provisioner != storage.NO_PROVISIONER else None
    return OpenClaim(claim.metadata.name, tuple(found), made)


class Volumes:
    """`changed()` whenever a claim, or a pod that is being bound, may be another. waiting: how many pods wait for volumes to be made, which
    may take long and must hold up nobody else; began: told when one more does."""

    def __init__(self, door: Door, actor: Actor, began: Callable[[], None] = lambda: None) -> None:
        self._door = door
        self._actor = actor
        self._began = began
        self.waiting = 0
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def bind(self, ask: Ask, node: str) -> None:
        """Returns when all claims of the pod are bound. Raises SteersmanErrors: then the pod is to be looked at anew."""
        if ask.need is None or not ask.need.open:
            return
        standing = self._door.views.get(nodes.Node, Ref("nodes", node))
        labels = standing.metadata.labels if standing is not None else {}
        selected = []
        for each in ask.need.open:
            volume = next((volume for volume in each.volumes if storage.reaches(volume, node, labels)), None)
            if volume is None:
                selected.append(each.name)
            await (self._select(ask, each.name, node) if volume is None else self._give(ask, each.name, volume))
        self.waiting += 1
        self._began()
        try:
            async with asyncio.timeout(BIND_S):
                await self._until_bound(ask, node, selected)
        except TimeoutError:
            raise Timeout(f"the volumes of pod {ask.namespace}/{ask.name} were not bound within {BIND_S:g} s") from None
        finally:
            self.waiting -= 1

    async def _select(self, ask: Ask, claim: str, node: str) -> None:
        why = f"pod {ask.namespace}/{ask.name} is to run on node {node}"
        patch = {"metadata": {"annotations": {storage.SELECTED_NODE: node}}}
        ref = Ref(CLAIMS, claim, ask.namespace)
        await self._door.perform(self._actor, PatchObject(ref, patch, Cause(self._actor.name, "SelectNode", why)))

    async def _give(self, ask: Ask, name: str, volume: PersistentVolume) -> None:
        claim = self._door.views.get(PersistentVolumeClaim, Ref(CLAIMS, name, ask.namespace))
        if claim is None:
            raise NotFound(f'persistentvolumeclaim "{name}" not found')
        if volume.spec.claim_ref is not None and volume.spec.claim_ref.uid == claim.metadata.uid:
            return
        about = claim.metadata
        reference = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": about.namespace, "name": name, "uid": about.uid}
        patch = {"spec": {"claimRef": reference}, "metadata": {"annotations": {storage.BOUND_BY_CONTROLLER: "yes"}}}
        why = f"it fits claim {about.namespace}/{name} of pod {ask.name}"
        await self._door.perform(self._actor, PatchObject(
            Ref(VOLUMES, volume.metadata.name), patch, Cause(self._actor.name, "BindVolume", why), uid=volume.metadata.uid,
            expected=int(volume.metadata.resource_version),
        ))  # fmt: skip

    async def _until_bound(self, ask: Ask, node: str, selected: Sequence[str]) -> None:
        """selected: the claims whose volume is to be made on that node."""
        views, wanted = self._door.views, [each.name for each in ask.need.open] if ask.need is not None else []
        while True:
            changed, missing = self._changed, False
            pod = views.get(pods.Pod, Ref("pods", ask.name, ask.namespace))
            if pod is None or pod.metadata.uid != ask.uid or pod.metadata.deletion_timestamp is not None:
                raise NotFound(f"pod {ask.namespace}/{ask.name} is gone")
            for name in wanted:
                claim = views.get(PersistentVolumeClaim, Ref(CLAIMS, name, ask.namespace))
                if claim is None:
                    raise NotFound(f'persistentvolumeclaim "{name}" not found')
                if not claim.bound and name in selected and claim.metadata.annotations.get(storage.SELECTED_NODE) != node:
                    raise Conflict(f'persistentvolumeclaim "{name}" is not to have its volume on node {node} any more')
                missing = missing or not claim.bound
            if not missing:
                self._check_reach(ask, node)
                return
            await changed.wait()

    def _check_reach(self, ask: Ask, node: str) -> None:
        """What was bound meanwhile may be somebody else's choice. Raises Conflict."""
        standing = self._door.views.get(nodes.Node, Ref("nodes", node))
        found = need(self._door.views, ask)
        labels = standing.metadata.labels if standing is not None else {}
        if found is None or found.trouble or not all(storage.meets(terms, node, labels) for terms in found.affinities):
            raise Conflict(f"the volumes of pod {ask.namespace}/{ask.name} cannot be had on node {node}")
