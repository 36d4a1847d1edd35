"""200 hollow hosts in one process and 5,000 hollow pods: pods a second from create to Running, and what a host and a pod cost the master.

Everything is real but the containers: the HTTPS API, the durable store, the scheduler, the agents' protocol with its encryption. A pod is
created, bound, assigned, reported and seen Running by a watch. Beside it ConfigMap creates by as many clients in that same lab.
A host's cost is what the master has with 200 of them at rest over what it has with one, divided by the difference.
"""

from __future__ import annotations

import asyncio
import time

import psutil

from bench import load, schedule, writes
from bench.report import Figure, Skip
from lab.contract import MASTER, Lab, LabSettings

NAME = "fleet"
HOSTS = 200
PODS = 5000
BASE = 1000
CLIENTS = 8
GRACE_S = 50.0
"""kmaster's own default, and so heartbeats every 10 s: a lab's are more frequent."""
POD_CIDR = "10.128.0.0/9"
"""A /24 for each of 5,000 hosts and more."""
SETTLE_S = 10.0
WATCH_S = 20.0
KB = 1e3


def _master(lab: Lab) -> psutil.Process:
    return psutil.Process(next(host.services[0].pid for host in lab.status().hosts if host.name == MASTER))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def at_rest(process: psutil.Process) -> tuple[float, float]:
    """Resident bytes, and microseconds of processor a second."""
    time.sleep(SETTLE_S)
    before, began = _cpu_s(process), time.perf_counter()
    time.sleep(WATCH_S)
    return process.memory_info().rss, 1e6 * (_cpu_s(process) - before) / (time.perf_counter() - began)


def settings(hosts: int) -> LabSettings:
    return LabSettings(runtime="hollow", hosts=hosts, example=False, node_grace_s=GRACE_S, pod_cidr=POD_CIDR)


def measure() -> list[Figure | Skip]:
    with load.running_lab(settings(1)) as lab:
        one_rss, one_cpu = at_rest(_master(lab))
    with load.running_lab(settings(HOSTS)) as lab:
        process = _master(lab)
        rss, cpu = at_rest(process)
        base = asyncio.run(writes.through_api(lab.kubeconfig, CLIENTS, BASE))
        before, empty = _cpu_s(process), process.memory_info().rss
        value = asyncio.run(schedule.whole(lab.kubeconfig, PODS))
        spent, full = _cpu_s(process) - before, process.memory_info().rss
    more = HOSTS - 1
    beside = f"ConfigMap creates, {CLIENTS} clients"
    return [
        Figure(NAME, f"create to Running, {HOSTS} hosts, {PODS:,} pods", value, "pods/s", beside, base),
        Figure(NAME, "master: processor for a pod, create to Running", 1e3 * spent / PODS, "ms"),
        Figure(NAME, "master: memory of a pod, with its history", (full - empty) / PODS / KB, "KB RSS"),
        Figure(NAME, "master: memory of a host", (rss - one_rss) / more / KB, "KB RSS"),
        Figure(NAME, f"master: processor of a host at rest, of {HOSTS}", (cpu - one_cpu) / more, "us/s"),
        Skip(f"{NAME}: heartbeats at 1,000 and 5,000 hosts", "the comparison is not written yet"),
    ]
