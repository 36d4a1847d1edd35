"""Serves what is defined: follows the definitions in the store, tells the catalogue, then says so in their status.

    definitions in the store ──watch──► names.judge ─► serving.resources ─► catalog.add      from now on it is served
                                                     └► names.status ─────► definition's status: Established

Subtle: the order of the two is the promise. Whoever has read that a definition is established finds it served, in discovery and in
OpenAPI, with the next request. Instances of a definition that is being deleted may be read and deleted, and not made;
`controllers/definitions.py` deletes them, and then lets the definition go.
"""

from __future__ import annotations

import logging

import msgspec

from common.clock import Clock, Rng, rfc3339
from common.errors import Conflict, Expired, NotFound
from common.objects.customresource import CustomResourceDefinition
from master.api import registry
from master.api.contract import Actor, Door, PatchObject, Ref, Role
from master.api.crd import names, serving
from master.api.crd.conversion import Asking
from master.api.registry import Resource
from master.api.webhooks import Caller
from master.store.contract import Cause

log = logging.getLogger(__name__)

KEY = "customresourcedefinitions.apiextensions.k8s.io"
ACTOR = Actor("system:apiextensions-apiserver", Role.DEFINITIONS, ("system:masters",))


class Publisher:
    def __init__(self, door: Door, clock: Clock, rng: Rng, *, caller: Caller | None = None) -> None:
        """caller: asks conversion webhooks; without it none is asked."""
        self._door = door
        self._clock = clock
        self._asking = Asking(door.views, rng, caller)
        self._served: dict[str, tuple[CustomResourceDefinition, list[Resource]]] = {}

    def publish(self) -> list[names.Verdict]:
        """Serve what the store holds now. A plain call, for the start; idempotent."""
        verdicts = names.judge(self._door.views.list(CustomResourceDefinition, KEY), registry.RESOURCES)
        before = self._served
        self._served = {
            verdict.definition.key: _served(verdict.definition, before.get(verdict.definition.key), self._asking)
            for verdict in verdicts if verdict.accepted
        }  # fmt: skip
        old = [resource for _, resources in before.values() for resource in resources]
        new = [resource for _, resources in self._served.values() for resource in resources]
        if [id(resource) for resource in old] != [id(resource) for resource in new]:
            self._door.catalog.add(new)
            log.info("custom-resources served=%s", ",".join(self._served))
        return verdicts

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            batches = self._door.watch(ACTOR, KEY)
            try:
                async for _ in batches:
                    for verdict in self.publish():
                        await self._say(verdict)
            except Expired:
                log.info("watch-expired resource=%s next=list", KEY)
            finally:
                await batches.aclose()  # type: ignore[attr-defined]

    async def _say(self, verdict: names.Verdict) -> None:
        definition = verdict.definition
        status = names.status(verdict, rfc3339(self._clock.now()))
        if status is None:
            return
        metadata = definition.metadata
        why = "its names are accepted" if verdict.accepted else f'the name "{verdict.taken}" is already in use'
        cause = Cause(ACTOR.name, "Established" if verdict.accepted else "NamesConflict", why, int(metadata.resource_version))
        change = PatchObject(
            Ref(KEY, metadata.name), {"status": status}, cause, subresource="status", uid=metadata.uid,
            expected=int(metadata.resource_version),
        )  # fmt: skip
        try:
            await self._door.perform(ACTOR, change)
        except (Conflict, NotFound):
            pass  # it has changed since: its event is on its way and brings us back


def _served(
    definition: CustomResourceDefinition, before: tuple[CustomResourceDefinition, list[Resource]] | None, asking: Asking
) -> tuple[CustomResourceDefinition, list[Resource]]:
    """The same resources as before as long as what they are made of is the same: a status is no reason to make them anew."""
    going = definition.metadata.deletion_timestamp is not None
    if before is not None and before[0].spec == definition.spec and (before[0].metadata.deletion_timestamp is not None) == going:
        return definition, before[1]
    made = serving.resources(definition, asking)
    if going:
        kept = tuple(verb for verb in registry.DEFAULT_VERBS if verb != "create")
        made = [msgspec.structs.replace(resource, verbs=kept) for resource in made]
    return definition, made
