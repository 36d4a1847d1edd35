"""What was changed between two documents, and whether two changes meet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl import differences

OLD = {"a": 1, "b": {"c": 1, "d": [1, 2]}, "e": "x"}


@pytest.mark.parametrize(
    ("new", "patch"),
    [
        pytest.param(OLD, {}, id="nothing"),
        pytest.param({**OLD, "a": 2}, {"a": 2}, id="a value"),
        pytest.param({**OLD, "a": True}, {"a": True}, id="a truth in the place of 1"),
        pytest.param({"a": 1, "b": {"c": 1, "d": [1, 2]}}, {"e": None}, id="a field gone"),
        pytest.param({**OLD, "b": {"c": 1, "d": [2]}}, {"b": {"d": [2]}}, id="a list"),
        pytest.param({**OLD, "b": {}}, {"b": {"c": None, "d": None}}, id="emptied"),
        pytest.param({**OLD, "f": {"g": 1}}, {"f": {"g": 1}}, id="a field more"),
    ],
)
def test_patches(new: dict[str, Any], patch: dict[str, Any]):
    assert differences.merge_patch(OLD, new) == patch
    assert differences.patched(OLD, patch) == new


VALUES = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("abc", min_size=1, max_size=1), inner, max_size=3), max_leaves=8,
)  # fmt: skip
DOCUMENTS = st.dictionaries(st.text("abc", min_size=1, max_size=1), VALUES, max_size=3)


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_makes_the_new_of_the_old(old: dict[str, Any], new: dict[str, Any]):
    assert differences.patched(old, differences.merge_patch(old, new)) == new


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        pytest.param({"a": 1}, {"b": 1}, [], id="different fields"),
        pytest.param({"a": 1}, {"a": 2}, ["a"], id="the same field"),
        pytest.param({"a": 1}, {"a": 1}, [], id="the same change"),
        pytest.param({"s": {"a": 1, "b": 2}}, {"s": {"a": 3, "c": 4}}, ["s.a"], id="deeper"),
        pytest.param({"s": {"a": 1}}, {"s": None}, ["s"], id="one took it away"),
    ],
)
def test_changes_that_meet(one: dict[str, Any], other: dict[str, Any], both: list[str]):
    assert differences.overlap(one, other) == both
