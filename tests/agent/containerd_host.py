"""A containerd of our own for a test: own network namespace, root, state, socket and cgroup; all of it gone afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.network import cni
from agent.runtime.containerd import ContainerdRuntime
from lab import images

NEEDED = ("containerd", "runc", "ctr", "ip", "nsenter", "busybox", "catatonit")
CLUSTER = "contract"
CIDR = "10.245.7.0/24"
CONFIG = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.9"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{folder}/registries"
"""


def missing() -> str:
    """Why no containerd can be started here, or ""."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name in NEEDED if shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin") is None]
    absent += [] if Path("/usr/lib/cni/bridge").exists() else ["the CNI plugins"]
    return f"not installed: {', '.join(absent)}" if absent else ""


class ContainerdHost:
    name = "containerd"

    def __init__(self, folder: Path, netns: str) -> None:
        self.folder = folder
        self.netns = netns
        self.cgroup_root = f"/{netns}"
        self.log_root = str(folder / "logs")
        self._process: subprocess.Popen | None = None

    @property
    def endpoint(self) -> str:
        return f"unix://{self.folder}/containerd.sock"

    def runtime(self, cluster: str = CLUSTER, **options: float) -> ContainerdRuntime:
        return ContainerdRuntime(self.endpoint, cluster=cluster, cgroup_root=self.cgroup_root, **options)

    def start(self) -> None:
        argv = ["nsenter", f"--net=/run/netns/{self.netns}", "containerd", "--config", str(self.folder / "config.toml")]
        log = (self.folder / "containerd.log").open("ab")
        self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        asyncio.run(self._answering())

    async def _answering(self) -> None:
        async with asyncio.timeout(30):
            while True:
                assert self._process is not None and self._process.poll() is None, (self.folder / "containerd.log").read_text()[-2000:]
                child = await asyncio.create_subprocess_exec(
                    "ctr", "-a", f"{self.folder}/containerd.sock", "version",
                    stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
                if await child.wait() == 0:
                    return
                await asyncio.sleep(0.05)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """containerd only; containers live on."""
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
def containerd_host() -> Iterator[ContainerdHost]:
    folder = Path(tempfile.mkdtemp(prefix="steersman-containerd-"))
    host = ContainerdHost(folder, f"stc{os.getpid()}")
    subprocess.run(["ip", "netns", "add", host.netns], check=True)
    try:
        subprocess.run(["ip", "-n", host.netns, "link", "set", "lo", "up"], check=True)
        cni.write(folder / "cni", cni.configuration(CIDR, bridge="steer0", state=str(folder / "addresses")))
        (folder / "config.toml").write_text(CONFIG.format(folder=folder))
        host.start()
        archive = folder / "images.tar"
        archive.write_bytes(images.archive(images.catalogue()))
        subprocess.run(
            ["ctr", "-a", f"{folder}/containerd.sock", "-n", "k8s.io", "images", "import", str(archive)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        yield host
    finally:
        if host.alive:
            asyncio.run(host.empty())
        host.stop()
        _clear(host)


def _clear(host: ContainerdHost) -> None:
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        mount = line.split()[4]
        if mount.startswith(str(host.folder)):
            subprocess.run(["umount", "-l", mount], check=False)
    subprocess.run(["ip", "netns", "del", host.netns], check=False)
    for path in Path("/sys/fs/cgroup").glob(f"*{host.cgroup_root}"):
        shutil.rmtree(path, ignore_errors=True)
        for below, _, _ in os.walk(path, topdown=False):
            os.rmdir(below)
    for below, _, _ in os.walk(f"/sys/fs/cgroup{host.cgroup_root}", topdown=False):
        os.rmdir(below)
    shutil.rmtree(host.folder, ignore_errors=True)
