"""`kagent` as an operator meets it: one sentence for what can be mended, and the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.__main__ import _lock, main
from common.errors import Conflict


def ran(*argv: str, text: str = "", **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, argv, input=text, env={"KAGENT_JOIN": "", **environment})
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        pytest.param(["run"], 1, "this host has not joined a cluster", id="not joined"),
        pytest.param(["--hollow", "1"], 1, "this host has not joined a cluster", id="run is the default command"),
        pytest.param(["run", "--hollow", "-1"], 2, "hollow: must be from 0", id="a senseless count"),
        pytest.param(["run", "--cpu", "much"], 2, "cpu: quantities must match", id="a bad quantity"),
        pytest.param(["run", "--colour", "blue"], 2, "No such option", id="an unknown flag"),
        pytest.param(["join"], 1, "no join string", id="nothing to join with"),
        pytest.param(["join", "--join-file", "-"], 1, "join string", id="nonsense on stdin"),
        pytest.param(["--version"], 0, "Kubernetes v1.33", id="the version"),
    ],
)
def test_what_is_said(argv: list[str], code: int, words: str, tmp_path: Path) -> None:
    exit_code, output = ran(*argv, text="nonsense", KAGENT_DATA_DIR=str(tmp_path / "data"))
    assert (exit_code, words in output) == (code, True), output
    assert "Traceback" not in output


def test_a_data_folder_has_one_agent(tmp_path: Path) -> None:
    _lock(tmp_path)
    with pytest.raises(Conflict, match="another kagent runs"):
        _lock(tmp_path)
