"""Exec and attach on containerd: a SPDY client of its streaming server, which listens on the host's loopback.

    CRI Exec ─► a URL with a token ─► POST, 101 ─► a SPDY stream each for error, stdin, stdout, stderr, resize

Owns which stream is which channel. How the command ended comes on the error stream as Kubernetes' Status, and is handed on as it is.
SPDY and not WebSocket, because containerd 1.6's WebSocket cannot end stdin without ending everything.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc as stubs

from agent.runtime.containerd_call import call
from agent.runtime.contract import Ends, Ran, RuntimeFault, Session
from agent.runtime.upgrade import upgrade
from common.errors import Unavailable
from common.wire import spdy
from common.wire.flow import CHUNK, RESIZE, STATUS, STDERR, STDIN, STDOUT

RUN_MARGIN_S = 10.0
"""For containerd to kill a command that is late, and to say so."""
HEADERS = {"Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}


class ContainerdSessions:
    """See `contract.Sessions`. stub: of the CRI's RuntimeService. is_ours: whose ids are entered; all others are not there."""

    def __init__(self, stub: stubs.RuntimeServiceStub, is_ours: Callable[[str], Awaitable[bool]]) -> None:
        self._stub = stub
        self._is_ours = is_ours

    async def exec(self, container_id: str, command: tuple[str, ...], ends: Ends) -> Session:
        await self._expect_ours(container_id)
        request = cri.ExecRequest(container_id=container_id, cmd=list(command), **_asked(ends))
        return await open_session((await call(self._stub.Exec, request)).url, ends)

    async def run(self, container_id: str, command: tuple[str, ...], timeout_s: float) -> Ran:
        await self._expect_ours(container_id)
        request = cri.ExecSyncRequest(container_id=container_id, cmd=list(command), timeout=math.ceil(timeout_s))
        response = await call(self._stub.ExecSync, request, timeout_s=timeout_s + RUN_MARGIN_S)
        return Ran(response.exit_code, response.stdout + response.stderr)

    async def attach(self, container_id: str, ends: Ends) -> Session:
        await self._expect_ours(container_id)
        request = cri.AttachRequest(container_id=container_id, **_asked(ends))
        return await open_session((await call(self._stub.Attach, request)).url, ends)

    async def reopen_log(self, container_id: str) -> None:
        await self._expect_ours(container_id)
        await call(self._stub.ReopenContainerLog, cri.ReopenContainerLogRequest(container_id=container_id))

    async def netns(self, sandbox_id: str) -> str:
        await self._expect_ours(sandbox_id)
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id, verbose=True)
        response = await call(self._stub.PodSandboxStatus, request)
        if response.status.linux.namespaces.options.network == cri.NODE:
            return ""
        pid = msgspec.json.decode(response.info.get("info", "{}"), type=_SandboxInfo).pid
        if not pid:
            raise RuntimeFault(f"sandbox {sandbox_id} does not run")
        return f"/proc/{pid}/ns/net"

    async def _expect_ours(self, identity: str) -> None:
        if not await self._is_ours(identity):
            raise RuntimeFault(f"container {identity} not found")


class _SandboxInfo(msgspec.Struct):
    """Of what containerd tells about a sandbox beyond the CRI."""

    pid: int = 0


def _asked(ends: Ends) -> dict[str, bool]:
    return {"stdin": ends.stdin, "stdout": ends.stdout, "stderr": ends.stderr, "tty": ends.tty}


async def open_session(url: str, ends: Ends) -> ContainerdSession:
    """url: as the CRI gave it. Raises as `upgrade`."""
    address = urlsplit(url)
    target = address.path + (f"?{address.query}" if address.query else "")
    reader, writer = await upgrade(f"{address.scheme}://{address.netloc}", target, headers=HEADERS)
    return ContainerdSession(reader, writer, ends)


class ContainerdSession:
    """See `contract.Session`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: Ends) -> None:
        self._reader = reader
        self._writer = writer
        self._spdy = spdy.Session(client=True)
        self._stream_of: dict[int, int] = {}
        wanted = [(STATUS, "error", True), (STDIN, "stdin", ends.stdin), (STDOUT, "stdout", ends.stdout)]
        wanted += [(STDERR, "stderr", ends.stderr and not ends.tty), (RESIZE, "resize", ends.tty)]
        for channel, kind, needed in wanted:
            if needed:
                self._stream_of[channel], frame = self._spdy.open({"streamType": kind})
                self._writer.write(frame)

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        channel_of = {number: channel for channel, number in self._stream_of.items() if channel not in (STDIN, RESIZE)}
        told = False
        while channel_of:
            try:
                data = await self._reader.read(CHUNK)
            except OSError:
                data = b""
            if not data:
                break
            for event in self._spdy.feed(data):
                if isinstance(event, spdy.Received) and event.stream in channel_of:
                    channel = channel_of[event.stream]
                    if event.data:
                        told = told or channel == STATUS
                        yield channel, event.data
                    if event.fin:
                        del channel_of[event.stream]
                elif isinstance(event, spdy.Reset):
                    channel_of.pop(event.stream, None)
                elif isinstance(event, spdy.Pinged):
                    self._writer.write(spdy.pong(event.ping))
        if not told:
            raise Unavailable("containerd broke off the stream without telling how the command ended")

    async def send(self, channel: int, data: bytes) -> None:
        number = self._stream_of.get(channel)
        if number is None or channel not in (STDIN, RESIZE):
            return
        self._writer.write(spdy.data(number, data, fin=not data))
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.transport.abort()
