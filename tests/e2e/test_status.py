"""`kctl status --watch` in a terminal: it follows a change, and Ctrl-C ends it cleanly."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

from lab.contract import Lab

DEADLINE_S = 30.0


def read_until(terminal: int, word: str) -> None:
    seen, end = "", time.monotonic() + DEADLINE_S
    while word not in seen:
        assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], f"no {word!r} in {seen!r}"
        seen += os.read(terminal, 65536).decode(errors="replace")


def test_watch_follows_and_ends_cleanly(hollow_lab: Lab, kubectl):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ctl", "--config", str(hollow_lab.kubeconfig.parent / "kctl.json"), "status", "--watch"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}) as running:
        read_until(ours, "2 of 2 ready")
        assert kubectl(hollow_lab, "create", "deployment", "watched", "--image=web").returncode == 0
        read_until(ours, "default/watched")
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
        assert running.stderr and b"Traceback" not in running.stderr.read()
    os.close(ours)
    os.close(theirs)
