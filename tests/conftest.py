"""What all tests share: the option --long, which runs the tests at full size, and the markers that are not in setup.cfg.

A test marked `long` is left out unless --long is given; a test that only differs in size asks the fixture `long` instead.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", default=False, help="run every test at full size")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: needs real containers; not run on hollow hosts")
    config.addinivalue_line("markers", "also(*labs): runs on these labs in every run, not only with --long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Is this a run at full size?"""
    return bool(request.config.getoption("--long"))
