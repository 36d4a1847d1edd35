"""What each call of the native front does: one method a call, each straight at the API's door.

No policy of its own: kctl gets what kubectl gets, with the same authorisation and the same errors. `Desks` is what the front
needs of others, as functions, since the parts of the master do not import one another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from common import version
from common.clock import Clock
from common.errors import BadRequest, NotFound
from master.api import contract, registry, tables
from master.api.access import impersonation, revocation
from master.api.contract import Actor, Document, Ref, Selection
from master.native import calls

PATCH_TYPES = {
    "merge": contract.PatchType.MERGE,
    "strategic": contract.PatchType.STRATEGIC,
    "json": contract.PatchType.JSON,
}


class Desks(msgspec.Struct, frozen=True):
    """What issues credentials: wired by `server.py`, implemented in dispatch (hosts' join tokens) and beside the master's CA.

    create_token(actor, ttl_s, description) gives {"id", "join", "expires"}; delete_token(actor, id); create_user(name, groups, ttl_s)
    gives {"kubeconfig", "expires"}."""

    create_token: Callable[[Actor, int, str], Awaitable[Document]]
    delete_token: Callable[[Actor, str], Awaitable[None]]
    create_user: Callable[[str, tuple[str, ...], int], Document]


class Verbs:
    """The methods that answer once. `known` maps a method's name to the shape of its arguments and to its function."""

    def __init__(self, door: contract.Door, *, desks: Desks, clock: Clock, cluster: str) -> None:
        self._door = door
        self._desks = desks
        self._clock = clock
        self._cluster = cluster
        self.known: dict[str, tuple[type[calls.Arguments], Callable[[Actor, Any], Awaitable[Any]]]] = {
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
            "user-create": (calls.UserCreate, self._user_create),
            "user-revoke": (calls.UserRevoke, self._user_revoke),
            "version": (calls.Nothing, self._version),
        }

    def _ref(self, resource: registry.Resource, namespace: str, name: str) -> Ref:
        return Ref(resource.key, name, (namespace or "default") if resource.namespaced else "")

    async def _get(self, actor: Actor, args: calls.Get) -> Document:
        resource = self._door.catalog.named(args.resource)
        stored = await self._door.get_at(actor, self._ref(resource, args.namespace, args.name))
        if args.table:
            return msgspec.json.decode(tables.render(resource, [stored], now=self._clock.now(), include="None"))
        return stored.document()

    async def _list(self, actor: Actor, args: calls.List) -> Document:
        resource = self._door.catalog.named(args.resource)
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

    def _options(self, *, dry_run: bool) -> contract.WriteOptions:
        return contract.WriteOptions(dry_run=dry_run, field_manager="kctl", field_validation="Strict")

    async def _create(self, actor: Actor, args: calls.Create) -> Document:
        resource = self._door.catalog.named(args.resource)
        namespace = (args.namespace or args.document.get("metadata", {}).get("namespace") or "default") if resource.namespaced else ""
        stored = await self._door.create(actor, resource.key, namespace, args.document, self._options(dry_run=args.dry_run))
        return stored.document()

    async def _update(self, actor: Actor, args: calls.Update) -> Document:
        ref = self._ref(self._door.catalog.named(args.resource), args.namespace, args.name)
        options = self._options(dry_run=args.dry_run)
        return (await self._door.update(actor, ref, args.document, options, subresource=args.subresource)).document()

    async def _patch(self, actor: Actor, args: calls.Patch) -> Document:
        kind = PATCH_TYPES.get(args.type)
        if kind is None:
            raise BadRequest(f'patch type "{args.type}" is not one of {", ".join(PATCH_TYPES)}')
        ref = self._ref(self._door.catalog.named(args.resource), args.namespace, args.name)
        options = self._options(dry_run=args.dry_run)
        return (await self._door.patch(actor, ref, kind, args.patch, options, subresource=args.subresource)).document()

    async def _delete(self, actor: Actor, args: calls.Delete) -> Document:
        ref = self._ref(self._door.catalog.named(args.resource), args.namespace, args.name)
        options = contract.DeleteOptions(
            propagation=args.propagation, grace_s=args.grace_s, uid=args.uid, dry_run=args.dry_run
        )
        stored, gone = await self._door.delete(actor, ref, options)
        return {"gone": gone, "object": stored.document()}

    async def _evict(self, actor: Actor, args: calls.Evict) -> Document:
        stored, gone = await self._door.evict(
            actor, Ref("pods", args.name, args.namespace), contract.DeleteOptions(grace_s=args.grace_s)
        )
        return {"gone": gone, "object": stored.document()}

    async def _why(self, actor: Actor, args: calls.Why) -> Document:
        ref = self._ref(self._door.catalog.named(args.resource), args.namespace, args.name)
        steps = await self._door.why(actor, ref, limit=args.limit)
        if not steps:
            raise NotFound(f'nothing is known of {args.resource} "{args.name}": it never was, or its history is no longer kept')
        return {"steps": steps}

    async def _token_create(self, actor: Actor, args: calls.TokenCreate) -> Document:
        if args.ttl_s < 0:
            raise BadRequest("a token cannot expire before it is made: --ttl must be 0 (never) or more")
        return await self._desks.create_token(actor, args.ttl_s, args.description)

    async def _token_delete(self, actor: Actor, args: calls.TokenDelete) -> Document:
        await self._desks.delete_token(actor, args.id)
        return {"id": args.id}

    async def _user_create(self, actor: Actor, args: calls.UserCreate) -> Document:
        """Who gives out somebody's credentials could act as him: it takes the same rights."""
        for access in impersonation.needed(Actor(args.name, groups=tuple(args.groups))):
            self._door.authorize(actor, access)
        return self._desks.create_user(args.name, tuple(args.groups), args.ttl_s)

    async def _user_revoke(self, actor: Actor, args: calls.UserRevoke) -> Document:
        return {"since": await revocation.revoke(self._door, actor, args.name, self._clock.now())}

    async def _version(self, actor: Actor, args: calls.Nothing) -> Document:
        return {"version": version.VERSION, "kubernetes": version.KUBERNETES, "cluster": self._cluster, "user": actor.name}
