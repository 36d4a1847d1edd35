"""Docker's engine as a container runtime: a pod is a pause container, to whose network namespace the agent applies CNI.

Owns what a sandbox is made of and in which order it comes and goes. What pods look like is `docker_sight.py`'s. Everything made here
carries the cluster's id as a label and a pod's name; other containers on the engine are never observed, stopped or removed.

    create   pause container → started → CNI ADD          ready: it runs and has its network
    stop     containers killed → CNI DEL → pause container killed

Subtle: a sandbox that an agent died over is found by its name when it is asked for again, and finished.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import msgspec

from agent.network.cni_exec import CniRunner, PluginFault
from agent.runtime import cgroup_use, labels, shims
from agent.runtime import docker_spec as convert
from agent.runtime.contract import (
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    LABEL_POD_UID,
    ContainerSpec,
    ContainerStats,
    ObservedContainer,
    ObservedSandbox,
    RuntimeEvent,
    RuntimeFault,
    RuntimeInfo,
    SandboxSpec,
)  # fmt: skip
from agent.runtime.docker_call import Document
from agent.runtime.docker_engine import Engine
from agent.runtime.docker_images import PROGRESS_S, DockerImages
from agent.runtime.docker_session import DockerSessions
from agent.runtime.docker_sight import Sight
from common.clock import Clock
from common.errors import NotNow, Unavailable

log = logging.getLogger(__name__)

STOP_MARGIN_S = 30.0
RECONNECT_S = 0.5
ENDS = ("die", "oom")
DOCKER_CGROUP = "/docker"
"""Where Docker puts what it was told no parent of."""
CAP_SYS_RESOURCE = 1 << 24
STALE = "already in use"
"""Docker's word for a container that it was just starting when it died: it runs, and Docker thinks that it never did. It must not run
beside the next try."""
SANDBOX_IMAGE = "registry.k8s.io/pause:3.9"


class DockerSettings(msgspec.Struct, frozen=True):
    """endpoint: `unix:///run/docker.sock`. cluster: its id. sandbox_image: what a pod's pause container runs.
    progress_s: a pull that does not get on for so long is given up. log_bytes, log_files: of each container's log."""

    endpoint: str
    cluster: str
    sandbox_image: str = SANDBOX_IMAGE
    progress_s: float = PROGRESS_S
    log_bytes: int = 10 << 20
    log_files: int = 5


class DockerRuntime:
    def __init__(self, settings: DockerSettings, *, network: CniRunner, clock: Clock) -> None:
        """Needs a running event loop."""
        self._settings = settings
        self._ours = f"{LABEL_CLUSTER}={settings.cluster}"
        self._engine = Engine(settings.endpoint)
        self.sessions = DockerSessions(self._engine, settings.endpoint, settings.cluster)
        self._network = network
        self._clock = clock
        self._sight = Sight(self._engine, network)
        self.images = DockerImages(
            self._engine.client, changed=self._sight.image_changed, progress_s=settings.progress_s, sandbox_image=settings.sandbox_image
        )
        self._ids: set[str] = set()
        """Of our containers, as far as they were made or listed here; so that most calls need not ask whose one is."""
        self._whole: set[str] = set()
        """Containers that were started while this agent and Docker both lived: their shims are known to it."""
        self._cgroup_driver = ""
        self._limits = convert.HostLimits(least_oom_score_adj(), settings.log_bytes, settings.log_files)

    async def close(self) -> None:
        await self._engine.close()

    async def info(self) -> RuntimeInfo:
        version = await self._engine.version()
        if not self._cgroup_driver:
            self._cgroup_driver = str((await self._engine.info()).get("CgroupDriver", ""))
        words = []
        if self._cgroup_driver == "systemd":
            fix = 'set "exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json'
            words.append(
                f"container runtime not ready: RuntimeReady=false reason:CgroupDriver "
                f"message:the driver is systemd: {fix}"
            )
        if trouble := self._network.trouble():
            words.append(f"container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:{trouble}")
        return RuntimeInfo("docker", str(version.get("Version", "")), not words, "; ".join(words))

    # What runs.

    async def observe(self, uid: str = "") -> list[ObservedSandbox]:
        listed = await self._listed(*([f"{LABEL_POD_UID}={uid}"] if uid else []))
        containers: dict[str, list[ObservedContainer]] = {}
        sandboxes = []
        for item in listed:
            told = item["Labels"]
            if told.get(convert.LABEL_TYPE) == convert.SANDBOX:
                sandboxes.append(item)
                continue
            seen = await self._sight.container(item)
            if seen is not None:
                containers.setdefault(told.get(convert.LABEL_SANDBOX, ""), []).append(seen)
        found = []
        for item in sandboxes:
            mine = sorted(containers.get(item["Id"], []), key=lambda c: (c.name, c.attempt))
            sandbox = await self._sight.sandbox(item, mine)
            if sandbox is not None:
                found.append(sandbox)
        if not uid:
            self._ids = {item["Id"] for item in listed}
            self._whole &= self._ids
            self._sight.keep(self._ids)
        return sorted(found, key=lambda s: (s.uid, s.attempt))

    async def stats(self, layers: Collection[str] = ()) -> list[ContainerStats]:
        """From their cgroups: Docker's own answer would be a request for each container."""
        listed = await self._listed()
        parents = {item["Id"]: convert.sandbox_spec(item["Labels"]).cgroup_parent or DOCKER_CGROUP for item in listed}
        found = []
        for item in listed:
            told, identity = item["Labels"], item["Id"]
            if told.get(convert.LABEL_TYPE) == convert.SANDBOX or item["State"] != "running":
                continue
            used = cgroup_use.used(f"{parents.get(told.get(convert.LABEL_SANDBOX, ''), DOCKER_CGROUP)}/{identity}")
            if used is not None:
                times = (self._sight.started_at(identity), self._clock.now())
                written = await self._engine.written(identity) if identity in layers else None
                found.append(ContainerStats(identity, told.get(LABEL_POD_UID, ""), told.get(LABEL_CONTAINER, ""), *used, *times, written))
        return found

    async def _listed(self, *labels: str) -> list[Document]:
        """Of our containers, those that carry these labels too (`KEY=VALUE`)."""
        found = await self._engine.containers(self._ours, *labels)
        ours = [each for each in found if any(convert.made_here(name, each["Labels"], self._settings.cluster) for name in each["Names"])]
        self._ids.update(each["Id"] for each in ours)
        return ours

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        away = False
        while True:
            try:
                await self._engine.version()
                away = False
                stream = self._engine.events(self._ours, since=self._clock.now())
                try:
                    self._sight.may_have_ended(self._ids)
                    yield RuntimeEvent("")
                    async for event in stream:
                        if event.get("Action") not in ENDS:
                            continue
                        actor = event.get("Actor") or {}
                        self._sight.ended(str(actor.get("ID", "")))
                        yield RuntimeEvent(str((actor.get("Attributes") or {}).get(LABEL_POD_UID, "")))
                finally:
                    self._whole.clear()
                    await stream.close()
            except (NotNow, RuntimeFault) as error:
                if not away:
                    away = True
                    log.warning("runtime-events-broke-off why=%s", error)
                    yield RuntimeEvent("")
            await asyncio.sleep(RECONNECT_S)

    # Sandboxes.

    async def create_sandbox(self, spec: SandboxSpec) -> str:
        Path(spec.log_directory).mkdir(mode=0o755, parents=True, exist_ok=True)
        kind = "CreatePodSandboxError"
        image = await self.images.find(self._settings.sandbox_image) or await self.images.pull(self._settings.sandbox_image)
        name = convert.name("POD", spec, spec.attempt)
        config = convert.sandbox_config(spec, cluster=self._settings.cluster, image=image.id)
        identity = await self._engine.create(name, config, kind=kind)
        if identity is None:
            document = await self._own(name, kind)
            identity = document["Id"]
            if document["State"]["Status"] not in (*convert.RUNS, "created"):
                return identity
        try:
            await self._engine.start(identity, kind=kind)
            self._whole.add(identity)
            await self._connect(identity, spec)
        except (RuntimeFault, PluginFault) as fault:
            await self.remove_sandbox(identity)
            raise RuntimeFault(fault.message, kind=kind) from None
        return identity

    async def _connect(self, identity: str, spec: SandboxSpec) -> None:
        if spec.host_network:
            return
        netns = await _netns(self._engine, identity)
        if not netns:
            raise RuntimeFault("the pause container ended at once", kind="CreatePodSandboxError")
        args = {"K8S_POD_NAMESPACE": spec.namespace, "K8S_POD_NAME": spec.name, "K8S_POD_INFRA_CONTAINER_ID": identity}
        await self._network.add(identity, netns, args)

    async def _own(self, name: str, kind: str) -> Document:
        """What has this name, if it is ours. Raises Unavailable when it has just gone, RuntimeFault when it is somebody else's."""
        document = await self._engine.inspect(name)
        if document is None:
            raise Unavailable(f"an earlier container called {name} is just being removed")
        if not self._is_ours(document):
            raise RuntimeFault(f"the name {name} is in use by a container that is not this cluster's", kind=kind)
        return document

    async def stop_sandbox(self, sandbox_id: str) -> None:
        document = await self._engine.inspect(sandbox_id)
        if document is None or not self._is_ours(document):
            return
        for item in await self._listed(f"{convert.LABEL_SANDBOX}={sandbox_id}"):
            if item["State"] in convert.RUNS:
                await self._engine.kill(item["Id"])
                self._sight.ended(item["Id"])
        if not convert.sandbox_spec(document["Config"]["Labels"]).host_network:
            try:
                await self._network.delete(sandbox_id, await _netns(self._engine, sandbox_id))
            except PluginFault as fault:
                raise RuntimeFault(fault.message) from None
        await self._engine.kill(sandbox_id)
        self._sight.ended(sandbox_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        document = await self._engine.inspect(sandbox_id)
        if document is None or not self._is_ours(document):
            return
        await self.stop_sandbox(sandbox_id)
        for item in await self._listed(f"{convert.LABEL_SANDBOX}={sandbox_id}"):
            await self.remove_container(item["Id"])
        await self.remove_container(sandbox_id)
        spec = convert.sandbox_spec(document["Config"]["Labels"])
        if spec.cgroup_parent and not await self._listed(f"{LABEL_POD_UID}={spec.uid}"):
            labels.remove_cgroup(spec.cgroup_parent)

    def _is_ours(self, document: Document) -> bool:
        ours = convert.made_here(document["Name"], document["Config"]["Labels"], self._settings.cluster)
        if ours:
            self._ids.add(document["Id"])
        return ours

    async def _knows(self, identity: str) -> bool:
        """Is it there, and ours?"""
        if identity in self._ids:
            return True
        document = await self._engine.inspect(identity)
        return document is not None and self._is_ours(document)

    # Containers.

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str:
        kind = "CreateContainerError"
        document = await self._engine.inspect(sandbox_id)
        if document is None or not self._is_ours(document):
            raise RuntimeFault(f"sandbox {sandbox_id} not found", kind=kind)
        sandbox = convert.sandbox_spec(document["Config"]["Labels"])
        try:
            config = convert.container_config(
                spec, sandbox, cluster=self._settings.cluster, sandbox_id=sandbox_id, host=self._limits
            )
        except ValueError as error:
            raise RuntimeFault(str(error), kind=kind) from None
        name = convert.name(spec.name, sandbox, spec.attempt, parent=str(sandbox.attempt))
        identity = await self._engine.create(name, config, kind=kind)
        if identity is None:
            return (await self._own(name, kind))["Id"]
        self._ids.add(identity)
        return identity

    async def start_container(self, container_id: str) -> None:
        if not await self._knows(container_id):
            raise RuntimeFault(f"container {container_id} not found", kind="RunContainerError")
        try:
            await self._engine.start(container_id, kind="RunContainerError")
        except RuntimeFault as fault:
            if STALE in fault.message:
                await shims.end(container_id)
            raise
        self._whole.add(container_id)
        await self._sight.look_at(container_id)  # its log can be found from now on

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        if not await self._knows(container_id):
            return
        await self._engine.stop(container_id, grace_s=math.ceil(max(0.0, grace_s)), margin_s=STOP_MARGIN_S)
        self._sight.ended(container_id)

    async def remove_container(self, container_id: str) -> None:
        if not await self._knows(container_id):
            return
        if container_id not in self._whole:
            await self._engine.kill(container_id)
            await shims.end(container_id)  # now, while an agent that took over would still see the container
        await self._engine.remove(container_id)
        self._ids.discard(container_id)
        self._whole.discard(container_id)
        self._sight.removed(container_id)


async def _netns(engine: Engine, identity: str) -> str:
    """"": it does not run."""
    document = await engine.inspect(identity)
    pid = document["State"].get("Pid", 0) if document is not None else 0
    return f"/proc/{pid}/ns/net" if pid else ""


def least_oom_score_adj() -> int:
    """Without CAP_SYS_RESOURCE the kernel refuses to go below one's own, and runc would not start the container."""
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "CapEff" and int(value, 16) & CAP_SYS_RESOURCE:
            return -1000
    return int(Path("/proc/self/oom_score_adj").read_text())
