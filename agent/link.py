"""The agent's end of the wire: one session with the master, kept up for as long as the agent lives.

    dial → Hello → Welcome ─────────► Sync, Assign, Config, Peers, Forget, Ack … to Duties
     ▲              │ no answer,       Heartbeat every heartbeat_s; each is answered by an Ack
     │              ▼ Refused          nothing heard for three heartbeats: the session is over
     └── back-off with jitter ◄────────┘

Owns the session: dialing, epochs, heartbeats, noticing a dead master, and the streams. It leaves to others what an assignment
means (`Duties`, the worker's side), which bytes a stream has (`StreamServer`), and what is reported when (the reporter:
it keeps the newest per pod and sends again until acknowledged). Messages of another epoch never reach them.

Each attempt is a new connection, so nothing that was queued for an old session is ever delivered into a new one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from agent.link_streams import Stream, StreamLink
from common import version
from common.aio.tasks import TaskGroup, supervise
from common.clock import Clock, Rng
from common.errors import BadRequest, TooLarge, Unavailable
from common.wire import codec, messages
from common.wire.transport import Connection, Dialer

log = logging.getLogger(__name__)


class Duties(Protocol):
    """What the link brings. Plain calls, in the order of the wire; none may block or raise.

    The rules of a session, from the agent's side:
    * After `connected`, the node (NodeReport) and every pod it holds (PodReport) are reported anew, acknowledged before or
      not: the master skips what is unchanged, and may itself have changed a status while nobody reported.
    * `sync` is complete: what runs and is not named goes. Until the first `sync` of a session nothing is an orphan.
    * Generations are compared only within one session: after `connected` the first `assign` of a uid counts, whatever
      its number (a restored store may count lower).
    * An `assign` in the present session is the live confirmation that an at-most-one pod needs to be started.
    """

    def connected(self, welcome: messages.Welcome) -> None:
        """A session began; `welcome.epoch` names it."""

    def disconnected(self) -> None:
        """The session is over. Pods keep running."""

    def sync(self, uids: tuple[str, ...]) -> None: ...

    def assign(self, uid: str, generation: int, pod: bytes) -> None:
        """Idempotent; comes again whenever the pod changed in more than its status."""

    def forget(self, uid: str) -> None: ...

    def config(self, config: messages.Config) -> None:
        """Comes before or after the pods that name it; again when it changed."""

    def token(self, token: messages.Token) -> None:
        """What came of a TokenRequest."""

    def drop_volume(self, message: messages.DropVolume) -> None:
        """Idempotent; comes again in each session until it is answered."""

    def peers(self, peers: tuple[messages.Peer, ...]) -> None: ...

    def acknowledged(self, sequences: tuple[int, ...]) -> None:
        """These reports need not be sent again."""


class StreamServer(Protocol):
    """What serves the master's streams."""

    async def serve(self, kind: str, request: dict[str, Any], stream: Stream) -> None:
        """Serve one stream to its end. kind and request: "logs", `common.wire.requests.LogRequest` as a map, and so on. What is
        sent waits until the client reads. Raises SteersmanErrors (BadRequest, NotFound …), which reach the client with their
        reason. It is cancelled when the client goes away."""


class Settings(msgspec.Struct, frozen=True):
    """answer_s: how long a Hello waits for its answer. silent_heartbeats: unanswered ones after which the master counts as gone.
    retry_first_s doubles to retry_max_s; refused_s: the pause after a refusal that only people can mend."""

    answer_s: float = 5.0
    silent_heartbeats: int = 3
    retry_first_s: float = 0.2
    retry_max_s: float = 5.0
    refused_s: float = 30.0


class _NoSession(Exception):
    """The session, or the attempt at one, is over. wait_s: at least so long until the next attempt."""

    def __init__(self, why: str, *, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Link:
    """`run()` keeps a session up until cancelled; `send` speaks in it. document: what Hello says of this host (encoded JSON of a
    partial Node), asked for at each Hello. peers: whether it has to know the other nodes."""

    def __init__(
        self, dialer: Dialer, *, node: str, cluster: str, duties: Duties, streams: StreamServer, document: Callable[[], bytes],
        clock: Clock, rng: Rng, settings: Settings = Settings(), peers: bool = True,
    ) -> None:  # fmt: skip
        self._peers = peers
        self._dialer = dialer
        self._node = node
        self._cluster = cluster
        self._duties = duties
        self._document = document
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._instance = rng.uuid()
        self._streams = StreamLink(dialer, streams, node=node)
        self._connection: Connection | None = None
        self._epoch = 0
        self._complaint = ""

    @property
    def epoch(self) -> int:
        """The present session's; 0 without one."""
        return self._epoch

    async def send(self, message: messages.Message) -> None:
        """On the control socket. Raises Unavailable without a session, or when the message is of another epoch."""
        if self._connection is None or getattr(message, "epoch", None) != self._epoch:
            raise Unavailable(f"node {self._node} has no session with the master now")
        try:
            body = codec.encode(message)
        except TooLarge as error:
            log.error("message-too-large node=%s why=%s", self._node, error)
            return
        await self._connection.send(body)

    async def run(self) -> None:
        delay_s = self._settings.retry_first_s
        while True:
            wait_s = 0.0
            connection = await self._dialer.dial("control")
            try:
                welcome = await self._greet(connection)
                delay_s = self._settings.retry_first_s
                await self._serve(connection, welcome)
            except _NoSession as error:
                wait_s = error.wait_s
                self._complain(str(error))
            except Unavailable as error:
                self._complain(error.message)
            finally:
                await connection.close()
            wait_s = max(wait_s, delay_s) * (0.5 + self._rng.random() / 2)
            delay_s = min(delay_s * 2, self._settings.retry_max_s)
            await asyncio.sleep(wait_s)

    def _complain(self, why: str) -> None:
        """Once per reason: an agent that waits for its master for days writes one line."""
        if why != self._complaint:
            self._complaint = why
            log.warning("no-session node=%s why=%s", self._node, why)

    async def _greet(self, connection: Connection) -> messages.Welcome:
        hello = messages.Hello(
            messages.PROTOCOL, self._cluster, self._node, self._instance, version.VERSION, self._document(), self._peers
        )
        await connection.send(codec.encode(hello))
        try:
            async with asyncio.timeout(self._settings.answer_s):
                while True:
                    answer = self._decoded(await connection.receive())
                    if isinstance(answer, messages.Refused):
                        raise _NoSession(
                            f"the master refused: {answer.message}", wait_s=0.0 if answer.retry else self._settings.refused_s
                        )
                    if isinstance(answer, messages.Welcome):
                        return answer
        except TimeoutError:
            raise _NoSession("the master does not answer") from None

    def _decoded(self, body: bytes) -> messages.Message | None:
        """None for what we do not understand: a newer master may say more than we know."""
        try:
            decoded: messages.Message = codec.decode(body, messages.CONTROL_FROM_MASTER)
        except BadRequest as error:
            log.warning("message-not-understood node=%s why=%s", self._node, error)
            return None
        return decoded

    async def _serve(self, connection: Connection, welcome: messages.Welcome) -> None:
        self._connection, self._epoch, self._complaint = connection, welcome.epoch, ""
        log.info("session-opened node=%s epoch=%d cluster=%s", self._node, welcome.epoch, welcome.cluster)
        self._duties.connected(welcome)
        try:
            async with TaskGroup() as group:
                group.start(self._beat(welcome.heartbeat_s), name="link-heartbeat")
                streams = lambda: self._streams.run(welcome.epoch, again_s=welcome.heartbeat_s)  # noqa: E731
                group.start(supervise(f"{self._node} streams", streams), name="link-streams")
                await self._listen(connection, patience_s=welcome.heartbeat_s * self._settings.silent_heartbeats)
        finally:
            self._connection, self._epoch = None, 0
            self._duties.disconnected()

    async def _beat(self, heartbeat_s: float) -> None:
        while True:
            await asyncio.sleep(heartbeat_s)
            await self.send(messages.Heartbeat(self._epoch, self._clock.now()))

    async def _listen(self, connection: Connection, *, patience_s: float) -> None:
        while True:
            try:
                async with asyncio.timeout(patience_s):
                    body = await connection.receive()
            except TimeoutError:
                raise _NoSession(f"the master has been silent for {patience_s:g} s") from None
            message = self._decoded(body)
            if isinstance(message, messages.Refused):
                raise _NoSession(f"the master ended the session: {message.message}")
            if message is not None and getattr(message, "epoch", None) == self._epoch:
                self._bring(message)

    def _bring(self, message: messages.Message) -> None:
        match message:
            case messages.Assign(uid=uid, generation=generation, pod=pod):
                self._duties.assign(uid, generation, pod)
            case messages.Ack(sequences=sequences):
                if sequences:
                    self._duties.acknowledged(sequences)
            case messages.Forget(uid=uid):
                self._duties.forget(uid)
            case messages.Config():
                self._duties.config(message)
            case messages.DropVolume():
                self._duties.drop_volume(message)
            case messages.Token():
                self._duties.token(message)
            case messages.Sync(uids=uids):
                self._duties.sync(uids)
            case messages.Peers(peers=peers):
                self._duties.peers(peers)
