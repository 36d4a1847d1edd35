"""What a request costs kmaster: get, durable create of a pod, a list of 5,000 pods, an event to 1,000 watchers; and 100,000 stored pods.

Processor time of the server's process for each request, from the kernel's own count in nanoseconds, beside a bare aiohttp handler over
the same TLS which is sent and answers as many bytes (bare.py), in turn with it, by the same clients. The store is filled through its own
code while kmaster is down, with pods as users make them (stored.py); then kmaster starts over it, without nodes that could answer, so that
all of what is measured is the API. What limits each figure: docs/bench.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import psutil
from aiohttp import StreamReader

from bench import load, stored
from bench.report import Budget, Figure
from common.aio.tasks import TaskGroup
from lab.contract import MASTER, Lab, LabSettings
from lab.open import PROJECT

NAME = "api"
BARE = "bare aiohttp over TLS"
PODS = "/api/v1/namespaces/default/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
CLIENTS = 8
DEADLINE_S = 60.0
MB = 1e6
OF_GET, OF_CREATE = Budget(most=4, ratio=True), Budget(most=15, ratio=True)
LISTED = Budget(least=40)
START, FULL = Budget(most=10), Budget(most=700)


class Size(msgspec.Struct, frozen=True):
    """gets, creates: of one round, and of three. lists: how often. events: to each watcher. nodes: that the stored pods are spread over."""

    pods: int = 100_000
    nodes: int = 1000
    listed: int = 5000
    gets: int = 1500
    creates: int = 400
    lists: int = 4
    watchers: int = 1000
    events: int = 20


def spent_s(pid: int) -> float:
    """Processor time of all threads of a process."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@contextlib.contextmanager
def bare(lab: Lab) -> Iterator[tuple[str, int]]:
    """The floor's address and process."""
    pki = Path(lab.status().directory, "hosts", MASTER, "data", "pki")
    argv = [sys.executable, "-m", "bench.bare", str(pki)]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT)
    try:
        assert child.stdout is not None
        yield f"https://127.0.0.1:{int(child.stdout.readline())}", child.pid
    finally:
        child.kill()
        child.communicate()


def master_of(lab: Lab) -> int:
    return next(host.services[0].pid for host in lab.status().hosts if host.name == MASTER)


class Side:
    """One server under the load: its process and its clients."""

    def __init__(self, pid: int, users: list[load.Client]) -> None:
        self.pid = pid
        self.users = users

    async def cost(self, total: int, once: Callable[[load.Client, int], Awaitable[object]]) -> float:
        """Seconds of processor for each of `total` requests."""
        before = spent_s(self.pid)
        await load.rate(len(self.users), total, lambda worker, number: once(self.users[worker], number))
        return (spent_s(self.pid) - before) / total


@contextlib.asynccontextmanager
async def sides(lab: Lab, floor: tuple[str, int], count: int) -> AsyncIterator[tuple[Side, Side]]:
    """kmaster and the floor, with as many clients each."""
    async with load.clients(lab.kubeconfig, count) as ours, load.clients(lab.kubeconfig, count, server=floor[0]) as bares:
        yield Side(master_of(lab), ours), Side(floor[1], bares)


async def requests(lab: Lab, floor: tuple[str, int], size: Size) -> list[Figure]:
    """In turn, three rounds of each, the medians: a neighbour on the machine then meets both."""
    body = stored.pod("bench")
    gets: tuple[list[float], list[float]] = ([], [])
    creates: tuple[list[float], list[float]] = ([], [])
    async with sides(lab, floor, CLIENTS) as (ours, base):
        await ours.users[0].post(PODS, body)
        answer = await ours.users[0].get(f"{PODS}/bench")
        for turn in range(4):  # the first warms up
            warm = turn == 0
            of_get = (await ours.cost(size.gets, lambda user, _: user.get(f"{PODS}/bench")),
                      await base.cost(size.gets, lambda user, _: user.get(f"/{answer}")))  # fmt: skip
            of_create = (
                await ours.cost(size.creates, lambda user, n, t=turn: user.post(PODS, stored.pod(f"bench-{t}-{n}"))),  # type: ignore[misc]
                await base.cost(size.creates, lambda user, n, t=turn: user.post(f"/{answer}", stored.pod(f"bench-{t}-{n}"))),  # type: ignore[misc]
            )
            if not warm:
                for found, values in ((gets, of_get), (creates, of_create)):
                    found[0].append(values[0])
                    found[1].append(values[1])
    return [
        Figure(NAME, f"get a pod of {answer / 1e3:.1f} KB", _micros(gets[0]), "us of processor", BARE, _micros(gets[1]), OF_GET),
        Figure(NAME, "create a pod, durably", _micros(creates[0]), "us of processor", BARE, _micros(creates[1]), OF_CREATE),
    ]


def _micros(seconds: list[float]) -> float:
    return 1e6 * statistics.median(seconds)


async def lists(lab: Lab, floor: tuple[str, int], size: Size) -> list[Figure]:
    """One client, one list after another. MB of JSON a second, as the client sees it."""
    path = f"/api/v1/namespaces/{stored.namespace(0)}/pods"
    found = []
    async with sides(lab, floor, 1) as (ours, base):
        for packed, name in ((False, ""), (True, ", with gzip")):
            length = await ours.users[0].get(path, packed=packed)
            began, before = time.perf_counter(), spent_s(ours.pid)
            for _ in range(size.lists):
                await ours.users[0].get(path, packed=packed)
            passed, spent = time.perf_counter() - began, spent_s(ours.pid) - before
            began = time.perf_counter()
            for _ in range(size.lists):
                await base.users[0].get(f"/{length}")
            beside = size.lists * length / MB / (time.perf_counter() - began)
            what = f"list of {size.listed:,} pods{name}"
            found += [
                Figure(NAME, what, size.lists * length / MB / passed, "MB/s", "" if packed else BARE, beside, None if packed else LISTED),
                Figure(NAME, f"{what}: processor", 1e3 * spent / size.lists, "ms"),
            ]
    return found


async def events(lab: Lab, floor: tuple[str, int], size: Size) -> list[Figure]:
    """Pods created one after another, while so many watch; a client reads what comes and looks at no byte but line ends."""
    found = []
    for accept, name in (("application/json", "an event"), (TABLE, "an event as a Table")):
        async with sides(lab, floor, size.watchers) as (ours, base):
            at = f"/api/v1/namespaces/{stored.namespace(1)}/pods"
            newest = f"{at}?watch=1&resourceVersion={await _revision(ours.users[0], at)}"

            async def change(number: int, user: load.Client = ours.users[0], kind: str = name.replace(" ", "-").lower()) -> None:
                await user.post(at, stored.pod(f"{kind}-{number}"))

            async def tell(number: int, user: load.Client = base.users[0]) -> None:
                await user.post("/tell", b"x" * (length - 1) + b"\n")

            value, length = await _told(ours, newest, size, accept=accept, once=change)
            beside, _ = await _told(base, "/watch", size, accept=accept, once=tell)
        what = f"{name} to each of {size.watchers:,} watchers"
        found.append(Figure(NAME, what, 1e6 * value, "us of processor", BARE, 1e6 * beside))
    return found


async def _revision(user: load.Client, path: str) -> str:
    async with user.stream(f"{path}?limit=1") as answer:
        return str(msgspec.json.decode(await answer.read())["metadata"]["resourceVersion"])


async def _told(side: Side, path: str, size: Size, *, accept: str, once: Callable[[int], Awaitable[None]]) -> tuple[float, int]:
    """Seconds of processor for one event to one watcher, and the event's length."""
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S), TaskGroup() as group:
        streams = [await stack.enter_async_context(user.stream(path, accept=accept)) for user in side.users]

        async def listen(stream: StreamReader) -> int:
            left, length = size.events, 0
            while left:
                part = await stream.readany()
                left, length = left - part.count(b"\n"), length + len(part)
            return length

        listening = [group.start(listen(stream), name=f"bench-watch-{number}") for number, stream in enumerate(streams)]
        before = spent_s(side.pid)
        for number in range(size.events):
            await once(number)
        lengths = [await task for task in listening]
        return (spent_s(side.pid) - before) / size.events / len(streams), lengths[-1] // size.events


def start_up(lab: Lab, size: Size) -> list[Figure]:
    """kmaster over a full store, from its start until /readyz says yes. Leaves it running."""
    lab.stop(MASTER, "kmaster", signal.SIGTERM)
    data = Path(lab.status().directory, "hosts", MASTER, "data", "store.db")
    bytes_each = asyncio.run(stored.fill(data, pods=size.pods, nodes=size.nodes, each=size.listed))
    began = time.perf_counter()
    lab.start(MASTER, "kmaster")
    took = time.perf_counter() - began
    process = psutil.Process(master_of(lab))
    spent = spent_s(process.pid)
    _settle(process.pid)
    what = f"{size.pods:,} stored pods of {bytes_each / 1e3:.1f} KB"
    return [
        Figure(NAME, f"{what}: start to readyz", took, "s", budget=START),
        Figure(NAME, f"{what}: start, processor", spent, "s"),
        Figure(NAME, f"{what}: memory", process.memory_info().rss / MB, "MB RSS", budget=FULL),
    ]


def _settle(pid: int) -> None:
    """Until it is at rest: what it has to read at the start is read."""
    end = time.perf_counter() + DEADLINE_S
    before = spent_s(pid)
    while time.perf_counter() < end:
        time.sleep(1.0)
        before, now = spent_s(pid), before
        if before - now < 0.1:
            return


def measure(size: Size = Size()) -> Iterator[Figure]:
    with load.running_lab(LabSettings(runtime="hollow", hosts=0, example=False, node_grace_s=3600.0)) as lab:
        yield from start_up(lab, size)
        with bare(lab) as floor:
            for part in (requests, lists, events):
                yield from asyncio.run(part(lab, floor, size))
        yield Figure(NAME, "memory after all of this", psutil.Process(master_of(lab)).memory_info().rss / MB, "MB RSS")
