"""Sessions with agents: who holds one, under which epoch, and who may have one.

    Hello ─► refusal(...) is None ─► open(...) ─► Welcome(epoch) ─► messages of this peer and epoch ─► end(...)
                                                          └ silence, a full queue, its Node deleted, a new Hello

Owns the table and the rule of admission; sends nothing. One node has at most one session. An epoch is given once in the
cluster's life: its upper half counts the master's starts (a durable number), its lower half the sessions since.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from common.wire import messages
from master.dispatch.assignments import Sent

EPOCHS_PER_START = 1 << 32


@dataclass(slots=True, eq=False)
class Session:
    """sent: what this connection was given; see `assignments`. acknowledged: sequences that it has to be told of.
    peers: whether it is told of the other nodes."""

    node: str
    peer: bytes
    epoch: int
    instance: str
    peers: bool = True
    sent: Sent = field(default_factory=Sent)
    acknowledged: list[int] = field(default_factory=list)


class Sessions:
    def __init__(self) -> None:
        self._by_node: dict[str, Session] = {}
        self._by_peer: dict[bytes, Session] = {}
        self._next = 0

    def started(self, count: int) -> None:
        """The master has started for the `count`-th time; before this no session opens."""
        self._next = count * EPOCHS_PER_START

    def open(self, node: str, *, peer: bytes, instance: str, peers: bool = True) -> Session:
        self._next += 1
        session = Session(node, peer, self._next, instance, peers)
        self._by_node[node] = session
        self._by_peer[peer] = session
        return session

    def end(self, session: Session) -> None:
        """Idempotent."""
        if self._by_node.get(session.node) is session:
            del self._by_node[session.node]
        if self._by_peer.get(session.peer) is session:
            del self._by_peer[session.peer]

    def of_node(self, node: str) -> Session | None:
        return self._by_node.get(node)

    def of_peer(self, peer: bytes) -> Session | None:
        return self._by_peer.get(peer)

    def told_of_peers(self) -> list[str]:
        """The nodes with a session that want to know the others."""
        return [node for node, session in self._by_node.items() if session.peers]


def refusal(hello: messages.Hello, *, identity: str, cluster: str) -> messages.Refused | None:
    """Why this Hello gets no session, whatever sessions there are; None when it may have one."""
    if identity != f"node:{hello.node}":
        return messages.Refused("Forbidden", f"this key belongs to {identity}, not to node:{hello.node}")
    if not messages.PROTOCOL - 1 <= hello.protocol <= messages.PROTOCOL:
        return messages.Refused(
            "BadRequest", f"the agent speaks protocol {hello.protocol}, this master {messages.PROTOCOL} and the one before it: "
            "bring the agent to the master's version",
        )  # fmt: skip
    if hello.cluster != cluster:
        return messages.Refused("Conflict", f'the agent belongs to cluster "{hello.cluster}", this is "{cluster}": join it anew')
    return None
