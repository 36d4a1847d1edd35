"""The lines of a container's log file, in either format that a runtime writes, as the client is to see them.

    2026-01-31T12:00:00.123456789Z stdout F a whole line                                          the CRI's (containerd)
    2026-01-31T12:00:00.123456789Z stderr P a part of a line, to be continued
    {"log":"a whole line\\n","stream":"stdout","time":"2026-01-31T12:00:00.123456789Z"}             Docker's json-file
    {"log":"a part of a line, to be continued","stream":"stderr","time":"…"}

Owns both formats, timestamps and "since". One record is one line of the file in both, so that the last N lines are found by counting
newlines, which is `logs.py`'s. What is in neither format was not written by a container and is left out. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from common.clock import parse_rfc3339

LINE_MOST_BYTES = 1 << 20


class Record(msgspec.Struct, frozen=True):
    """partial: the next record goes on with this line."""

    stamp: bytes
    message: bytes
    partial: bool


class _DockerRecord(msgspec.Struct, frozen=True):
    log: str = ""
    time: str = ""


_DOCKER = msgspec.json.Decoder(_DockerRecord)


def record(line: bytes) -> Record | None:
    if line.startswith(b"{"):
        return _docker(line)
    stamp, _, rest = line.partition(b" ")
    stream, _, rest = rest.partition(b" ")
    tag, found, message = rest.partition(b" ")
    if not found and not tag or stream not in (b"stdout", b"stderr"):
        return None
    return Record(stamp, message, tag.startswith(b"P"))


def _docker(line: bytes) -> Record | None:
    try:
        found = _DOCKER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    message = found.log.encode("utf-8", "replace")
    return Record(found.time.encode(), message.removesuffix(b"\n"), not message.endswith(b"\n"))


class Lines:
    """Blocks of a file in, what the client sees out."""

    def __init__(self, timestamps: bool, since: float | None) -> None:
        self._timestamps = timestamps
        self._since = since
        self._rest = b""
        self._middle = False
        """The last record was a part of a line, so that the next one is no beginning."""

    def feed(self, block: bytes) -> bytes:
        *whole, self._rest = (self._rest + block).split(b"\n")
        if len(self._rest) > LINE_MOST_BYTES:
            whole, self._rest = [*whole, self._rest], b""
        return b"".join(self._shown(whole))

    def _shown(self, lines: list[bytes]) -> Iterator[bytes]:
        for found in filter(None, map(record, lines)):
            if self._since is not None:
                if _before(found.stamp, self._since):
                    continue
                self._since = None
            if self._timestamps and not self._middle:
                yield found.stamp + b" "
            yield found.message
            self._middle = found.partial
            if not self._middle:
                yield b"\n"


def _before(stamp: bytes, since: float) -> bool:
    try:
        return parse_rfc3339(stamp.decode("ascii")) < since
    except ValueError:
        return False
