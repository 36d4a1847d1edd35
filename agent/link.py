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

from collections.abc import AsyncIterator
from typing import Any, Protocol

from common.wire import messages


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

    def peers(self, peers: tuple[messages.Peer, ...]) -> None: ...

    def acknowledged(self, sequences: tuple[int, ...]) -> None:
        """These reports need not be sent again."""


class StreamServer(Protocol):
    """What serves the master's streams."""

    def open(self, kind: str, request: dict[str, Any]) -> AsyncIterator[bytes]:
        """kind "logs": request as `master.api.streams.LogRequest`, as a map. Chunks of any size; they are asked for one after
        another, as the client reads. Raises SteersmanErrors (BadRequest, NotFound …), which reach the client with their
        reason. It is closed (`aclose`) when the client goes away."""
