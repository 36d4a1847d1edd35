"""Other people's containers on the engine that the agent uses: they run on, and what has ended stays as it is, whatever the agent does.

Each runtime has its own strangers. On Docker: plain ones, some with names as pods' containers have, some with labels of a kubelet or of
another cluster, one made of an image of a pod's own container (which has all its labels), stopped and never started ones, networks and
volumes. On containerd: containers in another namespace, others in the namespace of the CRI that the CRI does not know, and pods of another
cluster's agent, which name the same pods as ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from agent.runtime.containerd import ContainerdRuntime
from agent.runtime.contract import ContainerSpec, SandboxSpec
from lab import containerd, runtimes
from tests.e2e import residue
from tests.e2e.cluster import Cluster
from tests.e2e.test_faults import healthy
from tests.e2e.test_workloads import BUSYBOX, pod

HOST = "host-2"
OURS = ("steady", "crash", "leaves", "orphan")
PULSE = "while true; do date +%s; sleep 1; done"


class Strangers(Protocol):
    def arrive(self, uids: dict[str, str]) -> None:
        """Make them; uids: of our pods by name, which some of them claim to be."""

    def look(self) -> Any:
        """All that can be seen of them."""

    def leave(self) -> None:
        """Idempotent."""


class OnHost:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def run(self, *argv: str, check: bool = True) -> str:
        found = self.cluster.lab.run(HOST, list(argv), timeout_s=60)
        assert found.returncode == 0 or not check, f"{' '.join(argv)}: {found.stderr}{found.stdout}"
        return found.stdout.strip()


class OnDocker(OnHost):
    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._names: list[str] = []

    def _start(self, name: str, *options: str, image: str = BUSYBOX, command: str = PULSE) -> None:
        self._names.append(name)
        self.run("docker", "run", "--detach", "--name", name, *options, image, "sh", "-c", command)

    def arrive(self, uids: dict[str, str]) -> None:
        kubelet = [f"--label=io.kubernetes.{key}" for key in ("docker.type=container", "container.name=main", f"pod.uid={uids['leaves']}")]
        self.run("docker", "network", "create", "--subnet", "10.199.1.0/24", "theirs")
        self.run("docker", "volume", "create", "theirs")
        self._start("web", "--network=theirs", "--volume=theirs:/data", "--restart=always")
        self._start("steersman", "--network=none", "--tmpfs=/scratch")
        self._start(f"k8s_main_leaves_default_{uids['leaves']}_0_9", "--network=none", *kubelet)
        self._start("k8s_POD_leaves_default_other_0", "--network=none", "--label=steersman.io/cluster=another", *kubelet)
        self._start("done", "--network=none", "--label=steersman.io/cluster", command="exit 3")
        self._names.append("created")
        self.run("docker", "create", "--name", "created", "--network=none", "--volume=/anonymous", BUSYBOX, "true")
        ours = self.run("docker", "ps", "--quiet", f"--filter=label=io.kubernetes.pod.uid={uids['leaves']}", "--filter=name=k8s_main_leaves_")
        mine = next(each for each in ours.split() if "steersman.io/attempt" in self.run("docker", "inspect", each))
        self.run("docker", "commit", mine, "copied:1")
        self._start("copy", "--network=none", image="copied:1")
        self.cluster.until(lambda: self.run("docker", "inspect", "--format={{.State.Status}}", "done") == "exited", "a container to end")

    def look(self) -> Any:
        networks = self.run("docker", "network", "inspect", "theirs")
        others = [self.run("docker", what, "ls", "--quiet") for what in ("volume", "image", "network")]
        return json.loads(self.run("docker", "inspect", *self._names)), json.loads(networks), *(sorted(each.split()) for each in others)

    def leave(self) -> None:
        self.run("docker", "rm", "--force", "--volumes", *self._names, check=False)
        for what, name in (("network", "theirs"), ("volume", "theirs"), ("image", "copied:1")):
            self.run("docker", what, "rm", name, check=False)


class OnContainerd(OnHost):
    """folder: for the log files of the other cluster's pods."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__(cluster)
        self._folder = folder

    def _with(self, act: Callable[[ContainerdRuntime], Awaitable[Any]]) -> Any:
        """Act as another cluster's agent on the same host."""
        daemon = residue.pids(self.cluster, HOST)["containerd"]

        async def main() -> Any:
            runtime = ContainerdRuntime(f"unix:///proc/{daemon}/root{containerd.SOCKET}", cluster="another", cgroup_root="/another")
            try:
                return await act(runtime)
            finally:
                await runtime.close()

        return asyncio.run(main())

    async def _pods(self, runtime: ContainerdRuntime, uid: str) -> None:
        image = await runtime.images.find(BUSYBOX)
        assert image is not None
        for attempt, command in ((7, PULSE), (8, "exit 3")):
            sandbox = await runtime.create_sandbox(SandboxSpec(
                namespace="default", name="leaves", uid=uid, attempt=attempt, hostname="leaves", host_network=True,
                log_directory=f"{self._folder}/leaves-{attempt}", cgroup_parent="/another/pod",
            ))  # fmt: skip
            container = ContainerSpec(name="main", attempt=attempt, image=image.id, command=("sh", "-c", command), log_path=f"main/{attempt}.log")
            await runtime.start_container(await runtime.create_container(sandbox, container))

    def arrive(self, uids: dict[str, str]) -> None:
        self._with(lambda runtime: self._pods(runtime, uids["leaves"]))
        self.run("sh", "-c", "ctr -n k8s.io images export - docker.io/library/busybox:1.36 | ctr -n theirs images import -")
        for namespace in ("theirs", "k8s.io"):
            options = ["--detach", "--null-io", "--label", "steersman.io/cluster=another"]
            self.run("ctr", "-n", namespace, "run", *options, "docker.io/library/busybox:1.36", "stranger", "sh", "-c", PULSE)
            self.run("ctr", "-n", namespace, "containers", "create", "docker.io/library/busybox:1.36", "idle", "true")

    def look(self) -> Any:
        told = []
        for namespace in ("theirs", "k8s.io"):
            told += [json.loads(self.run("ctr", "-n", namespace, "containers", "info", name)) for name in ("stranger", "idle")]
            told += [line for line in self.run("ctr", "-n", namespace, "tasks", "ls").splitlines() if line.startswith("stranger ")]
        return told, self.run("ctr", "-n", "theirs", "images", "ls", "--quiet"), self._with(lambda runtime: runtime.observe())

    def leave(self) -> None:
        for namespace in ("theirs", "k8s.io"):
            self.run("ctr", "-n", namespace, "tasks", "kill", "--signal", "KILL", "stranger", check=False)
            self.cluster.until(lambda namespace=namespace: "RUNNING" not in "".join(self._task(namespace)), "a stranger to end")
            self.run("ctr", "-n", namespace, "tasks", "rm", "stranger", check=False)
            self.run("ctr", "-n", namespace, "containers", "rm", "stranger", "idle", check=False)
        self.run("ctr", "-n", "theirs", "images", "rm", "docker.io/library/busybox:1.36", check=False)
        self.run("ctr", "namespaces", "rm", "theirs", check=False)
        self._with(_remove_all)

    def _task(self, namespace: str) -> list[str]:
        return [line for line in self.run("ctr", "-n", namespace, "tasks", "ls").splitlines() if line.startswith("stranger ")]


async def _remove_all(runtime: ContainerdRuntime) -> None:
    for sandbox in await runtime.observe():
        await runtime.remove_sandbox(sandbox.id)


@pytest.fixture
def strangers(cluster: Cluster, tmp_path: Path) -> Iterator[Strangers]:
    of = {"docker": lambda: OnDocker(cluster), "containerd": lambda: OnContainerd(cluster, tmp_path)}
    made = of[runtimes.of(cluster.runtime, HOST)]()
    try:
        yield made
    finally:
        made.leave()


@pytest.mark.real
@pytest.mark.also("docker")
def test_what_other_people_run_on_the_same_engine_is_left_alone(cluster: Cluster, strangers: Strangers) -> None:
    cluster.apply(*(pod(name, "exit 1" if name == "crash" else PULSE, nodeName=HOST) for name in OURS))
    cluster.kubectl("wait", "--for=condition=Ready", *(f"pod/{name}" for name in OURS if name != "crash"), "--timeout=40s")
    uids = {item["metadata"]["name"]: item["metadata"]["uid"] for item in cluster.json("get", "pods")["items"]}
    strangers.arrive(uids)
    before = strangers.look()
    # A pod is deleted that others claim to be, another one's ended containers are cleared away, one comes to its end without the agent.
    cluster.kubectl("delete", "pod", "leaves", "--timeout=30s")
    cluster.until(lambda: restarts(cluster, "crash") >= 2, "a container to be replaced")
    cluster.lab.stop(HOST, "kagent")
    cluster.kubectl("delete", "pod", "orphan", "--force", "--grace-period=0")
    cluster.lab.start(HOST, "kagent")
    healthy(cluster)
    cluster.apply(pod("later", PULSE, nodeName=HOST))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/later", "--timeout=30s")
    service = runtimes.service(cluster.runtime, HOST)
    cluster.until(lambda: not running(cluster, service, uids["orphan"]), "the orphan to be ended")
    cluster.kubectl("delete", "pod", "--all", "--timeout=30s")
    assert strangers.look() == before


def restarts(cluster: Cluster, name: str) -> int:
    return sum(each["restartCount"] for each in cluster.json("get", "pod", name)["status"].get("containerStatuses", []))


def running(cluster: Cluster, service: str, uid: str) -> bool:
    """Does the runtime have a container whose cgroup is this pod's?"""
    found = cluster.lab.run(HOST, ["sh", "-c", f"ls -d /sys/fs/cgroup/*/*/pod{uid} /sys/fs/cgroup/*/pod{uid} 2>/dev/null"])
    return bool(found.stdout.strip())
