"""The master's front for agents: sessions, assignments, reports, liveness, joining. The shell; what it decides is decided elsewhere.

    watches (following) ─► Index, KeyRing ─► queue of nodes ─► assignments.plan ─► the node's session
    control socket ─► Hello ─► Sessions            Join ─► Registrar
                      Heartbeat ─► Liveness        PodReport, PodGone, NodeReport, Happened ─► Reports ─► ReportWriter ─► Ack
                      Usage ─► Board           TokenRequest ─► pod_tokens ─► Token
    clock ─► Liveness ─► a silent node: its session ends, its conditions turn Unknown, its pods' Ready False

Everything here can be rebuilt from the store; nothing but the count of the master's starts is written on its own account. A message
counts only when its key, its peer and its epoch are those of the node's session.

Subtle: a node that was declared silent and speaks again must say Hello anew. So everything is told again on both sides, and what
silence changed is put right by the reports that follow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from common.aio.tasks import TaskGroup, supervise
from common.clock import Clock
from common.errors import BadRequest, NotNow, TooLarge
from common.wire import codec, messages
from common.wire.requests import LogRequest, TalkRequest
from common.wire.transport import Inbound, Listener
from master.api.contract import Door, Ref
from master.api.streams import Conversation
from master.api.usage import NodeUsage
from master.dispatch import sessions
from master.dispatch.assigning import Assigner
from master.dispatch.following import Following
from master.dispatch.index import Index
from master.dispatch.join import Registrar
from master.dispatch.keyring import KeyRing
from master.dispatch.liveness import Liveness
from master.dispatch.pod_tokens import PodTokens
from master.dispatch.reports import Reports, document
from master.dispatch.sessions import Session, Sessions
from master.dispatch.starts import count_start
from master.dispatch.streams import StreamHub
from master.dispatch.volumes import LocalVolumes
from master.dispatch.writer import Origin, ReportWriter

log = logging.getLogger(__name__)

JOINS_AT_ONCE = 16
TICK_MAX_S = 1.0


class Settings(msgspec.Struct, frozen=True):
    """cluster: its unique id. session_heartbeats: heartbeats missed after which a key may open a session from another process.
    peers_delay_s: changes of addresses are told together after so long, plus peers_delay_node_s for each node, because telling n nodes
    about n nodes costs n². writers: reports written side by side; the store commits them in groups.
    agent: passed on to the agents in Welcome."""

    cluster: str
    heartbeat_s: float = 10.0
    node_grace_s: float = 50.0
    session_heartbeats: int = 3
    peers_delay_s: float = 0.2
    peers_delay_node_s: float = 0.002
    writers: int = 32
    agent: dict[str, str] = {}


class Leases(Protocol):
    """Who shows heartbeats to clients: `master.api.leases.NodeLeases`."""

    def renew(self, node: str, now: float) -> None: ...

    def drop(self, node: str) -> None: ...


class Board(Protocol):
    """Who shows what nodes use: `master.api.usage.UsageBoard`."""

    def take(self, node: str, usage: NodeUsage) -> None: ...

    def drop(self, node: str) -> None: ...


class Dispatch:
    """`run()` until cancelled. `ring` is what both listeners ask for admission. `logs` and `talk` make it a
    `master.api.streams.Streams`."""

    def __init__(
        self, door: Door, *, control: Listener, streams: Listener, clock: Clock, settings: Settings,
        ring: KeyRing | None = None, leases: Leases | None = None, board: Board | None = None,
    ) -> None:  # fmt: skip
        self._door = door
        self._control = control
        self._clock = clock
        self._settings = settings
        self._leases = leases
        self._board = board
        self.ring = ring or KeyRing(clock)
        self._index = Index()
        self._sessions = Sessions()
        self._liveness = Liveness(settings.node_grace_s)
        self._joins = 0
        self._twice: dict[str, str] = {}
        self._registrar = Registrar(door, self.ring, cluster=settings.cluster)
        self._hub = StreamHub(streams, epoch_of=self._epoch_of)
        self._volumes = LocalVolumes(door, self._index)
        self._assigner = Assigner(
            door, index=self._index, sessions=self._sessions, volumes=self._volumes, send=self._send, peers_delay_s=settings.peers_delay_s,
            peers_delay_node_s=settings.peers_delay_node_s,
        )  # fmt: skip
        self._writer = ReportWriter(
            door, clock, workers=settings.writers, grace_s=settings.node_grace_s, acknowledge=self._assigner.acknowledge,
            still_silent=self._liveness.silent, fell_silent=lambda node, revision: self._reports.pods_unready(node, revision),
        )  # fmt: skip
        self._reports = Reports(index=self._index, writer=self._writer)
        self._tokens = PodTokens(door, self._index)
        self._following = Following(
            door, clock, index=self._index, ring=self.ring, liveness=self._liveness, volumes=self._volumes, ended=self._end_of_node,
            touched=self._assigner.touched, readdressed=self._assigner.readdressed,
        )  # fmt: skip

    def logs(self, node: str, request: LogRequest) -> AsyncIterator[bytes]:
        """See `master.api.streams`."""
        return self._hub.logs(node, request)

    def talk(self, node: str, request: TalkRequest) -> AbstractAsyncContextManager[Conversation]:
        """See `master.api.streams`."""
        return self._hub.talk(node, request)

    @property
    def idle(self) -> bool:
        """Nothing is queued or being written."""
        return self._following.listed.is_set() and self._assigner.idle and self._writer.idle and self._volumes.idle

    async def run(self) -> None:
        try:
            async with TaskGroup() as group:
                self._following.start(group)
                self._sessions.started(await count_start(self._door))
                await self._following.listed.wait()
                self.ring.complete = True
                log.info("dispatch-started nodes=%d", len(self._index.node_names()))
                for name, run in (
                    ("dispatch-writer", self._writer.run), ("dispatch-assign", self._assigner.run), ("dispatch-streams", self._hub.run),
                    ("dispatch-volumes", self._volumes.run), ("dispatch-liveness", self._watch_silence), ("dispatch-control", self._serve),
                ):  # fmt: skip
                    group.start(supervise(name, run), name=name)
        finally:
            self._assigner.close()

    # -- to the agents

    async def _send(self, session: Session, message: messages.Message) -> bool:
        try:
            body = codec.encode(message)
        except TooLarge as error:
            log.error("message-too-large node=%s why=%s", session.node, error)
            return True
        if await self._control.send(session.peer, body):
            return True
        self._end(session, "its connection is gone, or its queue is full")
        return False

    async def _refuse(self, inbound: Inbound, refused: messages.Refused) -> None:
        await self._control.send(inbound.peer, codec.encode(refused))

    # -- from the agents

    async def _serve(self) -> None:
        async with TaskGroup() as group:
            while True:
                inbound = await self._control.receive()
                try:
                    message: messages.Message = codec.decode(inbound.body, messages.CONTROL_FROM_AGENT)
                except BadRequest as error:
                    log.warning("control-garbage identity=%s address=%s why=%s", inbound.identity, inbound.address, error)
                    self._control.drop(inbound.peer)
                    continue
                if isinstance(message, messages.Join):
                    if self._joins >= JOINS_AT_ONCE:
                        await self._refuse(inbound, messages.Refused("TooManyRequests", "many hosts join at once", retry=True))
                    else:
                        self._joins += 1
                        group.start(self._join(inbound, message), name="dispatch-join")
                elif isinstance(message, messages.Hello):
                    await self._hello(inbound, message)
                else:
                    await self._in_session(inbound, message)

    async def _join(self, inbound: Inbound, message: messages.Join) -> None:
        try:
            answer, made = await self._registrar.join(message, inbound.identity)
        except NotNow as error:
            answer, made = messages.Refused(error.reason, error.message, retry=True), None
        finally:
            self._joins -= 1
        if made is not None:
            self._following.take_node(Ref("nodes", message.node).key, made)
        if isinstance(answer, messages.Refused):
            who = (message.node[:64], inbound.identity, inbound.address)
            log.warning("join-refused node=%s by=%s address=%s why=%s", *who, answer.message)
        await self._control.send(inbound.peer, codec.encode(answer))

    async def _hello(self, inbound: Inbound, hello: messages.Hello) -> None:
        refused = sessions.refusal(hello, identity=inbound.identity, cluster=self._settings.cluster)
        node = self._index.node(hello.node)
        if refused is None and node is None:
            refused = messages.Refused("NotFound", f'there is no node "{hello.node}": join it anew')
        if refused is None and await self._in_use(hello):
            refused = messages.Refused(
                "Conflict", f"another agent holds the session of node {hello.node}: its key is in use twice", retry=True
            )
        if refused is None:
            try:
                registration = document(hello.document)
            except msgspec.DecodeError:
                refused = messages.Refused("BadRequest", "the node's document is not a JSON object")
        if refused is not None or node is None:
            await self._refuse(inbound, refused or messages.Refused("NotFound", "no such node"))
            return
        old = self._sessions.of_node(hello.node)
        if old is not None:
            self._end(old, "its agent said hello anew")
            if old.peer != inbound.peer:
                self._control.drop(old.peer)
        session = self._sessions.open(hello.node, peer=inbound.peer, instance=hello.instance, peers=hello.peers)
        self._twice.pop(hello.node, None)
        self._liveness.heard(hello.node, self._clock.monotonic())
        who = (hello.agent_version[:32], inbound.address)
        log.info("session-opened node=%s epoch=%d agent=%s address=%s", hello.node, session.epoch, *who)
        self._writer.node_registers(hello.node, registration)
        settings = self._settings
        await self._send(session, messages.Welcome(session.epoch, settings.cluster, settings.heartbeat_s, node.pod_cidr, settings.agent))
        self._renew(hello.node)
        self._assigner.touched(hello.node)

    async def _in_use(self, hello: messages.Hello) -> bool:
        """Whether another process holds this node's session and is alive. A process that died has no connection any more,
        which a message to it shows, so that its successor need not wait."""
        old = self._sessions.of_node(hello.node)
        if old is None or old.instance == hello.instance:
            return False
        patience_s = self._settings.heartbeat_s * self._settings.session_heartbeats
        if self._clock.monotonic() - (self._liveness.last(hello.node) or 0.0) > patience_s:
            return False
        if not await self._control.send(old.peer, codec.encode(messages.Ack(old.epoch, ()))):
            return False
        if self._twice.get(hello.node) != hello.instance:
            self._twice[hello.node] = hello.instance
            log.warning("key-in-use-twice node=%s epoch=%d", hello.node, old.epoch)
        return True

    async def _in_session(self, inbound: Inbound, message: messages.Message) -> None:
        session = self._sessions.of_peer(inbound.peer)
        if session is None or inbound.identity != f"node:{session.node}":
            await self._refuse(inbound, messages.Refused("Expired", "this session is over: say hello", retry=True))
            return
        if message.epoch != session.epoch:  # type: ignore[attr-defined]
            return
        self._liveness.heard(session.node, self._clock.monotonic())
        if isinstance(message, messages.Heartbeat):
            self._renew(session.node)
            await self._send(session, messages.Ack(session.epoch, ()))
            return
        if isinstance(message, messages.Usage):
            if self._board is not None:
                self._board.take(session.node, self._reports.usage(session, message))
            return
        if isinstance(message, messages.VolumeGone):
            self._volumes.removed(session.node, message)
            return
        if isinstance(message, messages.TokenRequest):
            await self._send(session, self._tokens.answer(session, message))
            return
        try:
            void = self._reports.take(session, message)
        except msgspec.DecodeError as error:
            log.warning("report-damaged node=%s type=%s why=%s", session.node, type(message).__name__, error)
            void = (message.sequence,)  # type: ignore[attr-defined]
        for sequence in void:
            self._assigner.acknowledge(Origin(session.node, session.epoch, sequence))

    def _renew(self, node: str) -> None:
        if self._leases is not None:
            self._leases.renew(node, self._clock.now())

    # -- ends and silence

    def _epoch_of(self, node: str) -> int | None:
        session = self._sessions.of_node(node)
        return session.epoch if session is not None else None

    def _end(self, session: Session, why: str) -> None:
        if self._sessions.of_node(session.node) is session:
            self._sessions.end(session)
            self._hub.lost(session.node)
            log.info("session-ended node=%s epoch=%d why=%s", session.node, session.epoch, why)

    def _end_of_node(self, node: str, why: str) -> None:
        session = self._sessions.of_node(node)
        if session is not None:
            self._end(session, why)
            self._control.drop(session.peer)
        if self._index.node(node) is None:
            if self._leases is not None:
                self._leases.drop(node)
            if self._board is not None:
                self._board.drop(node)

    async def _watch_silence(self) -> None:
        tick_s = min(TICK_MAX_S, self._settings.node_grace_s / 10)
        last = self._clock.monotonic()
        while True:
            await asyncio.sleep(tick_s)
            now = self._clock.monotonic()
            lost_s = now - last - tick_s
            last = now
            if lost_s > self._settings.node_grace_s / 2:
                log.warning("master-was-stopped seconds=%.1f", lost_s)
                self._liveness.woke(lost_s)
            for node in self._liveness.fell_silent(now):
                log.warning("node-silent node=%s grace_s=%g", node, self._settings.node_grace_s)
                self._end_of_node(node, "it fell silent")
                self._writer.node_silent(node)
