"""Custom resource definitions on their way out: their instances go first, then the definition.

A definition carries the finalizer `customresourcecleanup.apiextensions.k8s.io` from its first moment. When it is deleted the API lets no
new instances in; here those that stand are deleted, those that wait for their own finalizers are waited for, and then the finalizer goes.
"""

from __future__ import annotations

from common.objects import meta
from common.objects.customresource import CustomResourceDefinition
from master.api.contract import Actor, DeleteObject, ObjectChange, PatchObject, Ref, Role
from master.api.kinds.customresource import CLEANUP
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, counted, itself
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:customresourcedefinition-finalizer", Role.DEFINITIONS)
KEY = "customresourcedefinitions.apiextensions.k8s.io"
BATCH = 500
LOOK_AGAIN_S = 5.0


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    definition = view.get(CustomResourceDefinition, key)
    if definition is None or definition.metadata.deletion_timestamp is None or CLEANUP not in definition.metadata.finalizers:
        return NOTHING
    instances = view.list(meta.Object, definition.key) if definition.is_true("Established") else []
    if not instances:
        left = [name for name in definition.metadata.finalizers if name != CLEANUP]
        why = f"no instance of {definition.key} is left"
        patch = {"metadata": {"finalizers": left or None}}
        return Outcome((PatchObject(key, patch, cause(ACTOR, "Finalize", why, definition), uid=definition.metadata.uid),))
    standing = [item for item in instances if item.metadata.deletion_timestamp is None][:BATCH]
    why = f"its definition is being deleted, with {counted(len(instances), 'instance')}"
    changes: tuple[ObjectChange, ...] = tuple(
        DeleteObject(
            Ref(definition.key, item.metadata.name, item.metadata.namespace), cause(ACTOR, "DefinitionDeleted", why, definition),
            uid=item.metadata.uid,
        )
        for item in standing
    )  # fmt: skip
    return Outcome(changes, 0.001 if changes else LOOK_AGAIN_S)


def of_instance(view: ReadView, seen: Seen) -> list[Ref]:
    """An instance went: only of interest when its definition is on its way out."""
    definition = view.get(CustomResourceDefinition, Ref(KEY, seen.ref.resource))
    return [Ref(KEY, seen.ref.resource)] if definition is not None and definition.metadata.deletion_timestamp is not None else []


CONTROLLER = Controller("customresourcedefinition-finalizer", ACTOR, {KEY: itself}, reconcile, custom=of_instance, workers=1)
