"""The native front: the API as messages over ZeroMQ, for kctl.

Owns nothing: a call is decoded, authorised by the identity of its key, made at the API's door, and answered. Errors are the
door's own, as Kubernetes Status documents. Calls of one peer run side by side, a bounded number at a time; one that is over
the bound is answered TooManyRequests at once. A watch answers with one Reply per event until it ends or its peer is gone.

The identity is the authenticated key's (`user:NAME`); what the message says about itself is never believed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from common.aio import tasks
from common.clock import Clock
from common.errors import BadRequest, Forbidden, SteersmanError, TooManyRequests
from common.wire import codec, messages
from common.wire.transport import Inbound, Listener
from master.api import contract, status
from master.api.access.tokens import AUTHENTICATED
from master.api.contract import Actor, Selection
from master.native import calls
from master.native.verbs import Desks, Verbs

log = logging.getLogger(__name__)

CALLS_PER_PEER = 16


class NativeFront:
    """`run()` serves until cancelled. groups: of those users who have a key here; rights come from roles, as for everybody."""

    def __init__(
        self, door: contract.Door, *, listener: Listener, desks: Desks, groups: Mapping[str, tuple[str, ...]], clock: Clock,
        cluster: str,
    ) -> None:  # fmt: skip
        self._door = door
        self._listener = listener
        self._groups = groups
        self._verbs = Verbs(door, desks=desks, clock=clock, cluster=cluster)
        self._running: dict[bytes, int] = {}

    async def run(self) -> None:
        async with tasks.TaskGroup() as group:
            while True:
                inbound = await self._listener.receive()
                try:
                    call = codec.decode(inbound.body, messages.Call)
                except BadRequest as error:
                    log.warning("native-garbage address=%s identity=%s why=%s", inbound.address, inbound.identity, error)
                    self._listener.drop(inbound.peer)
                    continue
                if self._running.get(inbound.peer, 0) >= CALLS_PER_PEER:
                    await self._fail(inbound, call, TooManyRequests("too many calls at once; wait for an answer first", retry_after_s=1))
                    continue
                self._running[inbound.peer] = self._running.get(inbound.peer, 0) + 1
                group.start(self._answer(inbound, call), name=f"native-{call.method}")

    async def _answer(self, inbound: Inbound, call: messages.Call) -> None:
        try:
            actor = self._actor(inbound.identity)
            if call.method == "watch":
                await self._watch(actor, inbound, call)
                return
            known = self._verbs.known.get(call.method)
            if known is None:
                raise BadRequest(f'unknown method "{call.method}"; this master knows {", ".join(sorted(self._verbs.known))}')
            result = await known[1](actor, self._arguments(call, known[0]))
            await self._send(inbound, messages.Reply(call.id, result))
        except SteersmanError as error:
            await self._fail(inbound, call, error)
        finally:
            left = self._running[inbound.peer] - 1
            if left:
                self._running[inbound.peer] = left
            else:
                del self._running[inbound.peer]

    def _actor(self, identity: str) -> Actor:
        kind, _, name = identity.partition(":")
        if kind != "user":
            raise Forbidden(f'"{identity}" may not use the API: only users\' keys may')
        return Actor(name, groups=(*self._groups.get(name, ()), AUTHENTICATED))

    def _arguments(self, call: messages.Call, shape: type[calls.Arguments]) -> calls.Arguments:
        try:
            return msgspec.convert(call.args, shape)
        except msgspec.ValidationError as error:
            raise BadRequest(f"{call.method}: {error}") from None

    async def _send(self, inbound: Inbound, message: messages.Message) -> bool:
        return await self._listener.send(inbound.peer, codec.encode(message))

    async def _fail(self, inbound: Inbound, call: messages.Call, error: SteersmanError) -> None:
        await self._send(inbound, messages.Fault(call.id, status.of(error)))

    async def _watch(self, actor: Actor, inbound: Inbound, call: messages.Call) -> None:
        args = self._arguments(call, calls.Watch)
        assert isinstance(args, calls.Watch)
        resource = self._door.catalog.named(args.resource)
        events = self._door.watch(
            actor, resource.key, args.namespace, selection=Selection(args.labels, args.fields), after=args.after,
            timeout_s=args.timeout_s,
        )  # fmt: skip
        try:
            async for batch in events:
                for event in batch:
                    document = event.stored.document() if event.stored else None
                    result = {"type": event.type.value, "object": document, "revision": event.revision}
                    if not await self._send(inbound, messages.Reply(call.id, result, end=False)):
                        return
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        await self._send(inbound, messages.Reply(call.id))
