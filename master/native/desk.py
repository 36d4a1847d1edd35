"""The calls of the native front that HTTPS does not have: why, join tokens, users' credentials, version.

Each is one method, which answers once. `Desks` is what they need of others, as functions, since the parts of the master do not import
one another. Requests about objects are not here: `objects.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from common import version
from common.clock import Clock
from common.errors import BadRequest, NotFound
from master.api import contract
from master.api.access import impersonation, revocation
from master.api.contract import Actor, Document, Ref
from master.native import calls


class Desks(msgspec.Struct, frozen=True):
    """What issues credentials: wired by `server.py`, implemented in dispatch (hosts' join tokens) and beside the master's CA.

    create_token(actor, ttl_s, description) gives {"id", "join", "expires"}; delete_token(actor, id); create_user(actor, args) gives
    {"kubeconfig", "expires"}, or {"kctl", "expires", "secret"}."""

    create_token: Callable[[Actor, int, str], Awaitable[Document]]
    delete_token: Callable[[Actor, str], Awaitable[None]]
    create_user: Callable[[Actor, calls.UserCreate], Awaitable[Document]]


class Desk:
    """`known` maps a method's name to the shape of its arguments and to its function."""

    def __init__(self, door: contract.Door, *, desks: Desks, clock: Clock, cluster: str) -> None:
        self._door = door
        self._clock = clock
        self._desks = desks
        self._cluster = cluster
        self.known: dict[str, tuple[type[calls.Arguments], Callable[[Actor, Any], Awaitable[Any]]]] = {
            "why": (calls.Why, self._why),
            "token-create": (calls.TokenCreate, self._token_create),
            "token-delete": (calls.TokenDelete, self._token_delete),
            "user-create": (calls.UserCreate, self._user_create),
            "user-revoke": (calls.UserRevoke, self._user_revoke),
            "version": (calls.Nothing, self._version),
        }

    async def _why(self, actor: Actor, args: calls.Why) -> Document:
        resource = self._door.catalog.named(args.resource)
        ref = Ref(resource.key, args.name, (args.namespace or "default") if resource.namespaced else "")
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
        return await self._desks.create_user(actor, args)

    async def _user_revoke(self, actor: Actor, args: calls.UserRevoke) -> Document:
        return {"since": await revocation.revoke(self._door, actor, args.name, self._clock.now())}

    async def _version(self, actor: Actor, args: calls.Nothing) -> Document:
        return {"version": version.VERSION, "kubernetes": version.KUBERNETES, "cluster": self._cluster, "user": actor.name}
