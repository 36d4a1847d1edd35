"""A shim that containerd forgot: the process that watches over containers, found by the id on its command line, and ended.

When containerd 1.6 dies while it starts a shim (the one below Docker too), it may know nothing of the shim when it is back: what the shim
was for is removed, and the process stays until the host restarts, with a container below it that was never started. The agent knows the
id of what it removes (a sandbox' on containerd, any container's on Docker), and so whose the shim is. Owns looking for it in /proc and
ending it, with what runs below it. What can have been forgotten is each runtime's to say: the search reads all of /proc.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path

log = logging.getLogger(__name__)

PROC = Path("/proc")
PROGRAM = "containerd-shim"
LEAVES_S = (0.05, 0.1, 0.2, 0.4)
"""A shim that was not forgotten ends by itself, in a moment."""


def of(identity: str) -> list[int]:
    """The pids of its shims."""
    found = []
    for path in PROC.glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            if os.path.basename(words[0]).startswith(PROGRAM) and ("-id", identity) in zip(words, words[1:], strict=False):
                found.append(int(path.parent.name))
    return found


async def end(identity: str) -> None:
    """What is left of a sandbox or container that was stopped. Idempotent."""
    for pause_s in LEAVES_S:
        if not of(identity):
            return
        await asyncio.sleep(pause_s)
    for pid in of(identity):
        log.warning("forgotten-shim id=%s pid=%d", identity, pid)
        for each in (*_children(pid), pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for path in (PROC / str(pid) / "task").glob("*/children") for word in path.read_text().split()]
    return []
