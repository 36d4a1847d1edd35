"""What the daemons cost at rest: resident memory and processor time of kmaster and of a kagent, hollow and with containerd.

A lab comes up, the daemons idle for a minute, and then their counters are read over some seconds; percent is of one core. Nothing is deployed, so
that is the cost of being there: heartbeats, watches, timers. What each
library adds is told by an import of it alone, so what two of them share is counted twice. Beside the daemons an idle Python with asyncio loaded: what no daemon in this
language can go below. The containerd lab needs root and containerd; without them that half is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import psutil

from bench import load
from bench.report import Figure, Skip
from lab.contract import LabSettings

NAME = "footprint"
SETTLE_S = 60.0
WATCH_S = 30.0
"""The kernel counts a process' time in ticks of 10 ms: 0.03 % of a core over this span."""
MB = 1e6
DAEMONS = ("kmaster", "kagent")
FLOOR = "idle Python with asyncio"
LIBRARIES = ("aiohttp", "apsw", "cryptography", "grpc", "msgpack", "msgspec", "numpy", "psutil", "yaml", "zmq")


def floor() -> float:
    """Resident MB of a bare interpreter in an event loop."""
    code = "import asyncio; print(flush=True); asyncio.run(asyncio.sleep(60))"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.2)
        return psutil.Process(child.pid).memory_info().rss / MB
    finally:
        child.kill()
        child.communicate()


def library(name: str) -> float:
    """Resident MB that its import adds to a fresh interpreter with asyncio."""
    size = "int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE')"
    code = f"import asyncio, os; before = {size}; import {name}; print({size} - before)"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout) / MB


def idle(runtime: str) -> list[Figure]:
    with load.running_lab(LabSettings(runtime=runtime, hosts=1, example=False)) as lab:
        services = {service.name: service.pid for host in lab.status().hosts for service in host.services if service.name in DAEMONS}
        processes = {name: psutil.Process(pid) for name, pid in services.items()}
        time.sleep(SETTLE_S)
        before = {name: _cpu_s(process) for name, process in processes.items()}
        began = time.perf_counter()
        time.sleep(WATCH_S)
        passed = time.perf_counter() - began
        base = floor()
        found = []
        for name, process in processes.items():
            what = f"{name}, {runtime} lab"
            found.append(Figure(NAME, f"{what}: memory", process.memory_info().rss / MB, "MB RSS", FLOOR, base))
            found.append(Figure(NAME, f"{what}: processor", 100 * (_cpu_s(process) - before[name]) / passed, "% of a core"))
        return found


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def measure() -> list[Figure | Skip]:
    found: list[Figure | Skip] = [Figure(NAME, f"import {name}", library(name), "MB RSS") for name in LIBRARIES]
    found += idle("hollow")
    if os.geteuid() != 0 or shutil.which("containerd") is None:
        found.append(Skip(f"{NAME} with containerd", "it needs root and containerd"))
    else:
        found += idle("containerd")
    return found
