"""Whose key is it? What the transport asks at every handshake and every message.

Owned by dispatch, which keeps it as the Nodes and the token Secrets are: a node's key is an annotation of its Node, a
token's is derived from its Secret. So deleting the Node or the Secret revokes the key, at the next message. Users' keys (kctl) are no
concern of this one: the native front's listener has its own.

Subtle: a key admits one name. If two Nodes carry the same key, the one that had it first keeps it.
"""

from __future__ import annotations

from common.clock import Clock
from common.errors import Unavailable
from master.dispatch.tokens import Token


class KeyRing:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._node_of: dict[str, str] = {}
        self._key_of: dict[str, str] = {}
        self._tokens: dict[str, Token] = {}
        self._token_of: dict[str, str] = {}
        self.complete = False
        """Whether all nodes and tokens have been read: until then a key that is not known may be good."""

    def admit_control(self, public_key: str, address: str) -> str | None:
        """For the control listener: nodes, and tokens for the one message Join. Raises Unavailable while it is too early to say."""
        identity = self.admit_stream(public_key, address)
        if identity is not None:
            return identity
        token = self._tokens.get(self._token_of.get(public_key, ""))
        if token is None or token.expired(self._clock.now()):
            return None
        return f"join:{token.id}"

    def admit_stream(self, public_key: str, address: str) -> str | None:
        """For the stream listener: nodes alone. Raises Unavailable while it is too early to say."""
        node = self._node_of.get(public_key)
        if node is None and not self.complete:
            raise Unavailable("the nodes' keys are being read")
        return f"node:{node}" if node is not None else None

    def token(self, identifier: str) -> Token | None:
        """The token of that id, unless it expired."""
        token = self._tokens.get(identifier)
        return None if token is None or token.expired(self._clock.now()) else token

    def token_ids(self) -> list[str]:
        return list(self._tokens)

    def node_key(self, node: str) -> str:
        return self._key_of.get(node, "")

    def set_node(self, node: str, public_key: str) -> None:
        """public_key "": the node has none (any more)."""
        old = self._key_of.pop(node, "")
        if self._node_of.get(old) == node:
            del self._node_of[old]
        if public_key:
            self._key_of[node] = public_key
            self._node_of.setdefault(public_key, node)

    def set_token(self, identifier: str, token: Token | None) -> None:
        old = self._tokens.pop(identifier, None)
        if old is not None:
            self._token_of.pop(old.public_key, None)
        if token is not None:
            self._tokens[identifier] = token
            self._token_of[token.public_key] = identifier
