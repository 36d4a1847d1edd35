"""The agent of one host, put together: workers, reporter, journal, node report; what the link brings and what workers tell.

    link ──Duties──► Agent ──► Holdings ──► Worker (one per pod) ──► runtime
      ▲                           ▲              │
      └── Reporter ◄──────────────┴──── Sink ────┘     runtime events, network, node report: tasks of its own

Owns what the session says this host should hold, and who is an orphan. Stopping the agent stops no container;
started again it loads the journal, adopts what runs, and starts what should run but does not (but for at-most-one pods).

Built from values and ports alone, so that the simulation runs it under virtual time: hollow runtime, memory journal, any link.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from agent.assignment import decode
from agent.holdings import Holdings
from agent.images import service
from agent.lifecycle.life import Host
from agent.link_streams import Stream
from agent.log_rotation import LogRotation
from agent.node_report import NodeReport
from agent.parts import Parts
from agent.pressure import Pressure
from agent.reporter import Reporter
from agent.storage import StorageWatch
from agent.streams import remote
from agent.tokens import PodTokens
from agent.usage import UsageReport
from agent.volumes.reclaim import Reclaim
from common.aio import tasks
from common.errors import BadRequest, NotNow
from common.wire import messages

log = logging.getLogger(__name__)

CONFIG_MOST_BYTES = 4 << 20


class Link(Protocol):
    """What the agent needs of `agent.link.Link`."""

    async def run(self) -> None:
        """Keep a session up until cancelled."""

    async def send(self, message: messages.Message) -> None:
        """On the control socket. Raises Unavailable without a session."""


class Agent:
    """`link.Duties` and `link.StreamServer`: plain calls that neither block nor raise."""

    def __init__(self, parts: Parts) -> None:
        self.name = parts.name
        self._parts = parts
        self._reporter = Reporter(parts.clock)
        self._host = Host()
        self._tokens = PodTokens(parts.clock, lambda uid: self._holdings.wake(uid)) if parts.volumes is not None else None
        self._holdings = Holdings(parts, self._reporter, lambda: self._host, self._tokens)
        self._pressure = Pressure(parts, self._holdings.workers, self._holdings.images.reclaim)
        self._node = NodeReport(parts, self._pressure.look)
        self._usage = UsageReport(parts)
        self._expected: dict[str, None] | None = None
        """The uids of this session's Sync and Assigns; None before the Sync."""
        self._sweep = asyncio.Event()
        self._reclaim = Reclaim(real=parts.volumes is not None)
        self._told = parts.journal.told()

    def hello_document(self) -> bytes:
        """For `messages.Hello`: the Node's labels, addresses, capacity, nodeInfo."""
        return self._node.hello()

    async def run(self, link: Link) -> None:
        """Until cancelled; containers are left as they are."""
        await self._node.refresh()
        self._know_host()
        # The pods' workers outlive the link in the order of ending, so that no news finds a closing group.
        async with tasks.TaskGroup() as pods, tasks.TaskGroup() as group:
            self._holdings.adopt(pods)
            for name, run in (
                ("runtime-events", self._listen),
                ("sweep", self._sweep_orphans),
                ("node-report", self._report_node),
                ("network", self._parts.network.run),
                ("images", self._holdings.images.run),
                ("usage", lambda: self._usage.run(link.send)),
                ("reclaim", lambda: self._reclaim.run(link.send)),
                *([("tokens", partial(self._tokens.run, link.send))] if self._tokens is not None else []),
                *([("storage", StorageWatch(self._parts, self._holdings.workers).run)] if self._parts.volumes is not None else []),
                *self._rotation(),
                ("reporter", lambda: self._reporter.run(link.send)),
                ("link", link.run),
            ):
                group.start(tasks.supervise(name, run), name=f"{self.name} {name}")

    def _rotation(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        parts = self._parts
        if parts.log_limits is None:
            return []
        return [("log-rotation", LogRotation(parts.log_limits, parts.runtime.sessions, parts.clock, self._holdings.workers).run)]

    def _know_host(self) -> None:
        facts = self._node.facts
        info = self._node.info
        self._host = Host(
            node=self.name,
            addresses=facts.addresses,
            log_root=self._parts.settings.log_root,
            cgroup_root=self._parts.settings.cgroup_root,
            volume_root=f"{self._parts.settings.data_dir}/pods",
            profile_root=f"{self._parts.settings.data_dir}/seccomp",
            memory_root=f"{self._parts.settings.run_dir}/pods",
            cpu_milli=facts.cpu_milli,
            memory_bytes=facts.memory_bytes,
            hosts=facts.hosts,
            dns=facts.dns,
            runtime=info.name if info is not None else self._parts.settings.runtime,
            configs=self._holdings.configs,
            tokens=self._tokens.known if self._tokens is not None else None,
            api=self._told.get("api", ""),
        )

    # Pods.

    async def _listen(self) -> None:
        async for event in self._parts.runtime.events():
            if event.uid:
                self._holdings.wake(event.uid)
                continue
            self._holdings.wake_all()
            self._node.wake()
            self._sweep.set()

    async def _sweep_orphans(self) -> None:
        """End what runs of this cluster and is not this host's any more, once a session's Sync said what is."""
        while True:
            await self._sweep.wait()
            self._sweep.clear()
            if self._expected is None:
                continue
            try:
                found = await self._parts.runtime.observe()
            except NotNow as error:
                log.warning("sweep-postponed why=%s", error)
                continue  # the runtime's events begin anew when it is back, and wake this again
            if self._expected is None:
                continue
            for uid in dict.fromkeys(sandbox.uid for sandbox in found):
                if uid not in self._expected and uid not in self._holdings.workers:
                    log.warning("orphan uid=%s", uid)
                    self._holdings.end(uid)

    async def _report_node(self) -> None:
        while True:
            await self._node.refresh()
            self._know_host()
            self._reporter.node(self._node.document())
            await self._pressure.relieve()
            await self._node.rest()

    # Duties: what the link brings.

    def connected(self, welcome: messages.Welcome) -> None:
        self._expected = None
        self._reporter.connected(welcome.epoch)
        self._usage.connected(welcome)
        if self._tokens is not None:
            self._tokens.connected(welcome)
        if welcome.settings != self._told:
            self._told = welcome.settings
            self._parts.journal.tell(self._told)
            self._know_host()
        if welcome.pod_cidr:
            self._parts.network.use_pod_cidr(welcome.pod_cidr)
            self._node.wake()
        log.info("session-began node=%s epoch=%d pod_cidr=%s", self.name, welcome.epoch, welcome.pod_cidr)

    def disconnected(self) -> None:
        self._expected = None
        self._reporter.disconnected()
        self._usage.disconnected()
        if self._tokens is not None:
            self._tokens.disconnected()
        log.info("session-ended node=%s", self.name)

    def sync(self, uids: tuple[str, ...]) -> None:
        self._expected = dict.fromkeys(uids)
        for uid in list(self._holdings.workers):
            if uid not in self._expected:
                log.warning("pod-not-ours-any-more uid=%s", uid)
                self._holdings.forget(uid)
        self._sweep.set()

    def assign(self, uid: str, generation: int, pod: bytes) -> None:
        try:
            assignment = decode(uid, generation, pod, live=True)
        except BadRequest as error:
            log.error("assignment-unreadable uid=%s why=%s", uid[:64], error)
            return
        if self._expected is not None:
            self._expected[uid] = None
        self._holdings.assign(assignment)

    def forget(self, uid: str) -> None:
        if self._expected is not None:
            self._expected.pop(uid, None)
        self._holdings.forget(uid)

    def config(self, config: messages.Config) -> None:
        key = (config.kind, config.namespace, config.name)
        document: dict | None = None
        if config.document is not None:
            try:
                if len(config.document) > CONFIG_MOST_BYTES:
                    raise ValueError(f"more than {CONFIG_MOST_BYTES} bytes")
                document = msgspec.json.decode(config.document, type=dict)
            except (ValueError, RecursionError):
                # Without the error's words: they may quote the document, which may be a Secret.
                log.error("config-unreadable kind=%s namespace=%s name=%s", *key)
                return
        self._holdings.configure(key, document)

    def drop_volume(self, message: messages.DropVolume) -> None:
        self._reclaim.drop(message)

    def token(self, token: messages.Token) -> None:
        if self._tokens is not None:
            self._tokens.take(token)

    def peers(self, peers: tuple[messages.Peer, ...]) -> None:
        own = next((peer for peer in peers if peer.node == self.name), None)
        if own is not None and own.pod_cidr:
            self._parts.network.use_pod_cidr(own.pod_cidr)
            self._node.wake()
        self._parts.network.use_peers(tuple(peer for peer in peers if peer.node != self.name))

    def acknowledged(self, sequences: tuple[int, ...]) -> None:
        self._reporter.acknowledged(sequences)

    # StreamServer.

    async def serve(self, kind: str, request: dict[str, Any], stream: Stream) -> None:
        if kind == "logs":
            await self._serve_log(request, stream)
        elif kind == service.KIND:
            await self._holdings.images.service.serve(request, stream)
        elif kind in remote.KINDS:
            await remote.serve(kind, request, stream=stream, sessions=self._parts.runtime.sessions, look=self._holdings.look)
        else:
            raise BadRequest(f"streams of kind {kind!r} are not known to this agent")

    async def _serve_log(self, request: dict[str, Any], stream: Stream) -> None:
        if self._parts.logs is None:
            raise BadRequest(f"the {self._host.runtime} runtime on node {self.name} keeps no logs")
        chunks = self._parts.logs.open(request, self._holdings.look)
        try:
            async for chunk in chunks:
                await stream.send(chunk)
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]
