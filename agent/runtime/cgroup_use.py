"""What a container has used, from its cgroup's files, of either version: for a runtime whose own answer would cost more than reading them.

    version 1    cpuacct/PATH/cpuacct.usage            memory/PATH/memory.usage_in_bytes, memory.stat total_inactive_file
    version 2    PATH/cpu.stat usage_usec              PATH/memory.current, memory.stat inactive_file

Memory is the working set, as Kubernetes counts it: all that is charged, without the file cache that the kernel would give up first.
"""

from __future__ import annotations

from pathlib import Path

from agent.runtime.labels import CGROUPS


def used(path: str, mount: Path = CGROUPS) -> tuple[int, int] | None:
    """Nanoseconds of CPU so far and bytes of memory now of a cgroup; None when it is gone. path: as runtimes are told it, `/a/b`."""
    below = path.lstrip("/")
    try:
        if (mount / "cpuacct").is_dir():
            cpu_ns = int((mount / "cpuacct" / below / "cpuacct.usage").read_text())
            memory = mount / "memory" / below
            charged, cache = int((memory / "memory.usage_in_bytes").read_text()), "total_inactive_file"
        else:
            memory = mount / below
            cpu_ns = _of(memory / "cpu.stat", "usage_usec") * 1000
            charged, cache = int((memory / "memory.current").read_text()), "inactive_file"
        return cpu_ns, max(0, charged - _of(memory / "memory.stat", cache))
    except (OSError, ValueError):
        return None


def limit(path: str, mount: Path = CGROUPS) -> int | None:
    """Bytes of memory that a cgroup may use; None without a limit, or without such a cgroup."""
    below = path.lstrip("/")
    memory = mount / "memory" / below / "memory.limit_in_bytes" if (mount / "cpuacct").is_dir() else mount / below / "memory.max"
    try:
        return int(memory.read_text())
    except (OSError, ValueError):  # "max" is none
        return None


def processes(path: str, mount: Path = CGROUPS) -> int:
    """In a cgroup and all below it; 0 when it is gone."""
    below = path.lstrip("/")
    try:
        return int((mount / "pids" / below / "pids.current" if (mount / "pids").is_dir() else mount / below / "pids.current").read_text())
    except (OSError, ValueError):
        return 0


def _of(file: Path, key: str) -> int:
    for line in file.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    raise ValueError(f"{file} has no {key}")
