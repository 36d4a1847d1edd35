"""A shim that containerd forgot: the process that watches over a sandbox' containers, found by the sandbox' id and ended.

When containerd 1.6 dies while it starts a shim, or its caller does, it knows nothing of the shim when it is back: it removes the sandbox,
and the process stays until the host restarts. The agent knows the sandbox' id, which is on the shim's command line, and so whose it is.
Owns looking for it in /proc and ending it, with what still runs below it. Which sandboxes can have been forgotten is `containerd.py`'s
to say: the search reads all of /proc.
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


def of(sandbox_id: str) -> list[int]:
    """The pids of its shims."""
    found = []
    for path in PROC.glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            if os.path.basename(words[0]).startswith(PROGRAM) and ("-id", sandbox_id) in zip(words, words[1:], strict=False):
                found.append(int(path.parent.name))
    return found


async def end(sandbox_id: str) -> None:
    """What is left of a sandbox that was stopped. Idempotent."""
    for pause_s in LEAVES_S:
        if not of(sandbox_id):
            return
        await asyncio.sleep(pause_s)
    for pid in of(sandbox_id):
        log.warning("forgotten-shim sandbox=%s pid=%d", sandbox_id, pid)
        for each in (*_children(pid), pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for path in (PROC / str(pid) / "task").glob("*/children") for word in path.read_text().split()]
    return []
