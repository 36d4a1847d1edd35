"""The native front: the API as messages over ZeroMQ, for kctl.

Owns nothing: a call is decoded, authorised by the identity of its key, made at the API's door, and answered. Errors are the
door's own, as Kubernetes Status documents. Calls of one peer run side by side, a bounded number at a time; one that is over
the bound is answered TooManyRequests at once. A watch answers with one Reply per event until it ends or its peer is gone.

The identity is the authenticated key's (`user:NAME`); what the message says about itself is never believed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from common import version
from common.aio import tasks
from common.clock import Clock
from common.errors import BadRequest, Forbidden, SteersmanError, TooManyRequests
from common.wire import codec, messages
from common.wire.transport import Inbound, Listener
from master.api import contract, registry, status, tables
from master.api.contract import Actor, Document, Ref, Selection
from master.native import calls

log = logging.getLogger(__name__)

CALLS_PER_PEER = 16
PATCH_TYPES = {
    "merge": contract.PatchType.MERGE,
    "strategic": contract.PatchType.STRATEGIC,
    "json": contract.PatchType.JSON,
}


class Tokens(msgspec.Struct, frozen=True):
    """What the front needs to issue join tokens: wired by `server.py`, implemented in dispatch.

    create(actor, ttl_s, description) gives {"id", "join", "expires"}; delete(actor, id)."""

    create: Callable[[Actor, int, str], Awaitable[Document]]
    delete: Callable[[Actor, str], Awaitable[None]]


class NativeFront:
    """`run()` serves until cancelled. groups(name): the groups of a user who came with a known key."""

    def __init__(
        self, door: contract.Door, *, listener: Listener, tokens: Tokens, clock: Clock, cluster: str
    ) -> None:
        self._door = door
        self._listener = listener
        self._tokens = tokens
        self._clock = clock
        self._cluster = cluster
        self._running: dict[bytes, int] = {}
        self._methods: dict[str, tuple[type[calls.Arguments], Callable[..., Awaitable[Any]]]] = {
            "get": (calls.Get, self._get),
            "list": (calls.List, self._list),
            "create": (calls.Create, self._create),
            "update": (calls.Update, self._update),
            "patch": (calls.Patch, self._patch),
            "delete": (calls.Delete, self._delete),
            "evict": (calls.Evict, self._evict),
            "why": (calls.Why, self._why),
            "token-create": (calls.TokenCreate, self._token_create),
            "token-delete": (calls.TokenDelete, self._token_delete),
            "version": (calls.Nothing, self._version),
        }

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
                    self._fail(inbound, call, TooManyRequests("too many calls at once; wait for an answer first", retry_after_s=1))
                    continue
                self._running[inbound.peer] = self._running.get(inbound.peer, 0) + 1
                group.start(self._answer(inbound, call), name=f"native-{call.method}")

    async def _answer(self, inbound: Inbound, call: messages.Call) -> None:
        try:
            actor = self._actor(inbound.identity)
            if call.method == "watch":
                await self._watch(actor, inbound, call)
                return
            known = self._methods.get(call.method)
            if known is None:
                raise BadRequest(f'unknown method "{call.method}"; this master knows {", ".join(sorted(self._methods))}')
            result = await known[1](actor, self._arguments(call, known[0]))
            self._send(inbound, messages.Reply(call.id, result))
        except SteersmanError as error:
            self._fail(inbound, call, error)
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
        return Actor(name, groups=("system:masters", "system:authenticated"))

    def _arguments(self, call: messages.Call, shape: type[calls.Arguments]) -> calls.Arguments:
        try:
            return msgspec.convert(call.args, shape)
        except msgspec.ValidationError as error:
            raise BadRequest(f"{call.method}: {error}") from None

    def _send(self, inbound: Inbound, message: messages.Message) -> bool:
        return self._listener.send(inbound.peer, codec.encode(message))

    def _fail(self, inbound: Inbound, call: messages.Call, error: SteersmanError) -> None:
        self._send(inbound, messages.Fault(call.id, status.of(error)))

    def _ref(self, resource: registry.Resource, namespace: str, name: str) -> Ref:
        return Ref(resource.key, name, (namespace or "default") if resource.namespaced else "")

    async def _get(self, actor: Actor, args: calls.Get) -> Document:
        resource = calls.resource_named(args.resource)
        stored = self._door.get(actor, self._ref(resource, args.namespace, args.name))
        if args.table:
            return msgspec.json.decode(tables.render(resource, [stored], now=self._clock.now(), include="None"))
        return stored.document()

    async def _list(self, actor: Actor, args: calls.List) -> Document:
        resource = calls.resource_named(args.resource)
        page = await self._door.list(
            actor, resource.key, args.namespace, selection=Selection(args.labels, args.fields), limit=args.limit,
            continue_=args.continue_,
        )  # fmt: skip
        if args.table:
            return msgspec.json.decode(
                tables.render(
                    resource, page.items, now=self._clock.now(), include="Metadata", revision=page.revision,
                    continue_=page.continue_, remaining=page.remaining,
                )
            )  # fmt: skip
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": str(page.revision), "continue": page.continue_},
            "items": [stored.document() for stored in page.items],
        }

    async def _watch(self, actor: Actor, inbound: Inbound, call: messages.Call) -> None:
        args = self._arguments(call, calls.Watch)
        assert isinstance(args, calls.Watch)
        resource = calls.resource_named(args.resource)
        events = self._door.watch(
            actor, resource.key, args.namespace, selection=Selection(args.labels, args.fields), after=args.after,
            timeout_s=args.timeout_s,
        )  # fmt: skip
        try:
            async for batch in events:
                for event in batch:
                    document = event.stored.document() if event.stored else None
                    result = {"type": event.type.value, "object": document, "revision": event.revision}
                    if not self._send(inbound, messages.Reply(call.id, result, end=False)):
                        return
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        self._send(inbound, messages.Reply(call.id))

    def _options(self, *, dry_run: bool) -> contract.WriteOptions:
        return contract.WriteOptions(dry_run=dry_run, field_manager="kctl", field_validation="Strict")

    async def _create(self, actor: Actor, args: calls.Create) -> Document:
        resource = calls.resource_named(args.resource)
        namespace = (args.namespace or args.document.get("metadata", {}).get("namespace") or "default") if resource.namespaced else ""
        stored = await self._door.create(actor, resource.key, namespace, args.document, self._options(dry_run=args.dry_run))
        return stored.document()

    async def _update(self, actor: Actor, args: calls.Update) -> Document:
        ref = self._ref(calls.resource_named(args.resource), args.namespace, args.name)
        options = self._options(dry_run=args.dry_run)
        return (await self._door.update(actor, ref, args.document, options, subresource=args.subresource)).document()

    async def _patch(self, actor: Actor, args: calls.Patch) -> Document:
        kind = PATCH_TYPES.get(args.type)
        if kind is None:
            raise BadRequest(f'patch type "{args.type}" is not one of {", ".join(PATCH_TYPES)}')
        ref = self._ref(calls.resource_named(args.resource), args.namespace, args.name)
        options = self._options(dry_run=args.dry_run)
        return (await self._door.patch(actor, ref, kind, args.patch, options, subresource=args.subresource)).document()

    async def _delete(self, actor: Actor, args: calls.Delete) -> Document:
        ref = self._ref(calls.resource_named(args.resource), args.namespace, args.name)
        options = contract.DeleteOptions(
            propagation=args.propagation, grace_s=args.grace_s, uid=args.uid, dry_run=args.dry_run
        )
        stored, gone = await self._door.delete(actor, ref, options)
        return {"gone": gone, "object": stored.document()}

    async def _evict(self, actor: Actor, args: calls.Evict) -> Document:
        stored, gone = await self._door.delete(
            actor, Ref("pods", args.name, args.namespace), contract.DeleteOptions(grace_s=args.grace_s)
        )
        return {"gone": gone, "object": stored.document()}

    async def _why(self, actor: Actor, args: calls.Why) -> Document:
        ref = self._ref(calls.resource_named(args.resource), args.namespace, args.name)
        return {"steps": await self._door.why(actor, ref, limit=args.limit)}

    async def _token_create(self, actor: Actor, args: calls.TokenCreate) -> Document:
        if args.ttl_s < 0:
            raise BadRequest("a token cannot expire before it is made: --ttl must be 0 (never) or more")
        return await self._tokens.create(actor, args.ttl_s, args.description)

    async def _token_delete(self, actor: Actor, args: calls.TokenDelete) -> Document:
        await self._tokens.delete(actor, args.id)
        return {"id": args.id}

    async def _version(self, actor: Actor, args: calls.Nothing) -> Document:
        return {"version": version.VERSION, "kubernetes": version.KUBERNETES, "cluster": self._cluster, "user": actor.name}
