"""Server-side apply through the write pipeline: what is applied changes the object that stands there, or makes it.

Owns the loop between the two and the form that an applied Scale has; what applying means is in `tracking.py` and `apply/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from common.errors import AlreadyExists, BadRequest, FieldCause, Invalid, NotFound
from master.api import documents, faults, strict, subresources, tracking, versions
from master.api.contract import Document, Stored
from master.api.write import Target, Writer

ATTEMPTS = 3
"""An object may come and go between the look and the write."""


async def apply(writer: Writer, target: Target, document: Any, *, may_create: Callable[[], None]) -> tuple[Stored, bool]:
    """The object, and whether it was made now. may_create raises Forbidden. Raises Conflict, Invalid, NotFound (subresources)."""
    if not target.options.field_manager:
        cause = FieldCause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
        raise Invalid(
            f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {cause.message}', causes=(cause,), group="meta.k8s.io",
            kind="PatchOptions",
        )  # fmt: skip
    target = msgspec.structs.replace(target, applied=True)
    if target.subresource == "scale":
        target = msgspec.structs.replace(target, asked=None)
        document = _workload(target, document)
    applied = tracking.applied_document(document, target.served)
    applied["metadata"].setdefault("name", target.ref.name)
    documents.check_name(applied, target.ref.name)
    warnings = strict.check_applied(target.options.duplicates, target.options.field_validation)
    if target.options.warnings is not None:
        target.options.warnings.extend(warnings)
    target = msgspec.structs.replace(target, options=msgspec.structs.replace(target.options, duplicates=()))  # they are told
    for _ in range(ATTEMPTS):
        try:
            changed = await writer.change(target, _proposal(writer, target, applied))
            return await _answer(target, changed), False
        except NotFound:
            if target.subresource:
                raise
        may_create()
        if applied["metadata"].get("uid"):
            raise _gone(target, applied["metadata"]["uid"])
        wanted = tracking.apply({}, applied, change=writer.change_of(target, target.served), force=target.options.force)
        try:
            return await _answer(target, await writer.create(target, wanted)), True
        except AlreadyExists:
            continue
    raise AlreadyExists(f"{target.resource.key} \"{target.ref.name}\" comes and goes; try again")


async def _answer(target: Target, stored: Stored) -> Stored:
    if target.subresource == "scale":
        return subresources.stored_scale(target.resource, stored)
    return await versions.served(target.served, stored)


def _proposal(writer: Writer, target: Target, applied: Document) -> Callable[[Document], Document]:
    change, force = writer.change_of(target, target.served), target.options.force
    return lambda present: tracking.apply(present, applied, change=change, force=force)


def _gone(target: Target, uid: str) -> Exception:
    why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
    return faults.conflict(target.resource, target.ref.name, why)


def _workload(target: Target, scale: Any) -> Document:
    """An applied Scale as what it says of its workload. Raises BadRequest."""
    asked = msgspec.structs.replace(target, patched=False)
    cleaned = subresources.cleaned_scale(asked, scale)
    if scale.get("apiVersion") != subresources.SCALE_VERSION or scale.get("kind") != subresources.SCALE.kind:
        raise BadRequest(f"what is applied to /scale must be a {subresources.SCALE.kind} of {subresources.SCALE_VERSION}")
    meta = {key: value for key, value in cleaned["metadata"].items() if key in ("name", "namespace", "uid", "resourceVersion")}
    wanted = (cleaned.get("spec") or {}).get("replicas", 0)
    for name in reversed((target.resource.scaling or subresources.WORKLOAD).replicas):
        wanted = {name: wanted}
    return {"apiVersion": target.resource.api_version, "kind": target.resource.kind, "metadata": meta, **wanted}
