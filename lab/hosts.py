"""The lab whose hosts are namespaces of this machine, with real containers in them. Needs root.

    .lab/state.json  kubeconfig  kctl.json  cache/images-….tar
    .lab/hosts/host-1/{etc,var}/…   the host's disk: bound over the machine's folders inside the host
    .lab/hosts/host-1/log/*.log     what its daemons say

Says what a lab consists of and in which order it comes up: machines, kmaster and the runtimes side by side, images, joining, the example.
`machines.py` does it, `removal.py` undoes it. Each step looks at the machine, not at the state, and makes what is missing, so that
`up` after anything (a crash, a fault, a reboot) ends in the same lab.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab import boot, cgroups, cluster, faults, images, net, preflight, removal
from lab.contract import MASTER, LabFault, LabSettings, LabStatus, Progress
from lab.machines import Machines
from lab.state import Host, State, StateFile, lab_id


class HostLab:
    """See `contract.Lab`. settings: None means those of the lab that is there."""

    def __init__(self, directory: Path, settings: LabSettings | None = None) -> None:
        self.directory = directory.resolve()
        self.kubeconfig = self.directory / "kubeconfig"
        self.kctl_config = self.directory / "kctl.json"
        self._settings = settings
        self._files = StateFile(self.directory)

    def up(self, progress: Progress) -> None:
        preflight.hosts(self.directory, (self._settings or LabSettings()).runtime)
        with self._files.locked():
            state = self._files.load() or State(id=lab_id(self.directory), settings=self._settings or LabSettings())
            machines = Machines(self.directory, self._files, state)
            shutil.rmtree(self.directory / removal.FAILED, ignore_errors=True)
            try:
                machines.settle(self._settings)
                self._build(machines, progress)
            except BaseException as error:
                if state.complete:
                    raise
                progress.step("It failed: removing what was started")
                failure = removal.after_failure(self.directory, error, lambda: removal.remove(state.id, self.directory, state))
                progress.done()
                raise failure from None
            state.complete = True
            machines.save()
            progress.done()

    def _build(self, machines: Machines, progress: Progress) -> None:
        state = machines.state
        master = state.host(MASTER)
        progress.step(f"{len(state.hosts)} hosts on {state.subnet}")
        machines.share()
        for host in state.hosts:
            progress.detail(host.name)
            machines.power_on(host)
            faults.mend(machines, host)
        progress.step("kmaster and the container runtimes")
        machines.spawn(master, "kmaster")
        started = [host for host in machines.agents if machines.spawn(host, machines.services(host.name)[0])]
        archive = images.cached(self.directory / "cache")
        for host in started:
            service = machines.services(host.name)[0]
            progress.detail(f"{service} on {host.name}")
            machines.wait(host, service)
        for host in machines.agents:
            self._load_images(machines, host, archive)
        progress.detail("kmaster")
        machines.wait(master, "kmaster")
        self._join(machines, progress)
        if state.settings.example:
            progress.step("The example application")
            cluster.run_example(cluster.Api(self.kubeconfig), progress)

    def _load_images(self, machines: Machines, host: Host, archive: Path) -> None:
        if host.images != archive.name:
            machines.runtime(host).import_images(machines.running(host.name)[1], archive)
            host.images = archive.name
            machines.save()

    def _join(self, machines: Machines, progress: Progress) -> None:
        strangers = [host for host in machines.agents if not host.joined]
        if strangers:
            progress.step("Joining")
            join = cluster.join_string(self.kctl_config)
            for host in strangers:
                progress.detail(host.name)
                machines.join(host, join)
        progress.step("Nodes")
        for host in machines.agents:
            machines.spawn(host, "kagent")
        names = [host.name for host in machines.agents]
        cluster.wait_nodes(
            cluster.Api(self.kubeconfig), names, check=lambda: machines.check_agents(machines.agents), progress=progress
        )

    def down(self, progress: Progress) -> None:
        with self._files.locked():
            try:
                state = self._files.load()
            except LabFault:
                state = None  # damaged: names are enough
            name = lab_id(self.directory)
            if state is None and not net.namespaces(name) and not cgroups.folders(name):
                progress.step("There is no lab")
            else:
                preflight.root("remove the lab's namespaces")
                progress.step("Removing the lab")
            removal.remove(name, self.directory, state)
            progress.done()

    @contextlib.contextmanager
    def _opened(self, *, write: bool = True) -> Iterator[Machines]:
        """The lab that is there, locked if it is to be changed. Raises LabFault when there is none."""
        with self._files.locked() if write else contextlib.nullcontext():
            state = self._files.load()
            if state is None:
                raise LabFault(f"there is no lab in {self.directory}: start one with script/up")
            yield Machines(self.directory, self._files, state)

    def status(self) -> LabStatus:
        with self._opened(write=False) as machines:
            state = machines.state
            hosts = tuple(machines.observe(host) for host in state.hosts)
            return LabStatus(state.id, state.settings.runtime, str(self.directory), str(self.kubeconfig), hosts)

    def run(self, host: str, argv: Sequence[str], *, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        with self._opened(write=False) as machines:
            init = machines.running(host)[1]
        return boot.run(init, argv, timeout_s=timeout_s)

    def exec(self, host: str, argv: Sequence[str]) -> int:
        with self._opened(write=False) as machines:
            init = machines.running(host)[1]
        return boot.execute(init, argv)

    def fault(self, host: str, kind: str, of: str = faults.HOST) -> None:
        with self._opened() as machines:
            faults.make(machines, machines.state.host(host), kind, of)

    def heal(self, host: str) -> None:
        with self._opened() as machines:
            patient = machines.state.host(host)
            machines.share()
            machines.power_on(patient)
            faults.mend(machines, patient)
            for service in machines.services(host):
                if machines.spawn(patient, service) and service != "kagent":
                    machines.wait(patient, service)

    def stop(self, host: str, service: str, sig: signal.Signals = signal.SIGKILL) -> None:
        with self._opened() as machines:
            machines.stop(_with_service(machines, host, service), service, sig)

    def start(self, host: str, service: str) -> None:
        with self._opened() as machines:
            target = _with_service(machines, host, service)
            machines.spawn(target, service)
            machines.wait(target, service)


def _with_service(machines: Machines, name: str, service: str) -> Host:
    host, _ = machines.running(name)
    if service not in machines.services(name):
        raise LabFault(f"{name} runs no {service}, but {' and '.join(machines.services(name))}")
    return host
