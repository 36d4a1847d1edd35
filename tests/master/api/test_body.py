"""Bodies from the network: what is read, what is refused, and that none of it costs the master its breath."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadRequest, CallerFault, TooLarge, UnsupportedMediaType
from common import yaml_documents
from master.api import body

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize(
    "content_type",
    ["", JSON, "application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json", "application/strategic-merge-patch+json"],
)
def test_json_under_its_many_names(content_type: str) -> None:
    assert body.decode(b'{"a":[1,2.5,"x",null,true]}', content_type).document == {"a": [1, 2.5, "x", None, True]}


@pytest.mark.parametrize("content_type", ["application/xml", "image/png", "multipart/form-data; boundary=x"])
def test_other_media_types_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="accepted media types include: application/json"):
        body.decode(b"{}", content_type)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "unrecognized", id="nothing"),
        pytest.param(b'{"a":', "unrecognized", id="cut short"),
        pytest.param(b"{} {}", "trailing characters", id="two documents"),
        pytest.param(b'{"a":NaN}', "unrecognized", id="not a number"),
        pytest.param(b'{"a":1e999}', "out of range", id="a number beyond all bounds"),
        pytest.param(b'{"a":"\xff"}', "not UTF-8", id="a value that is not UTF-8"),
        pytest.param(b'{"\xff":1}', "not UTF-8", id="a name that is not UTF-8"),
        pytest.param(b"[" * 101 + b"]" * 101, "nested more than 100 levels", id="a little too deep"),
        pytest.param(b"[" * 1_000_000, "nested more than 100 levels", id="as deep as a body can be"),
        pytest.param(b'{"a":' * 5000, "nested more than 100 levels", id="deep and cut short"),
    ],
)
def test_malformed_json(data: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        body.decode(data, JSON, find_duplicates=True)


def test_a_hundred_levels_are_accepted() -> None:
    assert body.decode(b"[" * 100 + b"]" * 100, JSON).document


def test_braces_in_text_are_no_levels() -> None:
    data = msgspec.json.encode({"data": {"dashboard.json": '{"a":[' * 50_000}})
    assert body.decode(data, JSON, find_duplicates=True).duplicates == ()


def test_too_many_bytes() -> None:
    with pytest.raises(TooLarge, match="Request entity too large: limit is 3145728"):
        body.decode(b" " * (body.MAX_BYTES + 1), JSON)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        pytest.param(b'{"a":1,"b":2}', (), id="none"),
        pytest.param(b'{"a":1,"a":2}', ("a",), id="at the top"),
        pytest.param(b'{"a":1,"a":2,"a":3}', ("a",), id="three times is said once"),
        pytest.param(b'{"spec":{"containers":[{},{"image":"x","image":"y"}]}}', ("spec.containers[1].image",), id="in a list"),
        pytest.param(b'{"metadata":{"labels":{"app":"a","app":"b"}}}', ("metadata.labels.app",), id="in a map"),
        pytest.param(b'[{"op":"add","op":"test"}]', ("[0].op",), id="in a patch that is a list"),
    ],
)
def test_duplicate_fields_are_found_when_asked_for(data: bytes, fields: tuple[str, ...]) -> None:
    assert body.decode(data, JSON, find_duplicates=True).duplicates == tuple(f'duplicate field "{path}"' for path in fields)
    assert body.decode(data, JSON).duplicates == ()


@pytest.mark.parametrize(
    ("text", "document"),
    [
        pytest.param("a: 1\nb: [x, 'y', \"z\"]\nc: {d: e}", {"a": 1, "b": ["x", "y", "z"], "c": {"d": "e"}}, id="collections"),
        pytest.param("a: 2025-01-01T00:00:00Z", {"a": "2025-01-01T00:00:00Z"}, id="times are text"),
        pytest.param("a: 1:30", {"a": "1:30"}, id="a port mapping is text, not base sixty"),
        pytest.param("a: 0644\nb: 0x1f\nc: 0o17\nd: -5\ne: 1_000", {"a": 420, "b": 31, "c": 15, "d": -5, "e": 1000}, id="integers"),
        pytest.param("a: 0x_\nb: 007\nc: -0\nd: 5_", {"a": "0x_", "b": 7, "c": 0, "d": 5.0}, id="odd integers"),
        pytest.param("a: 089", {"a": 89.0}, id="digits that are not octal"),
        pytest.param("a: 1.5\nb: 1e3\nc: .5", {"a": 1.5, "b": 1000.0, "c": 0.5}, id="fractions"),
        pytest.param("a: yes\nb: Off\nc: TRUE\nd: y", {"a": True, "b": False, "c": True, "d": "y"}, id="booleans"),
        pytest.param("a: ~\nb: null\nc:", {"a": None, "b": None, "c": None}, id="nulls"),
        pytest.param("a: \"5\"\nb: 'true'\nc: !!str 7", {"a": "5", "b": "true", "c": "7"}, id="quotes make text"),
        pytest.param("a: !!int 7\nb: !!float 7", {"a": 7, "b": 7}, id="tags of JSON's types"),
        pytest.param("1: a\ntrue: b\n~: c", {"1": "a", "true": "b", "null": "c"}, id="names become text"),
        pytest.param("a: |\n  x\n  y\n", {"a": "x\ny\n"}, id="a block of text"),
        pytest.param("--- \na: 1\n...\n", {"a": 1}, id="marks of beginning and end"),
        pytest.param("a: &x 1", {"a": 1}, id="an anchor that nobody uses"),
        pytest.param("v1.2.3", "v1.2.3", id="a scalar alone"),
        pytest.param("a: " + "9" * 70, {"a": "9" * 70}, id="more digits than a number has"),
        pytest.param("# nothing", None, id="only a comment"),
    ],
)
def test_yaml_is_read_as_json(text: str, document: Any) -> None:
    assert body.decode(text.encode(), YAML).document == document


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [1", "yaml: line", id="malformed, with its line"),
        pytest.param("a: &x [1]\nb: *x", "aliases", id="aliases"),
        pytest.param("<<: {a: 1}", "merge keys", id="merge keys"),
        pytest.param("a: 1\n---\nb: 2", "a single document", id="two documents"),
        pytest.param("a: !!binary aGk=", "the tag", id="bytes"),
        pytest.param("a: !!set {x}", "the tag", id="a set"),
        pytest.param("a: !!python/object:os.system x", "the tag", id="a Python object"),
        pytest.param("a: !!int x", "the tag", id="a tag that its value is not"),
        pytest.param("a: .nan", "not a number that JSON knows", id="not a number"),
        pytest.param("a: -.inf", "not a number that JSON knows", id="infinity"),
        pytest.param("a: 1e999", "not a number that JSON knows", id="beyond all bounds"),
        pytest.param("? [a]\n: 1", "name of a field must be text", id="a list as a name"),
        pytest.param("- " * 200, "nested more than 100 levels", id="too deep"),
        pytest.param("[" * 100_000, "nested more than 100 levels", id="far too deep"),
        pytest.param("a: \x00", "yaml", id="control characters"),
    ],
)
def test_yaml_that_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        body.decode(text.encode(), YAML, find_duplicates=True)


def test_duplicate_fields_in_yaml_are_told_by_their_lines() -> None:
    text = b"spec:\n  containers:\n  - {}\n  - image: x\n    image: y\nspec:\n  a: b\n"
    said = 'yaml: unmarshal errors:\n  line 5: key "image" already set in map\n  line 7: key "spec" already set in map'
    assert body.decode(text, YAML, find_duplicates=True).duplicates == (said,)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        pytest.param(b"[" + b"1," * 1_500_000 + b"1]", YAML, id="three megabytes of small YAML items"),
        pytest.param(b'{"a":[' + b"{}," * 900_000 + b"{}]}", JSON, id="a million empty objects"),
        pytest.param(b"k8s\0" + b"\x08\x01" * 1_500_000, PROTOBUF, id="three megabytes of protobuf fields"),
    ],
)
def test_a_costly_body_is_refused_before_it_costs(data: bytes, content_type: str) -> None:
    start = time.process_time()
    with pytest.raises(TooLarge):
        body.decode(data, content_type, find_duplicates=True)
    assert time.process_time() - start < 1


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def envelope(kind: bytes, raw: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, b"v1") + field(2, kind)) + field(2, raw)


def test_delete_options_in_protobuf() -> None:
    raw = field(1, 30) + field(2, field(1, b"u-1") + field(2, b"42")) + field(4, b"Background") + field(5, b"All")
    assert body.decode(envelope(b"DeleteOptions", raw), PROTOBUF).document == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "gracePeriodSeconds": 30,
        "preconditions": {"uid": "u-1", "resourceVersion": "42"},
        "propagationPolicy": "Background",
        "dryRun": ["All"],
    }


def test_a_negative_grace_period_keeps_its_sign() -> None:
    assert body.decode(envelope(b"DeleteOptions", field(1, 2**64 - 1)), PROTOBUF).document["gracePeriodSeconds"] == -1


def test_other_kinds_in_protobuf_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedMediaType, match="a Gadget in protobuf is not accepted"):
        body.decode(envelope(b"Gadget", b""), PROTOBUF)


@pytest.mark.parametrize("data", [b"", b"{}", b"k8s\0\x0a\xff", b"k8s\0\xff", b"k8s\0" + b"\xff" * 20, b"k8s\0\x08\x01", b"k8s\0\x0f"])
def test_malformed_protobuf_is_the_callers_fault(data: bytes) -> None:
    with pytest.raises(CallerFault):
        body.decode(data, PROTOBUF)


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="{}[]:,\"'0._9-axobe!&*|>? \n<\\ud8\x85", max_size=80).map(str.encode)))
def test_whatever_comes_is_read_as_json_or_refused(data: bytes) -> None:
    for content_type in (JSON, YAML, PROTOBUF):
        for prefix in (b"", b"k8s\0"):
            try:
                found = body.decode(prefix + data, content_type, find_duplicates=True)
            except CallerFault:
                continue
            assert msgspec.json.decode(msgspec.json.encode(found.document)) == found.document


def test_the_limits_agree() -> None:
    assert body.MAX_DEPTH == yaml_documents.MAX_DEPTH == 100
