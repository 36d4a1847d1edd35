"""Hollow hosts by the hundred and the thousand: what a host and a pod cost the master, and how many pods a second come to run.

Everything is real but the containers: the HTTPS API, the durable store, the scheduler, the agents' protocol with its encryption. A pod is
created, bound, assigned, reported and seen Running by a watch. Beside it ConfigMap creates by as many clients in that same lab.
A host's cost is what the master has with many of them at rest over what it has with one, divided by the difference. At rest means that
nothing is written any more: what is left are heartbeats, on both sockets of each host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import msgspec
import psutil

from bench import load, schedule, writes
from bench.report import Figure
from lab.client import Api
from lab.contract import MASTER, Lab, LabFault, LabSettings

NAME = "fleet"
HOSTS = (200, 1000, 5000)
PODS = 5000
"""On the first of these fleets."""
BASE = 1000
CLIENTS = 8
HEARTBEAT_S = 10.0
GRACE_S = 5 * HEARTBEAT_S
"""kmaster's own defaults: a lab's are more frequent."""
POD_CIDR = "10.128.0.0/9"
"""A /24 for each of 5,000 hosts and more."""
QUIET_S = 3.0
SETTLE_S = 120.0
WATCH_S = 15.0
KB = 1e3


class Rest(msgspec.Struct, frozen=True):
    """Of the master: resident bytes, and seconds of processor a second."""

    rss: float
    processor: float


def master(lab: Lab) -> psutil.Process:
    return psutil.Process(next(host.services[0].pid for host in lab.status().hosts if host.name == MASTER))


def at_rest(lab: Lab, *, watch_s: float = WATCH_S) -> Rest:
    """Once nothing has been written for a while. Raises LabFault when it does not come to rest."""
    process, api = master(lab), Api(lab.kubeconfig)
    end = time.perf_counter() + SETTLE_S
    before, now = "", _revision(api)
    while now != before:
        if time.perf_counter() > end:
            raise LabFault(f"the fleet did not come to rest within {SETTLE_S:g} s")
        time.sleep(QUIET_S)
        before, now = now, _revision(api)
    spent, began = load.processor_s(process), time.perf_counter()
    time.sleep(watch_s)
    return Rest(process.memory_info().rss, (load.processor_s(process) - spent) / (time.perf_counter() - began))


def _revision(api: Api) -> str:
    return str(api.get("/api/v1/nodes?limit=1")["metadata"]["resourceVersion"])


def settings(hosts: int) -> LabSettings:
    return LabSettings(runtime="hollow", hosts=hosts, example=False, node_grace_s=GRACE_S, pod_cidr=POD_CIDR)


def hosts_at_rest(hosts: int, rest: Rest, one: Rest) -> list[Figure]:
    more = hosts - 1
    beat = (rest.processor - one.processor) / more * HEARTBEAT_S
    return [
        Figure(NAME, f"master: memory of a host, of {hosts:,}", (rest.rss - one.rss) / more / KB, "KB RSS"),
        Figure(NAME, f"master: processor, {hosts:,} hosts at rest", 100 * rest.processor, "% of a core"),
        Figure(NAME, f"master: processor of a heartbeat, of {hosts:,} hosts", 1e6 * beat, "us"),
    ]


def pods(lab: Lab, hosts: int, *, count: int, base_count: int = BASE) -> list[Figure]:
    """From create to Running."""
    process = master(lab)
    base = asyncio.run(writes.through_api(lab.kubeconfig, CLIENTS, base_count))
    before, empty = load.processor_s(process), process.memory_info().rss
    value = asyncio.run(schedule.whole(lab.kubeconfig, count))
    spent, full = load.processor_s(process) - before, process.memory_info().rss
    beside = f"ConfigMap creates, {CLIENTS} clients"
    return [
        Figure(NAME, f"create to Running, {hosts} hosts, {count:,} pods", value, "pods/s", beside, base),
        Figure(NAME, "master: processor for a pod, create to Running", 1e3 * spent / count, "ms"),
        Figure(NAME, "master: memory of a pod, with its history", (full - empty) / count / KB, "KB RSS"),
    ]


def measure(
    sizes: Sequence[int] = HOSTS, *, pods_count: int = PODS, base_count: int = BASE, watch_s: float = WATCH_S
) -> Iterator[Figure]:
    with load.running_lab(settings(1)) as lab:
        one = at_rest(lab, watch_s=watch_s)
    for number, hosts in enumerate(sizes):
        with load.running_lab(settings(hosts)) as lab:
            yield from hosts_at_rest(hosts, at_rest(lab, watch_s=watch_s), one)
            if number == 0:
                yield from pods(lab, hosts, count=pods_count, base_count=base_count)
