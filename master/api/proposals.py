"""Patches, by their type: from a document and a patch to the wanted document. Pure."""

from __future__ import annotations

from typing import Any

from common.errors import UnsupportedMediaType
from master.api import patch, strategic
from master.api.contract import Document, PatchType
from master.api.schema import Node

ACCEPTED = (PatchType.JSON, PatchType.MERGE, PatchType.STRATEGIC)


def patched(kind: PatchType, document: Document, body: Any, node: Node) -> Document:
    """Neither argument is changed; the result may share parts with both. Raises BadRequest, Invalid, UnsupportedMediaType."""
    match kind:
        case PatchType.JSON:
            return patch.json_patch(document, body)
        case PatchType.MERGE:
            return patch.merge_patch(document, body)
        case PatchType.STRATEGIC:
            return strategic.merge(document, body, node)
    raise UnsupportedMediaType(refusal())


def refusal() -> str:
    types = ", ".join(accepted.value for accepted in ACCEPTED)
    return f"the body of the request was in an unknown format - accepted media types include: {types}"
