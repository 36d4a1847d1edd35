"""A containerd of its own for each lab host: its configuration, its start and the images in it.

It runs in the host's namespaces and so uses containerd's usual paths, all of which are the host's own there. Its socket can be reached
from outside too, through /proc/PID/root of the host's init. Who starts pods in it is kagent's business.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab import boot, processes
from lab.contract import LabFault
from lab.images import SANDBOX_IMAGE
from lab.processes import Process

SOCKET = "/run/containerd/containerd.sock"
ENDPOINT = f"unix://{SOCKET}"
CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
START_TIMEOUT_S = 30.0

_CONFIG = """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox_image}"
  # Where root may not lower oom_score_adj (containers, some VMs), containerd must not try.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_folder}"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{registries}"
"""


def cni_folder() -> str:
    """Where this machine has the CNI plugins. Raises LabFault when they are missing."""
    for folder in CNI_FOLDERS:
        if (Path(folder) / "bridge").exists():
            return folder
    raise LabFault("the CNI plugins are missing: install Debian's package containernetworking-plugins, or run script/up, which does")


def snapshotter(disk: Path) -> str:
    """overlayfs where the kernel takes an overlay on this disk, else native, which copies."""
    probe = disk / "overlay-probe"
    for name in ("lower", "upper", "work", "merged"):
        (probe / name).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={probe}/lower,upperdir={probe}/upper,workdir={probe}/work"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "overlay", "-o", options, "overlay", f"{probe}/merged"], capture_output=True, timeout=10
    )
    subprocess.run(["rm", "-rf", str(probe)], timeout=10, check=False)
    return "overlayfs" if tried.returncode == 0 else "native"


def write_config(disk: Path) -> Path:
    """The configuration of the host with this disk; returns its path."""
    path = disk / "containerd.toml"
    registries = disk / "registries"
    registries.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(
            _CONFIG.format(
                socket=SOCKET, sandbox_image=SANDBOX_IMAGE, cni_folder=cni_folder(), snapshotter=snapshotter(disk), registries=registries
            )
        )
    return path


def spawn(init: Process, disk: Path) -> Process:
    """Start it; `ready` tells when it answers."""
    return boot.spawn(init, ["containerd", "--config", str(write_config(disk))], log=disk / "log" / "containerd.log")


def wait_ready(init: Process, process: Process, disk: Path) -> None:
    """Raises LabFault with containerd's own last words when it ends or does not answer in time."""
    log = disk / "log" / "containerd.log"

    def ready() -> bool:
        if not processes.alive(process):
            raise LabFault(f"containerd ended: {processes.tail(log)} (see {log})")
        socket = Path(f"/proc/{init.pid}/root{SOCKET}")
        return socket.exists() and boot.run(init, ["ctr", "--address", SOCKET, "version"], timeout_s=10).returncode == 0

    processes.until(ready, START_TIMEOUT_S, lambda: f"containerd did not answer within {START_TIMEOUT_S:g} s (see {log})")


def import_images(init: Process, archive: Path) -> None:
    """Idempotent. Raises LabFault."""
    argv = ["ctr", "--address", SOCKET, "--namespace", "k8s.io", "images", "import", str(archive)]
    result = boot.run(init, argv, timeout_s=60)
    if result.returncode:
        raise LabFault(f"the images could not be loaded: {(result.stderr or result.stdout).strip()[-300:]}")
