"""A connection to a port inside a pod's network namespace, whatever runtime made it.

Owns the way in: a thread of its own enters the namespace, makes a socket there, and ends; the socket stays in the namespace for
good, and is connected from the event loop like any other. The thread never comes back out, so no code of the agent can find itself
in a pod's network.

What listens may do so on IPv4's loopback, or on IPv6's only: both are tried, as Kubernetes does.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import threading
from collections.abc import AsyncIterator

from common.wire.flow import CHUNK, DATA, TROUBLE

CLONE_NEWNET = 0x40000000
CONNECT_S = 10.0
LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_libc = ctypes.CDLL(None, use_errno=True)


class PortSession:
    """See `contract.Session`: connects when its frames are asked for; that it cannot is told on TROUBLE. netns "": the host's own."""

    def __init__(self, netns: str, port: int) -> None:
        self._netns = netns
        self._port = port
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        try:
            reader, self._writer = await dial(self._netns, self._port)
        except OSError as error:
            yield TROUBLE, f"failed to connect to localhost:{self._port} inside the pod: {_words(error)}".encode()
            return
        self._connected.set()
        try:
            while data := await reader.read(CHUNK):
                yield DATA, data
        except OSError:
            pass  # reset by the pod: that is its end, too
        yield DATA, b""

    async def send(self, channel: int, data: bytes) -> None:
        await self._connected.wait()
        assert self._writer is not None
        if channel != DATA:
            return
        if data:
            self._writer.write(data)
            await self._writer.drain()
        elif self._writer.can_write_eof():
            self._writer.write_eof()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


async def dial(netns: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises OSError."""
    trouble: OSError = OSError(0, "no address was tried")
    for family, address in LOOPBACKS:
        try:
            made = await _socket_in(netns, family)
        except OSError as error:
            trouble = trouble if trouble.errno else error
            continue
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().sock_connect(made, (address, port))
            return await asyncio.open_connection(sock=made)
        except TimeoutError:
            made.close()
            raise OSError(0, f"no answer within {CONNECT_S:g} s") from None
        except OSError as error:
            made.close()
            trouble = trouble if trouble.errno else error
        except BaseException:
            made.close()
            raise
    raise trouble


def _words(error: OSError) -> str:
    """asyncio's own name the address; the number says it as the kernel does."""
    return os.strerror(error.errno).lower() if error.errno else str(error.strerror or error)


async def _socket_in(netns: str, family: int) -> socket.socket:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[socket.socket] = loop.create_future()

    def tell(outcome: socket.socket | OSError) -> None:
        if isinstance(outcome, OSError):
            if not made.done():
                made.set_exception(outcome)
        elif made.done():
            outcome.close()  # who asked has been cancelled meanwhile
        else:
            made.set_result(outcome)

    def enter() -> None:
        outcome: socket.socket | OSError
        try:
            if netns:
                _enter(netns)
            outcome = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            outcome = error
        loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=enter, name="netns").start()
    return await made


def _enter(netns: str) -> None:
    handle = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(handle, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
