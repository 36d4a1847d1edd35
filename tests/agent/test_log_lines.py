"""The two formats of log files give the client the same bytes."""

from __future__ import annotations

import pytest

from agent.log_lines import Lines

CRI = b"""\
2026-01-31T12:00:00.5Z stdout F first
2026-01-31T12:00:01.5Z stderr P half, 
2026-01-31T12:00:01.6Z stderr F and half
2026-01-31T12:00:02.5Z stdout F last
"""
DOCKER = b"""\
{"log":"first\\n","stream":"stdout","time":"2026-01-31T12:00:00.5Z"}
{"log":"half, ","stream":"stderr","time":"2026-01-31T12:00:01.5Z"}
{"log":"and half\\n","stream":"stderr","time":"2026-01-31T12:00:01.6Z"}
{"log":"last\\n","stream":"stdout","time":"2026-01-31T12:00:02.5Z"}
"""
SINCE = 1769860802.0


@pytest.mark.parametrize("written", [pytest.param(CRI, id="the CRI's"), pytest.param(DOCKER, id="Docker's")])
def test_lines_are_shown_alike(written: bytes) -> None:
    assert Lines(False, None).feed(written) == b"first\nhalf, and half\nlast\n"
    stamped = b"2026-01-31T12:00:00.5Z first\n2026-01-31T12:00:01.5Z half, and half\n2026-01-31T12:00:02.5Z last\n"
    assert Lines(True, None).feed(written) == stamped
    assert Lines(False, SINCE).feed(written) == b"last\n"


@pytest.mark.parametrize("written", [pytest.param(CRI, id="the CRI's"), pytest.param(DOCKER, id="Docker's")])
def test_blocks_may_end_anywhere(written: bytes) -> None:
    lines = Lines(False, None)
    assert b"".join(lines.feed(written[i : i + 7]) for i in range(0, len(written), 7)) == b"first\nhalf, and half\nlast\n"


@pytest.mark.parametrize("line", [b"{broken", b'{"log": 3}', b"no format", b"\xff\xfe"], ids=["cut JSON", "a wrong type", "text", "bytes"])
def test_what_is_in_neither_format_is_left_out(line: bytes) -> None:
    assert Lines(False, None).feed(line + b"\n" + DOCKER) == b"first\nhalf, and half\nlast\n"
