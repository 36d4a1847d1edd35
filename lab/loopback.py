"""Daemons of a hollow lab: plain processes on loopback, and the ports they listen on.

Started through `setsid --fork`, so that they are nobody's child here and outlive the command that started them, with their output in a
log file. Ports are chosen once and kept, so that a restarted master is found where it was; whether they are still free is asked
before each start.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import processes
from lab.contract import LabFault
from lab.processes import Process

ADDRESS = "127.0.0.1"
START_TIMEOUT_S = 15.0

_SPAWN = 'log=$1; shift; echo $$; exec "$@" >>"$log" 2>&1 </dev/null'


def spawn(argv: Sequence[str], *, log: Path, env: dict[str, str] | None = None) -> Process:
    """Start a daemon that outlives us, and is nobody's child here. Raises LabFault."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["setsid", "--fork", "sh", "-c", _SPAWN, "spawn", str(log), *argv]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_TIMEOUT_S)
    pid = result.stdout.strip()
    process = processes.named(int(pid)) if pid.isdigit() else None
    if process is None:
        raise LabFault(f"{argv[0]} ended at once: {result.stderr.strip() or processes.tail(log) or 'it said nothing'}")
    return process


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A port of loopback that nobody listens on for each name."""
    with contextlib.ExitStack() as stack:
        ports = {}
        for name in names:
            listener = stack.enter_context(socket.socket())
            listener.bind((ADDRESS, 0))
            ports[name] = listener.getsockname()[1]
        return ports


def occupied(ports: dict[str, int]) -> list[int]:
    """Those on which somebody listens."""
    found = []
    for port in ports.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                found.append(port)
    return found
