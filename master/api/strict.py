"""Decoding of a document against the schema of its kind, as Kubernetes' own typed decoder does it.

Owns: unknown fields, wrong types, bad quantities, times and base64, nulls, and which required fields are missing.
Leaves to others: duplicate fields are found where bytes are decoded (`body.py`) and only reported here; what a value
means is the business of each kind (`kinds/`).

Wrong types are always refused. Unknown and duplicate fields are refused (Strict), warned of (Warn) or passed over in
silence (Ignore); in the last two they are dropped, since a typed decoder has no place for them. A null field is an absent
field; a null in a list or a map is its type's zero value. The texts are those that Kubernetes' users know, down to Go's
names of types, because scripts and people search for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import FieldCause
from master.api.contract import Document
from master.api.schema import Node

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"


def check(document: Document, node: Node, *, mode: str = IGNORE, duplicates: Sequence[str] = ()) -> tuple[Document, list[str]]:
    """A cleaned copy of the document (unknown and null fields dropped), and the warnings (mode Warn only).

    mode: Strict, Warn or Ignore, `fieldValidation`'s values. duplicates: paths from `body.decode`. Raises BadRequest with the whole text
    (`Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo"`).
    """
    raise NotImplementedError


def missing_required(document: Document, node: Node) -> list[FieldCause]:
    """Required fields that are absent or empty, as FieldValueRequired causes, `status` aside; to be called after defaulting."""
    raise NotImplementedError
