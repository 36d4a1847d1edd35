"""Booting a lab host and starting processes in it.

A host is one process, its init (`catatonit -P`, which reaps orphans), that is the first of its own pid, mount, UTS, IPC and cgroup
namespaces, in the network namespace that `net.py` made and in the cgroup that `cgroups.py` made. When it is killed, the kernel kills all
that runs in the host and drops its mounts, as if the power had failed; the folders bound into it are its disk and stay.

    script, stage 1   in the host's cgroup, unshares the cgroup namespace, so that this cgroup is the host's root
            stage 2   moves to the leaf `system`, enters the network namespace, unshares the rest and forks
            stage 3   as pid 1: hostname, /proc, /run, /dev/shm, /sys, cgroups, disk, own folders; then becomes catatonit

The parent of init (`unshare`) stays outside and ends with it. Daemons are started through `nsenter` and `setsid --fork`, so that they
are children of the host's init and outlive the command that started them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lab import cgroups, net, processes
from lab.contract import LabFault
from lab.processes import Process

OWN_FOLDERS = (
    "/etc/cni",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kagent",
    "/var/lib/kmaster",
    "/var/log/containers",
    "/var/log/pods",
)
"""What a host does not share with the machine, besides /run, /proc and /sys."""

BOOT_TIMEOUT_S = 15.0
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SCRIPT = r"""
set -eu
case "$1" in
1)  for group in $ST_GROUPS; do echo 0 >"$group/cgroup.procs"; done
    exec unshare --cgroup sh "$0" 2 ;;
2)  for group in $ST_GROUPS; do echo 0 >"$group/system/cgroup.procs"; done
    exec nsenter --net="$ST_NETNS" unshare --mount --uts --ipc --pid --fork --propagation private sh "$0" 3 ;;
3)  hostname "$ST_NAME"
    mount -t proc proc /proc
    umount -l -R /run/netns 2>/dev/null || true
    if resolv=$(readlink -f /etc/resolv.conf) && [ "${resolv#/run/}" != "$resolv" ]; then cp "$resolv" "$ST_DISK/resolv.conf"; fi
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock /run/netns
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    if [ -e "$ST_DISK/resolv.conf" ]; then mkdir -p "${resolv%/*}"; cp "$ST_DISK/resolv.conf" "$resolv"; fi
    mount -t sysfs sysfs /sys
    for entry in $ST_MOUNTS; do
        kind=${entry%%:*}; rest=${entry#*:}; options=${rest%%:*}; target=${rest#*:}
        mkdir -p "$target" 2>/dev/null || true
        mount -t "$kind" ${options:+-o "$options"} "$kind" "$target"
    done
    if [ -n "$ST_IMAGE" ]; then mount -o "$ST_IMAGE_OPTIONS" "$ST_IMAGE" "$ST_DISK/var"; fi
    for folder in $ST_FOLDERS; do
        mkdir -p "$ST_DISK$folder"
        mount --bind "$ST_DISK$folder" "$folder"
    done
    unset ST_GROUPS ST_NETNS ST_DISK ST_MOUNTS ST_FOLDERS ST_IMAGE ST_IMAGE_OPTIONS
    exec catatonit -P ;;
esac
"""

_ENTER = r"""
for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if [ -e "$group/system/cgroup.procs" ]; then echo 0 >"$group/system/cgroup.procs"; fi
done
"""
_SPAWN = _ENTER + 'log=$1; shift; echo $$; exec "$@" >>"$log" 2>&1 </dev/null\n'
_RUN = _ENTER + 'exec setpriv --pdeathsig KILL "$@"\n'
"""nsenter forks to enter the pid namespace: a command that is given up must end with it."""


class HostPlace(msgspec.Struct, frozen=True):
    """Where a host lives: disk is its folder on this machine, groups its cgroup in each hierarchy. image: the file system that is
    mounted as disk/var inside, if it has one, with these options."""

    lab_id: str
    name: str
    disk: Path
    groups: tuple[Path, ...]
    image: Path | None = None
    image_options: str = ""


def make_folders() -> list[str]:
    """The points where hosts mount their own folders; returns those that were not there before, deepest last."""
    made = []
    for folder in OWN_FOLDERS:
        missing = [str(path) for path in (Path(folder), *Path(folder).parents) if not path.exists()]
        Path(folder).mkdir(parents=True, exist_ok=True)
        made += reversed(missing)
    return made


def _cgroup_mounts() -> list[str]:
    """`KIND:OPTIONS:TARGET` of all mounts that make up the host's /sys/fs/cgroup, in order."""
    found = cgroups.hierarchies()
    mounts = [f"{'cgroup2' if each.version == 2 else 'cgroup'}:{each.options}:{each.mount}" for each in found]
    if not any(str(each.mount) == "/sys/fs/cgroup" for each in found):
        mounts.insert(0, "tmpfs:mode=755:/sys/fs/cgroup")
    return mounts


def boot(place: HostPlace) -> tuple[Process, Process]:
    """Start the host; returns its init and init's parent outside. Raises LabFault with the boot's last words."""
    script = place.disk / "boot.sh"
    script.write_text(_SCRIPT)
    log = place.disk / "log" / "boot.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": SYSTEM_PATH,
        "ST_NAME": place.name,
        "ST_DISK": str(place.disk),
        "ST_NETNS": str(net.NETNS_FOLDER / net.namespace(place.lab_id, place.name)),
        "ST_GROUPS": " ".join(str(group) for group in place.groups),
        "ST_MOUNTS": " ".join(_cgroup_mounts()),
        "ST_FOLDERS": " ".join(OWN_FOLDERS),
        "ST_IMAGE": str(place.image or ""),
        "ST_IMAGE_OPTIONS": place.image_options,
    }
    with open(log, "wb") as output:
        started = subprocess.Popen(
            ["sh", str(script), "1"],
            env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/",
        )  # fmt: skip
    outer = processes.named(started.pid)
    init: Process | None = None

    def booted() -> bool:
        nonlocal init
        if started.poll() is not None:
            raise LabFault(f"the host {place.name} did not boot: {processes.tail(log) or f'exit code {started.returncode}'}")
        found = processes.children(started.pid)
        init = found[0] if found else None
        return init is not None and Path(f"/proc/{init.pid}/comm").read_text().strip() == "catatonit"

    processes.until(booted, BOOT_TIMEOUT_S, lambda: f"the host {place.name} did not boot in time: {processes.tail(log)}")
    started.returncode = 0  # it stays after us; keep Popen from warning about it
    assert outer is not None and init is not None
    return init, outer


def _nsenter(init: Process, *, working_folder: str = "/") -> list[str]:
    return [
        "nsenter", "--target", str(init.pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", f"--wd={working_folder}", "--",
    ]  # fmt: skip


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """The machine's own, so that a proxy or a locale stays; with this venv and the system's commands on the path."""
    path = f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}"
    dropped = {"KUBECONFIG", "PYTHONPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **(extra or {})}


def spawn(init: Process, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Process:
    """Start a daemon in the host; it appends to `log` and belongs to the host's init. Raises LabFault."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*_nsenter(init), "setsid", "--fork", "sh", "-c", _SPAWN, "spawn", str(log), *argv]
    try:
        result = subprocess.run(
            command, env=_environment(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOOT_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise LabFault(f"{argv[0]} could not be started in a lab host within {BOOT_TIMEOUT_S:g} s") from error
    inner = result.stdout.strip()
    process = processes.by_inner_pid(init, int(inner)) if inner.isdigit() else None
    if process is None:
        raise LabFault(f"{argv[0]} ended at once: {result.stderr.strip() or processes.tail(log) or 'it said nothing'}")
    return process


def run(
    init: Process, argv: Sequence[str], *, timeout_s: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the host and return its output. Raises LabFault when it does not end in time."""
    command = [*_nsenter(init), "sh", "-c", _RUN, "run", *argv]
    try:
        return subprocess.run(
            command, env=_environment(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        raise LabFault(f"`{' '.join(argv)}` did not end within {timeout_s:g} s") from error


def execute(init: Process, argv: Sequence[str]) -> int:
    """Run a command in the host on this terminal; returns its exit code."""
    with subprocess.Popen([*_nsenter(init), "sh", "-c", _RUN, "run", *argv], env=_environment(None)) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # the terminal sent it to the command as well; it decides
                continue


def halt(init: Process | None, outer: Process | None) -> None:
    """The power fails. Returns when all processes of the host are gone."""
    inside: list[Process] = []
    if processes.alive(init):
        assert init is not None
        try:
            inside = processes.in_namespace("pid", os.stat(f"/proc/{init.pid}/ns/pid").st_ino)
        except OSError:
            inside = [init]
        processes.send(init, signal.SIGKILL)
    left = processes.wait_gone([*inside, *([outer] if outer else [])], 5.0)
    for stubborn in left:
        processes.send(stubborn, signal.SIGKILL)
    processes.wait_gone(left, 5.0)
