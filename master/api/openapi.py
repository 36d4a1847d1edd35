"""OpenAPI v3 documents, generated from the registry and the official definitions.

kubectl reads them for explain, create, apply, replace and diff: which patch types a kind takes, whether the server validates
fields, descriptions and merge keys. One document a group and version; each is built when first asked for and kept
compressed, because the decoded definitions would cost the master tens of megabytes.
"""

from __future__ import annotations


def index() -> bytes:
    """The body of `/openapi/v3`: each group version's path with a hash of its content, by which clients cache."""
    raise NotImplementedError


def document(path: str) -> bytes | None:
    """The JSON of one group version: path is `api/v1` or `apis/apps/v1`; None when it is not served."""
    raise NotImplementedError
