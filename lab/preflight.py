"""What must hold before a lab is built: root, the commands, the kernel's features, a folder that hosts can see.

Each check raises LabFault with one sentence, the remedy included, and changes nothing. Whether there is enough of everything (memory,
disk, a free network) shows when it is used: then what uses it says so. Installing what is missing is script/up's business.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from lab import boot, containerd, runtimes
from lab.contract import LabFault

PACKAGES = {
    "busybox": "busybox-static",
    "catatonit": "catatonit",
    "containerd": "containerd",
    "ctr": "containerd",
    "ip": "iproute2",
    "mke2fs": "e2fsprogs",
    "mount": "mount",
    "nft": "nftables",
    "nsenter": "util-linux",
    "runc": "runc",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "unshare": "util-linux",
}
"""Command to the Debian package that has it."""
DOCKER_PACKAGES = {"dockerd": "docker.io", "docker": "docker-cli (or docker.io, where it holds both)"}
HIDDEN = ("/run", "/var/run", "/proc", "/sys", "/dev", *boot.OWN_FOLDERS)


def root(purpose: str) -> None:
    if os.geteuid() != 0:
        raise LabFault(f"only root can {purpose}: run this with sudo, or use `--runtime hollow`, which needs no root")


def hosts(directory: Path, runtime: str) -> None:
    """For labs of namespaces and real containers."""
    if not sys.platform.startswith("linux"):
        raise LabFault("a lab with real containers needs Linux: `--runtime hollow` runs anywhere")
    root("make namespaces and run containers")
    needed = PACKAGES | (DOCKER_PACKAGES if runtime in ("docker", runtimes.MIXED) else {})
    missing = sorted({package for command, package in needed.items() if not shutil.which(command, path=boot.SYSTEM_PATH)})
    if missing:
        raise LabFault(f"missing here: {' '.join(missing)}: install them with apt-get, or run script/up, which does")
    containerd.cni_folder()
    if not Path("/proc/self/ns/cgroup").exists():
        raise LabFault("this kernel has no cgroup namespaces (CONFIG_CGROUPS): use `--runtime hollow`")
    for place in (directory, Path(sys.prefix)):
        for folder in HIDDEN:
            if place == Path(folder) or Path(folder) in place.parents:
                raise LabFault(f"{place} is in {folder}, of which every lab host has its own: keep the project in another folder")
