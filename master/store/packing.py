"""How the store keeps values: as they are, or deflated where that is smaller.

Why: a cluster's objects are held in memory whole, and a pod is 4 KB of JSON of which most is said again and again (names of
fields, who owns them). Deflated it is a third, in memory, in the log of changes and in the file; inflating it takes a few
microseconds, less than anything that is then done with it. So values are packed once, when they are written, and unpacked by who
looks at them: what is stored, journalled, loaded and handed on stays packed.

A packed value is a zlib stream of level 1, and begins with that header, which no text does. It carries a checksum.
"""

from __future__ import annotations

import zlib

OVER = 1024
"""Values up to this size are kept as they are."""
LEVEL = 1
_HEADER = b"x\x01"


def pack(value: bytes) -> bytes:
    if len(value) <= OVER:
        return value
    packed = zlib.compress(value, LEVEL)
    return packed if len(packed) < len(value) else value


def unpack(packed: bytes) -> bytes:
    """The value. Of one that is not packed, the value itself."""
    return zlib.decompress(packed) if packed.startswith(_HEADER) else packed
