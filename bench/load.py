"""What the benchmarks share: where they work, labs of their own, and clients that load the HTTPS API.

Everything happens in a fresh folder under $STEERSMAN_LAB (or build/bench), on a real disk and never in a lab of the user's; the lab
in it is taken down whatever happens. The clients are aiohttp sessions with one connection each, kept alive, in the benchmark's own
process: on a machine with few cores they take part of the processor from the master, and the figures include that.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import yaml

from common.aio.tasks import TaskGroup
from lab.contract import Lab, LabSettings, Quiet
from lab.open import PROJECT, open_lab

REQUEST_S = 30.0


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    base = Path(os.environ.get("STEERSMAN_LAB") or PROJECT / "build" / "bench").absolute()
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=base) as fresh:
        yield Path(fresh)


@contextlib.contextmanager
def running_lab(settings: LabSettings) -> Iterator[Lab]:
    """Raises LabFault when it cannot be brought up."""
    with folder() as fresh:
        lab = open_lab(fresh / "lab", settings)
        try:
            lab.up(Quiet())
            yield lab
        finally:
            lab.down(Quiet())


def processor_s(process: psutil.Process) -> float:
    """Seconds of processor that it has used; the kernel counts in ticks of 10 ms."""
    times = process.cpu_times()
    return times.user + times.system


class Client:
    """One user of the API, with the admin's certificate."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def create(self, path: str, document: dict[str, Any]) -> None:
        """Returns once the master has acknowledged it, and so made it durable."""
        async with self._session.post(self._server + path, json=document) as answer:
            text = await answer.text()
            if answer.status != 201:
                raise RuntimeError(f"POST {path}: {answer.status}: {text[:300]}")

    async def get(self, path: str, *, accept: str = "application/json", packed: bool = False) -> int:
        """The size of the answer. packed: sent with gzip."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if packed else "identity"}
        async with self._session.get(self._server + path, headers=headers) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"GET {path}: {answer.status}: {body[:300].decode(errors='replace')}")
            return len(body)

    async def post(self, path: str, body: bytes) -> None:
        """Bytes as they are, whatever is answered but an error."""
        async with self._session.post(self._server + path, data=body, headers={"Content-Type": "application/json"}) as answer:
            text = await answer.text()
            if answer.status not in (200, 201):
                raise RuntimeError(f"POST {path}: {answer.status}: {text[:300]}")

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, accept: str = "application/json") -> AsyncIterator[aiohttp.StreamReader]:
        """An answer that does not end by itself, once it has begun."""
        never = aiohttp.ClientTimeout(total=None)
        async with self._session.get(self._server + path, headers={"Accept": accept}, timeout=never) as answer:
            if answer.status != 200:
                raise RuntimeError(f"GET {path}: {answer.status}: {(await answer.text())[:300]}")
            yield answer.content

    async def delete(self, path: str) -> None:
        async with self._session.delete(self._server + path) as answer:
            text = await answer.text()
            if answer.status not in (200, 202):
                raise RuntimeError(f"DELETE {path}: {answer.status}: {text[:300]}")

    @contextlib.asynccontextmanager
    async def watching(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Lines of a watch from now on; it is established when the block begins."""
        async with self._session.get(self._server + path) as listed:
            since = (await listed.json())["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": since}
        async with self._session.get(self._server + path, params=query, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            yield answer.content


@contextlib.asynccontextmanager
async def clients(kubeconfig: Path, count: int, *, server: str = "") -> AsyncIterator[list[Client]]:
    """server: another one than the kubeconfig's, with a certificate of the same CA."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as pair:  # load_cert_chain takes files only; this one is mode 0600
        pair.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            connector = aiohttp.TCPConnector(ssl=context, limit=2)
            session = aiohttp.ClientSession(
                connector=connector, timeout=aiohttp.ClientTimeout(total=REQUEST_S), read_bufsize=1 << 20
            )
            made.append(Client(await stack.enter_async_context(session), server or cluster["server"]))
        yield made


async def rate(workers: int, total: int, once: Callable[[int, int], Awaitable[object]]) -> float:
    """`once(worker, number)` `total` times by so many workers, each one after another; how many a second."""

    async def work(worker: int) -> None:
        for number in range(worker, total, workers):
            await once(worker, number)

    began = time.perf_counter()
    async with TaskGroup() as group:
        tasks = [group.start(work(worker), name=f"bench-{worker}") for worker in range(workers)]
        for task in tasks:
            await task
    return total / (time.perf_counter() - began)
