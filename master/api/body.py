"""Bounded decoding of request bodies: JSON, YAML, and the one protobuf message that the clients need.

Bytes from the network enter the master's documents here. Everything is bounded: bytes, depth, and what YAML's
aliases may expand to. Duplicate fields, which a plain decoder hides, are found on demand.
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = 100


class Body(msgspec.Struct, frozen=True):
    """document: any JSON value (patches may be lists). duplicates: paths such as `spec.containers[0].image`."""

    document: Any
    duplicates: tuple[str, ...] = ()


def decode(body: bytes, content_type: str, *, max_bytes: int = MAX_BYTES, find_duplicates: bool = False) -> Body:
    """Decode one body. content_type: the header, parameters allowed; "" and any `+json` mean JSON, any `+yaml` YAML.

    find_duplicates: ask for it when fieldValidation is Strict or Warn. Raises TooLarge, BadRequest, UnsupportedMediaType.
    """
    raise NotImplementedError
