"""Durable creates a second: through the HTTPS API of a whole kmaster, and of the store alone, at 1, 8 and 64 clients.

Beside both: SQLite itself on the same disk, in WAL mode with synchronous=FULL, one row a commit, one writer: what a store without
group commit could reach at best. The store gathers concurrent writes into one commit, so it may exceed that floor from a few clients on;
one client pays a whole fsync per create. The API's figures add TLS, JSON, admission and the watch caches, in one process.
The peer is Debian's etcd on that disk, with as many clients (etcd.py), taken in turn with the API.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from pathlib import Path

import apsw

from bench import etcd, load
from bench.report import Figure, Skip
from common.clock import SystemClock
from lab.contract import LabSettings
from master.store.contract import Cause
from master.store.sqlite import SqliteStore

NAME = "writes"
SIZES = {1: 600, 8: 3000, 64: 6000}
"""Concurrent clients, and creates in all."""
FLOOR = "SQLite WAL FULL, one row a commit"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DATA = "x" * 300


def floor(folder: Path, rows: int) -> float:
    """Commits a second: the median of three, since other users of the disk show most where nothing is grouped."""
    return statistics.median(_commits(folder / f"floor-{attempt}.db", rows) for attempt in range(3))


def _commits(path: Path, rows: int) -> float:
    connection = apsw.Connection(str(path))
    try:
        for _ in connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (k TEXT PRIMARY KEY, v BLOB)"):
            pass
        began = time.perf_counter()
        for number in range(rows):
            connection.execute("INSERT INTO t VALUES (?, ?)", (f"k{number}", DATA.encode()))
        return rows / (time.perf_counter() - began)
    finally:
        connection.close()


async def store_alone(folder: Path, workers: int, total: int) -> float:
    place = folder / f"store-{workers}"
    place.mkdir()
    store = SqliteStore(str(place / "store.db"), SystemClock())
    await store.open()
    try:
        cause = Cause("bench", "Request")
        return await load.rate(workers, total, lambda _, n: store.create(f"configmaps/default/c{n}", DATA.encode(), cause))
    finally:
        await store.close()


async def through_api(kubeconfig: Path, workers: int, total: int) -> float:
    async with load.clients(kubeconfig, workers) as users:

        def create(worker: int, number: int):  # type: ignore[no-untyped-def]
            name = f"bench-{workers}-{number}"
            document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": DATA}}
            return users[worker].create(CONFIG_MAPS, document)

        return await load.rate(workers, total, create)


def alone(sizes: dict[int, int] = SIZES) -> list[Figure]:
    """The store without a master around it."""
    with load.folder() as folder:
        base = floor(folder, sizes[min(sizes)])
        return [
            Figure(NAME, f"store alone, {_clients(n)}", asyncio.run(store_alone(folder, n, total)), "creates/s", FLOOR, base)
            for n, total in sizes.items()
        ]  # fmt: skip


def measure() -> list[Figure | Skip]:
    found: list[Figure | Skip] = [*alone()]
    with load.running_lab(LabSettings(runtime="hollow", hosts=1, example=False)) as lab:
        with load.folder() as folder:
            base = floor(folder, SIZES[1])
        for n, total in SIZES.items():
            value = asyncio.run(through_api(lab.kubeconfig, n, total))
            found.append(Figure(NAME, f"HTTPS API, {_clients(n)}", value, "creates/s", FLOOR, base))
            if shutil.which("etcd") is not None:
                with load.folder() as folder:
                    peer = asyncio.run(etcd.puts(folder, n, total=total, value=DATA.encode()))
                found.append(Figure(NAME, f"HTTPS API, {_clients(n)}", value, "creates/s", "etcd put, as many clients", peer))
    if shutil.which("etcd") is None:
        found.append(Skip(f"{NAME} beside etcd", "it is not installed (Debian: etcd-server)"))
    return found


def _clients(count: int) -> str:
    return "1 client" if count == 1 else f"{count} clients"
