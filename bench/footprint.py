"""What the daemons cost at rest: resident memory and processor time of kmaster and of a kagent, by runtime.

The labs come up, the daemons idle for a minute, and then their counters are read over some seconds; percent is of one core. Nothing is
deployed, so that is the cost of being there: heartbeats, watches, timers. What each library adds is told by an import of it alone, so
what two of them share is counted twice. Beside the daemons an idle Python with asyncio loaded: what no daemon in this language can go
below. Labs with real containers need root and the runtime; without them they are skipped.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

from bench import load, pod_start
from bench.report import Budget, Figure, Skip
from lab.contract import LabSettings

NAME = "footprint"
SETTLE_S = 60.0
WATCH_S = 30.0
"""The kernel counts a process' time in ticks of 10 ms: 0.03 % of a core over this span."""
MB = 1e6
DAEMONS = {"kmaster": Budget(most=110), "kagent": Budget(most=55)}
"""The daemons, and what they may take in MB; of a core each may take 1 %."""
PROCESSOR = Budget(most=1)
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


def idle(runtimes: Sequence[str], *, settle_s: float = SETTLE_S, watch_s: float = WATCH_S) -> list[Figure]:
    """A lab of each runtime, all at rest together: an idle one takes nothing of another that could be seen."""
    with contextlib.ExitStack() as stack:
        watched = []
        for runtime in runtimes:
            lab = stack.enter_context(load.running_lab(LabSettings(runtime=runtime, hosts=1, example=False)))
            services = [service for host in lab.status().hosts for service in host.services if service.name in DAEMONS]
            watched += [(service.name, f"{service.name}, {runtime} lab", psutil.Process(service.pid)) for service in services]
        time.sleep(settle_s)
        before = [load.processor_s(process) for *_, process in watched]
        began = time.perf_counter()
        time.sleep(watch_s)
        passed = time.perf_counter() - began
        spent = [load.processor_s(process) - at for (*_, process), at in zip(watched, before, strict=True)]
        base = floor()
        found = []
        for (daemon, what, process), seconds in zip(watched, spent, strict=True):
            found.append(Figure(NAME, f"{what}: memory", process.memory_info().rss / MB, "MB RSS", FLOOR, base, DAEMONS[daemon]))
            found.append(Figure(NAME, f"{what}: processor", 100 * seconds / passed, "% of a core", budget=PROCESSOR))
        return found


def measure() -> list[Figure | Skip]:
    absent = {runtime: pod_start.missing(runtime) for runtime in ("containerd", "docker")}
    found: list[Figure | Skip] = [Figure(NAME, f"import {name}", library(name), "MB RSS") for name in LIBRARIES]
    found += idle(["hollow", *(runtime for runtime, why in absent.items() if not why)])
    return [*found, *(Skip(f"{NAME} with {runtime}", why) for runtime, why in absent.items() if why)]
