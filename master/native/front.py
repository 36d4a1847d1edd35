"""The native front: the API as messages over ZeroMQ, for kctl.

    Call ─► who is it? ─► about objects ─► objects.py ─► Reply (its head), Data… as the client's credit allows, End
                      └─► anything else ─► desk.py ─► Reply
                               an error before the Reply: Fault, the Status that HTTPS would answer

Owns that order, the calls under way and their bounds. Calls of one peer run side by side, a bounded number at a time; one that is over
a bound is answered TooManyRequests at once. A call ends with its client: when that says so (Cancel), when it takes nothing for
STALL_S, or when its connection is gone, for which every call is looked after.

The identity is the authenticated key's; what the message says about itself is never believed. A message may ask to act as somebody
else, which takes the right to impersonate them, as with HTTPS.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from common.aio import tasks
from common.clock import Clock
from common.errors import BadRequest, Forbidden, SteersmanError, TooManyRequests, Unavailable
from common.wire import codec, messages
from common.wire.transport import Inbound, Listener
from master.api import contract
from master.api.access import impersonation
from master.api.contract import Actor
from master.api.streams import Streams
from master.native import calls, images
from master.native.desk import Desk, Desks
from master.native.objects import VERBS, Objects
from master.native.out import Out

log = logging.getLogger(__name__)
Shape = TypeVar("Shape", bound=calls.Arguments)

DISCOVERY = "discovery"
CALLS = 1000
CALLS_PER_USER = 200
CALLS_PER_PEER = 32
MAX_GROUPS = 64
STALL_S = 60.0
"""A client that takes nothing for so long is given up."""
LOST = "the master does not know this call (any more): it was started anew, or the connection was lost"


class Settings(msgspec.Struct, frozen=True):
    """look_s: how often the peers of calls under way are looked after."""

    look_s: float = 20.0
    stall_s: float = STALL_S


class _Running(msgspec.Struct):
    out: Out
    identity: str
    task: asyncio.Task[None] | None = None


class NativeFront:
    """`run()` serves until cancelled. caller: who has the key of an identity, or None for an identity that may not use the API."""

    def __init__(
        self, door: contract.Door, streams: Streams, *, listener: Listener, desks: Desks, caller: Callable[[str], Actor | None],
        clock: Clock, cluster: str, settings: Settings = Settings(),
    ) -> None:  # fmt: skip
        self._door = door
        self._listener = listener
        self._caller = caller
        self._settings = settings
        self._desk = Desk(door, desks=desks, clock=clock, cluster=cluster)
        self._objects = Objects(door, streams, clock=clock)
        self._images = images.Images(door, streams)
        self._running: dict[tuple[bytes, int], _Running] = {}

    async def run(self) -> None:
        async with tasks.TaskGroup() as group:
            group.start(self._look_after(), name="native-look-after")
            while True:
                inbound = await self._listener.receive()
                try:
                    message = codec.decode(inbound.body, messages.NATIVE_FROM_CLIENT)
                except BadRequest as error:
                    log.warning("native-garbage address=%s identity=%s why=%s", inbound.address, inbound.identity, error)
                    self._listener.drop(inbound.peer)
                    continue
                if isinstance(message, messages.Call):
                    await self._begin(group, inbound, message)
                else:
                    await self._go_on(inbound, message)

    async def _begin(self, group: tasks.TaskGroup, inbound: Inbound, call: messages.Call) -> None:
        key = (inbound.peer, call.id)
        if key in self._running:
            await self._out(inbound, call).fail(BadRequest(f"there is a call {call.id} already: give each a number of its own"))
        elif self._full(inbound):
            await self._out(inbound, call).fail(TooManyRequests("too many calls at once; wait for an answer first", retry_after_s=1))
        else:
            running = self._running[key] = _Running(self._out(inbound, call), inbound.identity)
            running.task = group.start(self._run(inbound, call, running.out), name=f"native-{call.method}")

    def _full(self, inbound: Inbound) -> bool:
        of_peer = sum(peer == inbound.peer for peer, _ in self._running)
        of_user = sum(running.identity == inbound.identity for running in self._running.values())
        return len(self._running) >= CALLS or of_user >= CALLS_PER_USER or of_peer >= CALLS_PER_PEER

    def _out(self, inbound: Inbound, call: messages.Call) -> Out:
        return Out(self._listener, inbound.peer, call.id, stall_s=self._settings.stall_s)

    async def _go_on(self, inbound: Inbound, message: messages.Data | messages.Credit | messages.Cancel) -> None:
        running = self._running.get((inbound.peer, message.stream))
        if running is None:
            if isinstance(message, messages.Credit) and not message.bytes:
                lost = messages.End(0, message.stream, Unavailable.reason, LOST)
                await self._listener.send(inbound.peer, codec.encode(lost))
        elif isinstance(message, messages.Cancel):
            self._give_up(running)
        elif isinstance(message, messages.Data):
            running.out.bring(message.channel, message.data)
        elif message.bytes:
            running.out.flow.credit(message.bytes)
        else:
            await running.out.present()

    def _give_up(self, running: _Running) -> None:
        if running.task is not None:
            running.task.cancel()

    async def _look_after(self) -> None:
        """A peer that is gone is only noticed when something is sent to it, and a quiet watch sends nothing."""
        while True:
            await asyncio.sleep(self._settings.look_s)
            for running in list(self._running.values()):
                if not await running.out.present():
                    self._give_up(running)

    async def _run(self, inbound: Inbound, call: messages.Call, out: Out) -> None:
        try:
            await out.end(await self._answer(self._actor(inbound.identity, call), call, out))
        except SteersmanError as error:
            await out.fail(error)
        finally:
            del self._running[(inbound.peer, call.id)]

    async def _answer(self, actor: Actor, call: messages.Call, out: Out) -> Any:
        """The result, of what is answered with one message."""
        if call.method in VERBS:
            await self._objects.answer(actor, call.method, _arguments(call, calls.About), out)
        elif call.method == DISCOVERY:
            await self._objects.discover(actor, out)
        elif call.method == images.METHOD:
            await self._images.answer(actor, _arguments(call, calls.Images), out)
        elif (known := self._desk.known.get(call.method)) is not None:
            return await known[1](actor, _arguments(call, known[0]))
        else:
            methods = ", ".join(sorted((*VERBS, DISCOVERY, images.METHOD, *self._desk.known)))
            raise BadRequest(f'unknown method "{call.method}"; this master knows {methods}')
        return None

    def _actor(self, identity: str, call: messages.Call) -> Actor:
        """Who calls, or whom they act as."""
        caller = self._caller(identity)
        if caller is None:
            raise Forbidden(f'"{identity}" may not use the API: only users\' keys may')
        if len(call.groups) > MAX_GROUPS:
            raise BadRequest(f"a call may name {MAX_GROUPS} groups to act with, and this names {len(call.groups)}")
        named = [("Impersonate-User", call.user)] if call.user else []
        wanted = impersonation.asked([*named, *(("Impersonate-Group", group) for group in call.groups)])
        if wanted is None:
            return caller
        for access in impersonation.needed(wanted):
            self._door.authorize(caller, access)
        return impersonation.completed(wanted)


def _arguments(call: messages.Call, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(call.args, shape)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{call.method}: {error}") from None
