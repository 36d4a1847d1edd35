"""Bringing the agents up to date: the shell around `assignments.plan`.

    touched(node), acknowledge(origin), readdressed(node) ─► queue of nodes ─► Ack, then the plan's messages ─► the node's session

One node after the other; a node that changes meanwhile comes again, so several changes travel together. Owns what each session was sent
and the list of all nodes as it was last told. When a message cannot be sent the session is ended by `send`, and the agent's next
Hello starts from nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from common.aio.workqueue import WorkQueue
from common.errors import NotFound
from common.wire import messages
from master.api import pod_references
from master.api.contract import Door, Ref
from master.dispatch import assignments, volumes
from master.dispatch.assignments import ConfigRef, Held, HeldConfig
from master.dispatch.index import Index
from master.dispatch.sessions import Session, Sessions
from master.dispatch.volumes import LocalVolumes
from master.dispatch.writer import ACTOR, Origin

PEERS = ""
"""In the queue of nodes: tell everybody about everybody."""

Send = Callable[[Session, messages.Message], Awaitable[bool]]


class Assigner:
    """peers_delay_s: see `dispatch.Settings`; per node the second."""

    def __init__(
        self, door: Door, *, index: Index, sessions: Sessions, volumes: LocalVolumes, send: Send, peers_delay_s: float,
        peers_delay_node_s: float,
    ) -> None:  # fmt: skip
        self._door = door
        self._volumes = volumes
        self._index = index
        self._sessions = sessions
        self._send = send
        self._peers_delay_s = peers_delay_s
        self._peers_delay_node_s = peers_delay_node_s
        self._peers: tuple[messages.Peer, ...] = ()
        self._queue: WorkQueue[str] = WorkQueue()

    @property
    def idle(self) -> bool:
        return self._queue.idle

    def touched(self, node: str) -> None:
        """What it should hold, or has to be told, changed."""
        self._queue.add(node)

    def readdressed(self, node: str) -> None:
        """A node's address or pod range changed. Telling n nodes about n nodes costs n², so it is told together, after a
        while that grows with their number; one that asks for no others hears of itself at once."""
        session = self._sessions.of_node(node)
        if session is not None and not session.peers:
            self._queue.add(node)
        delay_s = self._peers_delay_s + self._peers_delay_node_s * self._index.node_count
        self._queue.add_after(PEERS, delay_s)

    def acknowledge(self, origin: Origin) -> None:
        session = self._sessions.of_node(origin.node)
        if session is not None and session.epoch == origin.epoch:
            session.acknowledged.append(origin.sequence)
            self._queue.add(origin.node)

    async def run(self) -> None:
        self._peers = self._index.peers()
        while True:
            node = await self._queue.get()
            try:
                if node == PEERS:
                    self._peers = self._index.peers()
                    for other in self._sessions.told_of_peers():
                        self._queue.add(other)
                elif (session := self._sessions.of_node(node)) is not None:
                    await self._bring_up_to_date(session)
            finally:
                self._queue.done(node)

    async def _bring_up_to_date(self, session: Session) -> None:
        configs = {ref: self._config(ref) for ref in self._index.configs_of(session.node)}
        peers = self._peers if session.peers else self._index.peers(session.node)
        held = Held(self._index.pods_of(session.node), configs, peers, self._volumes.of_node(session.node))
        planned, session.sent = assignments.plan(session.epoch, held, session.sent)
        if session.acknowledged:
            planned.insert(0, messages.Ack(session.epoch, tuple(session.acknowledged)))
            session.acknowledged = []
        for message in planned:
            if not await self._send(session, message):
                return

    def _config(self, ref: ConfigRef) -> HeldConfig:
        if ref.kind == pod_references.CLAIM:
            return volumes.of_claim(self._door, ref)
        try:
            stored = self._door.get(ACTOR, Ref(pod_references.RESOURCES[ref.kind], ref.name, ref.namespace))
        except NotFound:
            return HeldConfig()
        return HeldConfig(stored.revision, stored.json())

    def close(self) -> None:
        self._queue.close()
