"""What this process uses, as Prometheus' clients of every language tell it: `process_*`. Linux alone: read from /proc when asked."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from master.api.metrics import COUNTER, GAUGE, Family, single

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_OF_STAT_STARTED = 19
"""Field 22 of /proc/self/stat, counted from behind the command's name, which may have spaces in it."""


def metrics() -> Iterator[Family]:
    size, resident = (int(word) for word in Path("/proc/self/statm").read_text().split()[:2])
    used = os.times()
    yield single("process_cpu_seconds_total", COUNTER, "Total user and system CPU time spent in seconds.", used.user + used.system)
    yield single("process_resident_memory_bytes", GAUGE, "Resident memory size in bytes.", resident * _PAGE)
    yield single("process_virtual_memory_bytes", GAUGE, "Virtual memory size in bytes.", size * _PAGE)
    yield single("process_start_time_seconds", GAUGE, "Start time of the process since unix epoch in seconds.", _started())
    yield single("process_open_fds", GAUGE, "Number of open file descriptors.", len(os.listdir("/proc/self/fd")))
    yield single("process_max_fds", GAUGE, "Maximum number of open file descriptors.", resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _started() -> float:
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    booted = next(line.split()[1] for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return float(booted) + int(after_name[_OF_STAT_STARTED]) / _TICKS
