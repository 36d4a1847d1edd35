"""Processes that a lab starts: named by pid and start time, so that a pid used again by a stranger is never signalled.

Owns the reading of /proc, the running of short commands with a deadline, and waiting for conditions. Linux only.

Subtle: a zombie counts as gone: nobody may be there to reap it, and it holds nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from common.clock import SystemClock
from lab.contract import LabFault

CLOCK = SystemClock()
PROC = Path("/proc")
COMMAND_TIMEOUT_S = 60.0
POLL_S = 0.03


class Process(msgspec.Struct, frozen=True):
    """start: field 22 of /proc/PID/stat, in clock ticks since boot."""

    pid: int
    start: int


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State letter, parent and start time; None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[19])


def named(pid: int) -> Process | None:
    """The process that has this pid now."""
    stat = _stat(pid)
    return None if stat is None or stat[0] in "ZX" else Process(pid, stat[2])


def alive(process: Process | None) -> bool:
    return process is not None and named(process.pid) == process


def all_pids() -> list[int]:
    return sorted(int(entry) for entry in os.listdir(PROC) if entry.isdigit())


def children(pid: int) -> list[Process]:
    """Direct children, by pid."""
    found = []
    for candidate in all_pids():
        stat = _stat(candidate)
        if stat is not None and stat[1] == pid and stat[0] not in "ZX":
            found.append(Process(candidate, stat[2]))
    return found


def in_namespace(kind: str, inode: int) -> list[Process]:
    """All processes whose namespace of that kind (net, pid, mnt) has that inode number."""
    found = []
    for pid in all_pids():
        with contextlib.suppress(OSError):
            if os.stat(PROC / str(pid) / "ns" / kind).st_ino == inode and (process := named(pid)):
                found.append(process)
    return found


def by_inner_pid(init: Process, inner: int) -> Process | None:
    """The process that the pid namespace of `init` calls `inner`."""
    try:
        namespace = os.stat(PROC / str(init.pid) / "ns" / "pid").st_ino
    except OSError:
        return None
    for process in in_namespace("pid", namespace):
        with contextlib.suppress(OSError):
            for line in (PROC / str(process.pid) / "status").read_text().splitlines():
                if line.startswith("NSpid:") and line.split()[-1] == str(inner):
                    return process
    return None


def send(process: Process | None, sig: signal.Signals) -> None:
    """Signal exactly this process, or nobody."""
    if process is None:
        return
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if alive(process):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, sig)
    finally:
        os.close(handle)


def wait_gone(processes: Iterable[Process], deadline_s: float) -> list[Process]:
    """Wait until all are gone; returns those that are still there at the deadline."""
    left = [process for process in processes if alive(process)]
    end = CLOCK.monotonic() + deadline_s
    while left and CLOCK.monotonic() < end:
        time.sleep(POLL_S)
        left = [process for process in left if alive(process)]
    return left


def end(process: Process | None, *, grace_s: float = 5.0) -> None:
    """SIGTERM, then SIGKILL. Returns when it is gone."""
    if not alive(process):
        return
    assert process is not None
    send(process, signal.SIGTERM)
    for stubborn in wait_gone([process], grace_s):
        send(stubborn, signal.SIGKILL)
        wait_gone([stubborn], grace_s)


def until(ready: Callable[[], bool], deadline_s: float, what: Callable[[], str] | str) -> None:
    """Poll a condition until it holds. Raises LabFault with `what` (a sentence) at the deadline."""
    end_at = CLOCK.monotonic() + deadline_s
    while not ready():
        if CLOCK.monotonic() >= end_at:
            raise LabFault(what() if callable(what) else what)
        time.sleep(POLL_S)


def run(argv: Sequence[str], *, timeout_s: float = COMMAND_TIMEOUT_S, env: dict[str, str] | None = None) -> str:
    """Run a command and return its output. Raises LabFault with the command and its last words."""
    try:
        result = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout_s, env=env
        )
    except FileNotFoundError as error:
        raise LabFault(f"the command {argv[0]} is missing on this machine: install it, or run script/up, which does") from error
    except subprocess.TimeoutExpired as error:
        raise LabFault(f"`{' '.join(argv)}` did not end within {timeout_s:g} s") from error
    if result.returncode:
        words = (result.stderr or result.stdout).strip().splitlines()
        raise LabFault(f"`{' '.join(argv)}` failed with exit code {result.returncode}: {words[-1] if words else 'it said nothing'}")
    return result.stdout


def tail(log: Path, lines: int = 1) -> str:
    """The last non-empty lines of a log, for error messages."""
    try:
        text = log.read_text(errors="replace")[-8192:]
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
