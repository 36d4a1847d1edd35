"""What kctl prints: columns, cells, and YAML that is read back as what it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common import yaml_documents
from ctl import output

TRICKY = st.sampled_from(
    ["yes", "on", "1", "1e3", "7e12345", "0o17", "0x1f", "1_000", "1:30", "~", "null", "", " a", "a ", "a: b", "- a", "#a", "a #b", "'", '"', "|", "{a}",
     "2026-01-01", "2026-01-01T00:00:00Z", "a\nb", "a\n", "\n", "\na", " a\nb", "a \nb", "\ta", "a\tb\n", "---", "...", "a\n---\nb", "é", "☃", "\x07", "<<", "=", "%a", "@a",
     ".inf", ".nan", "+1", "-.5", "1.", "0644"]
)  # fmt: skip
TEXT = TRICKY | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False, width=32) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(TEXT, VALUES, max_size=4))
@example({"commit": "7e12345"})
def test_yaml_is_read_back_as_what_it_was(document: dict[str, Any]):
    assert yaml_documents.decode(output.yaml_text(document).encode()) == (document, ())


def test_text_of_several_lines_stands_as_such():
    assert output.yaml_text({"script": "a\nb\n", "x": "y"}) == "script: |\n  a\n  b\nx: y\n"


@pytest.mark.parametrize(
    ("value", "cell"), [(None, ""), (True, "true"), (3, "3"), ("a\nb", "a..."), ("a", "a")], ids=["nothing", "a truth", "a number", "lines", "text"]
)
def test_cells(value: Any, cell: str):
    assert output.cell(value) == cell


def test_columns_keep_the_widths_of_the_first():
    layout = output.Layout([["NAME", "N", "AGE"], ["web", "1", "5s"]])
    assert [layout.line(row) for row in (["NAME", "N", "AGE"], ["a-long-name", "22", "5s"])] == ["NAME   N     AGE", "a-long-name   22    5s"]
