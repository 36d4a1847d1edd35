"""How our sandboxes and containers on a Docker engine look now: from its listing, and from an inspection where that may differ.

Owns what is remembered of immutable facts (running and ended containers, images' names), so that looking at pods costs one call, and the
symbolic links that stand for Docker's own log files where the agent looks for logs. Changes nothing else; what is ours, is told it.

Subtle: Docker tells of an end before its listing shows it, but an inspection waits for it: what an event has told is inspected.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.network.cni_exec import CniRunner
from agent.runtime import docker_spec as convert
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from agent.runtime.docker_call import Document
from agent.runtime.docker_engine import Engine


class Sight:
    def __init__(self, engine: Engine, network: CniRunner) -> None:
        self._engine = engine
        self._network = network
        self._known: dict[str, ObservedContainer] = {}
        """Containers that run or have ended, by id, as they were inspected."""
        self._images: dict[str, tuple[str, str]] = {}
        """Image ids to their names and digests."""
        self._told: set[str] = set()
        """Ids that an event said have ended, until they were inspected."""

    def ended(self, identity: str) -> None:
        """An event, or a call of ours, said so."""
        self._told.add(identity)

    def may_have_ended(self, identities: set[str]) -> None:
        """Nobody told for a while: these, and those seen running, are inspected once. The listing may be behind the missed events."""
        self._told |= identities | {identity for identity, seen in self._known.items() if seen.state is State.RUNNING}

    def started_at(self, identity: str) -> float | None:
        """Of a container that was seen running."""
        known = self._known.get(identity)
        return known.started_at if known is not None else None

    def removed(self, identity: str) -> None:
        self._known.pop(identity, None)
        self._told.discard(identity)

    def image_changed(self, identity: str) -> None:
        self._images.pop(identity, None)

    async def sandbox(self, item: Document, containers: list[ObservedContainer]) -> ObservedSandbox | None:
        identity, state = item["Id"], item["State"]
        if identity in self._told:
            document = await self._inspect(identity)
            if document is None:
                return None
            state = document["State"]["Status"]
        spec = convert.sandbox_spec(item["Labels"])
        runs = state in convert.RUNS
        ip = "" if spec.host_network or not runs else self._network.address(identity)
        return ObservedSandbox(
            id=identity, uid=spec.uid, namespace=spec.namespace, name=spec.name, attempt=spec.attempt,
            ready=runs and (spec.host_network or bool(ip)), ip=ip, created_at=float(item["Created"]), containers=tuple(containers),
        )  # fmt: skip

    async def container(self, item: Document) -> ObservedContainer | None:
        """None: it was removed meanwhile."""
        identity = item["Id"]
        known = self._known.get(identity)
        if known is not None and identity not in self._told and (item["State"] in convert.RUNS) == (known.state is State.RUNNING):
            return known
        return await self.look_at(identity)

    async def look_at(self, identity: str) -> ObservedContainer | None:
        document = await self._inspect(identity)
        if document is None:
            return None
        image, image_id = await self._image_names(document["Image"])
        seen = convert.observed(document, image=image, image_id=image_id)
        if seen.state is not State.CREATED:
            self._known[identity] = seen
            link_log(document)
        return seen

    async def _inspect(self, identity: str) -> Document | None:
        # Subtle: forgotten before the question, since an end that is told while it is under way is not in the answer.
        told = identity in self._told
        self._told.discard(identity)
        try:
            return await self._engine.inspect(identity)
        except BaseException:
            if told:
                self._told.add(identity)
            raise

    async def _image_names(self, identity: str) -> tuple[str, str]:
        if identity not in self._images:
            document = await self._engine.image(identity)
            if document is None:
                return identity, identity
            tags, digests = document.get("RepoTags") or [], document.get("RepoDigests") or []
            self._images[identity] = ([*tags, *digests, identity][0], [*digests, identity][0])
        return self._images[identity]

    def keep(self, there: set[str]) -> None:
        """Forget all others."""
        for gone in [identity for identity in self._known if identity not in there]:
            del self._known[gone]
        self._told &= there


def link_log(document: Document) -> None:
    """Idempotent. The agent reads `POD/CONTAINER/ATTEMPT.log`; Docker's own file is where it says it is."""
    wanted, real = (document["Config"]["Labels"] or {}).get(convert.LABEL_LOG_PATH, ""), document.get("LogPath", "")
    if not wanted or not real:
        return
    path = Path(wanted)
    if path.is_symlink() and os.readlink(path) == real:
        return
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(real)
    os.replace(fresh, path)
