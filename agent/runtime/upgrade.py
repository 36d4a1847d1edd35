"""An HTTP connection to a container runtime that becomes a plain byte stream: the request, the answer's head, then the two streams.

Owns the few lines of HTTP/1.1 that both runtimes' upgrades need; HTTP libraries keep the connection to themselves, and none lets
one direction end before the other. What is spoken after the upgrade is the callers'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from agent.runtime.contract import RuntimeFault
from common.errors import Timeout, Unavailable

ANSWER_S = 20.0
MAX_HEAD = 16 * 1024
MAX_WORDS = 4096
READ_BUFFER = 64 * 1024

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def upgrade(endpoint: str, target: str, *, headers: Mapping[str, str], body: bytes = b"") -> Pair:
    """POST target at endpoint (`unix:///PATH` or `http://HOST:PORT`). Raises RuntimeFault with the runtime's words when it answers
    with anything but 101, Unavailable when it does not answer, Timeout."""
    address = urlsplit(endpoint)
    try:
        async with asyncio.timeout(ANSWER_S):
            if address.scheme == "unix":
                reader, writer = await asyncio.open_unix_connection(address.path, limit=READ_BUFFER)
            elif address.scheme == "http":
                reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=READ_BUFFER)
            else:
                raise RuntimeFault(f"streams over {address.scheme} are not spoken here: {endpoint[:80]}")
            try:
                await _ask(reader, writer, _request(target, address.netloc or "localhost", headers, body=body))
            except BaseException:
                writer.transport.abort()
                raise
            return reader, writer
    except TimeoutError:
        raise Timeout(f"the container runtime did not open the stream within {ANSWER_S:g} s") from None
    except OSError as error:
        raise Unavailable(f"the container runtime's streams cannot be reached: {error.strerror or error}") from None


def _request(target: str, host: str, headers: Mapping[str, str], *, body: bytes) -> bytes:
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    await writer.drain()
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Unavailable("the container runtime closed the stream instead of opening it") from None
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or status[1] != b"101":
        words = (await reader.read(MAX_WORDS)).decode("utf-8", "replace").strip()
        raise RuntimeFault(words or head.decode("latin-1").splitlines()[0])
