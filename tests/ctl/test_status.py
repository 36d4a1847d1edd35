"""The page of `kctl status`: what it says, in which order, and how it stays small."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ctl.status import page

CALM = {"nodes": {"a": "Ready"}, "pods": {"Running": 3}, "deployments": {"default/web": "3/3"}, "warnings": []}


def drawn(view: dict, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    Console(file=stream, width=80, force_terminal=terminal, highlight=False).print(page(view))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({}, ["1 of 1 ready", "3 Running", "default/web: 3/3 ready"], id="all is well"),
        pytest.param({"nodes": {"a": "Ready", "b": "NotReady"}}, ["1 of 2 ready", "b: NotReady", "3 Running"], id="a lost node is named"),
        pytest.param({"pods": {"Running": 9, "Pending": 1}}, ["1 Pending", "9 Running"], id="troubled pods first"),
        pytest.param({"deployments": {"d/a": "1/1", "d/z": "0/2"}}, ["d/z: 0/2 ready", "d/a: 1/1 ready"], id="late rollouts first"),
        pytest.param({"deployments": {f"d/{i:03}": "1/1" for i in range(65)}}, ["d/007: 1/1", "and 57 more"], id="bounded"),
        pytest.param({"pods": {}}, ["none"], id="no pods"),
        pytest.param({"warnings": ["3s ago  pod/x  Failed: [bold]"]}, ["warnings", "[bold]"], id="markup is text"),
    ],
)
def test_page(change: dict, said: list[str]):
    text = drawn({**CALM, **change})
    places = [text.index(each) for each in said]
    assert places == sorted(places)
    assert "\x1b" not in text


def test_long_lines_are_cut_at_the_width():
    text = drawn({**CALM, "warnings": ["x" * 300]})
    assert max(map(len, text.splitlines())) <= 80
    assert "…" in text


def test_trouble_is_coloured_on_a_terminal_only():
    assert "\x1b[31m" in drawn({**CALM, "pods": {"Failed": 1}}, terminal=True)
