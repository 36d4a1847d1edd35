"""`kctl lab logs`: what the daemons of the lab on this machine say.

Reads `hosts/HOST/log/SERVICE.log` in the lab's folder and nothing else, so it works on a lab that is down or broken too. Lines of several
files are prefixed with HOST/SERVICE, file after file: the daemons' formats differ, so lines are not merged by time.

Subtle: `-f` looks again every FOLLOW_S. A file that shrank was started anew, and one that appears is read from its beginning.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import click

from common.errors import NotFound
from ctl.completion import lab_hosts

FOLLOW_S = 0.25
SERVICES = ("kmaster", "kagent", "containerd", "dockerd", "boot")


def find(directory: Path, host: str | None, service: str | None) -> list[Path]:
    """The log files meant, in order of host and service. Raises NotFound, naming those that exist."""
    files = sorted(directory.glob("hosts/*/log/*.log"))
    if not files:
        raise NotFound(f"no lab has logs in {directory}: start one with kctl lab up")
    for kind, wanted, name in (("host", host, host_of), ("service", service, service_of)):
        present = sorted({name(path) for path in files})
        files = [path for path in files if wanted in (None, name(path))]
        if not files:
            where = f" on {host}" if kind == "service" and host else ""
            raise NotFound(f"no {kind} {wanted} has a log{where}; there are: {', '.join(present)}")
    return files


def host_of(path: Path) -> str:
    return path.parent.parent.name


def service_of(path: Path) -> str:
    return path.stem


class Tail:
    """One file: its last lines first, then what is added to it, by whole lines."""

    def __init__(self, path: Path, prefix: str = "") -> None:
        self._path = path
        self._prefix = prefix
        self._offset = 0

    def last(self, count: int | None) -> list[str]:
        """The last `count` lines, or all."""
        with self._path.open("rb") as file:
            lines = list(deque(file, maxlen=count))
            self._offset = file.tell()
        if lines and not lines[-1].endswith(b"\n"):
            self._offset -= len(lines.pop())
        return [self._text(line) for line in lines]

    def added(self) -> Iterator[str]:
        """The whole lines since the last call; none while the file is away."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._offset = 0
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    yield self._text(line)
        except FileNotFoundError:
            self._offset = 0

    def rest(self) -> list[str]:
        """A last line without its end, which nobody will add to while not following."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            return [self._text(line) for line in file]

    def _text(self, line: bytes) -> str:
        return self._prefix + line.decode(errors="replace").rstrip("\r\n")


def follow(directory: Path, host: str | None, service: str | None, tails: dict[Path, Tail]) -> None:
    """Print what is added, also to files that are new, until interrupted."""
    pause = threading.Event()
    while not pause.wait(FOLLOW_S):
        for path in sorted(directory.glob(f"hosts/{host or '*'}/log/{service or '*'}.log")):
            tail = tails.setdefault(path, Tail(path, f"{host_of(path)}/{service_of(path)}: "))
            for line in tail.added():
                click.echo(line)


@click.command()
@click.argument("host", required=False, shell_complete=lab_hosts)
@click.option("--service", metavar="|".join(SERVICES), default=None, help="Only this service's.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("--tail", type=click.IntRange(0), default=None, help="Only the last so many lines of each file.")
def logs(host: str | None, service: str | None, following: bool, tail: int | None) -> None:
    """What the daemons say, on HOST or on all hosts."""
    from lab import open as labs

    directory = labs.directory()
    try:
        files = find(directory, host, service)
    except NotFound as error:
        raise click.ClickException(error.message) from None
    tails = {path: Tail(path, f"{host_of(path)}/{service_of(path)}: " if len(files) > 1 else "") for path in files}
    try:
        for each in tails.values():
            for line in [*each.last(tail), *([] if following or tail == 0 else each.rest())]:
                click.echo(line)
        if following:
            follow(directory, host, service, tails)
    except KeyboardInterrupt:
        return
