"""One master per module of this suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.master.semantics.ground import Ground, standing


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    yield from standing()
