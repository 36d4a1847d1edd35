"""`kctl lab logs` on files of a lab's shape: which are chosen, how lines are marked, how following goes on and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ctl.lab_logs import Tail, logs

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("host-1/kagent", "a1\na2\n"), ("host-1/containerd", "c1\n"), ("master/kmaster", "m1\nm2\nm3\n")):
        host, service = name.split("/")
        path = tmp_path / "hosts" / host / "log" / f"{service}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("STEERSMAN_LAB", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        pytest.param(["master"], "m1\nm2\nm3\n", id="one file has no prefix"),
        pytest.param(["host-1"], "host-1/containerd: c1\nhost-1/kagent: a1\nhost-1/kagent: a2\n", id="several files are told apart"),
        pytest.param(["--service", "kagent"], "a1\na2\n", id="a service on all hosts"),
        pytest.param(["master", "--tail", "1"], "m3\n", id="only the last lines"),
        pytest.param(["master", "--tail", "0"], "", id="no lines at all"),
    ],
)
def test_chosen_lines(lab: Path, arguments: list[str], printed: str):
    done = CliRunner().invoke(logs, arguments)
    assert (done.exit_code, done.output) == (0, printed)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["host-9"], "no host host-9 has a log; there are: host-1, master", id="unknown host"),
        pytest.param(["--service", "x"], "no service x has a log; there are: containerd, kagent, kmaster", id="unknown service"),
        pytest.param(["master", "--service", "kagent"], "no service kagent has a log on master; there are: kmaster", id="not on this host"),
    ],
)
def test_what_is_not_there_is_one_sentence(lab: Path, arguments: list[str], said: str):
    done = CliRunner().invoke(logs, arguments)
    assert (done.exit_code, done.output) == (1, f"Error: {said}\n")


def test_following_yields_whole_lines_and_starts_again_with_a_new_file(tmp_path: Path):
    path = tmp_path / "x.log"
    path.write_text("one\ntw")
    tail = Tail(path)
    assert tail.last(None) == ["one"]
    assert list(tail.added()) == []
    path.write_text("one\ntwo\n")
    assert list(tail.added()) == ["two"]
    path.write_text("new\n")
    assert list(tail.added()) == ["new"]


def test_follow_ends_cleanly_on_interrupt(lab: Path):
    command = [sys.executable, "-m", "ctl", "lab", "logs", "master", "-f", "--tail", "1"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout and running.stderr
        assert running.stdout.readline() == "m3\n"
        with (lab / "hosts/master/log/kmaster.log").open("a") as file:
            file.write("m4\n")
        assert running.stdout.readline() == "m4\n"
        running.send_signal(signal.SIGINT)
        assert (running.wait(10), running.stderr.read()) == (0, "")
