"""containerd's native events, enough of them to learn that a container ended.

`containerd.services.events.v1.Events/Subscribe` is served on the same socket as the CRI, whose own `GetContainerEvents` containerd 1.6
does not have. Owns the three messages used of it, written and read by hand in protobuf's wire format, so that no stubs are needed:

    SubscribeRequest { repeated string filters = 1 }
    Envelope         { Timestamp timestamp = 1; string namespace = 2; string topic = 3; Any event = 4 }
    Any              { string type_url = 1; bytes value = 2 }
    TaskExit         { string container_id = 1; string id = 2; … }      TaskOOM { string container_id = 1 }

Subtle: a command run in a container ends with a TaskExit, too, whose id is its own; only the container's has the container's id.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"
NAMESPACE = "k8s.io"
TOPICS = ("/tasks/exit", "/tasks/oom")
FIELD_MOST_BYTES = 1 << 20
_LENGTH_DELIMITED = 2


class TaskEvent(msgspec.Struct, frozen=True):
    topic: str
    container_id: str


def subscribe_request() -> bytes:
    filters = [f'namespace=={NAMESPACE},topic=="{topic}"'.encode() for topic in TOPICS]
    return b"".join(string_field(1, text) for text in filters)


def string_field(number: int, text: bytes) -> bytes:
    return bytes([number << 3 | _LENGTH_DELIMITED]) + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def envelope(data: bytes) -> TaskEvent | None:
    """None for what is of no interest. Raises ValueError for what is not protobuf."""
    topic, event = "", b""
    for number, value in fields(data):
        if number == 3:
            topic = value.decode("utf-8", "replace")
        elif number == 4:
            event = value
    if topic not in TOPICS:
        return None
    payload = next((value for number, value in fields(event) if number == 2), b"")
    named = dict(fields(payload))
    container_id = named.get(1, b"")
    if named.get(2, container_id) != container_id:
        return None
    return TaskEvent(topic, container_id.decode("utf-8", "replace"))


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message, in order; others are skipped."""
    return ((number, value) for number, value in _all_fields(data) if isinstance(value, bytes))


def varints(data: bytes) -> Iterator[tuple[int, int]]:
    """The whole numbers of a message, in order; other fields are skipped."""
    return ((number, value) for number, value in _all_fields(data) if isinstance(value, int))


def _all_fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        kind = key & 7
        if kind == _LENGTH_DELIMITED:
            length, position = _read_varint(data, position)
            if length > FIELD_MOST_BYTES or position + length > len(data):
                raise ValueError("a field is longer than its message")
            yield key >> 3, data[position : position + length]
            position += length
        elif kind == 0:
            value, position = _read_varint(data, position)
            yield key >> 3, value
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise ValueError(f"unknown wire type {kind}")


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("a number is cut off")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, position
    raise ValueError("a number is too long")
