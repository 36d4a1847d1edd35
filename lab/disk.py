"""The disk of a lab host: a file system of its own in an image file, so that it has a size and can be full.

    hosts/host-1/disk.img   sparse, ext4; mounted on hosts/host-1/var inside the host only, and gone from there with the host's power

What the host writes under /var is in it; the daemons' logs and configuration are outside, where a full disk does not silence them.
Without loop devices (in some containers) a host's disk is a folder of this machine's file system, and cannot be filled.

Subtle: the kernel lets go of the image a moment after the host's last process has ended. Two mounts of one image would destroy
it, so whoever boots the host waits for that (`wait_free`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from lab import boot, processes
from lab.contract import LabFault
from lab.processes import Process

SIZE_BYTES = 8 << 30
"""What the host sees; the file takes what is written."""
IMAGE = "disk.img"
MOUNT_OPTIONS = "loop,noatime,noinit_itable"
FREE_TIMEOUT_S = 10.0
FILLER = "var/filler"

_FILL = 'fallocate -l "$(df --output=avail -B1 "${1%/*}" | tail -n1)" "$1" 2>/dev/null; cat /dev/zero >"$1.rest" 2>/dev/null; true'


def ensure(disk: Path) -> Path | None:
    """The image of a host that is to boot, free to be mounted; made at its first boot. None where this machine can mount none."""
    image = disk / IMAGE
    if image.exists():
        wait_free(image)
        return image
    if (disk / "var").exists():
        return None
    (disk / "var").mkdir(parents=True, exist_ok=True)
    fresh = disk / "disk.new"
    with open(fresh, "wb") as file:
        file.truncate(SIZE_BYTES)
    options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    try:
        processes.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-i", "65536", "-E", options, str(fresh)])
        processes.run(["unshare", "--mount", "mount", "-o", MOUNT_OPTIONS, str(fresh), str(disk / "var")])
    except LabFault:
        fresh.unlink()
        return None
    wait_free(fresh)
    fresh.rename(image)
    return image


def wait_free(image: Path) -> None:
    """Wait until no loop device has it. Raises LabFault."""
    processes.until(lambda: not _attached(image), FREE_TIMEOUT_S, f"{image} is still mounted somewhere: end what uses it (losetup -l)")


def _attached(image: Path) -> bool:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if backing.read_text().strip() == str(image):
                return True
    return False


def fill(init: Process, disk: Path) -> None:
    """Not a block is free any more. Raises LabFault where the host's disk is a folder."""
    if not (disk / IMAGE).exists():
        raise LabFault("this lab's disks are folders of this machine, which is not to be filled: a disk to fill needs loop devices")
    boot.run(init, ["sh", "-c", _FILL, "fill", str(disk / FILLER)], timeout_s=30)


def free(init: Process, disk: Path) -> None:
    """Idempotent."""
    boot.run(init, ["rm", "-f", str(disk / FILLER), f"{disk / FILLER}.rest"], timeout_s=30)
