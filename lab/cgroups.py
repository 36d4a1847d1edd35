"""One cgroup per host, in every hierarchy that the machine has mounted: v1, v2 and both at once (hybrid).

    /sys/fs/cgroup/memory/st-ID/host-1          the host: its capacity is the limit; the root of the host's cgroup namespace
    /sys/fs/cgroup/memory/st-ID/host-1/system   its init and daemons
    /sys/fs/cgroup/memory/st-ID/host-1/…        what its container runtime makes

The daemons sit in a leaf of their own because v2 allows processes and enabled controllers in one cgroup only at the real root.
Subtle: for the same reason a host boots in a cgroup that is new, and hands controllers on (`delegate`) once its init is in the leaf.
A limit that the machine does not let us set is left out and said so: the host then still states its capacity.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from lab import processes
from lab.contract import LabFault

CPU_PERIOD_US = 100_000
V2_CONTROLLERS = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")
REMOVE_DEADLINE_S = 10.0
LEAF = "system"
STARVED = "starved"


class Hierarchy(msgspec.Struct, frozen=True):
    """mount: where the machine has it. version: 1 or 2. options: what `mount -o` needs to mount it once more."""

    mount: Path
    version: int
    options: str = ""
    controllers: tuple[str, ...] = ()


def parse(mountinfo: str) -> list[Hierarchy]:
    """The cgroup mounts of a /proc/self/mountinfo, in its order, each mount point once (the last one is on top)."""
    found: dict[Path, Hierarchy] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        mount = Path(left.split()[4])
        kind, _, super_options = (right.split() + ["", "", ""])[:3]
        if kind == "cgroup2":
            found[mount] = Hierarchy(mount, 2)
        elif kind == "cgroup":
            names = [option for option in super_options.split(",") if option not in ("rw", "ro", "xattr", "clone_children")]
            names = [name for name in names if not name.startswith("release_agent=")]
            named = any(name.startswith("name=") for name in names)
            found[mount] = Hierarchy(mount, 1, ",".join(["none", *names] if named else names), tuple(names))
    return list(found.values())


def hierarchies() -> list[Hierarchy]:
    return parse(Path("/proc/self/mountinfo").read_text())


def _write(path: Path, value: str) -> bool:
    try:
        path.write_text(value)
    except OSError:
        return False
    return True


def _enable_v2(folder: Path) -> list[str]:
    """Let the children of this cgroup use the controllers it has, one by one: one that is refused must not cost the others.
    Returns those that were not enabled before."""
    try:
        available = (folder / "cgroup.controllers").read_text().split()
        enabled = (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return []
    wanted = [controller for controller in V2_CONTROLLERS if controller in available and controller not in enabled]
    return [controller for controller in wanted if _write(folder / "cgroup.subtree_control", f"+{controller}")]


def open_root() -> list[str]:
    """Enable the controllers at the root of v2, where the machine has not; returns `MOUNT CONTROLLER` of each, for `close_root`."""
    found = [each.mount for each in hierarchies() if each.version == 2]
    return [f"{mount} {controller}" for mount in found for controller in _enable_v2(mount)]


def close_root(opened: list[str]) -> None:
    """Undo `open_root`. What another cgroup uses by now stays enabled."""
    for entry in opened:
        mount, _, controller = entry.rpartition(" ")
        _write(Path(mount) / "cgroup.subtree_control", f"-{controller}")


def _inherit_cpuset(folder: Path) -> None:
    """A new v1 cpuset is empty and takes no process; children made later copy it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        with contextlib.suppress(OSError):
            if not (folder / name).read_text().strip():
                _write(folder / name, (folder.parent / name).read_text().strip())
    _write(folder / "cgroup.clone_children", "1")


def group(lab_id: str) -> str:
    return f"st-{lab_id}"


def create(lab_id: str, host: str) -> list[Path]:
    """The host's cgroup in every hierarchy, with its leaf; returns their folders. What an earlier life of the host left there goes."""
    made = []
    for folder in folders(lab_id):
        remove(folder / host)
    for hierarchy in hierarchies():
        top = hierarchy.mount / group(lab_id)
        folder = top / host
        try:
            (folder / LEAF).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue  # a read-only hierarchy: the host goes without it
        if hierarchy.version == 2:
            _enable_v2(top)
        elif "cpuset" in hierarchy.controllers:
            for level in (top, folder, folder / LEAF):
                _inherit_cpuset(level)
        made.append(folder)
    return made


def delegate(folders: list[Path]) -> None:
    """Let the host's container runtime use the controllers, after its init has moved to the leaf."""
    for folder in folders:
        _enable_v2(folder)


def limit(folders: list[Path], *, cpu: int, memory_bytes: int) -> list[str]:
    """Set the host's capacity; returns what could not be limited ("cpu", "memory")."""
    done = set()
    for folder in folders:
        if (folder / "cpu.cfs_quota_us").exists():
            _write(folder / "cpu.cfs_period_us", str(CPU_PERIOD_US))
            done |= {"cpu"} if _write(folder / "cpu.cfs_quota_us", str(cpu * CPU_PERIOD_US)) else set()
        if (folder / "cpu.max").exists():
            done |= {"cpu"} if _write(folder / "cpu.max", f"{cpu * CPU_PERIOD_US} {CPU_PERIOD_US}") else set()
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (folder / name).exists():
                done |= {"memory"} if _write(folder / name, str(memory_bytes)) else set()
    return sorted({"cpu", "memory"} - done)


def starve(lab_id: str, host: str, *, pid: int, share: float) -> bool:
    """Move a process of the host into a cgroup that gets only this share of one CPU. False when no hierarchy can."""
    quota_us = int(share * CPU_PERIOD_US)
    for folder in folders(lab_id):
        starved = folder / host / STARVED
        with contextlib.suppress(OSError):
            starved.mkdir(exist_ok=True)
            limits = {"cpu.cfs_quota_us": str(quota_us), "cpu.max": f"{quota_us} {CPU_PERIOD_US}"}
            if any((starved / name).exists() and _write(starved / name, limit) for name, limit in limits.items()):
                return _write(starved / "cgroup.procs", str(pid))
            starved.rmdir()
    return False


def feed(lab_id: str, host: str) -> None:
    """Undo `starve`."""
    for folder in folders(lab_id):
        starved = folder / host / STARVED
        for pid in pids(starved):
            _write(folder / host / LEAF / "cgroup.procs", str(pid))
        with contextlib.suppress(OSError):
            starved.rmdir()


def folders(lab_id: str) -> list[Path]:
    """What is there of this lab, one folder per hierarchy."""
    return [folder for hierarchy in hierarchies() if (folder := hierarchy.mount / group(lab_id)).is_dir()]


def pids(folder: Path) -> list[int]:
    """All processes in a cgroup and below it."""
    found = []
    for path, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in (Path(path) / "cgroup.procs").read_text().split()]
    return found


def remove(folder: Path) -> bool:
    """Remove a cgroup with all below it, once its last process has been reaped. False when it is still in use at the deadline."""


    def gone() -> bool:
        for path, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        return not folder.is_dir()

    try:
        processes.until(gone, REMOVE_DEADLINE_S, f"{folder} is still in use")
    except LabFault:
        return False
    return True
