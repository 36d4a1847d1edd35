"""What all tests share: the option --long, which runs the tests at full size, and the markers that are not in setup.cfg.

A test marked `long` is left out unless --long is given; a test that only differs in size asks the fixture `long` instead.

script/test runs them in two processes (pytest-xdist). A file stays in one process, since its fixtures are often dear; end-to-end tests go by
the lab that they run in, so that each lab is started once, and those of clients together, since docs/compat.md is made of what they all found.
What takes longest starts first, so that both processes end together.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

LABS = ("containerd", "docker", "hollow", "mixed")
"""The first parameter of an end-to-end test that runs in one; the longest first."""
CLIENTS = (
    "tests/e2e/clients/", "tests/e2e/test_compat.py", "tests/e2e/test_helm.py", "tests/e2e/test_kctl.py", "tests/e2e/test_operator.py",
    "tests/e2e/test_python_clients.py",
)  # fmt: skip
"""What counts for docs/compat.md."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", default=False, help="run every test at full size")
    parser.addoption("--kubectl", default="", help="run the scenarios of these versions alone: 1.27,1.33")
    parser.addoption("--write-compat", action="store_true", default=False, help="write docs/compat.md from what this run finds")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: needs real containers; not run on hollow hosts")
    config.addinivalue_line("markers", "also(*labs): runs on these labs in every run, not only with --long")
    config.addinivalue_line("markers", "compat(*clients): what these do in it counts for docs/compat.md")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        left_out = [item for item in items if item.get_closest_marker("long")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _rank(_group(item.nodeid)))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Groups:
    config.option.loadscopereorder = False  # by number of tests, it would be
    return Groups(config, log)


class Groups(LoadScopeScheduling):
    """What stays together, and in one process."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def _group(nodeid: str) -> str:
    """A lab, all clients, or a file."""
    file, _, test = nodeid.partition("::")
    parameter = test.partition("[")[2].rstrip("]").partition("-")[0]
    if file.startswith(CLIENTS):
        return CLIENTS[0]
    return parameter if file.startswith("tests/e2e/") and parameter in LABS else file


def _rank(group: str) -> int:
    """Labs, then the clients, then the other end-to-end tests, then all else."""
    return LABS.index(group) if group in LABS else len(LABS) + (group != CLIENTS[0]) + (not group.startswith("tests/e2e/"))


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Is this a run at full size?"""
    return bool(request.config.getoption("--long"))
