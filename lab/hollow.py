"""The lab without root: kmaster and kagents as plain processes on loopback, containers only in kagent's memory.

Everything of the cluster is real but the containers: they start, end and restart as the manifest says, and cost nothing. So logs,
networking and `exec` have nothing to show. Up to EACH hosts have a kagent process each, and faults work as in a real lab: `kill`
ends the process with all its containers, `freeze` stops it (SIGSTOP), and so does `partition` (a stopped host is as silent as one that
is cut off, but does not go on working meanwhile); it has no link, disk or clock of its own to break. More hosts than that are played by
few processes, `hollow` or `hollow1`, `hollow2`, …, with up to PLAYED hosts each; faults hit all hosts of one.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lab import cluster, daemons, loopback, processes, removal
from lab.contract import MASTER, HostStatus, LabFault, LabSettings, LabStatus, Progress, Quiet, ServiceStatus
from lab.state import Host, State, StateFile, lab_id

EACH = 8
ALL = "hollow"
"""How the names of host entries begin that stand for many."""
PLAYED = 2000
"""Each hollow host takes four files of its process."""
KILL_TIMEOUT_S = 15.0
SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP, "partition": signal.SIGSTOP}
"""The faults that a hollow host can have, and how."""


def _played(hosts: int) -> dict[str, int]:
    """How many hosts each process plays, by the name of its entry."""
    if hosts <= EACH:
        return {f"host-{number}": 1 for number in range(1, hosts + 1)}
    count = math.ceil(hosts / PLAYED)
    names = [ALL] if count == 1 else [f"{ALL}{number}" for number in range(1, count + 1)]
    return {name: hosts // count + (index < hosts % count) for index, name in enumerate(names)}


def _node_names(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}-{number}" for number in range(count)]


def _service(host: Host) -> str:
    return "kmaster" if host.name == MASTER else "kagent"


def _alive(host: Host) -> bool:
    return processes.alive(host.services.get(_service(host)))


def _observe(host: Host) -> HostStatus:
    alive = _alive(host)
    pid = host.services[_service(host)].pid if alive else 0
    stopped = "partitioned" if host.partitioned else ",".join(host.faults)
    condition = stopped or "running" if alive else "killed" if host.killed else "down"
    return HostStatus(host.name, host.address, condition, (ServiceStatus(_service(host), alive, pid),))


def _check(host: Host, service: str) -> None:
    if service != _service(host):
        raise LabFault(f"{host.name} runs no {service}, but {_service(host)}")


class HollowLab:
    """See `contract.Lab`. settings: None means those of the lab that is there."""

    def __init__(self, directory: Path, settings: LabSettings | None = None) -> None:
        self.directory = directory.resolve()
        self.kubeconfig = self.directory / "kubeconfig"
        self.kctl_config = self.directory / "kctl.json"
        self._settings = settings
        self._files = StateFile(self.directory)

    # -- up and down ---------------------------------------------------------------------------------------------

    def up(self, progress: Progress) -> None:
        with self._files.locked():
            state = self._files.load() or State(id=lab_id(self.directory), settings=self._settings or LabSettings(runtime="hollow"))
            shutil.rmtree(self.directory / removal.FAILED, ignore_errors=True)
            try:
                self._settle(state)
                self._build(state, progress)
            except BaseException as error:
                if state.complete:
                    raise
                progress.step("It failed: removing what was started")
                failure = removal.after_failure(self.directory, error, lambda: self._remove(state))
                progress.done()
                raise failure from None
            state.complete = True
            self._files.save(state)
            progress.done()

    def _settle(self, state: State) -> None:
        """The hosts of the lab, kept from the first `up` on; more may be added while each has a process of its own."""
        asked = self._settings
        if asked is not None and state.hosts and asked.hosts > state.settings.hosts:
            if asked.hosts > EACH:
                raise LabFault(f"a lab of {state.settings.hosts} hosts cannot grow to {asked.hosts}: run script/down first")
            state.settings = msgspec.structs.replace(state.settings, hosts=asked.hosts)
        known = {host.name for host in state.hosts}
        state.hosts += [Host(name, loopback.ADDRESS) for name in (MASTER, *_played(state.settings.hosts)) if name not in known]
        if not state.ports:
            state.ports = loopback.free_ports(list(daemons.PORTS))
        self._files.save(state)

    def _build(self, state: State, progress: Progress) -> None:
        agents = [host for host in state.hosts if host.name != MASTER]
        progress.step("kmaster")
        self._spawn(state, state.host(MASTER))
        self._wait_master(state.host(MASTER))
        progress.step("Nodes")
        join = cluster.join_string(self.kctl_config) if any(not host.joined for host in agents) else ""
        for host in agents:
            self._spawn(state, host, join)
        self._wait_nodes(state, agents, progress)
        for host in agents:
            host.joined = True
        if state.settings.example:
            progress.step("The example application")
            cluster.run_example(cluster.Api(self.kubeconfig), progress)

    def down(self, progress: Progress) -> None:
        with self._files.locked():
            progress.step("Removing the lab")
            self._remove(self._files.load())
            progress.done()

    def _remove(self, state: State | None) -> None:
        found = [process for host in (state.hosts if state else []) for process in host.services.values()]
        for process in found:
            processes.send(process, signal.SIGKILL)
        processes.wait_gone(found, 10.0)
        removal.remove_files(self.directory)

    # -- services ------------------------------------------------------------------------------------------------

    def _log(self, host: Host) -> Path:
        return self.directory / "hosts" / host.name / "log" / f"{_service(host)}.log"

    def _spawn(self, state: State, host: Host, join: str = "") -> None:
        """Start the host's one service unless it runs; a stopped one goes on."""
        if _alive(host):
            processes.send(host.services[_service(host)], signal.SIGCONT)
        else:
            data = self.directory / "hosts" / host.name / "data"
            data.mkdir(parents=True, exist_ok=True)
            if host.name == MASTER:
                if taken := loopback.occupied(state.ports):
                    remedy = "end it, or run script/down and then script/up"
                    raise LabFault(f"the port {taken[0]} of {loopback.ADDRESS} is used by another program: {remedy}")
                argv = daemons.kmaster(state.settings, data=data, address=loopback.ADDRESS, kubeconfig=self.kubeconfig, ports=state.ports)
                process = loopback.spawn(argv, log=self._log(host))
            else:
                count = _played(state.settings.hosts)[host.name]
                argv = daemons.kagent_hollow(state.settings, data=data, name=host.name, count=count)
                process = loopback.spawn(argv, log=self._log(host), env={daemons.JOIN_VARIABLE: join} if join else None)
            host.services = {_service(host): process}
        host.killed = host.partitioned = False
        host.faults = []
        self._files.save(state)

    def _wait_master(self, host: Host) -> None:
        cluster.wait_master(self.kubeconfig, alive=lambda: _alive(host), log=self._log(host))

    def _wait_nodes(self, state: State, hosts: list[Host], progress: Progress) -> None:
        def check() -> None:
            for host in hosts:
                if not _alive(host):
                    raise LabFault(f"kagent on {host.name} ended: {processes.tail(self._log(host))} (see {self._log(host)})")

        played = _played(state.settings.hosts)
        names = [name for host in hosts for name in _node_names(host.name, played[host.name])]
        cluster.wait_nodes(cluster.Api(self.kubeconfig), names, check=check, progress=progress)

    # -- status, faults ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _opened(self, *, write: bool = True) -> Iterator[State]:
        with self._files.locked() if write else contextlib.nullcontext():
            state = self._files.load()
            if state is None:
                raise LabFault(f"there is no lab in {self.directory}: start one with script/up --runtime hollow")
            yield state

    def status(self) -> LabStatus:
        with self._opened(write=False) as state:
            hosts = tuple(_observe(host) for host in state.hosts)
            return LabStatus(state.id, state.settings.runtime, str(self.directory), str(self.kubeconfig), hosts)

    def run(self, host: str, argv: Sequence[str], *, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        raise LabFault(f"{host} is hollow: it has no system to run {argv[0]!r} in")

    def exec(self, host: str, argv: Sequence[str]) -> int:
        raise LabFault(f"{host} is hollow: it has no system to run {argv[0]!r} in")

    def _signal(self, name: str, sig: signal.Signals, *, fault: str = "kill") -> None:
        with self._opened() as state:
            host = state.host(name)
            host.killed, host.partitioned = host.killed or fault == "kill", host.partitioned or fault == "partition"
            host.faults = ["freeze"] if fault == "freeze" else host.faults
            self._files.save(state)
            process = host.services.get(_service(host))
            processes.send(process, sig)
            if process and sig is not signal.SIGSTOP:
                processes.wait_gone([process], KILL_TIMEOUT_S)

    def fault(self, host: str, kind: str, of: str = "host") -> None:
        if kind not in SIGNALS:
            raise LabFault(f"{host} is hollow, it has no link, disk or clock to break: choose {', '.join(SIGNALS)}, or a lab of containers")
        if of == "runtime" or (of == "agent" and host == MASTER):
            raise LabFault(f"{host} is hollow, it has no {of} apart: break the host itself")
        self._signal(host, SIGNALS[kind], fault=kind)

    def heal(self, host: str) -> None:
        with self._opened() as state:
            patient = state.host(host)
            self._spawn(state, patient)
            if host == MASTER:
                self._wait_master(patient)

    def stop(self, host: str, service: str, sig: signal.Signals = signal.SIGKILL) -> None:
        with self._opened() as state:
            _check(state.host(host), service)
        self._signal(host, sig)

    def start(self, host: str, service: str) -> None:
        with self._opened() as state:
            _check(state.host(host), service)
        self.heal(host)
        if host != MASTER:
            with self._opened(write=False) as state:
                self._wait_nodes(state, [state.host(host)], Quiet())
