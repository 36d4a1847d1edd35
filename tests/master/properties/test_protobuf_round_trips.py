"""JSON to protobuf and back, for every kind that is read: an encoder of the test's own, from the same table of fields, writes random documents
as Go's clients do, zero values and all; what is decoded is what Go's JSON of the same object would say."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given

from common.clock import parse_rfc3339
from master.api import protobuf, protobuf_fields, schema
from master.api.protobuf import Field
from master.api.schema import Node
from tests.master.properties.making import SEEDS, Maker, examples

Json = Any
ALL_KINDS = [(version, kind) for version, kinds in protobuf_fields.KINDS.items() for kind in kinds.split()]
SCALARS = {"", "i", "o", "b"}


# ------------------------------------------------------------------------------------------ writing, as Go does


def varint(number: int) -> bytes:
    number %= 2**64
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def part(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def written(value: Json, kind: str) -> int | bytes:
    match kind:
        case "":
            return value.encode()
        case "i" | "o":
            return int(value)
        case "b":
            return base64.b64decode(value)
        case "Time":
            return part(1, int(parse_rfc3339(value))) + part(2, 0)
        case "MicroTime":
            whole, _, micros = value.removesuffix("Z").partition(".")
            return part(1, int(parse_rfc3339(whole + "Z"))) + part(2, int(micros or 0) * 1000)
        case "Quantity":
            return part(1, value.encode())
        case "IntOrString":
            return part(1, int(isinstance(value, str))) + (part(3, value.encode()) if isinstance(value, str) else part(2, value))
        case "RawExtension":
            return part(1, json.dumps(value).encode())
        case "ExtraValue":
            return b"".join(part(1, item.encode()) for item in value)
    return message(value, kind)


def message(document: dict[str, Any], name: str) -> bytes:
    found = b""
    for number, field in protobuf.messages()[name].items():
        found += b"".join(part(number, value) for value in _values(document, field))
    return found


def _values(document: dict[str, Any], field: Field) -> list[int | bytes]:
    value = document.get(field.name)
    match field.flag:
        case "%":
            return [part(1, key.encode()) + part(2, written(item, field.type)) for key, item in (value or {}).items()]
        case "*":
            return [written(item, field.type) for item in value or ()]
        case ".":
            return [message(document, field.type)]
        case "?" if value is None and field.type in SCALARS:
            return [written({"": "", "i": 0, "o": False, "b": ""}[field.type], field.type)]  # Go writes what is zero
    return [] if value is None else [written(value, field.type)]


def envelope(version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + part(1, part(1, version.encode()) + part(2, kind.encode())) + part(2, raw) + part(3, b"") + part(4, b"")


# ------------------------------------------------------------------------------------------- what is to be read


def expected(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Without what the table has no field for, and without zero values that JSON leaves out."""
    found: dict[str, Any] = {}
    for field in protobuf.messages()[name].values():
        if field.flag == ".":
            found |= expected(document, field.type)
            continue
        value = document.get(field.name)
        if field.flag == "%" and value:
            found[field.name] = {key: _expected(item, field.type) for key, item in value.items()}
        elif field.flag == "*" and value:
            found[field.name] = [_expected(item, field.type) for item in value]
        elif field.flag not in ("%", "*") and value is not None and (value or field.flag != "?"):
            found[field.name] = _expected(value, field.type)
    return found


def _expected(value: Json, kind: str) -> Json:
    return expected(value, kind) if kind in protobuf.messages() and kind not in protobuf._SPECIAL else value


class Filled(Maker):
    """More of everything, zero values too: what is rare is where field numbers go wrong."""

    def _object(self, node: Node, depth: int) -> dict[str, Any]:
        names = [name for name in node.fields if name != "managedFields"]
        few = self.rng.sample(names, min(len(names), 12 if depth < 2 else 5 if depth < 6 else 0))
        return {name: self.value(node.fields[name], depth + 1) for name in dict.fromkeys((*node.required, *few))}


@pytest.mark.parametrize(("version", "kind"), ALL_KINDS, ids=lambda value: value)
def test_what_is_written_is_read(version: str, kind: str) -> None:
    node, name = schema.for_kind(version, kind), protobuf.message_of(version, kind)

    @examples(15)
    @given(SEEDS)
    def check(seed: int) -> None:
        document = {key: value for key, value in Filled(seed).value(node).items() if key not in ("kind", "apiVersion")}
        read = protobuf.decode(envelope(version, kind, message(document, name)))
        assert read == {"kind": kind, "apiVersion": version, **expected(document, name)}

    check()


@pytest.mark.parametrize(("version", "kind"), ALL_KINDS, ids=lambda value: value)
def test_fields_in_any_order_and_unknown_ones_between_are_read_alike(version: str, kind: str) -> None:
    node, name = schema.for_kind(version, kind), protobuf.message_of(version, kind)
    document = {key: value for key, value in Filled(7).value(node).items() if key not in ("kind", "apiVersion")}
    fields = [part(number, value) for number, field in protobuf.messages()[name].items() for value in _values(document, field) if field.flag != "*"]
    repeated = [part(number, value) for number, field in protobuf.messages()[name].items() for value in _values(document, field) if field.flag == "*"]
    random.Random(1).shuffle(fields)
    raw = b"".join((part(900, 1), *fields, part(901, b"new"), *repeated))
    assert protobuf.decode(envelope(version, kind, raw)) == {"kind": kind, "apiVersion": version, **expected(document, name)}


def test_every_field_of_the_table_is_written_and_read_by_some_document() -> None:
    seen: set[tuple[str, str]] = set()

    def note(document: Json, name: str) -> None:
        for field in protobuf.messages()[name].values():
            if field.flag == ".":
                note(document, field.type)
            elif document.get(field.name) is not None:
                seen.add((name, field.name))
                parts = document[field.name] if field.flag == "*" else list(document[field.name].values()) if field.flag == "%" else [document[field.name]]
                for item in parts:
                    if field.type in protobuf.messages() and field.type not in protobuf._SPECIAL:
                        note(item, field.type)

    for version, kind in ALL_KINDS:
        for seed in range(60):
            note(Filled(seed).value(schema.for_kind(version, kind)), protobuf.message_of(version, kind))
    every = {(name, field.name) for name, fields in protobuf.messages().items() for field in fields.values() if field.flag != "."}
    missing = every - seen
    assert len(missing) < len(every) // 20, sorted(missing)[:40]
