"""Strategic merge patch: a merge patch that knows, from the schema, which lists are maps in disguise.

Lists whose schema says `merge` are merged item by item (by their merge key, or as sets of scalars); others are
replaced. Directives in the patch: `$patch: delete|replace|merge`, `$setElementOrder/FIELD`,
`$deleteFromPrimitiveList/FIELD`, `$retainKeys`. A kind without an official schema has no strategic merge: the
caller answers UnsupportedMediaType.
"""

from __future__ import annotations

from typing import Any

from master.api.contract import Document
from master.api.schema import Node


def merge(document: Document, patch: Any, node: Node) -> Document:
    """The patched document; neither argument is changed, the result may share parts with both.

    Raises BadRequest for a malformed patch, Invalid for one that cannot be applied.
    """
    raise NotImplementedError
