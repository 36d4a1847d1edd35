"""Joining: a host with a token becomes a node; and the tokens themselves.

    kctl token create ─► Secret bootstrap-token-ID ─► the key derived from it is admitted as `join:ID`, for one message
    Join(node, public key) ─► Node with annotation steersman.io/agent-key ─► Joined; from now on the host comes with its own key

A token makes new nodes and nothing else: it cannot take the name of a node that exists, whatever its state. Saying Join twice with the
same key is saying it once, since the first answer may have been lost.
"""

from __future__ import annotations

import logging
import re

from common.clock import Clock, Rng, rfc3339
from common.errors import AlreadyExists, NotFound
from common.wire import keys, messages
from master.api.contract import Actor, DeleteOptions, Document, Door, Ref, Role, Stored, WriteOptions
from master.dispatch import tokens
from master.dispatch.index import AGENT_KEY
from master.dispatch.keyring import KeyRing
from master.store.contract import Cause

log = logging.getLogger(__name__)

ACTOR = Actor("system:dispatch", Role.DISPATCH)
NODE_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
"""DNS-1123 subdomain, as Kubernetes asks of a node's name."""


def refusal(join: messages.Join) -> messages.Refused | None:
    """What is wrong with the request itself."""
    if not messages.PROTOCOL - 1 <= join.protocol <= messages.PROTOCOL:
        return messages.Refused(
            "BadRequest", f"the agent speaks protocol {join.protocol}, this master {messages.PROTOCOL}: bring it to the master's version"
        )
    if len(join.node) > 253 or not NODE_NAME.match(join.node):
        return messages.Refused(
            "Invalid", f'"{join.node[:64]}" cannot be a node\'s name: lower-case letters, digits, "-" and "." only, '
            "beginning and ending with a letter or digit",
        )  # fmt: skip
    if not keys.valid_public(join.public_key):
        return messages.Refused("Invalid", "the public key is not a CURVE key in Z85")
    return None


class Registrar:
    """Answers Join. `joined` is given the Node as stored, so that its key works before the watch has brought it."""

    def __init__(self, door: Door, ring: KeyRing, *, cluster: str) -> None:
        self._door = door
        self._ring = ring
        self._cluster = cluster

    async def join(self, join: messages.Join, identity: str) -> tuple[messages.Message, Stored | None]:
        """The answer, and the Node when it was made. identity: `join:ID`. Raises NotNow."""
        kind, _, identifier = identity.partition(":")
        if kind != "join" or self._ring.token(identifier) is None:
            return messages.Refused("Forbidden", "only a token that is valid lets a host join: make one with `kctl token create`"), None
        refused = refusal(join)
        if refused is not None:
            return refused, None
        ref = Ref("nodes", join.node)
        try:
            stored = await self._door.create(ACTOR, "nodes", "", self._document(join), WriteOptions(cause=self._cause(join, identifier)))
            log.info("node-joined node=%s token=%s", join.node, identifier)
            return messages.Joined(self._cluster, join.node), stored
        except AlreadyExists:
            pass
        try:
            annotations = self._door.get(ACTOR, ref).document()["metadata"].get("annotations") or {}
        except NotFound:
            annotations = {}
        if annotations.get(AGENT_KEY) == join.public_key:
            return messages.Joined(self._cluster, join.node), None
        return messages.Refused(
            "AlreadyExists", f'a node named "{join.node}" exists: choose another name, or delete it first (`kctl node rm {join.node}`)'
        ), None

    def _document(self, join: messages.Join) -> Document:
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": join.node,
                "labels": {"kubernetes.io/hostname": join.node},
                "annotations": {AGENT_KEY: join.public_key},
            },
        }

    def _cause(self, join: messages.Join, identifier: str) -> Cause:
        return Cause(f"system:bootstrap:{identifier}", "Join", f"a host joined as {join.node} with the token {identifier}")


class TokenDesk:
    """Issues and revokes tokens, for the native front. invite: the text for a token, as `kagent join` reads it."""

    def __init__(self, door: Door, clock: Clock, rng: Rng, *, cluster: str, master: keys.MasterKey, signing_key: bytes) -> None:
        """master: signed. signing_key: the public half."""
        self._door = door
        self._clock = clock
        self._rng = rng
        self._cluster = cluster
        self._master = master
        self._signing_key = signing_key

    async def create(self, actor: Actor, ttl_s: int, description: str) -> Document:
        """ttl_s 0: it never expires. Gives {"id", "join", "expires"}: the join string, and an RFC 3339 time or ""."""
        token = keys.new_token(self._rng)
        identifier, _ = keys.parse_token(token)
        expires = self._clock.now() + ttl_s if ttl_s else None
        document = tokens.document(token, expires=expires, description=description)
        cause = Cause(actor.name, "TokenCreate", f"token {identifier}, valid for {ttl_s} s" if ttl_s else f"token {identifier}, for ever")
        await self._door.create(actor, "secrets", tokens.NAMESPACE, document, WriteOptions(cause=cause))
        invitation = keys.Invitation(self._cluster, self._master, self._signing_key, token)
        return {"id": identifier, "join": invitation.text(), "expires": rfc3339(expires) if expires is not None else ""}

    async def delete(self, actor: Actor, identifier: str) -> None:
        """Raises NotFound."""
        cause = Cause(actor.name, "TokenDelete", f"token {identifier} revoked")
        await self._door.delete(actor, tokens.ref(identifier), DeleteOptions(cause=cause))
