"""`kctl lab`: a small cluster on this machine. up, down, status, exec, fault kill|freeze|partition|slow|disk-full|clock|heal.

Everything is done by the package `lab`; here are its options, its progress on the terminal and its results in words. What goes wrong is
one sentence on stderr and exit code 1; `exec` ends with the command's own exit code.

Subtle: the lab's implementation and rich are imported when a lab command runs, because they cost every other kctl command a
third of a second.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click

from common.clock import SystemClock
from common.errors import SteersmanError
from ctl.completion import lab_hosts
from ctl.lab_logs import logs
from lab.contract import FAULTS, OF_DAEMON, Lab, LabSettings

CLOCK = SystemClock()


class Terminal:
    """Progress on stderr: a spinner on a terminal, a line per finished step elsewhere. See lab.contract.Progress."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._status: Any = None
        self._step = ""
        self._began = 0.0

    def step(self, text: str) -> None:
        self.done()
        self._step, self._began = text, CLOCK.monotonic()
        if self._console.is_terminal:
            self._status = self._console.status(text)
            self._status.start()

    def detail(self, text: str) -> None:
        if self._status:
            self._status.update(f"{self._step}: {text}")

    def done(self) -> None:
        self.stop()
        if self._step:
            self._console.print(f"  {self._step:<44} {CLOCK.monotonic() - self._began:5.1f} s", markup=False)
        self._step = ""

    def stop(self) -> None:
        """Clear the spinner; the step is not done."""
        if self._status:
            self._status.stop()
            self._status = None


def _sentences(command: Callable[..., Any]) -> Callable[..., Any]:
    """What goes wrong, in one sentence."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SteersmanError as error:
            raise click.ClickException(error.message) from None

    return wrapped


def _open(settings: LabSettings | None = None) -> Lab:
    from lab import open as labs

    return labs.open_lab(labs.directory(), settings)


RUNTIMES = ["containerd", "docker", "mixed", "hollow"]
"""As in `lab.open`, which is not loaded for --help."""


@click.group()
def lab() -> None:
    """A small cluster on this machine, to try things out."""


@lab.command()
@click.option("--hosts", type=click.IntRange(1, 1000), default=None, help="How many agent hosts; 2 unless the lab is there already.")
@click.option("--runtime", type=click.Choice(RUNTIMES), default=None, help="Real containers (needs root), or none.")
@click.option("--cpu", type=click.IntRange(1), default=2, show_default=True, help="CPUs of each agent host.")
@click.option("--memory", type=click.IntRange(256), default=2048, show_default=True, help="Memory of each agent host, in MiB.")
@click.option("--node-grace", type=float, default=4.0, show_default=True, help="Seconds of silence until a node counts as lost.")
@click.option("--eviction", type=float, default=0.0, show_default=True, help="Seconds from then until its pods are replaced.")
@click.option("--example/--no-example", default=True, show_default=True, help="Run the example application.")
@_sentences
def up(hosts: int | None, runtime: str | None, cpu: int, memory: int, node_grace: float, eviction: float, example: bool) -> None:
    """Start a lab, or bring the one that is there back to health."""
    settings = _settings(
        hosts=hosts, runtime=runtime, cpu=cpu, memory_bytes=memory << 20, node_grace_s=node_grace, eviction_s=eviction, example=example
    )
    chosen = _open(settings)
    terminal = Terminal(sys.stderr)
    began = CLOCK.monotonic()
    try:
        chosen.up(terminal)
    finally:
        terminal.stop()
    click.echo(f"  Ready after {CLOCK.monotonic() - began:.1f} s", err=True)
    _show(chosen)


def _settings(*, hosts: int | None, runtime: str | None, **rest: Any) -> LabSettings | None:
    """None when there is a lab already and nothing else is asked of it."""
    from lab import open as labs

    present = (labs.directory() / "state.json").exists()
    if present and hosts is None and runtime is None:
        return None
    if present and runtime is None:
        runtime = _open().status().runtime
    return LabSettings(runtime=runtime or "containerd", hosts=hosts or 2, **rest)


def _show(chosen: Lab) -> None:
    """Nodes and pods, and what to type next."""
    from lab.client import Api

    api = Api(chosen.kubeconfig)
    for title, path in (("Nodes", "/api/v1/nodes"), ("Pods", "/api/v1/namespaces/default/pods")):
        headers, rows = api.table(path)
        if len(rows) > 20:
            rows = [*rows[:20], [f"… and {len(rows) - 20} more", *[""] * (len(headers) - 1)]]
        click.echo(f"\n{title}")
        _print_columns([headers, *rows])
    kubeconfig = _shown_path(chosen.kubeconfig)
    victim = chosen.status().hosts[1].name
    click.echo(
        f"\nNext:\n"
        f"  export KUBECONFIG={kubeconfig}\n"
        f"  kubectl get pods -o wide\n"
        f"  kubectl scale deployment web --replicas=6\n"
        f"  .venv/bin/kctl lab fault kill {victim}       # the power of a host fails; then: fault heal {victim}\n"
        f"  script/down                                # all of it gone"
    )


def _shown_path(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _print_columns(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@lab.command()
@_sentences
def down() -> None:
    """Remove the lab: processes, namespaces, links, mounts, cgroups, files."""
    terminal = Terminal(sys.stderr)
    try:
        _open().down(terminal)
    finally:
        terminal.stop()


@lab.command()
@_sentences
def status() -> None:
    """What runs, host by host. Exit code 1 when something does not."""
    found = _open().status()
    click.echo(f"lab {found.id} ({found.runtime}) in {found.directory}")
    rows = [["HOST", "ADDRESS", "STATE", "SERVICES"]]
    for host in found.hosts:
        services = ", ".join(f"{each.name} {each.pid}" if each.running else f"{each.name} down" for each in host.services)
        rows.append([host.name, host.address, host.state, services])
    _print_columns(rows)
    if not found.healthy:
        sys.exit(1)


@lab.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("host", shell_complete=lab_hosts)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@_sentences
def execute(host: str, command: tuple[str, ...]) -> None:
    """Run COMMAND on HOST, in its namespaces and folders: kctl lab exec host-1 -- ctr -n k8s.io containers ls"""
    sys.exit(_open().exec(host, command))


@lab.group()
def fault() -> None:
    """Break a host, and mend it."""


def _fault(kind: str) -> None:
    @_sentences
    def command(host: str, of: str = "host") -> None:
        _open().fault(host, kind, of)
        click.echo(f"{host}: {kind}" if of == "host" else f"{of} of {host}: {kind}")

    if kind in OF_DAEMON:
        parts = click.Choice(["host", "agent", "runtime"])
        command = click.option("--of", type=parts, default="host", show_default=True, help="What has the fault.")(command)
    fault.command(kind, help=FAULTS[kind])(click.argument("host", shell_complete=lab_hosts)(command))


for _kind in FAULTS:
    _fault(_kind)


@fault.command()
@click.argument("host", shell_complete=lab_hosts)
@_sentences
def heal(host: str) -> None:
    """Undo all faults: plug HOST in, boot it, thaw it, free its disk, start its services."""
    _open().heal(host)
    click.echo(f"{host} healed")


lab.add_command(logs)
