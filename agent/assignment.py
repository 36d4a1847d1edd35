"""An assigned pod as its worker has it: decoded once, from the master's message or from the journal.

Owns the decoding and its bounds. A document that cannot be read gives a `BadRequest` that names the pod; nothing else of the
agent is disturbed by it.
"""

from __future__ import annotations

import msgspec

from agent.lifecycle import environment, pull_secrets, specs, unsupported, volumes
from agent.lifecycle.life import Note, TokenKey
from common.errors import BadRequest
from common.objects import pod as pods

DOCUMENT_MOST_BYTES = 4 << 20


class Assignment(msgspec.Struct, frozen=True):
    """live: from a master in this process' life, not from the journal. configs: the ConfigMaps and Secrets it names; tokens:
    of ServiceAccounts, that it needs. blocked: it cannot be started; notes say why, and which of its fields have no effect."""

    uid: str
    generation: int
    pod: pods.Pod
    document: bytes
    live: bool
    configs: frozenset[tuple[str, str, str]]
    blocked: bool
    notes: tuple[Note, ...]
    tokens: tuple[TokenKey, ...] = ()


def decode(uid: str, generation: int, document: bytes, *, live: bool) -> Assignment:
    """Raises BadRequest."""
    if len(document) > DOCUMENT_MOST_BYTES:
        raise BadRequest(f"pod {uid}: its document has {len(document)} bytes, more than {DOCUMENT_MOST_BYTES}")
    try:
        pod = msgspec.json.decode(document, type=pods.Pod)
        raw = msgspec.json.decode(document)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"pod {uid}: its document cannot be read: {error}") from None
    if pod.metadata.uid != uid:
        raise BadRequest(f"pod {uid}: its document carries the uid {pod.metadata.uid!r}")
    return Assignment(
        uid=uid,
        generation=generation,
        pod=pod,
        document=document,
        live=live,
        configs=frozenset((
            *environment.config_refs(pod), *volumes.refs(pod), *pull_secrets.refs(pod), *filter(None, (specs.runtime_class(pod),)),
        )),  # fmt: skip
        blocked=bool(unsupported.blocking(raw)),
        notes=unsupported.notes(raw),
        tokens=tuple(volumes.tokens(pod)),
    )
