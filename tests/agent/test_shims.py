"""Shims that containerd forgot, as processes with their command lines."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import pytest

from agent.runtime import shims

OURS, ANOTHERS = "a" * 64, "b" * 64
PARENT = "sleep 60 >/dev/null & echo ready; read nothing"


def shim(sandbox_id: str, program: str) -> subprocess.Popen[bytes]:
    """A process that calls itself so, with a child."""
    words = [program, "-c", PARENT, "-namespace", "k8s.io", "-id", sandbox_id, "-address", "/nowhere.sock"]
    return subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.fixture
def processes() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    made = {
        "ours": shim(OURS, "/usr/bin/containerd-shim-runc-v2"),
        "another's": shim(ANOTHERS, "/usr/bin/containerd-shim-runc-v2"),
        "no shim": shim(OURS, "/usr/bin/ctr"),
    }
    try:
        for process in made.values():
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield made
    finally:
        for process in made.values():
            for child in shims._children(process.pid):
                subprocess.run(["kill", "-KILL", str(child)], check=False)
            process.kill()
            process.communicate(timeout=10)


def test_the_shim_of_a_stopped_sandbox_ends_with_what_runs_below_it_and_no_other(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    (child,) = shims._children(processes["ours"].pid)
    asyncio.run(shims.end(OURS))
    assert processes["ours"].wait(10) == -9
    assert not shims.of(OURS)
    assert state(child) in ("", "Z")
    assert [processes[name].poll() for name in ("another's", "no shim")] == [None, None]
    asyncio.run(shims.end(OURS))


def state(pid: int) -> str:
    found = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.strip()[:1]
