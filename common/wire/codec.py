"""Messages to bytes and back: msgpack, bounded before anything is built.

Owns the encoding and its limits; `messages.py` owns the shapes. A body is first walked token by token, without building a
single object: its size, its depth, the number of its items and every length it claims are checked there, so that a hostile
body costs microseconds and no memory. Only then does the msgpack package decode it, and msgspec turns the map into the struct
that its `t` names, if that struct is among those expected.

Subtle: unknown fields are ignored, so that a newer peer may say more than we know; unknown types are not.
"""

from __future__ import annotations

import functools
import types
import typing
from typing import Any, TypeVar

import msgpack
import msgspec

from common.errors import BadRequest, TooLarge
from common.wire.messages import Message

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_ITEMS = 200_000
"""Items in all: list elements, map keys and values. A control message has a dozen; a list of pods for kctl has many."""

M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Raises TooLarge when nobody would accept it."""
    body: bytes = msgpack.packb(msgspec.to_builtins(message, builtin_types=(bytes,)))
    if len(body) > MAX_BYTES:
        raise TooLarge(f"{type(message).__name__}: {len(body)} bytes is more than a message may have ({MAX_BYTES})")
    return body


def decode(body: bytes, expected: type[M] | types.UnionType) -> M:
    """The message in `body`. expected: a message class or a union of them. Raises BadRequest for anything else, saying why."""
    check(body)
    try:
        raw = msgpack.unpackb(body, strict_map_key=True)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise BadRequest(f"not a message: {type(error).__name__}") from None
    tag = raw.get("t") if isinstance(raw, dict) else None
    shape = _by_tag(expected).get(tag) if isinstance(tag, str) else None
    if shape is None:
        raise BadRequest(f"not a message that belongs here: {str(tag)[:40]!r}")
    try:
        return msgspec.convert(raw, shape)  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise BadRequest(f"{tag}: {error}") from None


@functools.lru_cache(maxsize=64)
def _by_tag(expected: type[Message] | types.UnionType) -> dict[str, type[Message]]:
    shapes = typing.get_args(expected) or (expected,)
    return {str(shape.__struct_config__.tag): shape for shape in shapes}


# First byte -> (bytes of payload, bytes that hold a length, unit of that length, fixed children). Unit "b": bytes follow;
# "i": that many items follow; "m": twice that many.
_Shape = tuple[int, int, str, int]


def _shape(first: int) -> _Shape | None:
    if first <= 0x7F or first >= 0xE0:
        return (0, 0, "", 0)
    if first <= 0x8F:
        return (0, 0, "", 2 * (first & 0x0F))
    if first <= 0x9F:
        return (0, 0, "", first & 0x0F)
    if first <= 0xBF:
        return (first & 0x1F, 0, "", 0)
    return _LONG.get(first)


_LONG: dict[int, _Shape] = {
    0xC0: (0, 0, "", 0), 0xC2: (0, 0, "", 0), 0xC3: (0, 0, "", 0),
    0xC4: (0, 1, "b", 0), 0xC5: (0, 2, "b", 0), 0xC6: (0, 4, "b", 0),
    0xCA: (4, 0, "", 0), 0xCB: (8, 0, "", 0),
    0xCC: (1, 0, "", 0), 0xCD: (2, 0, "", 0), 0xCE: (4, 0, "", 0), 0xCF: (8, 0, "", 0),
    0xD0: (1, 0, "", 0), 0xD1: (2, 0, "", 0), 0xD2: (4, 0, "", 0), 0xD3: (8, 0, "", 0),
    0xD9: (0, 1, "b", 0), 0xDA: (0, 2, "b", 0), 0xDB: (0, 4, "b", 0),
    0xDC: (0, 2, "i", 0), 0xDD: (0, 4, "i", 0), 0xDE: (0, 2, "m", 0), 0xDF: (0, 4, "m", 0),
}  # fmt: skip
"""Extension types (0xC7..0xC9, 0xD4..0xD8) and 0xC1 are missing on purpose: no message has them."""

_SHAPES: tuple[_Shape | None, ...] = tuple(_shape(first) for first in range(256))


def check(body: bytes) -> None:
    """Raise BadRequest unless `body` is one complete msgpack value within the limits."""
    end = len(body)
    if end > MAX_BYTES:
        raise BadRequest(f"a message of {end} bytes; at most {MAX_BYTES} are accepted")
    at, items = 0, 1
    open_items = [1]  # items still to come, one entry per open list or map
    while open_items:
        if open_items[-1] == 0:
            open_items.pop()
            continue
        open_items[-1] -= 1
        if at >= end:
            raise BadRequest("not a message: it ends too early")
        shape = _SHAPES[body[at]]
        if shape is None:
            raise BadRequest("not a message: a type that no message has")
        payload, width, unit, children = shape
        at += 1
        if width:
            length = int.from_bytes(body[at : at + width], "big")
            at += width
            if unit == "b":
                payload = length
            else:
                children = length if unit == "i" else 2 * length
        at += payload
        if children:
            items += children
            # Each item takes at least one byte, so a claim beyond the body's end is a lie.
            if items > MAX_ITEMS or children > end - at or len(open_items) > MAX_DEPTH:
                raise BadRequest("not a message: too many items, or nested too deeply")
            open_items.append(children)
    if at != end:
        raise BadRequest("not a message: its length is wrong")


def to_map(value: Any) -> dict[str, Any]:
    """The map of a request struct, for `Open.request`."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))
