"""Decodes Kubernetes' protobuf bodies into the JSON documents that the rest of the API works on.

kubectl from 1.32 on, Helm and typed clients send protobuf where they have Go types: every imperative `create`, evictions, options
of deletions. One generic decoder is driven by the table of `protobuf_fields.py`; answers are JSON always, so nothing is encoded.

The envelope is a prefix, then `runtime.Unknown{1: TypeMeta{1: apiVersion, 2: kind}, 2: raw}`. Where protobuf and JSON differ, the
result is what Go's JSON of the same object would say: zero values by value are left out, bytes are base64, times are text.
Bounded in fields and depth, because the master's one event loop waits meanwhile; the caller bounds the bytes.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from common.clock import rfc3339
from common.errors import BadRequest, TooLarge, UnsupportedMediaType
from master.api.protobuf_fields import KINDS, TABLE

PREFIX = b"k8s\0"
MAX_DEPTH = 50
MAX_FIELDS = 100_000
Wire = int | bytes
_TIME_SECONDS = (-62_135_596_800, 253_402_300_799)
"""The years 1 to 9999."""


class Field(msgspec.Struct, frozen=True):
    """flag: "*" repeated, "%" a map from strings, "." a struct that stands in its parent, "?" left out when zero, "" neither."""

    name: str
    type: str
    flag: str


def decode(body: bytes) -> dict[str, Any]:
    """The document of one body. Raises BadRequest, TooLarge, UnsupportedMediaType."""
    if not body.startswith(PREFIX):
        raise BadRequest("the body is not protobuf of Kubernetes: it lacks its prefix")
    reader = _Reader()
    unknown = dict(reader.fields(body[len(PREFIX) :]))
    meta = dict(reader.fields(_bytes(unknown.get(1, b""))))
    version, kind = _text(meta.get(1, b"v1")) or "v1", _text(meta.get(2, b""))
    if not reads(version, kind):
        accepted = "accepted media types include: application/json, application/yaml"
        raise UnsupportedMediaType(f"a {kind[:64] or 'body'} in protobuf is not accepted - {accepted}")
    return {"kind": kind, "apiVersion": version, **reader.message(message_of(version, kind), _bytes(unknown.get(2, b"")), depth=0)}


def reads(version: str, kind: str) -> bool:
    """Whether bodies of this apiVersion and kind are known."""
    return kind == "DeleteOptions" or kind in KINDS.get(version, "").split()


def message_of(version: str, kind: str) -> str:
    """The message of a kind: by its own name, or with its group and version where others have that name too."""
    group, _, number = version.rpartition("/")
    own = f"{group.partition('.')[0]}.{number}.{kind}"
    return own if own in messages() else kind


@functools.cache
def messages() -> dict[str, dict[int, Field]]:
    found: dict[str, dict[int, Field]] = {}
    fields: dict[int, Field] = {}
    for word in TABLE.split():
        if word.endswith(":"):
            fields = found.setdefault(word[:-1], {})
            continue
        number, flag, name, kind = re.fullmatch(r"(\d+)([*%.?]?)(\w+)(?::([\w.]+))?", word).groups()  # type: ignore[union-attr]
        fields[int(number)] = Field(name, kind or "", flag)
    return found


class _Reader:
    """Decodes one body, and counts what it has read of it."""

    def __init__(self) -> None:
        self._count = 0

    def message(self, name: str, data: bytes, *, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise BadRequest(f"the protobuf body is nested more than {MAX_DEPTH} levels deep")
        known, found = messages()[name], {}
        for number, wire in self.fields(data):
            field = known.get(number)
            if field is None:
                continue
            if field.flag == "%":
                key, value = self._entry(field.type, wire, depth)
                found.setdefault(field.name, {})[key] = value
                continue
            value = self._value(field.type, wire, depth)
            if field.flag == ".":
                found.update(value)
            elif field.flag == "*":
                found.setdefault(field.name, []).append(value)
            elif value is not None and (value or field.flag != "?"):
                found[field.name] = value
        return found

    def _entry(self, kind: str, wire: Wire, depth: int) -> tuple[str, Any]:
        parts = dict(self.fields(_bytes(wire)))
        return _text(parts.get(1, b"")), self._value(kind, parts.get(2, b""), depth)

    def _value(self, kind: str, wire: Wire, depth: int) -> Any:
        scalar = _SCALARS.get(kind)
        if scalar is not None:
            return scalar(wire)
        if kind == "ExtraValue":
            return [_text(part) for number, part in self.fields(_bytes(wire)) if number == 1]
        special = _SPECIAL.get(kind)
        if special is not None:
            return special(dict(self.fields(_bytes(wire))))
        return self.message(kind, _bytes(wire), depth=depth + 1)

    def fields(self, data: bytes) -> Iterator[tuple[int, Wire]]:
        """Field number and value, in order; fixed-width ones, which no served kind has, are skipped."""
        at, end = 0, len(data)
        while at < end:
            self._count += 1
            if self._count > MAX_FIELDS:
                raise TooLarge(f"the protobuf body has more than {MAX_FIELDS} fields in it")
            tag, at = _varint(data, at)
            wire = tag & 7
            if wire == 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            elif wire == 2:
                length, at = _varint(data, at)
                if at + length > end:
                    raise BadRequest("the protobuf body is cut short")
                yield tag >> 3, data[at : at + length]
                at += length
            elif wire in (1, 5):
                at += 8 if wire == 1 else 4
            else:
                raise BadRequest(f"the protobuf body has a field of unknown wire type {wire}")
        if at > end:
            raise BadRequest("the protobuf body is cut short")


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


def _bytes(wire: Wire) -> bytes:
    if isinstance(wire, bytes):
        return wire
    raise BadRequest("the protobuf body is malformed: a number stands where text belongs")


def _text(wire: Wire) -> str:
    try:
        return _bytes(wire).decode()
    except UnicodeDecodeError:
        raise BadRequest("the protobuf body is malformed: its text is not UTF-8") from None


def _signed(wire: Wire) -> int:
    if isinstance(wire, bytes):
        raise BadRequest("the protobuf body is malformed: text stands where a number belongs")
    return wire - 2**64 if wire >= 2**63 else wire


def _base64(wire: Wire) -> str:
    return base64.b64encode(_bytes(wire)).decode()


def _seconds(parts: dict[int, Wire]) -> int:
    seconds = _signed(parts.get(1, 0))
    if not _TIME_SECONDS[0] <= seconds <= _TIME_SECONDS[1]:
        raise BadRequest("the protobuf body has a time outside of the years 1 to 9999")
    return seconds


def _time(parts: dict[int, Wire]) -> str | None:
    """Go's zero time is an empty message, and null in JSON."""
    return rfc3339(_seconds(parts)) if parts else None


def _micro_time(parts: dict[int, Wire]) -> str | None:
    micros = min(max(_signed(parts.get(2, 0)) // 1000, 0), 999_999)
    return f"{rfc3339(_seconds(parts))[:-1]}.{micros:06d}Z" if parts else None


def _quantity(parts: dict[int, Wire]) -> str:
    return _text(parts.get(1, b"")) or "0"


def _int_or_string(parts: dict[int, Wire]) -> int | str:
    return _text(parts.get(3, b"")) if _signed(parts.get(1, 0)) else _signed(parts.get(2, 0))


def _raw(parts: dict[int, Wire]) -> Any:
    """A document of any kind inside another, which travels as JSON."""
    try:
        return msgspec.json.decode(_bytes(parts.get(1, b"null")))
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest("the protobuf body has an embedded object that is not JSON") from None


_SCALARS: dict[str, Callable[[Wire], Any]] = {"": _text, "i": _signed, "o": lambda wire: bool(_signed(wire)), "b": _base64}
_SPECIAL: dict[str, Callable[[dict[int, Wire]], Any]] = {
    "Time": _time,
    "MicroTime": _micro_time,
    "Quantity": _quantity,
    "IntOrString": _int_or_string,
    "RawExtension": _raw,
}
