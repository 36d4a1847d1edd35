"""What a controller is: a frozen description, and the values that its pure `reconcile` takes and returns.

    resource watched ──wakes──► keys ──queue──► reconcile(view, key, now) ──► Outcome(changes, requeue_after_s)
                                                      ▲                             │ performed by loop.py
                                                      └────── feedback(…) ◄─────────┘

A controller is one file with a `reconcile` that reads a `ReadView` and returns changes; it imports no asyncio, logging,
time, random or I/O. What wakes it is written as a map from resource to a function from what was seen to keys. Every
change carries a Cause that names the controller, the rule that fired, the numbers that decided and the revision it
reacted to. `loop.py` does all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from common.clock import rfc3339
from common.errors import SteersmanError
from common.objects import meta
from master.api.contract import Actor, EmitEvent, ObjectChange, Ref
from master.controllers.view import ReadView
from master.store.contract import Cause


class Outcome(msgspec.Struct, frozen=True):
    """changes are performed in order; the first that fails ends the pass, and the key comes back after a back-off.
    requeue_after_s: look at the key again then, although nothing may have changed."""

    changes: tuple[ObjectChange, ...] = ()
    requeue_after_s: float | None = None


NOTHING = Outcome()


class Seen(msgspec.Struct, frozen=True):
    """One object as it was when the controllers last looked, and as it is now; None: not there."""

    ref: Ref
    old: meta.View | None
    new: meta.View | None

    @property
    def versions(self) -> tuple[meta.View, ...]:
        if self.old is None:
            return () if self.new is None else (self.new,)
        return (self.old,) if self.new is None else (self.old, self.new)


Waker = Callable[[ReadView, Seen], Iterable[Ref]]


class Feedback(Protocol):
    def __call__(
        self, view: ReadView, key: Ref, change: ObjectChange, result: meta.View | SteersmanError | None, *, now: float
    ) -> tuple[ObjectChange, ...]: ...



@dataclass(frozen=True, slots=True)
class Controller:
    """name: Kubernetes' own. wakes: for each resource, which keys a change of one of its objects wakes.

    custom: the same for objects of every custom resource, whatever is defined.

    feedback: told of each change performed (with the new object of a create, None for the rest) or refused (with the
    error), it may answer with changes to make: Events, conditions.
    """

    name: str
    actor: Actor
    wakes: Mapping[str, Waker]
    reconcile: Callable[[ReadView, Ref, float], Outcome]
    workers: int = 2
    feedback: Feedback | None = None
    custom: Waker | None = None


def itself(view: ReadView, seen: Seen) -> list[Ref]:
    """Wake the object's own key."""
    return [seen.ref]


def revision(item: meta.View) -> int:
    """The store revision at which this object was read: what a Cause and a guarded write name."""
    return int(item.metadata.resource_version or 0)  # type: ignore[attr-defined]


def cause(actor: Actor, rule: str, why: str, item: meta.View | None) -> Cause:
    """item: what the decision reacted to."""
    return Cause(actor.name, rule, why, revision(item) if item is not None else None)


def event(regarding: Ref, item: meta.View, *, kind: str, reason: str, message: str, actor: Actor, type: str = "Normal") -> EmitEvent:
    """A Kubernetes Event about `item`; its component is the actor's role."""
    return EmitEvent(
        regarding, kind, item.metadata.uid, type, reason, message, actor.role.value,  # type: ignore[attr-defined]
        cause(actor, reason, message, item),
    )  # fmt: skip


def namespace_ends(error: SteersmanError) -> bool:
    """A create was refused because its namespace is on its way out: nothing to report, it ends by itself."""
    return any(cause.reason == "NamespaceTerminating" for cause in error.causes)


def owner_document(owner: meta.OwnerReference) -> dict[str, object]:
    """The reference as a document, to write back a list of which one was taken or added."""
    document: dict[str, object] = {
        "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid,
    }  # fmt: skip
    if owner.controller:
        document["controller"] = True
    if owner.block_owner_deletion:
        document["blockOwnerDeletion"] = True
    return document


def condition_document(condition: meta.Condition) -> dict[str, object]:
    document = msgspec.to_builtins(condition)
    return {key: value for key, value in document.items() if value is not None}


def timestamp(now: float) -> str:
    return rfc3339(now)


def counted(count: int, noun: str) -> str:
    """ "1 pod", "3 pods"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
