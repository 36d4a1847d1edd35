"""Reading the machine's cgroup mounts, and making, limiting and removing a host's cgroup in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import cgroups

V1 = "33 31 0:30 / {mount} rw,relatime - cgroup cgroup {options}\n"

CASES = {
    "a v1 controller is mounted again by its name": (
        V1.format(mount="/sys/fs/cgroup/memory", options="rw,memory"),
        [(Path("/sys/fs/cgroup/memory"), 1, "memory")],
    ),
    "v1 controllers that share a mount stay together": (
        V1.format(mount="/sys/fs/cgroup/cpu,cpuacct", options="rw,cpu,cpuacct"),
        [(Path("/sys/fs/cgroup/cpu,cpuacct"), 1, "cpu,cpuacct")],
    ),
    "a named hierarchy has no controller": (
        V1.format(mount="/sys/fs/cgroup/systemd", options="rw,xattr,release_agent=/lib/x,name=systemd"),
        [(Path("/sys/fs/cgroup/systemd"), 1, "none,name=systemd")],
    ),
    "v2 alone": (
        "41 31 0:38 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
        [(Path("/sys/fs/cgroup"), 2, "")],
    ),
    "hybrid: v2 below a v1 tree, other mounts ignored": (
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
        + V1.format(mount="/sys/fs/cgroup/pids", options="rw,pids")
        + "41 31 0:38 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n",
        [(Path("/sys/fs/cgroup/pids"), 1, "pids"), (Path("/sys/fs/cgroup/unified"), 2, "")],
    ),
}


@pytest.mark.parametrize("mountinfo, expected", CASES.values(), ids=CASES.keys())
def test_reading_the_mounts(mountinfo: str, expected: list[tuple[Path, int, str]]) -> None:
    assert [(each.mount, each.version, each.options) for each in cgroups.parse(mountinfo)] == expected


def fake_v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a v2 mount: enough to see what is written where."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [cgroups.Hierarchy(tmp_path, 2)])
    return tmp_path


def test_on_v2_the_host_gets_its_limits_where_the_kernel_offers_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fake_v2(tmp_path, monkeypatch)
    (folder,) = cgroups.create("abcd", "host-1")
    assert folder == root / "st-abcd" / "host-1"
    assert (folder / "system").is_dir()
    (folder / "cpu.max").write_text("max 100000")
    assert cgroups.limit([folder], cpu=2, memory_bytes=1 << 30) == ["memory"]
    assert (root / "cgroup.subtree_control").read_text() == ""
    assert cgroups.open_root() == [f"{root} cpu", f"{root} memory", f"{root} pids"]
    cgroups.close_root([f"{root} pids"])
    assert (root / "cgroup.subtree_control").read_text() == "-pids"
    assert (folder / "cpu.max").read_text() == "200000 100000"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_real_cgroup_comes_and_goes() -> None:
    folders = cgroups.create("0000", "host-1")
    try:
        assert folders
        cgroups.limit(folders, cpu=1, memory_bytes=512 << 20)
        assert all((folder / "system" / "cgroup.procs").exists() for folder in folders)
        assert all(cgroups.pids(folder) == [] for folder in folders)
    finally:
        left = [folder for folder in cgroups.folders("0000") if not cgroups.remove(folder)]
    assert left == []
    assert cgroups.folders("0000") == []
