"""Bounded decoding of request bodies: JSON, YAML and Kubernetes' protobuf.

Bytes from the network enter the master's documents here. Everything is bounded, because the master's one event loop waits
meanwhile: bytes, depth, and how many objects and lists there are. YAML and protobuf have modules of their own (`yaml_body.py`,
`protobuf.py`).
Duplicate fields, which a plain decoder hides, are found on demand, by a second and slower decoder.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from common.errors import BadRequest, TooLarge, UnsupportedMediaType
from master.api import protobuf, yaml_body

MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = yaml_body.MAX_DEPTH
MAX_COLLECTIONS = 100_000
"""Objects and lists in one body: the largest object that the store takes has far fewer, and each costs time."""
APPLY = "application/apply-patch+yaml"
"""YAML by name; clients send JSON in it, which is read many times faster."""
PROTOBUF = "application/vnd.kubernetes.protobuf"


class Body(msgspec.Struct, frozen=True):
    """document: any JSON value (patches may be lists). duplicates: paths such as `spec.containers[0].image`."""

    document: Any
    duplicates: tuple[str, ...] = ()


def decode(body: bytes, content_type: str, *, max_bytes: int = MAX_BYTES, find_duplicates: bool = False) -> Body:
    """Decode one body. content_type: the header, parameters allowed; "" and any `+json` mean JSON, any `+yaml` YAML.

    find_duplicates: ask for it when fieldValidation is Strict or Warn. Raises TooLarge, BadRequest, UnsupportedMediaType.
    """
    if len(body) > max_bytes:
        raise TooLarge(f"Request entity too large: limit is {max_bytes}")
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("", "*/*", "application/json", "text/plain") or kind.endswith("+json"):
        return _json(body, find_duplicates=find_duplicates)
    if kind == APPLY and body.lstrip()[:1] == b"{":
        try:
            return _json(body, find_duplicates=find_duplicates)
        except BadRequest:
            pass  # a flow mapping of YAML begins so too
    if kind in ("application/yaml", "text/yaml", "application/x-yaml") or kind.endswith("+yaml"):
        document, duplicates = yaml_body.decode(body)
        return Body(document, duplicates if find_duplicates else ())
    if kind == PROTOBUF:
        return Body(protobuf.decode(body))
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, {PROTOBUF}"
    )


def _json(body: bytes, *, find_duplicates: bool) -> Body:
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BadRequest(f"the object provided is unrecognized: {error}") from None
    except UnicodeDecodeError:
        raise BadRequest("the object provided is unrecognized: its text is not UTF-8") from None
    except RecursionError:
        raise BadRequest(f"the object provided is nested more than {MAX_DEPTH} levels deep") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_bounds(document)
    return Body(document, _duplicates_of_json(body) if find_duplicates else ())


def _check_bounds(document: Any) -> None:
    """Level by level, not recursive: this is what keeps everything after it from recursing too deep."""
    level, depth, count = [document], 0, 0
    while level:
        depth += 1
        count += len(level)
        if count > MAX_COLLECTIONS:
            raise TooLarge(f"the object provided has more than {MAX_COLLECTIONS} objects and lists in it")
        if depth > MAX_DEPTH:
            raise BadRequest(f"the object provided is nested more than {MAX_DEPTH} levels deep")
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]


class _Pairs(dict[str, Any]):
    """An object with the names that occurred twice in it."""

    twice: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    found = _Pairs(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = []
        for name, _ in pairs:
            if name in seen and name not in twice:
                twice.append(name)
            seen.add(name)
        found.twice = tuple(twice)
    return found


def _duplicates_of_json(body: bytes) -> tuple[str, ...]:
    return tuple(_paths(json.loads(body, object_pairs_hook=_pairs)))


def _paths(value: Any, place: str = "") -> list[str]:
    found: list[str] = []
    if isinstance(value, _Pairs):
        found += [f"{place}.{name}".lstrip(".") for name in value.twice]
        for name, child in value.items():
            found += _paths(child, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            found += _paths(child, f"{place}[{i}]")
    return found
