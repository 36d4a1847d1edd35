"""The ServiceAccount tokens of this host's pods: asked of the master, kept in memory, renewed long before they end.

    want ─► TokenRequest ─► Token ─► `known`, the pod is woken ── 80 % of its life, or a day ──► TokenRequest ─► …
                              └ refused: the words are kept for the pod's status, asked again with a back-off

Owns what is known and when it is asked for anew. A token that cannot be renewed stays what it is for as long as it lives. Where it is
written, and that it is written atomically, is the volumes' business. Nothing reaches a disk here: a restarted agent asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable

from agent.lifecycle import life
from agent.lifecycle.environment import CONFIG_ERROR
from agent.lifecycle.life import TokenKey, Waiting
from common.aio.workqueue import WorkQueue
from common.clock import Clock
from common.errors import NotNow
from common.wire import messages

log = logging.getLogger(__name__)

ANSWER_S = 10.0
"""After so long without an answer it is asked again."""
RENEWED_AT = 0.8
LONGEST_S = 24 * 3600.0
RETRY_FIRST_S, RETRY_MAX_S = 0.25, 60.0

Send = Callable[[messages.Message], Awaitable[None]]


class PodTokens:
    """Plain calls that neither block nor raise. changed: told of a pod's uid when one of its tokens came, or was refused."""

    def __init__(self, clock: Clock, changed: Callable[[str], None]) -> None:
        self._clock = clock
        self._changed = changed
        self.known: dict[TokenKey, str | Waiting] = {}
        self._wanted: dict[str, tuple[TokenKey, ...]] = {}
        self._due: dict[TokenKey, float] = {}
        """When to ask (again), in monotonic seconds."""
        self._backoff_s: dict[TokenKey, float] = {}
        self._queue: WorkQueue[TokenKey] = WorkQueue()
        self._epoch = 0

    def want(self, uid: str, keys: Iterable[TokenKey]) -> None:
        """What a pod needs now. Idempotent."""
        old, new = self._wanted.get(uid, ()), tuple(keys)
        if new == old:
            return
        for key in old:
            if key not in new:
                self._forget(key)
        if not new:
            self._wanted.pop(uid, None)
            return
        self._wanted[uid] = new
        for key in new:
            if key not in old:
                self._due[key] = self._clock.monotonic()
                self._queue.add(key)

    def _forget(self, key: TokenKey) -> None:
        for table in (self.known, self._due, self._backoff_s):
            table.pop(key, None)  # type: ignore[attr-defined]

    def connected(self, welcome: messages.Welcome) -> None:
        """A master that says nothing of tokens knows no such request."""
        self._epoch = welcome.epoch if welcome.settings.get("tokens") else 0
        for key in self._due:
            self._queue.add(key)

    def disconnected(self) -> None:
        self._epoch = 0
        now = self._clock.monotonic()
        for key in self._due:
            if not isinstance(self.known.get(key), str):
                self._due[key] = now

    def take(self, answer: messages.Token) -> None:
        key = TokenKey(answer.uid, answer.audience, answer.asked_s)
        if key not in self._due:
            return  # its pod has gone meanwhile
        if answer.token:
            self._backoff_s.pop(key, None)
            self.known[key] = answer.token
            wait_s = min(RENEWED_AT * answer.lifetime_s, LONGEST_S)
        else:
            wait_s = life.doubled(self._backoff_s.get(key, 0.0), first_s=RETRY_FIRST_S, most_s=RETRY_MAX_S)
            self._backoff_s[key] = wait_s
            log.warning("token-refused uid=%s why=%s", key.uid, answer.message)
            if not isinstance(self.known.get(key), str):
                self.known[key] = Waiting(CONFIG_ERROR, f"failed to fetch token: {answer.message}")
        self._due[key] = self._clock.monotonic() + wait_s
        self._queue.add_after(key, wait_s)
        self._changed(key.uid)

    async def run(self, send: Send) -> None:
        """Until cancelled."""
        try:
            while True:
                key = await self._queue.get()
                try:
                    await self._ask(key, send)
                finally:
                    self._queue.done(key)
        finally:
            self._queue.close()

    async def _ask(self, key: TokenKey, send: Send) -> None:
        due = self._due.get(key)
        if due is None or not self._epoch:
            return  # without a session: the next one queues it again
        left_s = due - self._clock.monotonic()
        if left_s <= 0:
            left_s = ANSWER_S
            self._due[key] = self._clock.monotonic() + ANSWER_S
            try:
                await send(messages.TokenRequest(self._epoch, key.uid, key.audience, key.lifetime_s))
            except NotNow:
                return
        self._queue.add_after(key, left_s)
