"""Taking a lab away, completely, whatever state it is in.

First by the state file, then by names: every namespace, link and cgroup of a lab carries its id, so that nothing is needed but the id.
Each step works on what is still there and can be repeated. Only the image cache stays in the lab's folder.

Subtle: processes go first. A namespace or a mount lives as long as a process in it, whatever became of its name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from lab import boot, cgroups, net, processes, shared
from lab.contract import LabFault
from lab.processes import Process
from lab.state import State

KEPT = ("cache", "lock")
FAILED = "failed"
"""The daemons' logs of a first `up` that failed; gone with the next `up` or `down`."""


def remove(lab_id: str, directory: Path, state: State | None) -> None:
    """Raises LabFault when something cannot be removed, after removing all else."""
    for host in state.hosts if state else []:
        boot.halt(host.init, host.outer)
    _kill_remains(lab_id)
    net.remove_all(lab_id)
    busy = [str(folder) for folder in cgroups.folders(lab_id) if not cgroups.remove(folder)]
    if state:
        cgroups.close_root(state.opened_controllers)
    shared.leave(lab_id, shared.Made(state.made_folders, state.made_netns_mount) if state else shared.Made())
    remove_files(directory)
    if busy:
        raise LabFault(f"still in use: {', '.join(busy)}: end the processes in its cgroup.procs, then run script/down again")


def after_failure(directory: Path, error: BaseException, remove_all: Callable[[], None]) -> BaseException:
    """Remove what a first `up` has started, keep its logs, and return the error that names the place where they are now."""
    logs = {log.relative_to(directory / "hosts"): log.read_bytes() for log in (directory / "hosts").glob("*/log/*.log")}
    remove_all()
    for name, content in logs.items():
        target = directory / FAILED / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    if isinstance(error, LabFault):
        return LabFault(error.message.replace(f"{directory}/hosts/", f"{directory}/{FAILED}/"))
    return error


def remove_files(directory: Path) -> None:
    for path in directory.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _kill_remains(lab_id: str) -> None:
    """Processes in the lab's network namespaces or cgroups that the state does not know of."""
    remains: dict[int, Process] = {}
    for name in net.namespaces(lab_id):
        with contextlib.suppress(OSError):
            inode = os.stat(net.NETNS_FOLDER / name).st_ino
            remains |= {process.pid: process for process in processes.in_namespace("net", inode)}
    for folder in cgroups.folders(lab_id):
        remains |= {pid: process for pid in cgroups.pids(folder) if (process := processes.named(pid))}
    for process in remains.values():
        processes.send(process, signal.SIGKILL)
    processes.wait_gone(remains.values(), 10.0)
