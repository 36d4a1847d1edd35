"""Conversations with a pod of this host: exec, attach, and connections to its ports, between the master's stream and the runtime.

    request ─► the running container, or the pod's sandbox ─► a session of the runtime ─► accept ─► bytes both ways ─► its end

Owns which container is meant and the words when it does not run. Bytes are moved one piece at a time in each direction: who does
not read stalls who writes, and nothing piles up here. However it ends, the session is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agent.link_streams import Stream
from agent.logs import Look
from agent.runtime.contract import Ends, Session, Sessions, State
from agent.streams import ports
from common.aio.tasks import TaskGroup
from common.errors import BadRequest, NotFound
from common.wire.requests import AttachRequest, ExecRequest, PortRequest


Talk = ExecRequest | AttachRequest | PortRequest
KINDS: dict[str, type[Talk]] = {"exec": ExecRequest, "attach": AttachRequest, "portforward": PortRequest}


async def serve(kind: str, request: dict[str, Any], *, stream: Stream, sessions: Sessions, look: Callable[[str], Look | None]) -> None:
    """One conversation, to its end. Raises NotFound, BadRequest, RuntimeFault, NotNow."""
    try:
        asked = msgspec.convert(request, KINDS[kind])
    except msgspec.ValidationError as error:
        raise BadRequest(f"{kind} request: {error}") from None
    seen = look(asked.uid)
    if seen is None:
        raise NotFound(f'pod "{asked.pod}" is not on this node')
    session = await _session(asked, seen, sessions)
    try:
        await stream.accept()
        await _converse(stream, session)
    finally:
        await session.close()


async def _session(asked: Talk, seen: Look, sessions: Sessions) -> Session:
    if isinstance(asked, PortRequest):
        return ports.PortSession(await sessions.netns(_sandbox(seen, asked.pod)), asked.port)
    identity = _container(seen, asked.container)
    ends = Ends(asked.stdin, asked.stdout, asked.stderr and not asked.tty, asked.tty)
    if isinstance(asked, ExecRequest):
        return await sessions.exec(identity, asked.command, ends)
    return await sessions.attach(identity, ends)


def _container(seen: Look, name: str) -> str:
    running = [c for sandbox in seen.observed for c in sandbox.containers if c.name == name and c.state is State.RUNNING]
    if not running:
        raise NotFound(f'container not found ("{name}"): it does not run now')
    return max(running, key=lambda c: c.attempt).id


def _sandbox(seen: Look, pod: str) -> str:
    ready = [sandbox for sandbox in seen.observed if sandbox.ready]
    if not ready:
        raise NotFound(f'pod "{pod}" does not run now')
    return ready[-1].id


async def _converse(stream: Stream, session: Session) -> None:
    async with TaskGroup() as group:
        feeding = group.start(_feed(stream, session), name="stream-in")
        async for channel, data in session.frames():
            await stream.send(data, channel)
        feeding.cancel()


async def _feed(stream: Stream, session: Session) -> None:
    read = True
    while (received := await stream.receive()) is not None:
        try:
            if read:
                await session.send(*received)
        except OSError:
            read = False  # nobody does any more; how it ended is told by what comes out
