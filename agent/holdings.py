"""Which pods this host holds: a worker for each, their entries in the journal, the ConfigMaps and Secrets they name.

Owns these three and is the workers' `Sink`. Secrets are kept in memory only, and only as long as a pod here names them. Who is an
orphan and when is the agent's to say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from agent.assignment import Assignment, decode
from agent.devices import Devices
from agent.images.host import HostImages
from agent.journal import Entry
from agent.lifecycle.life import Host, Note
from agent.logs import Look
from agent.operations import Tools
from agent.parts import Parts
from agent.probes.checks import HostChecks
from agent.reporter import NODE, Reporter
from agent.tokens import PodTokens
from agent.worker import Worker
from common.aio import tasks
from common.errors import BadRequest

log = logging.getLogger(__name__)

Key = tuple[str, str, str]


class Holdings:
    """Plain calls that neither block nor raise, once `adopt` was given a running group."""

    def __init__(self, parts: Parts, reporter: Reporter, host: Callable[[], Host], pod_tokens: PodTokens | None = None) -> None:
        self._parts = parts
        self._pod_tokens = pod_tokens
        self._reporter = reporter
        self._group: tasks.TaskGroup | None = None
        self.workers: dict[str, Worker] = {}
        self.configs: dict[Key, dict | None] = {}
        self.images = HostImages(parts, lambda note: reporter.happened(NODE, note))
        self._tools = Tools(
            runtime=parts.runtime,
            clock=parts.clock,
            sink=self,
            host=host,
            checks=HostChecks(parts.runtime.sessions, parts.reach),
            starts=asyncio.Semaphore(parts.settings.parallel_starts),
            pulls=self.images.pulls,
            logs=parts.logs,
            volumes=parts.volumes,
            last_words=parts.last_words,
            cgroups=parts.cgroups,
            devices=Devices(parts.settings.resources, parts.runtime) if parts.settings.resources else None,
            prefer_local_images=parts.settings.prefer_local_images,
            use_host_ports=parts.network.use_host_ports,
        )

    def adopt(self, group: tasks.TaskGroup) -> None:
        """Begin: a worker for each pod of the journal."""
        self._group = group
        entries = self._parts.journal.load()
        for entry in entries:
            try:
                assignment = decode(entry.uid, entry.generation, entry.pod, live=False)
            except BadRequest as error:
                log.error("journal-entry-unusable uid=%s why=%s", entry.uid, error)
                continue
            self._start(entry.uid, assignment, finished=entry.finished)
        log.info("agent-started node=%s pods_from_journal=%d", self._parts.name, len(entries))

    def _start(self, uid: str, assignment: Assignment | None, *, finished: str = "") -> None:
        assert self._group is not None, "the agent does not run"
        worker = Worker(uid, assignment, self._tools, finished=finished)
        self._want_tokens(assignment)
        self.workers[uid] = worker
        self._group.start(tasks.supervise(f"pod {uid}", worker.run), name=f"{self._parts.name} pod {uid}")

    def end(self, uid: str) -> None:
        """Whatever runs of a pod that this host should not have."""
        worker = self.workers.get(uid)
        if worker is not None:
            worker.forget()
        else:
            self._start(uid, None)

    def assign(self, assignment: Assignment) -> None:
        """The pod as it is now, with or without a worker yet."""
        uid = assignment.uid
        worker = self.workers.get(uid)
        finished = worker.finished if worker is not None else ""
        self._parts.journal.put(Entry(uid, assignment.generation, assignment.document, finished))
        if worker is not None:
            self._want_tokens(assignment)
            worker.assign(assignment)
        else:
            log.info("assigned uid=%s pod=%s/%s", uid, assignment.pod.metadata.namespace, assignment.pod.metadata.name)
            self._start(uid, assignment)

    def forget(self, uid: str) -> None:
        """Its object is gone, or it is not this host's any more."""
        self._parts.journal.remove(uid)
        self._reporter.drop(uid)
        self.end(uid)

    def configure(self, key: Key, document: dict | None) -> None:
        """A ConfigMap or Secret as it is now; None: there is none."""
        self.configs[key] = document
        for worker in list(self.workers.values()):
            if worker.assignment is not None and key in worker.assignment.configs:
                worker.wake()

    def look(self, uid: str) -> Look | None:
        """What is known of that pod, for its logs."""
        worker = self.workers.get(uid)
        return worker.look() if worker is not None else None

    def wake(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            worker.wake()

    def wake_all(self) -> None:
        """The runtime is back, or its events were lost."""
        for worker in list(self.workers.values()):
            worker.wake(recovered=True)

    # Sink: what the workers tell. (`status` and `happened` go straight on.)

    def status(self, uid: str, generation: int, document: bytes) -> None:
        self._reporter.status(uid, generation, document)

    def finished(self, uid: str, phase: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None and worker.assignment is not None:
            self._parts.journal.put(Entry(uid, worker.assignment.generation, worker.assignment.document, phase))

    def gone(self, uid: str, *, confirmed: bool) -> None:
        worker = self.workers.pop(uid, None)
        self._parts.journal.remove(uid)
        if confirmed:
            self._reporter.gone(uid)
        else:
            self._reporter.drop(uid)
        if self._pod_tokens is not None:
            self._pod_tokens.want(uid, ())
        if worker is not None and worker.assignment is not None:
            self._drop_configs(worker.assignment.configs)

    def happened(self, uid: str, note: Note) -> None:
        self._reporter.happened(uid, note)

    def _want_tokens(self, assignment: Assignment | None) -> None:
        if assignment is None or self._pod_tokens is None:
            return
        ends = assignment.pod.metadata.deletion_timestamp is not None or assignment.pod.finished
        self._pod_tokens.want(assignment.uid, () if ends or assignment.blocked else assignment.tokens)

    def _drop_configs(self, of_gone: frozenset[Key]) -> None:
        """What the gone pod named and no other pod here does. (What nobody names yet may have come before its pod.)"""
        named = {key for worker in self.workers.values() if worker.assignment is not None for key in worker.assignment.configs}
        for key in of_gone - named:
            self.configs.pop(key, None)
