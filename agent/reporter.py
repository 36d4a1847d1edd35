"""The newest news per pod, told until the master has it.

Owns what is to be reported: for each pod its newest status (older ones are dropped, never queued), the pods that are
gone, the node's own report, and a bounded list of events. Everything is given a sequence and sent again until that sequence is
acknowledged; a new session starts from nothing acknowledged, because the master may have changed a status while nobody reported.

    status ──► [newest per pod] ──take()──► sent, unacknowledged ──Ack──► kept for the next session
                      ▲                             │ RESEND_S
                      └─────────────────────────────┘
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.lifecycle.life import Note
from common.clock import Clock
from common.errors import NotNow
from common.wire import messages

RESEND_S = 5.0
EVENTS_MOST = 1000
"""Events that wait for a session; the oldest are dropped first, since they are best effort."""

NODE = ""
"""The key of the node's own report."""


@dataclass(slots=True)
class _Report:
    document: bytes
    generation: int = 0
    gone: bool = False
    sequence: int = 0
    """0: not sent in this session."""
    acknowledged: bool = False
    sent_at: float = 0.0


class Reporter:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reports: dict[str, _Report] = {}
        self._by_sequence: dict[int, str] = {}
        self._events: deque[tuple[str, Note, float]] = deque(maxlen=EVENTS_MOST)
        self._sequence = 0
        self._epoch: int | None = None
        self._changed = asyncio.Event()

    # What is to be told.

    def status(self, uid: str, generation: int, document: bytes) -> None:
        """The pod's status as it is now."""
        self._put(uid, _Report(document, generation))

    def gone(self, uid: str) -> None:
        """Nothing of the pod is left here."""
        self._put(uid, _Report(b"", gone=True))

    def node(self, document: bytes) -> None:
        """The node's status; the same document again is not news."""
        known = self._reports.get(NODE)
        if known is None or known.document != document:
            self._put(NODE, _Report(document))

    def happened(self, uid: str, note: Note) -> None:
        self._events.append((uid, note, self._clock.now()))
        self._changed.set()

    def drop(self, uid: str) -> None:
        """The master knows that the pod is gone, or does not want to hear of it."""
        known = self._reports.pop(uid, None)
        if known is not None:
            self._by_sequence.pop(known.sequence, None)

    def _put(self, key: str, report: _Report) -> None:
        self.drop(key)
        self._reports[key] = report
        self._changed.set()

    @property
    def told(self) -> bool:
        """All news is acknowledged."""
        return all(report.acknowledged for report in self._reports.values())

    # The session.

    def connected(self, epoch: int) -> None:
        """Everything is to be told anew."""
        self._epoch = epoch
        self._by_sequence.clear()
        for report in self._reports.values():
            report.sequence, report.acknowledged = 0, False
        self._changed.set()

    def disconnected(self) -> None:
        self._epoch = None

    def acknowledged(self, sequences: tuple[int, ...]) -> None:
        """A gone pod is forgotten with it."""
        for sequence in sequences:
            key = self._by_sequence.pop(sequence, None)
            report = self._reports.get(key) if key is not None else None
            if report is None or key is None or report.sequence != sequence:
                continue
            report.acknowledged = True
            if report.gone:
                del self._reports[key]

    # Sending.

    def take(self, now: float) -> list[messages.Message]:
        """What to send now; in the order it happened. now: `Clock.monotonic`."""
        if self._epoch is None:
            return []
        taken: list[messages.Message] = []
        for key, report in self._reports.items():
            if report.acknowledged or (report.sequence and now - report.sent_at < RESEND_S):
                continue
            if not report.sequence:
                self._sequence += 1
                report.sequence = self._sequence
                self._by_sequence[report.sequence] = key
            report.sent_at = now
            taken.append(self._message(self._epoch, key, report))
        while self._events:
            uid, note, at = self._events.popleft()
            taken.append(
                messages.Happened(self._epoch, uid, note.type, note.reason, note.message, at, note.field_path)
            )
        return taken

    @staticmethod
    def _message(epoch: int, key: str, report: _Report) -> messages.Message:
        if key == NODE:
            return messages.NodeReport(epoch, report.sequence, report.document)
        if report.gone:
            return messages.PodGone(epoch, key, report.sequence)
        return messages.PodReport(epoch, key, report.generation, report.sequence, report.document)

    async def run(self, send: Callable[[messages.Message], Awaitable[None]]) -> None:
        """Send for ever. A message that could not be sent is sent again after RESEND_S, or in the next session."""
        while True:
            self._changed.clear()
            for message in self.take(self._clock.monotonic()):
                try:
                    await send(message)
                except NotNow:
                    break
            try:
                async with asyncio.timeout(RESEND_S if self._epoch is not None and not self.told else None):
                    await self._changed.wait()
            except TimeoutError:
                continue
