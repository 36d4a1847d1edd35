"""Adoption and release: which objects a workload's controller counts as its own.

The rule is Kubernetes' (controller references): what names the owner as its controller and matches the selector is the
owner's; what names it and no longer matches is released; what matches, has no controller and is not being deleted is
adopted. An owner that is itself being deleted adopts and releases nothing. Every claim is a guarded patch, so that two
controllers that reach for the same orphan cannot both win.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from common.objects import meta, selectors
from master.api.contract import Actor, PatchObject, Ref
from master.controllers.controller import cause, owner_document, revision
from master.controllers.view import ReadView

V = TypeVar("V", bound=meta.View)


class Owner(msgspec.Struct, frozen=True):
    """The workload that claims. resource: of what it claims."""

    item: meta.View
    kind: str
    api_version: str
    resource: str
    actor: Actor

    @property
    def metadata(self) -> meta.Meta:
        return self.item.metadata  # type: ignore[attr-defined]

    def reference(self) -> dict[str, object]:
        """The owner reference that makes an object this owner's."""
        return {
            "apiVersion": self.api_version, "kind": self.kind, "name": self.metadata.name, "uid": self.metadata.uid,
            "controller": True, "blockOwnerDeletion": True,
        }  # fmt: skip


class Claim(Generic[V]):
    """mine: the owner's already. changes: adoptions and releases to make; their events wake the owner again."""

    def __init__(self, mine: list[V], changes: list[PatchObject]) -> None:
        self.mine = mine
        self.changes = changes


def claim(
    view: ReadView, kind: type[V], owner: Owner, *, selector: selectors.Selector, adoptable: Callable[[V], bool] = lambda item: True
) -> Claim[V]:
    """What `owner` has, and what it must take or let go. adoptable: a further condition on orphans."""
    mine: list[V] = []
    changes: list[PatchObject] = []
    owner_leaves = owner.metadata.deletion_timestamp is not None
    for item in view.owned(kind, owner.resource, owner.metadata.uid):
        metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
        if metadata.controller is None or metadata.controller.uid != owner.metadata.uid:
            continue
        if selector.matches(metadata.labels):
            mine.append(item)
        elif not owner_leaves and metadata.deletion_timestamp is None:
            changes.append(_release(owner, item))
    if not owner_leaves:
        for item in view.loose(kind, owner.resource, owner.metadata.namespace):
            metadata = item.metadata  # type: ignore[attr-defined]
            if metadata.deletion_timestamp is None and selector.matches(metadata.labels) and adoptable(item):
                changes.append(_adopt(owner, item))
    return Claim(mine, changes)


def _patch(owner: Owner, item: meta.View, references: list[dict[str, object]], rule: str, why: str) -> PatchObject:
    metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
    return PatchObject(
        Ref(owner.resource, metadata.name, metadata.namespace), {"metadata": {"ownerReferences": references or None}},
        cause(owner.actor, rule, why, item), uid=metadata.uid, expected=revision(item),
    )  # fmt: skip


def _adopt(owner: Owner, item: meta.View) -> PatchObject:
    references = [owner_document(o) for o in item.metadata.owner_references] + [owner.reference()]  # type: ignore[attr-defined]
    why = f"it matches the selector of {owner.kind} {owner.metadata.name} and has no controller"
    return _patch(owner, item, references, "Adopt", why)


def _release(owner: Owner, item: meta.View) -> PatchObject:
    references = [owner_document(o) for o in item.metadata.owner_references if o.uid != owner.metadata.uid]  # type: ignore[attr-defined]
    why = f"its labels no longer match the selector of {owner.kind} {owner.metadata.name}"
    return _patch(owner, item, references, "Release", why)
