"""What a lab remembers between commands: `state.json` in its folder, and the lock that keeps two commands apart.

The state says what was made, not what is still there: whoever reads it checks against the machine. It is written before a thing
is made rather than after where losing the record would leave the thing behind; and all that a lab makes also carries
its id in its name, so that `down` works even when this file is gone. The id follows from the folder's path.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lab.contract import LabFault, LabSettings
from lab.processes import Process

FORMAT = 1


class Host(msgspec.Struct):
    """init: the host's first process, in the root pid namespace. outer: its parent outside. For hollow labs both are None.
    faults: those of `faults.py`, as `NAME` or `NAME:agent`. own_clock: its kagent or kmaster is started with one that can jump."""

    name: str
    address: str
    init: Process | None = None
    outer: Process | None = None
    services: dict[str, Process] = {}
    joined: bool = False
    killed: bool = False
    partitioned: bool = False
    images: str = ""
    faults: list[str] = []
    own_clock: bool = False


class State(msgspec.Struct):
    """ports: name to number, for labs on loopback. made_folders: mount points that did not exist before, deepest last.
    made_netns_mount: /run/netns became a mount through us. opened_controllers: what the lab enabled at the root of cgroup v2."""

    id: str
    format: int = FORMAT
    subnet: str = ""
    settings: LabSettings = LabSettings()
    hosts: list[Host] = []
    ports: dict[str, int] = {}
    made_folders: list[str] = []
    made_netns_mount: bool = False
    opened_controllers: list[str] = []
    complete: bool = False

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabFault(f"this lab has no host {name!r}; it has {', '.join(host.name for host in self.hosts) or 'none'}")


def lab_id(directory: Path) -> str:
    """Four hex digits, the same for the same folder: short because a link's name has at most 15 characters."""
    return hashlib.blake2s(str(directory.resolve()).encode()).hexdigest()[:4]


class StateFile:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / "state.json"

    def load(self) -> State | None:
        """None when there is no lab here. Raises LabFault when the file cannot be understood."""
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=State)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise LabFault(f"{self._path} is damaged ({error}): run script/down, which cleans up by names, and then script/up") from error
        if state.format != FORMAT:
            raise LabFault(f"{self._path} is of another version: run script/down and then script/up")
        return state

    def save(self, state: State) -> None:
        """Atomic; writes nothing when nothing changed."""
        document = msgspec.json.format(msgspec.json.encode(state), indent=1)
        with contextlib.suppress(FileNotFoundError):
            if self._path.read_bytes() == document:
                return
        self.directory.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(document)
        os.replace(fresh, self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time works on a lab. Raises LabFault when another one does."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabFault(f"another command is working on the lab in {self.directory}: wait until it has ended") from None
            yield
