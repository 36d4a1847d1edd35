"""Bounded decoding of request bodies: JSON, YAML, and the one protobuf message that the clients need.

Bytes from the network enter the master's documents here. Everything is bounded, because the master's one event loop waits
meanwhile: bytes, depth, and how many objects and lists there are. YAML has a module of its own (`yaml_body.py`).
Duplicate fields, which a plain decoder hides, are found on demand, by a second and slower decoder.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from common.errors import BadRequest, TooLarge, UnsupportedMediaType
from master.api import yaml_body

MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = yaml_body.MAX_DEPTH
MAX_COLLECTIONS = 100_000
"""Objects and lists in one body: the largest object that the store takes has far fewer, and each costs time."""
MAX_PROTOBUF_BYTES = 64 * 1024
PROTOBUF = "application/vnd.kubernetes.protobuf"
_PROTOBUF_MAGIC = b"k8s\0"


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
    if kind in ("application/yaml", "text/yaml", "application/x-yaml") or kind.endswith("+yaml"):
        document, duplicates = yaml_body.decode(body)
        return Body(document, duplicates if find_duplicates else ())
    if kind == PROTOBUF:
        if len(body) > MAX_PROTOBUF_BYTES:
            raise TooLarge(f"Request entity too large: limit is {MAX_PROTOBUF_BYTES} for {PROTOBUF}")
        return Body(_protobuf(body))
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


def _protobuf(body: bytes) -> dict[str, Any]:
    """DeleteOptions alone: what typed clients send along with a DELETE. Kubernetes' envelope is the magic, then
    `runtime.Unknown{1: TypeMeta{1: apiVersion, 2: kind}, 2: raw}`."""
    if not body.startswith(_PROTOBUF_MAGIC):
        raise BadRequest("the body is not protobuf of Kubernetes: it lacks its prefix")
    unknown = _fields(body[len(_PROTOBUF_MAGIC) :])
    meta = _fields(_bytes(unknown.get(1, b"")))
    kind = _bytes(meta.get(2, b"")).decode(errors="replace")
    if kind != "DeleteOptions":
        accepted = "accepted media types include: application/json, application/yaml"
        raise UnsupportedMediaType(f"a {kind[:64] or 'body'} in protobuf is not accepted - {accepted}")
    raw = _fields(_bytes(unknown.get(2, b"")))
    document: dict[str, Any] = {"kind": kind, "apiVersion": _bytes(meta.get(1, b"v1")).decode(errors="replace")}
    if 1 in raw:
        document["gracePeriodSeconds"] = _signed(raw[1])
    if 2 in raw:
        inner = _fields(_bytes(raw[2]))
        names = {1: "uid", 2: "resourceVersion"}
        document["preconditions"] = {names[n]: _bytes(v).decode(errors="replace") for n, v in inner.items() if n in names}
    if 3 in raw:
        document["orphanDependents"] = bool(raw[3])
    if 4 in raw:
        document["propagationPolicy"] = _bytes(raw[4]).decode(errors="replace")
    if 5 in raw:
        document["dryRun"] = [_bytes(raw[5]).decode(errors="replace")]
    return document


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise BadRequest("the protobuf body is malformed: a number stands where text belongs")


def _signed(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise BadRequest("the protobuf body is malformed: text stands where a number belongs")
    return value - 2**64 if value >= 2**63 else value


def _fields(data: bytes) -> dict[int, int | bytes]:
    """Field number to value (of repeated fields the last); wire types 0 and 2 are kept, fixed ones skipped."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            found[tag >> 3], at = _varint(data, at)
        elif wire == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise BadRequest("the protobuf body is cut short")
            found[tag >> 3] = data[at : at + length]
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise BadRequest(f"the protobuf body has a field of unknown wire type {wire}")
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise BadRequest("the protobuf body is cut short")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value & (2**64 - 1), at
    raise BadRequest("the protobuf body has a number that never ends")
