"""That the scenario was as long as it is meant to be. The last of this folder, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clients.conftest import VERSIONS, Clients

LEAST = 80


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_ran_at_least_eighty_commands(version: str, clients: Clients, request: pytest.FixtureRequest) -> None:
    files = {item.path for item in request.session.items if item.path.parent == Path(__file__).parent}
    chosen = request.config.option
    if len(files) < len(list(Path(__file__).parent.glob("test_*.py"))) or chosen.keyword or any("::" in arg for arg in request.config.args):
        pytest.skip("parts of the scenario were left out")
    commands = clients.of(version).commands
    assert len(set(commands)) >= LEAST, f"{len(commands)} commands, {len(set(commands))} of them different"
