"""Quantities are exact, and round up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.objects import quantity


@pytest.mark.parametrize(
    ("text", "milli", "value"),
    [
        ("100m", 100, 1), ("1", 1000, 1), ("1.5", 1500, 2), (2, 2000, 2), ("0.0001", 1, 1), ("1Ki", 1024000, 1024),
        ("1.5Gi", 1610612736000, 1610612736), ("2e3", 2000000, 2000), ("1E", 10**21, 10**18), ("1n", 1, 1), ("0", 0, 0),
        ("-1", -1000, -1), (".5", 500, 1),
    ],
)  # fmt: skip
def test_thousandths_and_whole_units(text: str, milli: int, value: int) -> None:
    assert quantity.milli(text) == milli
    assert quantity.value(text) == value


@pytest.mark.parametrize("text", ["", "a", "1x", "1 Gi", "Gi", "1e99", "--1", "1.2.3", "9" * 100, "1ki"])
def test_what_is_not_a_quantity_is_refused_in_kubernetes_words(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.exact(text)


@given(st.integers(0, 10**9))
def test_canonical_texts_mean_the_same(number: int) -> None:
    assert quantity.milli(quantity.cpu_text(number)) == number
    assert quantity.value(quantity.bytes_text(number)) == number
