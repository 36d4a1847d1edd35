"""Namespaces on their way out: everything inside goes first, then the namespace.

A Terminating namespace keeps its finalizer `kubernetes` while anything of a registered, namespaced resource is in it. What is
not yet being deleted is deleted here; what waits for its own reasons (pods for their agents, objects for their finalizers)
is waited for. When nothing is left the finalizer is taken away, and the API removes the namespace.

Subtle: nothing new can come in, since the API refuses creates in a Terminating namespace; so one pass that finds it empty is proof.
"""

from __future__ import annotations

from common.objects import meta
from common.objects.cluster import Namespace
from master.api import registry
from master.api.contract import Actor, DeleteObject, ObjectChange, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, counted, itself
from master.controllers.view import ReadView

ACTOR = Actor("system:controller:namespace-controller", Role.NAMESPACE)
FINALIZER = "kubernetes"
BATCH = 500
LOOK_AGAIN_S = 5.0

CONTENT = tuple(resource for resource in reversed(registry.KEPT) if resource.namespaced)
"""Workloads before their pods, so that nobody makes them anew. Custom resources, which may make workloads, go before all."""
UNWATCHED = frozenset({"events"})
"""They come and go too often to be watched for this; an empty namespace is noticed on the next look."""


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    namespace = view.get(Namespace, key)
    if namespace is None or namespace.metadata.deletion_timestamp is None or FINALIZER not in namespace.spec.finalizers:
        return NOTHING
    remaining: dict[str, int] = {}
    changes: list[ObjectChange] = []
    content = (*view.catalog.custom(namespaced=True), *CONTENT)
    for resource in content:
        items = view.list(resource.view, resource.key, key.name)
        if items:
            remaining[resource.plural] = len(items)
        for item in items:
            metadata: meta.Meta = item.metadata  # type: ignore[attr-defined]
            if metadata.deletion_timestamp is None and len(changes) < BATCH:
                ref = Ref(resource.key, metadata.name, key.name)
                why = f"namespace {key.name} is being deleted"
                changes.append(DeleteObject(ref, cause(ACTOR, "NamespaceDeletion", why, namespace), uid=metadata.uid))
    if remaining:
        return Outcome(tuple(changes), LOOK_AGAIN_S if not changes else 0.001)
    left = [name for name in namespace.spec.finalizers if name != FINALIZER]
    why = f"namespace {key.name} is empty: {counted(len(content), 'resource')} looked at"
    finalize = PatchObject(
        key, {"spec": {"finalizers": left or None}}, cause(ACTOR, "Finalize", why, namespace), subresource="finalize",
        uid=namespace.metadata.uid,
    )  # fmt: skip
    return Outcome((finalize,))


def of_content(view: ReadView, seen: Seen) -> list[Ref]:
    """Something inside changed or went: only of interest when its namespace is on its way out."""
    ref = Ref("namespaces", seen.ref.namespace)
    namespace = view.get(Namespace, ref)
    return [ref] if namespace is not None and namespace.metadata.deletion_timestamp is not None else []


CONTROLLER = Controller(
    "namespace-controller", ACTOR,
    {"namespaces": itself} | {resource.key: of_content for resource in CONTENT if resource.key not in UNWATCHED}, reconcile,
    custom=of_content,
)  # fmt: skip
