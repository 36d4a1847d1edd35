"""kmaster's command line: what is refused before anything is started, and what a start says that cannot be."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from master.__main__ import main
from master.settings import Settings

REFUSED = {
    "two parts at one port": (["--api-port", "7000", "--native-port", "7000"], "--native-port and --api-port are both 7000"),
    "a port that is none": (["--api-port", "70000"], "--api-port 70000 is not a port"),
    "a grace shorter than a heartbeat": (["--node-grace-s", "4", "--heartbeat-s", "5"], "must be longer than --heartbeat-s"),
    "a heartbeat of nought": (["--heartbeat-s", "0"], "--heartbeat-s must be more than 0"),
    "a negative time": (["--eviction-s", "-1"], "must be 0 or more"),
    "a range that is none": (["--pod-cidr", "10.244.0.1/16"], "must be networks"),
    "ranges that overlap": (["--pod-cidr", "10.96.0.0/16"], "overlap"),
    "an unknown flag": (["--no-such-flag"], "No such option"),
}


@pytest.mark.parametrize(("flags", "text"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_flag_is_refused_with_code_2(flags: list[str], text: str) -> None:
    result = CliRunner().invoke(main, flags)
    assert result.exit_code == 2 and text in result.output


def test_version_names_both_versions() -> None:
    assert "Kubernetes v1.33." in CliRunner().invoke(main, ["--version"]).output


def test_the_first_advertised_address_is_told_to_clients() -> None:
    assert Settings().reached_at == "127.0.0.1"
    assert Settings(bind="10.0.0.1").reached_at == "10.0.0.1"
    assert Settings(bind="10.0.0.1", advertise=("master.example", "10.0.0.2")).reached_at == "master.example"


def start(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    ports = {"--api-port": "0", "--agents-port": "0", "--streams-port": "0", "--native-port": "0"}
    ports |= dict(zip(flags[::2], flags[1::2], strict=True))
    words = [word for pair in ports.items() for word in pair]
    command = [sys.executable, "-m", "master", "--data-dir", str(folder), "--bind", "127.0.0.1", "--log-level", "error", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("flag", ["--api-port", "--streams-port"])
def test_an_occupied_port_is_one_sentence_and_code_1(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = start(tmp_path, flag, str(port))
    assert result.returncode == 1
    [line] = result.stderr.strip().splitlines()
    assert str(port) in line and line.endswith(f"end what listens there, or choose another port with {flag}")


def test_a_folder_that_cannot_be_is_one_sentence_and_code_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = start(tmp_path / "file" / "data")
    assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1 and "--data-dir" in result.stderr
