"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386), as pure functions on documents.

Neither changes what it is given; the result shares the parts that were not touched, so its caller must not change it
in place either. Strategic merge, which needs the schema, is in `strategic.py`.
Errors are Kubernetes': a malformed patch is a BadRequest, a patch that cannot be applied (a failed `test`, a missing
path) is Invalid with one cause that names the operation.
"""

from __future__ import annotations

from typing import Any

from master.api.contract import Document

MAX_OPERATIONS = 10_000


def json_patch(document: Document, operations: Any) -> Document:
    """Apply a decoded JSON patch (a list of operations). Raises BadRequest, TooLarge, Invalid."""
    raise NotImplementedError


def merge_patch(document: Document, patch: Any) -> Document:
    """Apply a decoded JSON merge patch. Raises BadRequest when the patch is not an object."""
    raise NotImplementedError
