"""Deletion: the shell around `deletion.decide`.

Reads, decides, writes once; a race that was lost is decided anew. Whether an object goes at once or is only marked is not
decided here, and what follows from a mark (dependents, containers) is done by those who watch.
"""

from __future__ import annotations

from common.clock import Clock
from common.errors import Conflict, Forbidden
from common.errors import NotFound as StoreNotFound
from master.api import admission, causes, deletion, documents, faults, writers
from master.api.contract import Actor, DeleteOptions, Document, Ref, Role, Stored
from master.api.registry import Resource
from master.api.settings import DoorSettings
from master.store.contract import Record, Store


class Remover:
    def __init__(self, store: Store, clock: Clock, settings: DoorSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings

    async def delete(self, actor: Actor, resource: Resource, ref: Ref, *, options: DeleteOptions) -> tuple[Stored, bool]:
        """The object, and whether it is gone. Raises NotFound, Conflict (a precondition), Forbidden, Invalid."""
        self._check(actor, resource, ref, options)
        cause = causes.of(actor, options.cause, verb="delete", what=resource.stored_key)
        for _ in range(self._settings.attempts):
            record = self._store.get(ref.key)
            if record is None:
                raise faults.not_found(resource, ref.name)
            standing = record.value
            old = documents.decode(standing)
            _check_preconditions(resource, old, record, options=options)
            decision = deletion.decide(resource.key, old, options, now=self._clock.now())
            if not decision.removed and decision.document is None:
                return Stored(record.packed, record.revision), False
            value = standing if decision.document is None else documents.encode(decision.document)
            if options.dry_run:
                return Stored(value, record.revision), decision.removed
            try:
                if decision.removed:
                    change = await self._store.delete(record.key, cause, expected=record.revision)
                    return Stored(value, change.revision), True
                written = await self._store.update(
                    record.key, value, cause, expected=record.revision, expires=record.expires
                )
                return Stored(value, written.revision), False
            except StoreNotFound:
                raise faults.not_found(resource, ref.name) from None
            except Conflict:
                continue
        raise faults.conflict(resource, ref.name)

    def _check(self, actor: Actor, resource: Resource, ref: Ref, options: DeleteOptions) -> None:
        if not writers.may_delete(actor.role, resource.stored_key):
            raise faults.forbidden(resource, ref.name, f"the {actor.role.value} may not delete it")
        if options.confirmed and actor.role is not Role.DISPATCH:
            raise Forbidden("only dispatch may confirm that a pod's containers are gone")
        if problems := deletion.option_causes(options):
            raise faults.invalid("DeleteOptions", "meta.k8s.io", "", problems)
        admission.check_delete(resource, ref.name)


def _check_preconditions(resource: Resource, old: Document, record: Record, *, options: DeleteOptions) -> None:
    meta, uid, version = old["metadata"], options.uid, options.resource_version
    if uid and uid != meta.get("uid"):
        why = f"the UID in the precondition ({uid}) does not match the UID in record ({meta.get('uid')}). "
        raise _unmet(resource, meta["name"], why + "The object might have been deleted and then recreated")
    if version and version != str(record.revision):
        why = f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
        raise _unmet(resource, meta["name"], why + f"({record.revision}). The object might have been modified")


def _unmet(resource: Resource, name: str, why: str) -> Conflict:
    """Subtle: it names the kind where other conflicts name the resource, as Kubernetes does."""
    what = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return Conflict(f'Operation cannot be fulfilled on {what} "{name}": {why}', group=resource.group, kind=resource.kind, name=name)
