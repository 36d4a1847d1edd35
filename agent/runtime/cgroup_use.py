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


def _of(file: Path, key: str) -> int:
    for line in file.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    raise ValueError(f"{file} has no {key}")
