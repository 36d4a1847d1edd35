"""kctl's side of the native front: calls over one authenticated connection, any number of them at a time.

Owns request numbers, the patience with a silent master, and turning a Status document back into the exception it was. An answer is one
message, or a head and a stream of bytes for which this side gives credit (`common/wire/flow.py`). What the calls mean is said by their
users: `objects.py` for the API's verbs.

A master that is gone is noticed by asking: whoever waits for longer than ASK_AGAIN_S asks whether the call is still known. No answer
within ANSWER_S is a Timeout; a master that was started anew does not know the call, which is Unavailable.

Asynchronous throughout; `asyncio.run` happens once, at the click boundary (`connected`, `run`).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import click

from common.aio.tasks import TaskGroup
from common.errors import BY_REASON, Expired, FieldCause, SteersmanError, Timeout, Unavailable
from common.wire import codec, messages
from common.wire.flow import Flow
from common.wire.transport import Connection
from ctl import config

T = TypeVar("T")

ANSWER_S = 15.0
ASK_AGAIN_S = 2.0
NO_ANSWER = "no answer from the master at {} within {:g} s: is kmaster running there, and is this its key?"
INTERRUPTED = 130
"""The exit code after Ctrl-C, as a shell gives it."""


class Answer:
    """A call under way. head: what came before the bytes, or the whole answer."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.head: asyncio.Future[messages.Reply] = asyncio.get_running_loop().create_future()
        self.heard = asyncio.get_running_loop().time()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come. Raises what broke them off."""
        while (received := await self.flow.receive()) is not None:
            yield received[1]

    async def body(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def lines(self) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line

    def fail(self, error: SteersmanError) -> None:
        if not self.head.done():
            self.head.set_exception(error)
            self.head.exception()  # whoever waits gets it; nobody has to
        self.flow.end(error)


class Client:
    """user, groups: whom to act as, "" for oneself. `run()` must run beside its use: see `talking`."""

    def __init__(self, connection: Connection, endpoint: str, *, user: str = "", groups: tuple[str, ...] = ()) -> None:
        self.endpoint = endpoint
        self._connection = connection
        self._acting = (user, groups)
        self._last = 0
        self._open: dict[int, Answer] = {}

    async def run(self) -> None:
        async with TaskGroup() as group:
            group.start(self._ask_again())
            while True:
                self._take(codec.decode(await self._connection.receive(), messages.NATIVE_FROM_MASTER))

    def _take(self, message: messages.Reply | messages.Fault | messages.Data | messages.Credit | messages.End) -> None:
        number = message.id if isinstance(message, messages.Reply | messages.Fault) else message.stream
        answer = self._open.get(number)
        if answer is None:
            return
        answer.heard = asyncio.get_running_loop().time()
        match message:
            case messages.Reply():
                if not answer.head.done():
                    answer.head.set_result(message)
            case messages.Fault():
                answer.fail(raised(message.status))
            case messages.Data():
                answer.flow.put(message.channel, message.data)
            case messages.Credit():
                answer.flow.credit(message.bytes)
            case messages.End():
                if message.reason:
                    answer.fail(BY_REASON.get(message.reason, SteersmanError)(message.message))
                else:
                    answer.flow.end()

    async def _ask_again(self) -> None:
        while True:
            await asyncio.sleep(ASK_AGAIN_S / 2)
            now = asyncio.get_running_loop().time()
            for number, answer in list(self._open.items()):
                if now - answer.heard > ANSWER_S:
                    answer.fail(Timeout(NO_ANSWER.format(self.endpoint, ANSWER_S)))
                elif now - answer.heard > ASK_AGAIN_S:
                    with suppress(Unavailable):
                        await self._connection.send(codec.encode(messages.Credit(0, number, 0)))

    @asynccontextmanager
    async def asking(self, method: str, **args: Any) -> AsyncIterator[Answer]:
        """A call whose answer has begun: its head is there, its bytes follow. Leaving the block ends it. Raises what the master raised,
        Timeout, Unavailable."""
        self._last += 1
        number = self._last
        answer = self._open[number] = Answer(Flow(0, number, self._send))
        user, groups = self._acting
        try:
            await self._send(messages.Call(number, method, args, user, groups))
            await answer.flow.accept()
            await answer.head
            yield answer
        finally:
            del self._open[number]
            if answer.flow.over is False:
                with suppress(Unavailable):
                    await self._send(messages.Cancel(0, number))

    async def _send(self, message: messages.Message) -> None:
        await self._connection.send(codec.encode(message))

    async def call(self, method: str, **args: Any) -> Any:
        """The result of what is answered with one message."""
        async with self.asking(method, **args) as answer:
            answer.flow.end()
            return answer.head.result().result


def raised(status: dict[str, Any]) -> SteersmanError:
    """The exception that a Status document stands for."""
    details = status.get("details") or {}
    causes = tuple(FieldCause(c.get("reason", ""), c.get("message", ""), c.get("field", "")) for c in details.get("causes", ()))
    kind = BY_REASON.get(status.get("reason", ""), SteersmanError)
    if kind is Expired:
        return Expired(status.get("message", ""), continue_=(status.get("metadata") or {}).get("continue", ""))
    about = {field: details.get(field, "") for field in ("group", "kind", "name")}
    return kind(status.get("message", ""), causes=causes, retry_after_s=details.get("retryAfterSeconds"), **about)


@asynccontextmanager
async def talking(connection: Connection, endpoint: str, *, user: str = "", groups: tuple[str, ...] = ()) -> AsyncIterator[Client]:
    """A client that takes what arrives, for as long as the block runs."""
    client = Client(connection, endpoint, user=user, groups=groups)
    async with TaskGroup() as group:
        running = group.start(client.run(), name="client")
        yield client
        running.cancel()


async def with_client(settings: dict[str, Any], use: Callable[[Client], Awaitable[T]]) -> T:
    """Use a connection of its own, closed at the end. settings: the command line's, `config`, `user`, `groups`."""
    from common.wire import zmq_transport

    found = config.load(settings.get("config"))
    dialer = zmq_transport.ZmqDialer(
        {"control": found.endpoint}, server_key=found.server_key, public_key=found.public_key, secret_key=found.secret_key
    )
    connection = await dialer.dial("control")
    try:
        async with talking(
            connection, found.endpoint, user=settings.get("user") or "", groups=tuple(settings.get("groups") or ())
        ) as client:
            return await use(client)
    finally:
        await connection.close()


def run(context: click.Context, use: Callable[[Client], Awaitable[T]]) -> T:
    """Run `use` with a connected client; errors become one line and exit code 1."""
    try:
        return asyncio.run(with_client(context.obj or {}, use))
    except SteersmanError as error:
        raise click.ClickException(error.message) from None


def connected(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A click command whose first argument is a connected client."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            run(click.get_current_context(), lambda client: command(client, *args, **kwargs))
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None

    return wrapper
