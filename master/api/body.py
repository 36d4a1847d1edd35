"""Bounded decoding of request bodies: JSON, YAML and Kubernetes' protobuf.

Bytes from the network enter the master's documents here. Everything is bounded, because the master's one event loop waits
meanwhile: bytes, depth, and how many objects and lists there are. YAML and protobuf have modules of their own
(`common/yaml_documents.py`, `protobuf.py`).
Duplicate fields, which a plain decoder hides, are found on demand, by a second and slower decoder.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from common import yaml_documents
from common.errors import BadRequest, TooLarge, UnsupportedMediaType
from master.api import protobuf

MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = yaml_documents.MAX_DEPTH
MAX_COLLECTIONS = 100_000
"""Objects and lists in one body: the largest object that the store takes has far fewer, and each costs time."""
APPLY = "application/apply-patch+yaml"
"""YAML by name; clients send JSON in it, which is read many times faster."""
PROTOBUF = "application/vnd.kubernetes.protobuf"


UNRECOGNIZED = "the object provided is unrecognized: "
_BY_KIND = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
"""What Kubernetes reads first of any object, as Go names it."""
_GO_WORDS = {str: "string", list: "array", bool: "bool", int: "number", float: "number", type(None): "null"}
SUMMARY = 30


class Body(msgspec.Struct, frozen=True):
    """document: any JSON value (patches may be lists). duplicates: what is to be said of fields that occur twice: of JSON a sentence each
    (`duplicate field "spec.containers[0].image"`), of YAML one of several lines (`strict.lines`)."""

    document: Any
    duplicates: tuple[str, ...] = ()


def decode_object(body: bytes, content_type: str, *, kind: str, find_duplicates: bool = False) -> Body:
    """Of a body that must be one object, said to be of this kind. Raises as `decode`."""
    prefix = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: "
    suffix = f" ({_summary(body)})"
    found = decode(body, content_type, find_duplicates=find_duplicates, prefix=prefix, suffix=suffix)
    if not isinstance(found.document, dict):
        word = _GO_WORDS.get(type(found.document), "value")
        raise BadRequest(f"{prefix}json: cannot unmarshal {word} into Go value of type {_BY_KIND}{suffix}")
    return found


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    shown = body[:SUMMARY].decode(errors="replace") if body[:1] == b"{" else body[:SUMMARY].hex()
    return f"{shown} ..." if len(body) > SUMMARY else shown


def decode(
    body: bytes, content_type: str, *, max_bytes: int = MAX_BYTES, max_collections: int = MAX_COLLECTIONS, find_duplicates: bool = False,
    prefix: str = UNRECOGNIZED, suffix: str = "",
) -> Body:  # fmt: skip
    """Decode one body. content_type: the header, parameters allowed; "" and any `+json` mean JSON, any `+yaml` YAML.

    find_duplicates: ask for it when fieldValidation is Strict or Warn. prefix, suffix: of the sentence about JSON that cannot be read.
    Raises TooLarge, BadRequest, UnsupportedMediaType.
    """
    if len(body) > max_bytes:
        raise TooLarge(f"Request entity too large: limit is {max_bytes}")
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("", "*/*", "application/json", "text/plain") or kind.endswith("+json"):
        return _json(body, find_duplicates=find_duplicates, max_collections=max_collections, prefix=prefix, suffix=suffix)
    if kind == APPLY and body.lstrip()[:1] == b"{":
        try:
            found = _json(body, find_duplicates=find_duplicates, prefix=prefix, suffix=suffix)
            return found if not found.duplicates else Body(found.document, _yaml_lines(body))
        except BadRequest:
            pass  # a flow mapping of YAML begins so too
    if kind in ("application/yaml", "text/yaml", "application/x-yaml") or kind.endswith("+yaml"):
        document, duplicates = yaml_documents.decode(body)
        return Body(document, (yaml_documents.sentence(duplicates),) if find_duplicates and duplicates else ())
    if kind == PROTOBUF:
        return Body(protobuf.decode(body))
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, {PROTOBUF}"
    )


def _yaml_lines(body: bytes) -> tuple[str, ...]:
    """What is applied is YAML, also when it is JSON: fields that occur twice are told by their lines."""
    try:
        lines = yaml_documents.decode(body)[1]
    except (BadRequest, TooLarge):
        lines = ("a key is set twice",)  # more than is worth reading twice
    return (yaml_documents.sentence(lines),)


def _json(body: bytes, *, find_duplicates: bool, prefix: str, suffix: str, max_collections: int = MAX_COLLECTIONS) -> Body:
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BadRequest(f"{prefix}{_go_error(body, str(error))}{suffix}") from None
    except UnicodeDecodeError:
        raise BadRequest(f"{prefix}its text is not UTF-8{suffix}") from None
    except RecursionError:
        raise BadRequest(f"the object provided is nested more than {MAX_DEPTH} levels deep") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _check_bounds(document, max_collections)
    return Body(document, _duplicates_of_json(body) if find_duplicates else ())


def _go_error(body: bytes, said: str) -> str:
    """As Go's decoder words the usual mistakes."""
    if "truncated" in said or not body.strip():
        return "unexpected end of JSON input"
    found = re.search(r"invalid character \(byte (\d+)\)", said)
    if found is not None and int(found[1]) < len(body):
        character = chr(body[int(found[1])])
        return f"invalid character {character!r} looking for beginning of value"
    return said.removeprefix("JSON is malformed: ")


def _check_bounds(document: Any, max_collections: int) -> None:
    """Level by level, not recursive: this is what keeps everything after it from recursing too deep."""
    level, depth, count = [document], 0, 0
    while level:
        depth += 1
        count += len(level)
        if count > max_collections:
            raise TooLarge(f"the object provided has more than {max_collections} objects and lists in it")
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
    """Whether there are any is seen at little cost; only then is a tree made to tell where."""
    twice = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal twice
        twice = twice or len(dict(pairs)) != len(pairs)

    json.loads(body, object_pairs_hook=look)
    if not twice:
        return ()
    return tuple(f'duplicate field "{path}"' for path in _paths(json.loads(body, object_pairs_hook=_pairs)))


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
