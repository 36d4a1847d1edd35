"""etcd as the peer of `writes`: Debian's server on loopback, its data in the benchmark's own folder on the same disk.

It is spoken to natively, with gRPC and one connection a client, as its own clients do; a put needs only two fields, which are encoded
here, so that no generated code is needed. Its settings are etcd's own, so each put is flushed to its log before the answer. Without TLS,
schemas or admission, it is what stands below a Kubernetes API server and not the like of one: the comparison favours etcd.

Owns the server's process: it is ended by its id, whatever happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import grpc

from bench import load
from lab import loopback

START_S = 20.0
END_S = 10.0
PUT = "/etcdserverpb.KV/Put"


def _length(size: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size])


def put_request(key: bytes, value: bytes) -> bytes:
    """etcdserverpb.PutRequest: bytes key = 1, bytes value = 2."""
    return b"\x0a" + _length(len(key)) + key + b"\x12" + _length(len(value)) + value


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncIterator[str]:
    """The address of a new etcd that answers. Raises RuntimeError when it does not."""
    ports = loopback.free_ports(["client", "peer"])
    address = f"{loopback.ADDRESS}:{ports['client']}"
    url, peer = f"http://{address}", f"http://{loopback.ADDRESS}:{ports['peer']}"
    argv = [
        "etcd", "--data-dir", str(folder / "etcd"), "--log-level", "error", "--listen-client-urls", url, "--advertise-client-urls", url,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
    ]  # fmt: skip
    log = folder / "etcd.log"
    with log.open("wb") as output:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        async with asyncio.timeout(START_S), grpc.aio.insecure_channel(address) as channel:
            await channel.unary_unary(PUT)(put_request(b"first", b"1"), wait_for_ready=True)
        yield address
    except TimeoutError:
        raise RuntimeError(f"etcd did not answer within {START_S:g} s: {log.read_text()[-300:]}") from None
    finally:
        child.terminate()
        try:
            child.wait(END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def puts(folder: Path, workers: int, *, total: int, value: bytes) -> float:
    """Acknowledged puts a second by so many clients, into a new etcd."""
    async with server(folder) as address, contextlib.AsyncExitStack() as stack:
        own = [("grpc.use_local_subchannel_pool", 1)]
        channels = [await stack.enter_async_context(grpc.aio.insecure_channel(address, options=own)) for _ in range(workers)]
        calls = [channel.unary_unary(PUT) for channel in channels]
        for number, call in enumerate(calls):
            await call(put_request(f"connect-{number}".encode(), b"1"))

        async def once(worker: int, number: int) -> None:
            await calls[worker](put_request(f"configmaps/default/c{number}".encode(), value))

        return await load.rate(workers, total, once)
