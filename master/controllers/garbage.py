"""Garbage collection: what its owners leave behind, by owner references.

    all owners gone                       → the object is deleted (background)
    some owners gone                      → their references are taken out
    owner waits (foregroundDeletion)      → its dependents are deleted; when none is left that blocks it, the finalizer goes
    owner orphans (finalizer `orphan`)    → its dependents lose their reference to it; then the finalizer goes

An owner is its uid: a namesake made later is another. Owners of kinds that are not served here count as present, so that
nothing is deleted because of what we cannot see. Who is deleted how is asked of the API at deletion (`propagationPolicy`); it
sets the finalizers and this controller works them off.
"""

from __future__ import annotations

import enum

from common.objects import meta
from master.api import registry
from master.api.contract import Actor, DeleteObject, ObjectChange, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, counted, owner_document, revision
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:generic-garbage-collector", Role.GARBAGE)
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"

UNWATCHED = frozenset({"events"})
"""They have no owners and no dependents, and there are many."""


class Standing(enum.Enum):
    PRESENT = "present"
    GONE = "gone"
    WAITING = "waiting"  # being deleted in the foreground: it waits for its dependents


def ref_of(view: ReadView, owner: meta.OwnerReference, namespace: str) -> Ref | None:
    """Where an owner of an object in `namespace` stands; None for kinds that are not served."""
    resource = view.catalog.by_kind(owner.api_version, owner.kind)
    return None if resource is None else Ref(resource.stored_key, owner.name, namespace if resource.namespaced else "")


def standing(view: ReadView, owner: meta.OwnerReference, namespace: str) -> Standing:
    ref = ref_of(view, owner, namespace)
    if ref is None:
        return Standing.PRESENT
    item = view.current(ref)
    if item is None or item.metadata.uid != owner.uid:  # type: ignore[attr-defined]
        return Standing.GONE
    metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
    if metadata.deletion_timestamp is not None and FOREGROUND in metadata.finalizers:
        return Standing.WAITING
    return Standing.PRESENT


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    item = view.current(key)
    if item is None:
        return NOTHING
    metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
    if metadata.deletion_timestamp is not None:
        if ORPHAN in metadata.finalizers:
            return Outcome(tuple(_orphan_dependents(view, key, item)))
        return Outcome(tuple(_finish_foreground(view, key, item))) if FOREGROUND in metadata.finalizers else NOTHING
    return Outcome(tuple(_collect(view, key, item))) if metadata.owner_references else NOTHING


def _collect(view: ReadView, key: Ref, item: meta.View) -> list[ObjectChange]:
    metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
    standings = [(owner, standing(view, owner, key.namespace)) for owner in metadata.owner_references]
    present = [owner for owner, state in standings if state is Standing.PRESENT]
    leaving = [owner for owner, state in standings if state is not Standing.PRESENT]
    if not leaving:
        return []
    names = ", ".join(f"{owner.kind} {owner.name}" for owner in leaving)
    if present:
        why = f"its owners {names} are gone; {counted(len(present), 'other')} remain"
        references = [owner_document(owner) for owner in present]
        return [_patch(key, item, {"ownerReferences": references}, rule="OwnerGone", why=why)]
    waiting = next((owner for owner, state in standings if state is Standing.WAITING), None)
    reacted_to = view.current(ref) if waiting is not None and (ref := ref_of(view, waiting, key.namespace)) is not None else item
    propagation = "Foreground" if waiting is not None and view.dependents(metadata.uid) else "Background"
    what = "is being deleted and waits for it" if waiting is not None else "is gone" if len(leaving) == 1 else "are gone"
    why = f"its owner {names} {what}" if len(leaving) == 1 else f"all its owners, {names}, {what}"
    return [DeleteObject(key, cause(ACTOR, "OwnerDeleted", why, reacted_to), uid=metadata.uid, propagation=propagation)]


def _finish_foreground(view: ReadView, key: Ref, item: meta.View) -> list[ObjectChange]:
    """Nothing while dependents hold it; they are woken by this object's events and deleted as their own keys."""
    metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
    for _, dependent in view.dependents(metadata.uid):
        references = dependent.metadata.owner_references  # type: ignore[attr-defined]
        if any(owner.uid == metadata.uid and owner.block_owner_deletion for owner in references):
            return []
    finalizers = [name for name in metadata.finalizers if name != FOREGROUND]
    why = "no dependent that blocks its deletion is left"
    return [_patch(key, item, {"finalizers": finalizers or None}, rule="ForegroundDone", why=why)]


def _orphan_dependents(view: ReadView, key: Ref, item: meta.View) -> list[ObjectChange]:
    metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
    changes: list[ObjectChange] = []
    for ref, dependent in view.dependents(metadata.uid):
        owners = dependent.metadata.owner_references  # type: ignore[attr-defined]
        references = [owner_document(owner) for owner in owners if owner.uid != metadata.uid]
        why = f"its owner {key.name} is deleted with propagationPolicy Orphan"
        changes.append(_patch(ref, dependent, {"ownerReferences": references or None}, rule="Orphan", why=why))
    finalizers = [name for name in metadata.finalizers if name != ORPHAN]
    why = f"{counted(len(changes), 'dependent')} orphaned"
    changes.append(_patch(key, item, {"finalizers": finalizers or None}, rule="OrphanDone", why=why))
    return changes


def _patch(ref: Ref, item: meta.View, metadata: dict[str, object], *, rule: str, why: str) -> PatchObject:
    uid = item.metadata.uid  # type: ignore[attr-defined]
    return PatchObject(ref, {"metadata": metadata}, cause(ACTOR, rule, why, item), uid=uid, expected=revision(item))


def of_any(view: ReadView, seen: Seen) -> list[Ref]:
    """The object, if it has owners or a finalizer of ours; its dependents when it goes or begins to go; the owners that may
    wait for it when it has gone."""
    keys: dict[Ref, None] = {}
    if seen.new is not None:
        metadata: meta.Meta = seen.new.metadata  # type: ignore[attr-defined]
        if metadata.owner_references or metadata.deletion_timestamp is not None:
            keys[seen.ref] = None
    for version in seen.versions:
        metadata = version.metadata  # type: ignore[attr-defined]
        gone = seen.new is None or seen.new.metadata.uid != metadata.uid  # type: ignore[attr-defined]
        if gone or metadata.deletion_timestamp is not None:
            keys |= {ref: None for ref, _ in view.dependents(metadata.uid)}
        if version is seen.old and (gone or seen.new.metadata.owner_references != metadata.owner_references):  # type: ignore[union-attr]
            owners = [ref_of(view, owner, seen.ref.namespace) for owner in metadata.owner_references]
            keys |= {ref: None for ref in owners if ref is not None}
    return list(keys)


CONTROLLER = Controller(
    "generic-garbage-collector", ACTOR,
    {resource.key: of_any for resource in registry.KEPT if resource.key not in UNWATCHED}, reconcile, workers=4, custom=of_any,
)  # fmt: skip
