"""Subresources with a body of their own: Scale and Binding.

Each is a small translation: into a change of the parent, which then goes through the whole write pipeline, and back. The
functions that propose a change are pure; they copy what they change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from common.clock import rfc3339
from common.errors import BadRequest, FieldCause
from common.objects import meta, selectors
from master.api import documents, faults, schema, strict
from master.api.contract import Actor, Document, PatchType, Ref, Stored, WriteOptions
from master.api.kinds import rules
from master.api.proposals import patched
from master.api.registry import BINDINGS, BY_KEY, SCALE, Resource, Scaling
from master.api.write import Propose, Target, Writer
from master.store.contract import Cause

SCALE_VERSION = f"{SCALE.group}/{SCALE.version}"
WORKLOAD = Scaling()
"""Where the workloads keep it."""


def scale_of(resource: Resource, document: Document, revision: int) -> Document:
    """The autoscaling/v1 Scale of a workload. revision 0: without a resourceVersion."""
    of, paths = document["metadata"], resource.scaling or WORKLOAD
    about = {field: of[field] for field in ("name", "namespace", "uid", "creationTimestamp") if field in of}
    if revision:
        about["resourceVersion"] = str(revision)
    return {
        "metadata": about,
        "kind": SCALE.kind,
        "apiVersion": SCALE_VERSION,
        "spec": {"replicas": _at(document, paths.replicas, 0)},
        "status": {"replicas": _at(document, paths.status_replicas, 0), "selector": _selector(resource, document)},
    }


def _at(document: Document, path: tuple[str, ...], absent: Any) -> Any:
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return absent if found is None else found


def _selector(resource: Resource, document: Document) -> str:
    """As text. A custom resource keeps it as text, where its definition says."""
    if resource.scaling is not None:
        return str(_at(document, resource.scaling.selector, "")) if resource.scaling.selector else ""
    chosen = _at(document, ("spec", "selector"), {})
    if document.get("kind") == "ReplicationController":  # the one kind whose selector is a plain map
        chosen = {"matchLabels": chosen}
    return selectors.of(msgspec.convert(chosen, meta.LabelSelector)).text()


def stored_scale(resource: Resource, stored: Stored) -> Stored:
    return Stored(documents.encode(scale_of(resource, documents.decode(stored.value), 0)), stored.revision)


def _rescaled(target: Target, workload: Document, scale: Document) -> Document:
    """The workload as the Scale wants it. Raises Conflict, Invalid."""
    name = target.ref.name
    documents.check_name(scale, name)
    asked = documents.resource_version(scale)
    if asked is not None and str(asked) != workload["metadata"]["resourceVersion"]:
        raise faults.conflict(target.resource, name)
    uid = scale["metadata"].get("uid")
    if uid and uid != workload["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {workload['metadata']['uid']}"
        raise faults.conflict(target.resource, name, why)
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if problems := rules.not_negative("spec.replicas", replicas):
        raise faults.invalid(SCALE.kind, SCALE.group, name, problems)
    return _put(workload, (target.resource.scaling or WORKLOAD).replicas, replicas)


def _put(document: Document, path: tuple[str, ...], value: Any) -> Document:
    """A copy with another value at the path."""
    name, *rest = path
    return {**document, name: _put(document.get(name) or {}, tuple(rest), value) if rest else value}


def cleaned_scale(target: Target, document: Document) -> Document:
    options = target.options
    if isinstance(document, dict) and document.get("kind") not in (None, "", SCALE.kind):
        raise BadRequest(f"cannot convert a {document['kind']} into a {SCALE.kind} of {SCALE_VERSION}")
    node = schema.for_kind(SCALE_VERSION, SCALE.kind)
    scale, warnings = strict.check(
        document, node, mode=options.field_validation, duplicates=options.duplicates, patched=target.patched
    )
    if options.warnings is not None:
        options.warnings.extend(warnings)
    scale.setdefault("metadata", {})
    return scale


async def update_scale(writer: Writer, target: Target, document: Document) -> Stored:
    def propose(workload: Document) -> Document:
        return _rescaled(target, workload, cleaned_scale(target, document))

    return stored_scale(target.resource, await writer.change(target, propose))


async def patch_scale(writer: Writer, target: Target, *, kind: PatchType, body: object) -> Stored:
    node = schema.for_kind(SCALE_VERSION, SCALE.kind)

    def propose(workload: Document) -> Document:
        scale = scale_of(target.resource, workload, int(workload["metadata"]["resourceVersion"]))
        return _rescaled(target, workload, cleaned_scale(target, patched(kind, scale, body, node)))

    return stored_scale(target.resource, await writer.change(target, propose))


def cleaned_body(document: Document, version: str, kind: str, options: WriteOptions) -> Document:
    """Of a subresource with a kind of its own, decoded as strictly as any object. Raises BadRequest."""
    given = (document.get("apiVersion") or version, document.get("kind") or kind)
    if given != (version, kind):
        raise BadRequest(f"cannot convert a {given[1]} of {given[0]} into a {kind} of {version}")
    found, warnings = strict.check(
        document, schema.for_kind(version, kind), mode=options.field_validation, duplicates=options.duplicates
    )  # fmt: skip
    if options.warnings is not None:
        options.warnings.extend(warnings)
    return found


def check_binding(document: Document) -> None:
    """Raises Invalid for a Binding to nothing, or to something that is no node."""
    target, found = document.get("target") or {}, []
    if target.get("kind", "") not in ("", "Node"):
        why = f'Unsupported value: {rules.shown(target["kind"])}: supported values: "Node", "<empty>"'
        found.append(FieldCause("FieldValueNotSupported", why, "target.kind"))
    if not target.get("name"):
        found.append(rules.required("target.name"))
    if found:
        raise faults.invalid("Binding", "", (document.get("metadata") or {}).get("name", ""), found)


Bind = Callable[..., Awaitable[Stored]]


async def bind_posted(bind: Bind, actor: Actor, namespace: str, *, document: Document, options: WriteOptions) -> Stored:
    """A Binding that was posted to the collection of them: it names its pod itself. bind: the door's. The answer is a Status."""
    found = cleaned_body(document, "v1", "Binding", options)
    check_binding(found)
    meta = found.setdefault("metadata", {})
    documents.settle_namespace(found, BY_KEY[BINDINGS], namespace)
    cause = options.cause or Cause(actor.name, "Request", "create bindings")
    await bind(
        actor, Ref("pods", meta.get("name", ""), namespace), found["target"]["name"], uid=meta.get("uid", ""), cause=cause,
        annotations=meta.get("annotations") or {}, dry_run=options.dry_run, posted_to=BINDINGS,
    )  # fmt: skip
    return Stored(documents.encode({"metadata": {}, "kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201}), 0)


def binding(target: Target, node: str, *, uid: str, now: float, annotations: Mapping[str, str] = {}) -> Propose:
    """spec.nodeName and condition PodScheduled, in one change. Raises Conflict when the pod is another, bound or going."""
    name = target.ref.name

    def propose(pod: Document) -> Document:
        of, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
        if uid and uid != of["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {of['uid']}"
            raise faults.conflict(target.resource, name, why, subresource="binding")
        if of.get("deletionTimestamp"):
            why = f"pod {name} is being deleted, cannot be assigned to a host"
            raise faults.conflict(target.resource, name, why, subresource="binding")
        if spec.get("nodeName"):
            why = f'pod {name} is already assigned to node "{spec["nodeName"]}"'
            raise faults.conflict(target.resource, name, why, subresource="binding")
        conditions = [c for c in status.get("conditions") or [] if c.get("type") != "PodScheduled"]
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(now)})
        if annotations:
            of = {**of, "annotations": {**(of.get("annotations") or {}), **annotations}}
        return {**pod, "metadata": of, "spec": {**spec, "nodeName": node}, "status": {**status, "conditions": conditions}}

    return propose
