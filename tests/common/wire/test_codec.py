"""Every message survives the wire; nothing that is not one gets through, and refusing it is cheap."""

from __future__ import annotations

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BadRequest, TooLarge
from common.wire import codec
from common.wire import messages as m

EVERY = [
    m.Join(protocol=1, node="n1", public_key="k" * 40),
    m.Joined(cluster="c", node="n1"),
    m.Refused(reason="Forbidden", message="no", retry=True),
    m.Hello(protocol=1, cluster="c", node="n1", instance="i", agent_version="0.1", document=b"{}"),
    m.Welcome(epoch=2**40, cluster="c", heartbeat_s=10.0, pod_cidr="10.0.0.0/24", settings={"a": "b"}),
    m.Heartbeat(epoch=1, sent_at=1.5),
    m.Sync(epoch=1, uids=("a", "b")),
    m.Assign(epoch=1, uid="u", generation=7, pod=b"\x00\xff"),
    m.Config(epoch=1, kind="Secret", namespace="d", name="s", revision=0, document=None),
    m.Peers(epoch=1, peers=(m.Peer("n1", "10.0.0.1", "10.1.0.0/24"),)),
    m.Ack(epoch=1, sequences=(1, 2, 3)),
    m.Open(epoch=1, stream=1, kind="logs", request={"namespace": "d", "tail_lines": -1}),
    m.Data(epoch=1, stream=1, data=b"x" * 70_000),
    m.Reply(id=1, result=[{"metadata": {"name": "p"}}] * 300),
]
ANY = m.CONTROL_FROM_AGENT | m.CONTROL_FROM_MASTER | m.STREAM_FROM_AGENT | m.STREAM_FROM_MASTER | m.Reply


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: m.Message) -> None:
    assert codec.decode(codec.encode(message), ANY) == message


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\xc0"


REFUSED = {
    "nothing": b"",
    "text": b"GET / HTTP/1.1\r\n",
    "half a message": codec.encode(EVERY[0])[:-1],
    "a message and a byte": codec.encode(EVERY[0]) + b"\x00",
    "a list": msgpack.packb([1, 2]),
    "a map without a type": msgpack.packb({"epoch": 1}),
    "a type that is no text": msgpack.packb({"t": {"t": 1}}),
    "an unknown type": msgpack.packb({"t": "Reboot", "epoch": 1}),
    "a field of the wrong type": msgpack.packb({"t": "Heartbeat", "epoch": "1"}),
    "a missing field": msgpack.packb({"t": "PodGone", "epoch": 1}),
    "keys that are no text": msgpack.packb({1: 2}),
    "text that is no UTF-8": b"\x81\xa1t\xa2\xff\xfe",
    "a list that claims four billion items": b"\xdd\xff\xff\xff\xff",
    "a string that claims four gigabytes": b"\xdb\xff\xff\xff\xff",
    "a million nested lists": nested(1_000_000),
    "a million empty lists": b"\xdd" + (1_000_000).to_bytes(4, "big") + b"\x90" * 1_000_000,
    "depth 33": nested(33),
    "an extension type": msgpack.packb(msgpack.ExtType(1, b"abc")),
    "more bytes than a message may have": b"\xc6" + codec.MAX_BYTES.to_bytes(4, "big") + b"\x00" * codec.MAX_BYTES,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        codec.decode(body, ANY)


def test_a_message_of_the_other_direction_is_refused() -> None:
    with pytest.raises(BadRequest, match="Welcome"):
        codec.decode(codec.encode(m.Welcome(1, "c", 1.0)), m.CONTROL_FROM_AGENT)


def test_a_field_that_we_do_not_know_is_ignored() -> None:
    body = msgpack.packb({"t": "Heartbeat", "epoch": 3, "mood": "fine"})
    assert codec.decode(body, m.CONTROL_FROM_AGENT) == m.Heartbeat(3)


def test_what_nobody_would_accept_is_not_sent() -> None:
    with pytest.raises(TooLarge):
        codec.encode(m.Data(1, 1, b"x" * codec.MAX_BYTES))


@given(st.binary(max_size=300))
def test_garbage_never_does_more_than_raise_bad_request(body: bytes) -> None:
    try:
        codec.decode(body, ANY)
    except BadRequest:
        pass


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(VALUES)
def test_the_check_accepts_whatever_msgpack_writes(value: object) -> None:
    codec.check(msgpack.packb(value))


@given(st.sampled_from(EVERY), st.data())
def test_a_damaged_message_is_refused_or_still_typed(message: m.Message, data: st.DataObject) -> None:
    body = bytearray(codec.encode(message)[:4000])
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = codec.decode(bytes(body), ANY)
    except BadRequest:
        return
    assert isinstance(decoded, msgspec.Struct)
