"""The completion script in the real bash: what TAB offers, with and without a lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

ASK = """
eval "$(kctl completion bash)"
COMP_WORDS=({words}) COMP_CWORD={at}
_kctl_completion kctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def offered(tmp_path: Path):
    """What bash offers for the last of the words."""
    program = tmp_path / "bin" / "kctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m ctl "$@"\n')
    program.chmod(0o755)

    def ask(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in ("kctl", *words))
        environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "STEERSMAN_LAB": str(tmp_path / "lab")}
        done = subprocess.run(
            ["bash", "--norc", "-c", ASK.format(words=line, at=len(words))], env=environment, capture_output=True, text=True, timeout=20
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return ask


def test_commands_and_options_are_offered(offered):
    assert offered("sta") == ["status"]
    assert offered("lab", "fa") == ["fault"]
    assert "--runtime" in offered("lab", "up", "--")


def test_hosts_of_the_lab_are_offered_and_without_a_lab_nothing_is_said(offered, tmp_path: Path):
    assert offered("lab", "fault", "kill", "") == []
    for name in ("host-1", "host-2", "master"):
        (tmp_path / "lab" / "hosts" / name).mkdir(parents=True)
    assert offered("lab", "fault", "kill", "host") == ["host-1", "host-2"]
