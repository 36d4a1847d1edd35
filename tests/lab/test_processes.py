"""Processes are known by pid and start time: a stranger with the same pid is never taken for ours."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from lab import loopback, processes
from lab.contract import LabFault
from lab.processes import Process


def sleeper() -> tuple[subprocess.Popen[bytes], Process]:
    child = subprocess.Popen(["sleep", "60"])
    process = processes.named(child.pid)
    assert process is not None
    return child, process


def test_a_process_is_alive_until_it_is_ended() -> None:
    child, process = sleeper()
    assert processes.alive(process)
    processes.end(process)
    assert not processes.alive(process)
    child.wait()


def test_a_zombie_counts_as_gone() -> None:
    child, process = sleeper()
    processes.send(process, signal.SIGKILL)
    assert processes.wait_gone([process], 5) == []
    child.wait()


def test_a_stranger_with_our_pid_is_not_signalled() -> None:
    child, process = sleeper()
    stranger = Process(process.pid, process.start - 1)
    processes.send(stranger, signal.SIGKILL)
    processes.end(stranger)
    assert not processes.alive(stranger)
    assert processes.alive(process)
    processes.end(process)
    child.wait()


def test_children_are_found() -> None:
    child, process = sleeper()
    assert process in processes.children(os.getpid())
    processes.end(process)
    child.wait()


FAILURES = {
    "the last words of what failed": (["sh", "-c", "echo no luck >&2; exit 3"], "failed with exit code 3: no luck"),
    "a command that is missing, with the remedy": (["no-such-command"], "the command no-such-command is missing on this machine"),
    "a command that hangs": (["sleep", "9"], "did not end within 0.2 s"),
}


@pytest.mark.parametrize("argv, words", FAILURES.values(), ids=FAILURES.keys())
def test_a_failed_command_is_one_sentence(argv: list[str], words: str) -> None:
    with pytest.raises(LabFault) as caught:
        processes.run(argv, timeout_s=0.2 if argv[0] == "sleep" else 5)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_waiting_in_vain_says_what_for() -> None:
    with pytest.raises(LabFault, match="the kettle does not boil"):
        processes.until(lambda: False, 0.1, "the kettle does not boil")


def test_a_daemon_outlives_the_command_that_started_it_and_writes_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log" / "daemon.log"
    process = loopback.spawn(["sh", "-c", "echo $GREETING; exec sleep 60"], log=log, env={"GREETING": "good morning"})
    try:
        assert process not in processes.children(os.getpid())
        processes.until(lambda: log.read_text() == "good morning\n", 5, "the log has not come")
    finally:
        processes.end(process)
    assert not processes.alive(process)


def test_a_port_that_is_in_use_is_seen() -> None:
    ports = loopback.free_ports(["api", "agents"])
    assert loopback.occupied(ports) == []
    import socket

    with socket.socket() as listener:
        listener.bind((loopback.ADDRESS, ports["agents"]))
        listener.listen()
        assert loopback.occupied(ports) == [ports["agents"]]
