"""What a node should hold against what it was sent: the difference, as messages.

Pure. `Held` is computed from the store's present state, `Sent` from what the session's connection was given; `plan` gives the messages
that bring one to the other, and the new `Sent`. It looks at everything a node holds, so it repairs whatever it missed, and it sends
nothing twice.

A pod is sent again when anything in it changed but its status and who owns its fields: reports of the agent come back as writes
of the status, and must not echo. Of the status only the conditions that open its readiness gates count, which are others' to write.
ConfigMaps and Secrets are sent as they are named by a pod the node holds, and no others: a node's key opens what its own pods need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from common.objects.pod import Pod
from common.wire import messages
from master.api.contract import Stored
from master.api.pod_references import ConfigRef, held_with


class HeldPod(msgspec.Struct, frozen=True):
    """A pod that a node holds. gates: how its readiness gates stand, when it has any."""

    uid: str
    node: str
    namespace: str
    name: str
    stored: Stored
    deleting: bool
    configs: tuple[ConfigRef, ...]
    gates: bytes = b""
    _digest: bytes = b""

    @property
    def digest(self) -> bytes:
        """Of all that its agent acts on. Made when it is first asked for, which the start of a master does not."""
        if not self._digest:
            msgspec.structs.force_setattr(self, "_digest", _digest(self.stored, self.gates))
        return self._digest

    @property
    def generation(self) -> int:
        return self.stored.revision


class HeldConfig(msgspec.Struct, frozen=True):
    """revision 0 and no document: it does not exist."""

    revision: int = 0
    document: bytes | None = None


class Held(msgspec.Struct, frozen=True):
    """What a node should hold now: pods by uid, the configs that these name, and all nodes. dropped: volumes to remove, name to path."""

    pods: Mapping[str, HeldPod] = {}
    configs: Mapping[ConfigRef, HeldConfig] = {}
    peers: tuple[messages.Peer, ...] = ()
    dropped: Mapping[str, str] = {}


class SentPod(msgspec.Struct, frozen=True):
    generation: int
    digest: bytes


class Sent(msgspec.Struct, frozen=True):
    """What the session was sent. synced: whether it was told which pods there are."""

    pods: Mapping[str, SentPod] = {}
    configs: Mapping[ConfigRef, int] = {}
    peers: tuple[messages.Peer, ...] = ()
    synced: bool = False
    dropped: Mapping[str, str] = {}


class _Parts(msgspec.Struct):
    """The pieces that an agent acts on, undecoded."""

    metadata: dict[str, msgspec.Raw] = {}
    spec: msgspec.Raw = msgspec.Raw(b"")


_parts = msgspec.json.Decoder(_Parts)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def held_pod(pod: Pod, stored: Stored) -> HeldPod:
    """pod: how it is stored, read."""
    return HeldPod(
        uid=pod.metadata.uid, node=pod.spec.node_name, namespace=pod.metadata.namespace, name=pod.metadata.name, stored=stored,
        deleting=pod.metadata.deletion_timestamp is not None, configs=held_with(pod),
        gates=_gates(pod) if pod.spec.readiness_gates else b"",
    )  # fmt: skip


def _gates(pod: Pod) -> bytes:
    """How its readiness gates stand."""
    return msgspec.json.encode([(gate, given.status) for gate in pod.gates if (given := pod.condition(gate)) is not None])


def _digest(stored: Stored, gates: bytes) -> bytes:
    parts = _parts.decode(stored.value)
    acted_on = [part for key, raw in parts.metadata.items() if key != "managedFields" for part in (key.encode(), bytes(raw))]
    return hashlib.blake2b(b"\0".join((*acted_on, bytes(parts.spec), gates)), digest_size=16).digest()


def assigned(stored: Stored) -> bytes:
    """The pod as its agent is sent it: without who owns which of its fields, which is half of what a user made and nothing to an agent."""
    document = _fields.decode(stored.json())
    metadata = _fields.decode(document["metadata"])
    metadata.pop("managedFields", None)
    return msgspec.json.encode({**document, "metadata": metadata})


def plan(epoch: int, held: Held, sent: Sent) -> tuple[list[messages.Message], Sent]:
    """The messages to send, in order, and what will have been sent then."""
    out: list[messages.Message] = []
    if not sent.synced:
        out.append(messages.Sync(epoch, tuple(held.pods)))
    out += [messages.Forget(epoch, uid) for uid in sent.pods if uid not in held.pods]
    pods_sent = {}
    for uid, pod in held.pods.items():
        before = sent.pods.get(uid)
        if before is None or before.digest != pod.digest:
            out.append(messages.Assign(epoch, uid, pod.generation, assigned(pod.stored)))
            before = SentPod(pod.generation, pod.digest)
        pods_sent[uid] = before
    for ref, config in held.configs.items():
        if sent.configs.get(ref) != config.revision:
            out.append(messages.Config(epoch, ref.kind, ref.namespace, ref.name, config.revision, config.document))
    if held.peers != sent.peers:
        out.append(messages.Peers(epoch, held.peers))
    out += [messages.DropVolume(epoch, name, path) for name, path in held.dropped.items() if sent.dropped.get(name) != path]
    configs_sent = {ref: config.revision for ref, config in held.configs.items()}
    return out, Sent(pods_sent, configs_sent, held.peers, synced=True, dropped=dict(held.dropped))
