"""What hollow containers do, read from their commands."""

from __future__ import annotations

import pytest

from agent.runtime.hollow_program import Program, read


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(["true"], Program(runs_s=0.0), id="true"),
        pytest.param(["/bin/false"], Program(runs_s=0.0, exit_code=1), id="false"),
        pytest.param(["sleep", "3"], Program(runs_s=3.0), id="sleep"),
        pytest.param(["sleep", "infinity"], Program(), id="sleep for ever"),
        pytest.param(["sh", "-c", "sleep 1; exit 3"], Program(runs_s=1.0, exit_code=3), id="a sequence"),
        pytest.param(["sh", "-c", "echo hi && sleep 2m"], Program(runs_s=120.0), id="a sequence with minutes"),
        pytest.param(["sh", "-c", "while true; do sleep 1; done"], Program(), id="a loop"),
        pytest.param(["sh", "-c", "exit 4; while true; do sleep 1; done"], Program(runs_s=0.0, exit_code=4), id="an end before a loop"),
        pytest.param(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], Program(ignores_term=True), id="deaf to SIGTERM"),
        pytest.param(["httpd", "-f"], Program(), id="a server"),
        pytest.param(["/nonexistent"], Program(refused='exec: "/nonexistent": executable file not found in $PATH'), id="not there"),
        pytest.param(["sh", "-c", "echo 'unfinished"], Program(runs_s=0.0), id="broken quotes"),
    ],
)
def test_commands(command: list[str], expected: Program) -> None:
    assert read("example/app:1", tuple(command), ()) == expected


@pytest.mark.parametrize(
    ("image", "runs"), [("docker.io/library/busybox:1.36", 0.0), ("nginx:1.27", None), ("registry.example:5000/app", None)]
)
def test_images_without_a_command(image: str, runs: float | None) -> None:
    assert read(image, (), ()).runs_s == runs
