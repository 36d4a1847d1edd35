"""One question to a container: a command in it, or a connection to it; and how the answer is worded.

Owns the choice among a handler's forms, the resolving of named ports, the time limit, and the bound on what a command may say. How
a command is run is the runtime's business, how a connection is made is `Reach`'s.
"""

from __future__ import annotations

import asyncio

from agent.probes.contract import Answer, Place, Reach, Result
from agent.runtime.contract import RuntimeFault, Sessions
from common.errors import NotNow, Timeout
from common.objects.handlers import Handler, HTTPGetAction

OUTPUT_MOST = 10 << 10


class HostChecks:
    """`contract.Checks`."""

    def __init__(self, sessions: Sessions, reach: Reach) -> None:
        self._sessions = sessions
        self._reach = reach

    async def check(self, handler: Handler, place: Place, *, timeout_s: float) -> Result:
        if handler.exec is not None:
            return await self._exec(handler.exec.command, place, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                if handler.sleep is not None:
                    await asyncio.sleep(handler.sleep.seconds)
                    return Result(Answer.SUCCESS)
                return await self._connect(handler, place)
        except TimeoutError:
            return Result(Answer.FAILURE, f"{_aim(handler, place)}: no answer within {timeout_s:g}s")

    async def _exec(self, command: tuple[str, ...], place: Place, timeout_s: float) -> Result:
        try:
            ran = await self._sessions.run(place.container_id, command, timeout_s)
        except Timeout:
            return Result(Answer.FAILURE, f"command timed out: {' '.join(command)!r} timed out after {timeout_s:g}s")
        except (NotNow, RuntimeFault) as error:
            return Result(Answer.UNKNOWN, error.message)
        words = ran.output[:OUTPUT_MOST].decode(errors="replace")
        return Result(Answer.SUCCESS if ran.exit_code == 0 else Answer.FAILURE, words)

    async def _connect(self, handler: Handler, place: Place) -> Result:
        if handler.http_get is not None:
            ask = handler.http_get
            port = port_number(ask.port, place)
            return await self._reach.http(ask, host=ask.host or place.address, port=port) if port else _no_port(ask.port)
        if handler.tcp_socket is not None:
            port = port_number(handler.tcp_socket.port, place)
            if not port:
                return _no_port(handler.tcp_socket.port)
            return await self._reach.tcp(host=handler.tcp_socket.host or place.address, port=port)
        if handler.grpc is not None:
            return await self._reach.grpc(handler.grpc.service, host=place.address, port=handler.grpc.port)
        return Result(Answer.UNKNOWN, "the handler names nothing to do")


def port_number(port: int | str, place: Place) -> int:
    """0: there is no port of that name."""
    if isinstance(port, int):
        return port
    named = dict(place.ports).get(port)
    return named if named is not None else int(port) if port.isdecimal() and len(port) <= len("65535") else 0


def _no_port(port: int | str) -> Result:
    return Result(Answer.UNKNOWN, f"couldn't find port: {port}")


def _aim(handler: Handler, place: Place) -> str:
    if handler.http_get is not None:
        ask = handler.http_get
        return f'Get "{url(ask, host=ask.host or place.address, port=port_number(ask.port, place))}"'
    if handler.tcp_socket is not None:
        return f"dial tcp {handler.tcp_socket.host or place.address}:{port_number(handler.tcp_socket.port, place)}"
    if handler.grpc is not None:
        return f'service "{place.address}:{handler.grpc.port}"'
    return "sleep"


def url(ask: HTTPGetAction, *, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{ask.scheme.lower()}://{shown}:{port}{ask.path if ask.path.startswith('/') else '/' + ask.path}"
