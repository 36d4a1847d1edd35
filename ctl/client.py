"""kctl's side of the native front: calls and watches over one authenticated connection.

Owns request numbers, time-outs and turning a Status document back into the exception it was. Asynchronous throughout;
`asyncio.run` happens once, at the click boundary (`connected`, `run`).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import click

from common.errors import BY_REASON, FieldCause, SteersmanError, Timeout
from common.wire import codec, messages, zmq_transport
from common.wire.transport import Connection
from ctl import config

T = TypeVar("T")

ANSWER_S = 15.0
REPLIES = messages.Reply | messages.Fault


class Client:
    """One connection; one call at a time."""

    def __init__(self, connection: Connection, endpoint: str) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._last = 0

    async def call(self, method: str, **args: Any) -> Any:
        """The result. Raises what the master raised, or Timeout when it does not answer."""
        number = await self._ask(method, args)
        reply = await self._reply(number, ANSWER_S)
        return reply.result

    async def watch(self, *, timeout_s: float | None = None, **args: Any) -> AsyncIterator[dict[str, Any]]:
        """The events of a resource, until `timeout_s` has passed; as `master.native.calls.Watch` takes them."""
        number = await self._ask("watch", {**args, "timeout_s": timeout_s})
        while True:
            reply = await self._reply(number, timeout_s + ANSWER_S if timeout_s else None)
            if reply.end:
                return
            yield reply.result  # type: ignore[misc]

    async def _ask(self, method: str, args: dict[str, Any]) -> int:
        self._last += 1
        await self._connection.send(codec.encode(messages.Call(self._last, method, args)))
        return self._last

    async def _reply(self, number: int, timeout_s: float | None) -> messages.Reply:
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    reply = codec.decode(await self._connection.receive(), REPLIES)
                    if reply.id != number:
                        continue
                    if isinstance(reply, messages.Fault):
                        raise raised(reply.status)
                    return reply
        except TimeoutError:
            raise Timeout(
                f"no answer from the master at {self._endpoint} within {ANSWER_S:g} s: is kmaster running there, and is this its key?"
            ) from None


def raised(status: dict[str, Any]) -> SteersmanError:
    """The exception that a Status document stands for."""
    details = status.get("details") or {}
    causes = tuple(FieldCause(c.get("reason", ""), c.get("message", ""), c.get("field", "")) for c in details.get("causes", ()))
    kind = BY_REASON.get(status.get("reason", ""), SteersmanError)
    return kind(status.get("message", ""), causes=causes, name=details.get("name", ""), kind=details.get("kind", ""))


async def with_client(given: str | None, use: Callable[[Client], Awaitable[T]]) -> T:
    """Use a connection of its own, closed at the end."""
    settings = config.load(given)
    dialer = zmq_transport.ZmqDialer(
        {"control": settings.endpoint},
        server_key=settings.server_key,
        public_key=settings.public_key,
        secret_key=settings.secret_key,
    )
    connection = await dialer.dial("control")
    try:
        return await use(Client(connection, settings.endpoint))
    finally:
        await connection.close()


def run(context: click.Context, use: Callable[[Client], Awaitable[T]]) -> T:
    """Run `use` with a connected client; errors become one line and exit code 1."""
    try:
        return asyncio.run(with_client((context.obj or {}).get("config"), use))
    except SteersmanError as error:
        raise click.ClickException(error.message) from None


def connected(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A click command whose first argument is a connected client."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        run(click.get_current_context(), lambda client: command(client, *args, **kwargs))

    return wrapper
