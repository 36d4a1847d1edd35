"""A dockerd of our own for a test: own network namespace, data, sockets and cgroup; all of it gone afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.network import cni
from agent.network.cni_exec import CniRunner
from agent.runtime.docker import DockerRuntime, DockerSettings
from common.clock import SystemClock
from lab import docker, images

NEEDED = ("dockerd", "containerd", "runc", "ip", "nsenter", "busybox", "catatonit")
CLUSTER = "contract"
BRIDGE = "steer0"
CIDR = "10.246.7.0/24"


def missing() -> str:
    """Why no dockerd can be started here, or ""."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name in NEEDED if shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin") is None]
    absent += [] if Path("/usr/lib/cni/bridge").exists() else ["the CNI plugins"]
    return f"not installed: {', '.join(absent)}" if absent else ""


class DockerHost:
    name = "docker"

    def __init__(self, folder: Path, netns: str) -> None:
        self.folder = folder
        self.netns = netns
        self.cgroup_root = f"/{netns}"
        self.log_root = str(folder / "logs")
        self._process: subprocess.Popen | None = None

    @property
    def endpoint(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def runtime(self, cluster: str = CLUSTER, **options: float) -> DockerRuntime:
        network = CniRunner(self.folder / "cni", self.folder / "networks")
        return DockerRuntime(DockerSettings(self.endpoint, cluster, **options), network=network, clock=SystemClock())

    def start(self) -> None:
        argv = [
            "nsenter", f"--net=/run/netns/{self.netns}", "dockerd", "--data-root", f"{self.folder}/data", "--exec-root",
            f"{self.folder}/exec", "--pidfile", f"{self.folder}/docker.pid", "--host", self.endpoint, "--bridge=none", "--iptables=false",
            "--ip-masq=false", *docker.own_score(), "--live-restore", "--exec-opt", "native.cgroupdriver=cgroupfs", "--config-file",
            f"{self.folder}/daemon.json",
        ]  # fmt: skip
        (self.folder / "daemon.json").write_text("{}")
        log = (self.folder / "dockerd.log").open("ab")
        self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        asyncio.run(self._answering())

    async def _answering(self) -> None:
        async with asyncio.timeout(30):
            while True:
                assert self._process is not None and self._process.poll() is None, (self.folder / "dockerd.log").read_text()[-2000:]
                if (self.folder / "docker.sock").exists() and await asyncio.to_thread(self._ping):
                    return
                await asyncio.sleep(0.05)

    def _ping(self) -> bool:
        return self.docker("version", check=False).returncode == 0

    def docker(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Debian's own command line, as other users of the engine have it."""
        return subprocess.run(["docker", "--host", self.endpoint, *args], capture_output=True, text=True, check=check, timeout=60)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """dockerd only; containers live on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=20)
            self._process = None

    async def empty(self) -> None:
        """Remove every pod, so that no shim, mount or namespace is left."""
        runtime = self.runtime()
        try:
            for sandbox in await runtime.observe():
                await runtime.remove_sandbox(sandbox.id)
        finally:
            await runtime.close()


@contextmanager
def docker_host() -> Iterator[DockerHost]:
    folder = Path(tempfile.mkdtemp(prefix="steersman-docker-"))
    host = DockerHost(folder, f"std{os.getpid()}")
    bridge = Path("/sys/class/net", BRIDGE)
    ours = not bridge.exists()
    subprocess.run(["ip", "netns", "add", host.netns], check=True)
    try:
        subprocess.run(["ip", "-n", host.netns, "link", "set", "lo", "up"], check=True)
        cni.write(folder / "cni", cni.configuration(CIDR, bridge=BRIDGE, state=str(folder / "addresses")))
        host.start()
        archive = folder / "images.tar"
        archive.write_bytes(images.archive(images.catalogue()))
        host.docker("load", "--input", str(archive))
        yield host
    finally:
        if host.alive:
            asyncio.run(host.empty())
        host.stop()
        _clear(host)
        if ours and bridge.exists():  # with Docker the agent applies CNI itself, and here that is this process
            subprocess.run(["ip", "link", "del", BRIDGE], check=True)


def _clear(host: DockerHost) -> None:
    for made in ("/run/docker/plugins", "/run/docker"):  # dockerd makes these whatever it is told; only empty ones go
        with suppress(OSError):
            os.rmdir(made)
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        mount = line.split()[4]
        if mount.startswith(str(host.folder)):
            subprocess.run(["umount", "-l", mount], check=False)
    subprocess.run(["ip", "netns", "del", host.netns], check=False)
    for root in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
        for below, _, _ in os.walk(f"{root}{host.cgroup_root}", topdown=False):
            os.rmdir(below)
    shutil.rmtree(host.folder, ignore_errors=True)
