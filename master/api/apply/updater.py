"""The two ways in which fields change hands: somebody updates an object, somebody applies a document to it.

Pure, after structured-merge-diff's `merge.Updater` and apimachinery's field managers.

    update   whoever changes or adds a field owns it, and takes it from all others
    apply    the applier owns exactly what it names; what it changes and others own is a conflict, unless forced; what it
             named the last time and not now goes away, unless somebody else owns it

An object whose managedFields are empty is not tracked: updates leave it so. The first apply to it gives all that stands there to
`before-first-apply`, so that nothing is overwritten unasked.
"""

from __future__ import annotations

from typing import Any

import msgspec

from common.errors import Conflict, FieldCause
from master.api.apply import managers as managing
from master.api.apply import sets, typed
from master.api.apply.managers import APPLY, BEFORE_FIRST_APPLY, UPDATE, Manager, Managers, Owned
from master.api.apply.merge import merge
from master.api.apply.sets import FieldSet
from master.api.schema import Node

STRIPPED = sets.of(
    ("f:apiVersion",), ("f:kind",), ("f:metadata",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"),
    ("f:metadata", "f:creationTimestamp"), ("f:metadata", "f:selfLink"), ("f:metadata", "f:uid"),
    ("f:metadata", "f:generation"), ("f:metadata", "f:managedFields"), ("f:metadata", "f:resourceVersion"),
)  # fmt: skip
"""What nobody owns: the API's own."""

Document = dict[str, Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes an object of which kind, and when. ignored: fields that this way of writing cannot reach (status, mostly).
    time: RFC 3339. elsewhere: how the change looks in other versions, whose fields have other names; what is not in it looks the same."""

    name: str
    node: Node
    api_version: str
    subresource: str = ""
    time: str
    ignored: FieldSet = {}
    elsewhere: dict[str, typed.Comparison] = {}

    def seen_by(self, owned: Owned, here: typed.Comparison) -> typed.Comparison:
        """The change in the version that the owner's fields are of."""
        there = self.elsewhere.get(owned.api_version)
        return here if there is None else there.without(self.ignored)

    def manager(self, operation: str) -> Manager:
        return managing.manager(self.name, operation, api_version=self.api_version, subresource=self.subresource)


class Conflicts(Exception):
    """Fields that the applier wants to change and that others own."""

    def __init__(self, owners: dict[Manager, FieldSet]) -> None:
        super().__init__("fields are owned by others")
        self.owners = owners

    def error(self) -> Conflict:
        """In Kubernetes' words."""
        found = [(who.text(), sets.text(path)) for who in sorted(self.owners) for path in sets.paths(self.owners[who])]
        causes = tuple(FieldCause("FieldManagerConflict", f"conflict with {who}", path) for who, path in found)
        if len(found) == 1:
            return Conflict(f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}", causes=causes)
        lines: list[str] = []
        for who in dict.fromkeys(who for who, _ in found):
            lines += [f"conflicts with {who}:", *(f"- {path}" for owner, path in found if owner == who)]
        return Conflict(f"Apply failed with {len(found)} conflicts: " + "\n".join(lines), causes=causes)


def update(old: Document, new: Document, managers: Managers, *, change: Change) -> Managers:
    """The owners after a write that made `new` out of `old` ({} for a new object)."""
    compared = typed.compare(old, new, change.node).without(change.ignored)
    after = _taken(managers, compared, by=None, change=change)
    gained = sets.difference(compared.changed, STRIPPED)
    if gained:
        who = change.manager(UPDATE)
        before = after[who].fields if who in after else {}
        after[who] = Owned(sets.union(before, gained), change.time, change.api_version)
    return managing.capped(after)


def _taken(managers: Managers, compared: typed.Comparison, *, by: Manager | None, change: Change) -> Managers:
    """What is left to the owners (`by` aside) of fields that were changed or are gone."""
    if compared.same:
        return dict(managers)
    lost = sets.union(compared.changed, compared.removed)
    after: Managers = {}
    for who, owned in managers.items():
        gone = compared.removed if who == by else lost
        if owned.api_version in change.elsewhere:
            there = change.seen_by(owned, compared)
            gone = there.removed if who == by else sets.union(there.changed, there.removed)
        fields = sets.difference(owned.fields, gone) if gone else owned.fields
        if fields:
            after[who] = owned if fields == owned.fields else msgspec.structs.replace(owned, fields=fields)
    return after


def apply(live: Document, applied: Document, managers: Managers, *, change: Change, force: bool) -> tuple[Document, Managers]:
    """The merged document and its owners. Raises Conflicts."""
    node, who = change.node, change.manager(APPLY)
    if not managers and live:
        before = msgspec.structs.replace(change, name=BEFORE_FIRST_APPLY, subresource="", ignored={})
        managers = update({}, live, {}, change=before)
    said = sets.without(typed.fields_of(applied, node), change.ignored)
    named = sets.difference(said, STRIPPED)
    last = managers[who].fields if who in managers else {}
    owners = dict(managers)
    owners.pop(who, None)
    if named:
        standing = managers.get(who)
        owners[who] = Owned(named, standing.time if standing is not None else change.time, change.api_version)
    merged = _pruned(merge(live, applied, node), node, [said, *(owned.fields for owned in owners.values())], last=last)
    compared = typed.compare(live, merged, node).without(change.ignored)
    conflicts = {
        other: lost for other, owned in owners.items()
        if other != who and (lost := sets.intersection(owned.fields, change.seen_by(owned, compared).changed))
    }  # fmt: skip
    if conflicts and not force:
        raise Conflicts(conflicts)
    after = _taken(owners, compared, by=who, change=change)
    if who in after and (not compared.same or after[who].fields != last):
        after[who] = msgspec.structs.replace(after[who], time=change.time)
    return merged, managing.capped(after)


def _pruned(merged: Document, node: Node, held_by: list[FieldSet], *, last: FieldSet) -> Document:
    """Without what the applier named the last time, unless it or anybody else owns it now; structs that lead to owned fields stay.
    held_by: all that anybody owns, and all that is applied (its name too, which nobody owns)."""
    if not last:
        return merged
    named_before = typed.with_structs(last, node)
    present = typed.with_structs(typed.fields_of(merged, node), node)
    kept = typed.remove(merged, node, named_before) or {}
    owned: FieldSet = {}
    for fields in held_by:
        owned = sets.union(owned, fields)
    held = sets.union(typed.with_structs(typed.fields_of(kept, node), node), typed.with_structs(owned, node))
    # Subtle: an item goes with all that is in it, unless somebody owns the item itself; then what it held by this applier goes.
    # And only what this applier named goes, whatever else nobody owns.
    back = typed.remove(merged, node, sets.difference(present, held)) or {}
    standing = typed.with_structs(typed.fields_of(back, node), node)
    doomed = sets.intersection(sets.difference(present, standing), named_before)
    return typed.remove(merged, node, doomed) or {}
