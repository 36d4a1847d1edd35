"""When the node's document is looked at anew, and what it was made of last.

Owns the asking: the runtime's condition, the host's facts and usage, every `node_status_s` seconds and whenever something hints at a
change (the runtime's events broke off or came back, the pod CIDR became known). The document itself is `node.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

import msgspec

from agent import node as nodes
from agent.parts import Parts
from agent.runtime.contract import RuntimeInfo
from common.errors import NotNow

log = logging.getLogger(__name__)

INFO_TIMEOUT_S = 4.0


class NodeReport:
    """The node's document and when to look again."""

    def __init__(self, parts: Parts, pressed: Callable[[], Collection[str]]) -> None:
        """pressed: the pressures that the host is under, measured when asked."""
        self._parts = parts
        self._pressed = pressed
        self._wake = asyncio.Event()
        self._conditions: tuple[dict, ...] = ()
        self._words = "it was not asked yet"
        self.info: RuntimeInfo | None = None
        self.facts = parts.resources.facts()

    async def refresh(self) -> None:
        """Ask the runtime and the host anew."""
        self._wake.clear()
        before = self.info is not None and self.info.ready if self._conditions else None
        try:
            async with asyncio.timeout(INFO_TIMEOUT_S):
                self.info = await self._parts.runtime.info()
                self._words = self.info.message
        except (NotNow, TimeoutError) as error:
            self.info, self._words = None, str(error) or f"no answer within {INFO_TIMEOUT_S:g} s"
        ready = self.info is not None and self.info.ready
        if before != ready:
            log.log(logging.INFO if ready else logging.WARNING, "runtime node=%s ready=%s words=%s", self._parts.name, ready, self._words)
        self.facts = self._parts.resources.facts()
        now = self._parts.clock.now()
        self._conditions = nodes.conditions(self._pressed(), self.info, words=self._words, former=self._conditions, now=now)

    def wake(self) -> None:
        self._wake.set()

    async def rest(self) -> None:
        try:
            async with asyncio.timeout(self._parts.settings.node_status_s):
                await self._wake.wait()
        except TimeoutError:
            return

    def hello(self) -> bytes:
        labels = nodes.labels(self.facts, self._parts.settings.labels)
        return msgspec.json.encode({"metadata": {"name": self._parts.name, "labels": labels}, "status": self._status()})

    def document(self) -> bytes:
        return msgspec.json.encode(self._status())

    def _status(self) -> dict:
        return nodes.status(self.facts, self.info, conditions=self._conditions)
