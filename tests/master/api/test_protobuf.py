"""Protobuf bodies: the table is whole and true to the schema, documents are those that JSON would give, garbage is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadRequest, CallerFault, TooLarge
from master.api import protobuf, protobuf_fields, schema
from tests.master.api.test_body import envelope, field

ALL_KINDS = [(version, kind) for version, kinds in protobuf_fields.KINDS.items() for kind in kinds.split()]
LEAVES = protobuf._SCALARS.keys() | protobuf._SPECIAL.keys() | {"ExtraValue"}


def decoded(kind: bytes, raw: bytes) -> dict:
    found = protobuf.decode(envelope(kind, raw))
    assert (found.pop("kind"), found.pop("apiVersion")) == (kind.decode(), "v1")
    return found


def test_every_type_of_the_table_is_in_the_table() -> None:
    assert {f.type for fields in protobuf.messages().values() for f in fields.values()} <= LEAVES | protobuf.messages().keys()


@pytest.mark.parametrize(("version", "kind"), ALL_KINDS)
def test_the_fields_are_those_of_the_schema(version: str, kind: str) -> None:
    """Every field that the table can yield is one that the strict decoder knows, of the same shape; and none is missing."""
    left, seen = [(protobuf.message_of(version, kind), schema.for_kind(version, kind))], set()
    while left:
        name, node = left.pop()
        if name in seen:
            continue
        seen.add(name)
        fields = _flat(name)
        names = {f.name for f in fields}
        assert names <= set(node.fields), name
        assert set(node.fields) - names <= {"kind", "apiVersion", "managedFields"}, name
        for f in fields:
            child = node.fields[f.name]
            if f.flag == "*":
                assert child.type is schema.Type.ARRAY
                child = child.items
            elif f.flag == "%":
                assert child.type is schema.Type.MAP
                child = child.values
            assert child is not None
            if f.type in protobuf.messages():
                left.append((f.type, child))
            else:
                assert child.type in SHAPES[f.type], (name, f)


def _flat(name: str) -> list[protobuf.Field]:
    found = []
    for f in protobuf.messages()[name].values():
        found += _flat(f.type) if f.flag == "." else [f]
    return found


SHAPES = {
    "": {schema.Type.STRING}, "i": {schema.Type.INTEGER}, "o": {schema.Type.BOOLEAN}, "b": {schema.Type.BYTES},
    "Time": {schema.Type.TIME}, "MicroTime": {schema.Type.MICRO_TIME}, "Quantity": {schema.Type.QUANTITY},
    "IntOrString": {schema.Type.INT_OR_STRING}, "RawExtension": {schema.Type.OBJECT, schema.Type.ANY}, "ExtraValue": {schema.Type.ARRAY},
}  # fmt: skip


def test_bytes_become_base64_and_maps_keep_empty_values() -> None:
    raw = field(2, field(1, b"k") + field(2, b"value")) + field(2, field(1, b"empty") + field(2, b"")) + field(3, b"Opaque")
    assert decoded(b"Secret", raw) == {"data": {"k": "dmFsdWU=", "empty": ""}, "type": "Opaque"}


def test_zero_by_value_is_left_out_and_zero_by_pointer_is_kept() -> None:
    container = field(1, b"main") + field(16, 0) + field(15, field(5, 0))
    raw = field(1, field(1, b"p") + field(7, 0) + field(8, b"")) + field(2, field(2, container) + field(11, 0) + field(4, 0))
    assert decoded(b"Pod", raw) == {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "main", "securityContext": {"runAsNonRoot": False}}], "terminationGracePeriodSeconds": 0},
    }


def test_inlined_structs_stand_in_their_parent() -> None:
    mounted = field(1, b"v") + field(2, field(19, field(1, field(1, b"settings"))))
    probe = field(1, field(2, field(1, b"/healthz") + field(2, field(1, 1) + field(2, 0) + field(3, b"http")))) + field(2, 3)
    spec = decoded(b"Pod", field(2, field(1, mounted) + field(2, field(1, b"c") + field(10, probe))))["spec"]
    assert spec["volumes"] == [{"name": "v", "configMap": {"name": "settings"}}]
    assert spec["containers"][0]["livenessProbe"] == {"httpGet": {"path": "/healthz", "port": "http"}, "initialDelaySeconds": 3}


def test_times() -> None:
    zero_past = field(8, field(1, 0) + field(2, 0))
    assert decoded(b"Pod", field(1, zero_past)) == {"metadata": {"creationTimestamp": "1970-01-01T00:00:00Z"}}
    assert protobuf._micro_time({1: 1_700_000_000, 2: 123_456_789}) == "2023-11-14T22:13:20.123456Z"
    with pytest.raises(BadRequest, match="years 1 to 9999"):
        decoded(b"Pod", field(1, field(8, field(1, 2**62))))


def test_too_many_fields_are_refused() -> None:
    with pytest.raises(TooLarge):
        decoded(b"ConfigMap", b"\x78\x01" * (protobuf.MAX_FIELDS + 1))


@given(st.sampled_from([protobuf.message_of(*each) for each in ALL_KINDS]), st.binary(max_size=300))
def test_garbage_is_a_document_or_the_callers_fault(kind: str, data: bytes) -> None:
    try:
        assert isinstance(protobuf._Reader().message(kind, data, depth=0), dict)
    except CallerFault:
        pass
