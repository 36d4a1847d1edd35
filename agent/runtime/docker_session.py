"""Exec and attach on Docker: the engine's hijacked connection, with its frames of eight bytes and the data.

Owns that framing and what Docker tells apart from the stream: the exit code is asked for when the stream has ended, a terminal's size
is set by a call of its own. With a terminal there are no frames: all bytes are stdout.

Subtle: Docker refuses a size until the process has started, which is a moment after the stream is open; so that call is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from agent.runtime import docker_spec as convert
from agent.runtime.contract import Ends, Ran, RuntimeFault, Session
from agent.runtime.docker_call import Document
from agent.runtime.docker_engine import Engine, Exec, Main
from agent.runtime.upgrade import Pair, upgrade
from common import channel_status
from common.errors import NotNow, Timeout
from common.wire.flow import CHUNK, RESIZE, STATUS, STDERR, STDIN, STDOUT

log = logging.getLogger(__name__)

HEADERS = {"Upgrade": "tcp", "Content-Type": "application/json"}
HEAD_BYTES = 8
RUN_MOST_BYTES = 1 << 20
NOT_STARTED = (126, 127, 128)
SIZE_TRIES = 8
SIZE_AGAIN_S = 0.05
SIZE_MOST_BYTES = 4096
MOST_CELLS = 1 << 16


class Size(msgspec.Struct, frozen=True, rename="pascal"):
    """A terminal's, as Kubernetes sends it."""

    width: int
    height: int


class Process(Protocol):
    async def resize(self, *, width: int, height: int) -> None: ...


class DockerSessions:
    """See `contract.Sessions`. What does not carry the cluster's id is not entered."""

    def __init__(self, engine: Engine, endpoint: str, cluster: str) -> None:
        self._engine = engine
        self._endpoint = endpoint
        self._cluster = cluster

    async def exec(self, container_id: str, command: tuple[str, ...], ends: Ends) -> Session:
        await self._own(container_id)
        return await open_exec(self._endpoint, await self._engine.new_exec(container_id, command, ends), ends)

    async def run(self, container_id: str, command: tuple[str, ...], timeout_s: float) -> Ran:
        await self._own(container_id)
        ends = Ends(stdout=True, stderr=True)
        made = await self._engine.new_exec(container_id, command, ends)
        session = await open_exec(self._endpoint, made, ends)
        output = bytearray()
        try:
            async with asyncio.timeout(timeout_s):
                async for channel, data in session.frames():
                    if channel != STATUS and len(output) < RUN_MOST_BYTES:
                        output += data
        except TimeoutError:
            await _kill(made)
            raise Timeout(f"the command did not end within {timeout_s:g} s") from None
        except BaseException:
            await _kill(made)
            raise
        finally:
            await session.close()
        code = await made.exit_code()
        if code is None or code in NOT_STARTED and bytes(output).startswith(b"OCI runtime exec failed"):
            raise RuntimeFault(bytes(output).decode(errors="replace").strip() or "Docker does not know how the command ended")
        return Ran(code, bytes(output))

    async def attach(self, container_id: str, ends: Ends) -> Session:
        # Whether there is a terminal was settled when the container was made.
        ends = msgspec.structs.replace(ends, tty=bool((await self._own(container_id))["Config"]["Tty"]))
        return await open_attach(self._endpoint, self._engine.container(container_id), ends)

    async def reopen_log(self, container_id: str) -> None:
        raise BadRequest("Docker rotates its logs by itself")

    async def netns(self, sandbox_id: str) -> str:
        document = await self._own(sandbox_id)
        if convert.sandbox_spec(document["Config"]["Labels"]).host_network:
            return ""
        pid = document["State"].get("Pid", 0)
        if not pid:
            raise RuntimeFault(f"sandbox {sandbox_id} does not run")
        return f"/proc/{pid}/ns/net"

    async def _own(self, identity: str) -> Document:
        document = await self._engine.inspect(identity)
        if document is None or not convert.made_here(document["Name"], document["Config"]["Labels"], self._cluster):
            raise RuntimeFault(f"container {identity} not found")
        return document


async def open_exec(endpoint: str, made: Exec, ends: Ends) -> DockerSession:
    """Start it. Raises as `upgrade`."""
    body = msgspec.json.encode({"Detach": False, "Tty": ends.tty})
    pair = await upgrade(endpoint, f"/exec/{made.id}/start", headers=HEADERS, body=body)
    return DockerSession(pair, made, ends, exec_=made)


async def open_attach(endpoint: str, main: Main, ends: Ends) -> DockerSession:
    asked = "&".join(f"{name}={int(getattr(ends, name))}" for name in ("stdin", "stdout", "stderr"))
    pair = await upgrade(endpoint, f"/containers/{main.id}/attach?stream=1&{asked}", headers=HEADERS)
    return DockerSession(pair, main, ends)


async def _kill(made: Exec) -> None:
    """Docker does not end a command that nobody waits for any more."""
    pid = await made.pid()
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class DockerSession:
    """See `contract.Session`. exec_: whose exit code is told; an attached process' is its container's, and told by its status."""

    def __init__(self, pair: Pair, process: Process, ends: Ends, *, exec_: Exec | None = None) -> None:
        self._reader, self._writer = pair
        self._process = process
        self._ends = ends
        self._exec = exec_
        self._sizes = bytearray()

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        left, channel = 0, STDOUT
        try:
            while True:
                if not self._ends.tty and not left:
                    head = await self._reader.readexactly(HEAD_BYTES)
                    channel = STDERR if head[0] == 2 else STDOUT
                    left = int.from_bytes(head[4:], "big")
                    continue
                data = await self._reader.read(CHUNK if self._ends.tty else min(left, CHUNK))
                if not data:
                    break
                left -= len(data)
                yield channel, data
        except (asyncio.IncompleteReadError, OSError):
            pass  # that is how Docker ends it
        code = await self._exec.exit_code() if self._exec is not None else 0
        yield STATUS, channel_status.exited(code) if code is not None else channel_status.failed("Docker does not know how it ended")

    async def send(self, channel: int, data: bytes) -> None:
        if channel == RESIZE and self._ends.tty:
            await self._resize(data)
        elif channel == STDIN and self._ends.stdin:
            if data:
                self._writer.write(data)
                await self._writer.drain()
            else:
                self._writer.write_eof()

    async def _resize(self, data: bytes) -> None:
        """Sizes come as JSON objects one after another, cut anywhere; the newest whole one counts."""
        self._sizes += data
        whole, closed, rest = bytes(self._sizes).rpartition(b"}")
        self._sizes = bytearray(rest[:SIZE_MOST_BYTES])
        if not closed:
            return
        try:
            size = msgspec.json.decode(whole[whole.rfind(b"{") :] + closed, type=Size)
        except msgspec.DecodeError:
            return
        if not (0 < size.width < MOST_CELLS and 0 < size.height < MOST_CELLS):
            return
        for _ in range(SIZE_TRIES):
            try:
                return await self._process.resize(width=size.width, height=size.height)
            except (RuntimeFault, NotNow) as error:
                log.debug("terminal-not-sized why=%s", error)
            await asyncio.sleep(SIZE_AGAIN_S)

    async def close(self) -> None:
        self._writer.transport.abort()
