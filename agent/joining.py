"""Becoming a node: from the join string to an identity on disk, once per host.

    join string ─► a key pair is made and kept ─► Join, with the key that the token gives ─► Joined ─► identity.json
                   (`joining.key`, mode 0600)      repeated until answered                             (key and all, mode 0600)

Owns the agent's identity file and how it comes about. The host's own secret key never leaves it. Joining again with the same name and
cluster changes nothing; with another it is refused, because the containers here belong to the first.

Subtle: the key is kept before it is sent. If the answer is lost, the next attempt says the same again, which the master takes for
the same joining; with a new key it would be a stranger taking a node's name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from common import version
from common.clock import Rng
from common.errors import BY_REASON, BadRequest, CallerFault, Conflict, NotNow, Timeout, Unauthorized
from common.wire import codec, keys, messages
from common.wire.transport import Dialer

log = logging.getLogger(__name__)

IDENTITY = "identity.json"
PENDING = "joining.key"
ANSWER_S = 5.0
RETRY_S = 1.0
DEADLINE_S = 60.0


class Identity(msgspec.Struct, frozen=True):
    """Who this host is, and whom it trusts. signing_key: the cluster's, pinned; master: as it was signed."""

    cluster: str
    node: str
    pair: keys.Pair
    master: keys.MasterKey
    signing_key: bytes


MakeDialer = Callable[[keys.MasterKey, keys.Pair], Dialer]
"""The transport to a master with a key pair of ours: `zmq_transport` for real, memory in tests."""


def load(folder: Path) -> Identity | None:
    """The identity kept there; None when this host has not joined. Raises BadRequest for a file that is damaged."""
    path = folder / IDENTITY
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Identity)
    except msgspec.DecodeError:
        raise BadRequest(f"{path} is damaged: delete it, delete the node in the cluster, and join anew") from None


def trust(folder: Path, master: keys.MasterKey) -> Identity:
    """Follow the cluster to another master, or the same under a new key: it must be signed by the cluster's signing key.
    Raises Unauthorized, BadRequest."""
    identity = load(folder)
    if identity is None:
        raise BadRequest(f"there is no identity in {folder}: join first")
    keys.verify(identity.signing_key, master)
    moved = msgspec.structs.replace(identity, master=master)
    keys.write_secret(folder / IDENTITY, msgspec.json.encode(moved))
    return moved


async def join(text: str, *, node: str, folder: Path, dialer: MakeDialer, rng: Rng, deadline_s: float = DEADLINE_S) -> Identity:
    """Join the cluster that the join string is of, as `node`; `folder` exists and is this agent's own.

    Raises BadRequest or Unauthorized for a join string that is none, Conflict when this host is a node already (of another
    cluster, or by another name), what the master refused with, and Timeout when it did not answer."""
    invitation = keys.invitation(text)
    known = load(folder)
    if known is not None:
        if (known.cluster, known.node) != (invitation.cluster, node):
            raise Conflict(f"this host is node {known.node} of cluster {known.cluster} already: remove {folder / IDENTITY} to join another")
        return known
    pair = _pending_pair(folder, rng)
    token_pair = keys.token_pair(invitation.token)
    message = messages.Join(messages.PROTOCOL, node, pair.public, version.VERSION)
    joined = await _ask(dialer(invitation.master, token_pair), message, invitation.master, deadline_s=deadline_s)
    if joined.cluster != invitation.cluster:
        raise Unauthorized(f"the master answered for cluster {joined.cluster}, the join string is of {invitation.cluster}")
    identity = Identity(joined.cluster, joined.node, pair, invitation.master, invitation.signing_key)
    keys.write_secret(folder / IDENTITY, msgspec.json.encode(identity))
    (folder / PENDING).unlink(missing_ok=True)
    log.info("joined node=%s cluster=%s signing_key=%s", node, joined.cluster, keys.fingerprint(invitation.signing_key))
    return identity


def _pending_pair(folder: Path, rng: Rng) -> keys.Pair:
    path = folder / PENDING
    try:
        return msgspec.json.decode(path.read_bytes(), type=keys.Pair)
    except (FileNotFoundError, msgspec.DecodeError):
        pair = keys.new_pair(rng)
        keys.write_secret(path, msgspec.json.encode(pair))
        return pair


async def _ask(dialer: Dialer, message: messages.Join, master: keys.MasterKey, *, deadline_s: float) -> messages.Joined:
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    return await _ask_once(dialer, message)
                except NotNow as error:
                    log.info("join-waits node=%s why=%s", message.node, error)
                await asyncio.sleep(RETRY_S)
    except TimeoutError:
        raise Timeout(
            f"the master at {master.host}:{master.control_port} did not answer within {deadline_s:g} s: can this host reach that port, "
            "and is the token still valid? A master does not answer a token that it does not know: make a new one with "
            "`kctl token create`"
        ) from None


async def _ask_once(dialer: Dialer, message: messages.Join) -> messages.Joined:
    """A new connection each time: a refused handshake is final for the connection it happened on."""
    connection = await dialer.dial("control")
    try:
        await connection.send(codec.encode(message))
        async with asyncio.timeout(ANSWER_S):
            answer: messages.Message = codec.decode(await connection.receive(), messages.Joined | messages.Refused)
    except TimeoutError:
        raise Timeout("no answer") from None
    finally:
        await connection.close()
    if isinstance(answer, messages.Joined):
        return answer
    assert isinstance(answer, messages.Refused)
    kind = BY_REASON.get(answer.reason, CallerFault)
    if answer.retry and not issubclass(kind, NotNow):
        raise Timeout(answer.message)
    raise kind(f"the master refused: {answer.message}")

