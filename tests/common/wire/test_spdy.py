"""SPDY frames: against bytes written down from the draft, against what other peers may send, and against themselves."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.wire import spdy
from common.wire.spdy import Fault, Gone, Opened, Pinged, Received, Replied, Reset, Session

EXEC = {"streamtype": "stdin", "port": "80"}


def header_block(pairs: dict[str, str], *, count: int | None = None) -> bytes:
    raw = struct.pack(">I", len(pairs) if count is None else count)
    for text in (text.encode() for pair in pairs.items() for text in pair):
        raw += struct.pack(">I", len(text)) + text
    return raw


def packed(raw: bytes, dictionary: bytes = spdy.DICTIONARY) -> bytes:
    pack = zlib.compressobj(level=9, zdict=dictionary)
    return pack.compress(raw) + pack.flush(zlib.Z_SYNC_FLUSH)


def control(kind: int, body: bytes, *, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(body)) + body


def syn(stream: int, block: bytes, *, flags: int = 0) -> bytes:
    return control(spdy.SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + block, flags=flags)


def test_the_dictionary_is_the_drafts() -> None:
    assert len(spdy.DICTIONARY) == 1423
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2  # the checksum that stands in every SPDY/3 header block


FRAMES = {
    "a stream begins": (syn(1, packed(header_block(EXEC))), Opened(1, EXEC)),
    "a stream begins and has nothing more to say": (syn(1, packed(header_block({})), flags=1), Opened(1, {}, True)),
    "names are in lower case": (syn(1, packed(header_block({"streamType": "error"}))), Opened(1, {"streamtype": "error"})),
    "an answer": (control(spdy.SYN_REPLY, struct.pack(">I", 2) + packed(header_block({}))), Replied(2)),
    "data": (bytes.fromhex("00000005" "00000002" "6869"), Received(5, b"hi")),
    "the last data": (bytes.fromhex("00000005" "01000002" "6869"), Received(5, b"hi", True)),
    "an end without data": (bytes.fromhex("00000005" "01000000"), Received(5, b"", True)),
    "a reset": (bytes.fromhex("80030003" "00000008" "00000001" "00000005"), Reset(1, 5)),
    "a ping": (bytes.fromhex("80030006" "00000004" "00000007"), Pinged(7)),
    "a farewell": (bytes.fromhex("80030007" "00000008" "00000000" "00000000"), Gone()),
    "headers that end a stream": (control(spdy.HEADERS, struct.pack(">I", 1) + packed(header_block({})), flags=1), Received(1, b"", True)),
}


@pytest.mark.parametrize(("sent", "meant"), FRAMES.values(), ids=FRAMES)
def test_a_frame_is_understood(sent: bytes, meant: spdy.Event) -> None:
    assert Session(client=False).feed(sent) == [meant]


@pytest.mark.parametrize(("sent", "meant"), FRAMES.values(), ids=FRAMES)
def test_a_frame_may_come_byte_by_byte(sent: bytes, meant: spdy.Event) -> None:
    session, events = Session(client=False), []
    for at in range(len(sent)):
        events += session.feed(sent[at : at + 1])
    if isinstance(meant, Received):
        assert b"".join(event.data for event in events) == meant.data  # type: ignore[union-attr]
        assert events[-1].fin == meant.fin  # type: ignore[union-attr]
    else:
        assert events == [meant]


PASSED_OVER = {
    "settings": control(spdy.SETTINGS, struct.pack(">III", 1, 4 << 24, 100)),
    "a window": control(spdy.WINDOW_UPDATE, struct.pack(">II", 1, 9000)),
    "headers in between": control(spdy.HEADERS, struct.pack(">I", 1) + packed(header_block({"a": "b"}))),
    "a kind of the future": control(99, b"whatever"),
}


@pytest.mark.parametrize("sent", PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_means_nothing_here_is_passed_over(sent: bytes) -> None:
    assert Session(client=False).feed(sent + spdy.pong(3)) == [Pinged(3)]


WRONG = {
    "another version": control(spdy.PING, bytes(4), version=2),
    "a control frame without end": control(spdy.SYN_STREAM, b"")[:4] + struct.pack(">I", spdy.MAX_CONTROL + 1),
    "a beginning that is too short": control(spdy.SYN_STREAM, bytes(9)),
    "a ping without a number": control(spdy.PING, b""),
    "headers that are no zlib": syn(1, b"nonsense"),
    "headers of another dictionary": syn(1, packed(header_block(EXEC), b"one of our own")),
    "headers that unpack to too much": syn(1, packed(header_block({"a": "x" * 2 * spdy.MAX_HEADERS}))),
    "more headers than are taken": syn(1, packed(header_block({f"h{n}": "" for n in range(spdy.MAX_PAIRS + 1)}))),
    "a count that is a lie": syn(1, packed(header_block(EXEC, count=3))),
    "a length that is a lie": syn(1, packed(struct.pack(">II", 1, 0xFFFFFFFF) + b"name")),
    "something after the headers": syn(1, packed(header_block(EXEC) + b"more")),
    "a number that is the server's": syn(2, packed(header_block(EXEC))),
    "the number zero": syn(0, packed(header_block(EXEC))),
}


@pytest.mark.parametrize("sent", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused(sent: bytes) -> None:
    with pytest.raises(Fault):
        Session(client=False).feed(sent)


def test_a_number_is_used_once() -> None:
    client, server = Session(client=True), Session(client=False)
    _, first = client.open({})
    assert server.feed(first) == [Opened(1, {})]
    with pytest.raises(Fault, match="stream 1 cannot begin after 1"):
        _, second = client.open({})
        server.feed(second[:11] + b"\1" + second[12:])


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


@given(st.lists(st.dictionaries(NAMES, TEXTS, max_size=6), min_size=1, max_size=6))
def test_headers_survive_the_way(blocks: list[dict[str, str]]) -> None:
    client, server = Session(client=True), Session(client=False)
    for block in blocks:
        number, frame = client.open(block)
        assert server.feed(frame) == [Opened(number, block)]
        assert client.feed(server.reply(number)) == [Replied(number)]


@given(st.lists(st.tuples(st.sampled_from((1, 3, 5)), st.binary(max_size=300), st.booleans()), max_size=12), st.data())
def test_data_survives_any_cutting(pieces: list[tuple[int, bytes, bool]], draw: st.DataObject) -> None:
    sent = b"".join(spdy.data(stream, payload, fin=fin) for stream, payload, fin in pieces)
    server, got = Session(client=False), []
    while sent:
        size = draw.draw(st.integers(1, len(sent)))
        got += server.feed(sent[:size])
        sent = sent[size:]
    for stream in (1, 3, 5):
        mine = [event for event in got if event.stream == stream]  # type: ignore[union-attr]
        assert b"".join(event.data for event in mine) == b"".join(payload for number, payload, _ in pieces if number == stream)
        assert sum(event.fin for event in mine) == sum(fin for number, _, fin in pieces if number == stream)


@given(st.binary(max_size=400))
def test_garbage_is_an_event_or_a_fault(garbage: bytes) -> None:
    try:
        events = Session(client=False).feed(garbage)
    except Fault:
        return
    assert all(isinstance(event, spdy.Event) for event in events)
