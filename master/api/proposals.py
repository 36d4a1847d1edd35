"""Patches, by their type: from a document and a patch to the wanted document. Pure."""

from __future__ import annotations

from typing import Any

from master.api import patch, strategic
from master.api.contract import Document, PatchType
from master.api.registry import Resource
from master.api.schema import Node

OF_OFFICIAL = (PatchType.JSON, PatchType.MERGE, PatchType.STRATEGIC, PatchType.APPLY)
OF_CUSTOM = (PatchType.JSON, PatchType.MERGE, PatchType.APPLY)
"""As in Kubernetes: strategic merge needs the merge keys of official types."""


def accepted(resource: Resource) -> tuple[PatchType, ...]:
    return OF_OFFICIAL if resource.custom is None else OF_CUSTOM


def patched(kind: PatchType, document: Document, body: Any, node: Node) -> Document:
    """Neither argument is changed; the result may share parts with both. An apply is another way (`applying.py`).
    Raises BadRequest, Invalid."""
    match kind:
        case PatchType.JSON:
            return patch.json_patch(document, body)
        case PatchType.MERGE:
            return patch.merge_patch(document, body)
        case PatchType.STRATEGIC:
            return strategic.merge(document, body, node)
    raise AssertionError(f"the caller has seen that {kind} is accepted")


def refusal(resource: Resource) -> str:
    types = ", ".join(kind.value for kind in accepted(resource))
    return f"the body of the request was in an unknown format - accepted media types include: {types}"
