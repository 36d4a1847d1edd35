"""containerd through the CRI (v1, gRPC): pod sandboxes with CNI networks, containers with cgroups of either version.

Owns the connection, its errors and time limits, and what is remembered of immutable facts (addresses, ends of containers), so that
looking at a pod costs two calls. Everything made here carries the cluster's id as a label, and nothing else is listed or touched.

Subtle: containerd tells of a task's end a moment before its own CRI shows it; `observe` waits for the CRI to catch up.
Subtle: a pod's cgroup is made by runc with the first container in it and removed by nobody; `remove_sandbox` does it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import msgspec

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # the agent forks only to exec

import grpc
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc as stubs

from agent.runtime import containerd_events as native
from agent.runtime import containerd_tasks
from agent.runtime import cri as convert
from agent.runtime import labels, shims
from agent.runtime.containerd_call import MISSING, SHORT_S, call
from agent.runtime.containerd_images import ContainerdImages
from agent.runtime.containerd_session import ContainerdSessions
from agent.runtime.contract import (
    LABEL_CLUSTER,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
    ContainerSpec,
    ContainerStats,
    ObservedContainer,
    ObservedSandbox,
    RuntimeEvent,
    RuntimeFault,
    RuntimeInfo,
    SandboxSpec,
    State,
)  # fmt: skip
from common.errors import NotNow, Timeout, Unavailable

log = logging.getLogger(__name__)

OPERATION_S = 120.0
PROGRESS_S = 300.0
STOP_MARGIN_S = 30.0
CATCH_UP_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
SUBSCRIBED_S = 0.1
RECONNECT_S = 0.5
MESSAGE_MOST_BYTES = 16 << 20
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_MOST_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class _Known(msgspec.Struct):
    """What is remembered of one sandbox, until it is removed. spec: enough of it to make containers."""

    spec: SandboxSpec
    ip: str = ""
    running: dict[str, ObservedContainer] = {}
    ended: dict[str, ObservedContainer] = {}


class ContainerdRuntime:
    def __init__(self, endpoint: str, *, cluster: str, cgroup_root: str = "", progress_s: float = PROGRESS_S) -> None:
        """endpoint: `unix:///run/containerd/containerd.sock`. progress_s: a pull that does not get on for so long is given up.
        Needs a running event loop."""
        self._cluster = cluster
        self._cgroup_root = cgroup_root
        self._channel = grpc.aio.insecure_channel(endpoint, options=OPTIONS)
        self._runtime = stubs.RuntimeServiceStub(self._channel)
        self.sessions = ContainerdSessions(self._runtime, self._is_ours)
        self.images = ContainerdImages(self._channel, endpoint, cluster=cluster, progress_s=progress_s)
        self._subscribe = self._channel.unary_stream(native.SUBSCRIBE)
        self._tasks = containerd_tasks.Tasks(self._channel)
        self._known: dict[str, _Known] = {}
        self._owners: dict[str, str] = {}
        """Container and sandbox ids to pod uids, for events."""
        self._exited: set[str] = set()
        """Ids that an event said have ended, until the CRI says so too."""
        self._whole: set[str] = set()
        """Sandboxes that were made while this agent and containerd both lived: their shims are known to containerd."""

    async def close(self) -> None:
        await self._channel.close()

    async def info(self) -> RuntimeInfo:
        version = await call(self._runtime.Version, cri.VersionRequest())
        status = await call(self._runtime.Status, cri.StatusRequest())
        return convert.info(version, status)

    # What runs.

    async def observe(self, uid: str = "") -> list[ObservedSandbox]:
        selector = {LABEL_CLUSTER: self._cluster, **({LABEL_POD_UID: uid} if uid else {})}
        for wait_s in (*CATCH_UP_S, None):
            sandboxes, containers = await _list(self._runtime, selector)
            late = [item.id for item in (*sandboxes, *containers) if item.id in self._exited and _alive(item)]
            if not late or wait_s is None:
                break
            await asyncio.sleep(wait_s)
        self._exited.difference_update(item.id for item in (*sandboxes, *containers))
        by_sandbox: dict[str, list[cri.Container]] = {}
        for container in sorted(containers, key=lambda c: (c.metadata.name, c.metadata.attempt)):
            by_sandbox.setdefault(container.pod_sandbox_id, []).append(container)
        found = []
        for sandbox in sorted(sandboxes, key=lambda s: (s.metadata.uid, s.metadata.attempt)):
            found.append(await self._seen(sandbox, by_sandbox.get(sandbox.id, [])))
        return found

    async def _seen(self, sandbox: cri.PodSandbox, containers: list[cri.Container]) -> ObservedSandbox:
        known = self._remember(sandbox)
        ready = sandbox.state == cri.SANDBOX_READY
        if ready and not known.ip and not known.spec.host_network:
            request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox.id)
            status = await call(self._runtime.PodSandboxStatus, request, missing_ok=True)
            known.ip = status.status.network.ip if status is not None else ""
        uid = sandbox.metadata.uid
        seen = []
        for container in containers:
            self._owners[container.id] = uid
            observed = await self._seen_container(known, container)
            if observed is not None:
                seen.append(observed)
        return ObservedSandbox(
            id=sandbox.id,
            uid=uid,
            namespace=sandbox.metadata.namespace,
            name=sandbox.metadata.name,
            attempt=sandbox.metadata.attempt,
            ready=ready,
            ip=known.ip if ready else "",
            created_at=convert.seconds(sandbox.created_at),
            containers=tuple(seen),
        )

    def _remember(self, sandbox: cri.PodSandbox) -> _Known:
        known = self._known.get(sandbox.id)
        if known is None:
            told, notes = sandbox.labels, sandbox.annotations
            spec = labels.recall(
                notes,
                namespace=told.get(LABEL_POD_NAMESPACE, sandbox.metadata.namespace),
                name=told.get(LABEL_POD_NAME, sandbox.metadata.name),
                uid=sandbox.metadata.uid,
                attempt=sandbox.metadata.attempt,
            )
            known = self._known[sandbox.id] = _Known(spec)
            self._owners[sandbox.id] = sandbox.metadata.uid
        return known

    async def _seen_container(self, known: _Known, container: cri.Container) -> ObservedContainer | None:
        """None: it was removed meanwhile."""
        state = convert.STATES.get(container.state, State.EXITED)
        remembered = known.ended if state is State.EXITED else known.running
        if state is not State.CREATED and container.id in remembered:
            return remembered[container.id]
        request = cri.ContainerStatusRequest(container_id=container.id)
        response = await call(self._runtime.ContainerStatus, request, missing_ok=True)
        if response is None:
            return None
        observed = convert.ended(response.status)
        if observed.state is State.EXITED:
            known.running.pop(container.id, None)
            known.ended[container.id] = observed
        elif observed.state is State.RUNNING:
            known.running[container.id] = observed
        return observed

    async def stats(self, layers: Collection[str] = ()) -> list[ContainerStats]:
        selector = cri.ContainerStatsFilter(label_selector={LABEL_CLUSTER: self._cluster})
        answer = await call(self._runtime.ListContainerStats, cri.ListContainerStatsRequest(filter=selector))
        started = {identity: seen.started_at for known in self._known.values() for identity, seen in known.running.items()}
        return [found for item in answer.stats if (found := convert.stats(item, started.get(item.attributes.id))) is not None]

    async def _is_ours(self, identity: str) -> bool:
        """A sandbox or a container of this cluster. What was not seen before is looked for."""
        if identity not in self._owners:
            await self.observe()
        return identity in self._owners

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        away = False
        while True:
            try:
                await call(self._runtime.Version, cri.VersionRequest())
                stream = self._subscribe(native.subscribe_request())
                try:
                    await asyncio.sleep(SUBSCRIBED_S)  # what happens from here on reaches us; what was before is observed
                    away = False
                    yield RuntimeEvent("")
                    async for data in stream:
                        uid = self._uid_of(data)
                        if uid:
                            yield RuntimeEvent(uid)
                finally:
                    self._whole.clear()
                    stream.cancel()
            except (grpc.aio.AioRpcError, NotNow) as error:
                if not away:
                    away = True
                    log.warning("runtime-events-broke-off why=%s", _words(error))
                    yield RuntimeEvent("")
            await asyncio.sleep(RECONNECT_S)

    def _uid_of(self, data: bytes) -> str:
        try:
            event = native.envelope(data)
        except ValueError as error:
            log.warning("runtime-event-unreadable why=%s", error)
            return ""
        if event is None or not event.container_id:
            return ""
        uid = self._owners.get(event.container_id, "")
        if uid and event.topic == "/tasks/exit":
            self._exited.add(event.container_id)
        return uid

    # Sandboxes.

    async def create_sandbox(self, spec: SandboxSpec) -> str:
        spec = msgspec.structs.replace(spec, annotations={**spec.annotations, **labels.notes(spec)})
        Path(spec.log_directory).mkdir(mode=0o755, parents=True, exist_ok=True)
        request = cri.RunPodSandboxRequest(config=convert.sandbox_config(spec, self._cluster), runtime_handler=spec.handler)
        try:
            response = await call(
                self._runtime.RunPodSandbox, request, timeout_s=OPERATION_S, kind="CreatePodSandboxError"
            )
        except RuntimeFault as fault:
            if "is reserved for" not in fault.message:
                raise
            for sandbox in await self.observe(spec.uid):
                if sandbox.attempt == spec.attempt:
                    return sandbox.id
            raise Unavailable(f"an earlier attempt is still at work: {fault.message}") from None
        self._known[response.pod_sandbox_id] = _Known(spec)
        self._owners[response.pod_sandbox_id] = spec.uid
        self._whole.add(response.pod_sandbox_id)
        return response.pod_sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        if not await self._is_ours(sandbox_id):
            return
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        await call(self._runtime.StopPodSandbox, request, timeout_s=OPERATION_S, missing_ok=True)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        if not await self._is_ours(sandbox_id):
            return
        await self.stop_sandbox(sandbox_id)
        if sandbox_id not in self._whole:  # now, while an agent that took over would still see the sandbox
            await shims.end(sandbox_id)
        await _remove(self._runtime.RemovePodSandbox, cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id), self._tasks)
        self._whole.discard(sandbox_id)
        known = self._known.pop(sandbox_id, None)
        if known is None:
            return
        for gone in (sandbox_id, *known.running, *known.ended):
            self._owners.pop(gone, None)
            self._exited.discard(gone)
        if known.spec.cgroup_parent and not any(k.spec.uid == known.spec.uid for k in self._known.values()):
            labels.remove_cgroup(known.spec.cgroup_parent)

    # Containers.

    async def create_container(self, sandbox_id: str, spec: ContainerSpec) -> str:
        known = self._known.get(sandbox_id)
        if known is None:
            await self.observe()
            known = self._known.get(sandbox_id)
        if known is None:
            raise RuntimeFault(f"sandbox {sandbox_id} not found", kind="CreateContainerError")
        Path(known.spec.log_directory, spec.log_path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        request = cri.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=convert.container_config(spec, known.spec, self._cluster),
            sandbox_config=convert.sandbox_config(known.spec, self._cluster),
        )
        try:
            response = await call(
                self._runtime.CreateContainer, request, timeout_s=OPERATION_S, kind="CreateContainerError"
            )
        except RuntimeFault as fault:
            if "is reserved for" not in fault.message:
                raise
            return _existing(await self.observe(known.spec.uid), sandbox_id, spec, fault=fault)
        self._owners[response.container_id] = known.spec.uid
        return response.container_id

    async def start_container(self, container_id: str) -> None:
        if not await self._is_ours(container_id):
            raise RuntimeFault(f"container {container_id} not found", kind="RunContainerError")
        request = cri.StartContainerRequest(container_id=container_id)
        try:
            await call(self._runtime.StartContainer, request, timeout_s=OPERATION_S, kind="RunContainerError")
        except RuntimeFault as fault:
            if "CONTAINER_RUNNING" not in fault.message and "CONTAINER_EXITED" not in fault.message:
                raise

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        if not await self._is_ours(container_id):
            return
        whole_s = math.ceil(max(0.0, grace_s))
        request = cri.StopContainerRequest(container_id=container_id, timeout=whole_s)
        await call(self._runtime.StopContainer, request, timeout_s=whole_s + STOP_MARGIN_S, missing_ok=True)

    async def remove_container(self, container_id: str) -> None:
        if not await self._is_ours(container_id):
            return
        await _remove(self._runtime.RemoveContainer, cri.RemoveContainerRequest(container_id=container_id), self._tasks)
        self._owners.pop(container_id, None)
        self._exited.discard(container_id)
        for known in self._known.values():
            known.running.pop(container_id, None)
            known.ended.pop(container_id, None)


def _existing(sandboxes: list[ObservedSandbox], sandbox_id: str, spec: ContainerSpec, *, fault: RuntimeFault) -> str:
    for sandbox in sandboxes:
        for container in sandbox.containers:
            if (sandbox.id, container.name, container.attempt) == (sandbox_id, spec.name, spec.attempt):
                return container.id
    raise Unavailable(f"an earlier attempt is still at work: {fault.message}")


async def _list(runtime: stubs.RuntimeServiceStub, selector: dict[str, str]) -> tuple[list[cri.PodSandbox], list[cri.Container]]:
    sandboxes = await call(
        runtime.ListPodSandbox, cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(label_selector=selector))
    )
    if not sandboxes.items:
        return [], []
    containers = await call(
        runtime.ListContainers, cri.ListContainersRequest(filter=cri.ContainerFilter(label_selector=selector))
    )
    return list(sandboxes.items), list(containers.containers)


async def _remove(method: Any, request: Any, tasks: containerd_tasks.Tasks) -> None:
    """With the task that CRI itself cannot remove, if there is one."""
    try:
        await call(method, request, timeout_s=OPERATION_S, missing_ok=True)
    except RuntimeFault as fault:
        task = containerd_tasks.stuck(fault.message)
        if not task:
            raise
        await tasks.end(task)
        await call(method, request, timeout_s=OPERATION_S, missing_ok=True)


def _alive(item: cri.PodSandbox | cri.Container) -> bool:
    if isinstance(item, cri.PodSandbox):
        return item.state == cri.SANDBOX_READY
    return item.state in (cri.CONTAINER_RUNNING, cri.CONTAINER_CREATED)


def _words(error: Exception) -> str:
    return error.details() or "" if isinstance(error, grpc.aio.AioRpcError) else str(error)
