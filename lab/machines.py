"""The hosts of one lab as machines: switched on and off, with their services started, watched and stopped.

Owns the lab's state while one command works on it and saves it after each step. Every method looks at what is there and makes what
is missing. What belongs on the hosts, and in which order, is `hosts.py`'s business.
"""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec

from lab import boot, cgroups, cluster, daemons, disk, faketime, net, processes, runtimes
from lab.contract import MASTER, HostStatus, LabFault, LabSettings, Quiet, ServiceStatus
from lab.processes import Process
from lab.state import Host, State, StateFile

JOIN_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


class Machines:
    def __init__(self, directory: Path, files: StateFile, state: State) -> None:
        self._directory = directory
        self._files = files
        self.state = state
        self.kubeconfig = directory / "kubeconfig"
        self.kctl_config = directory / "kctl.json"

    @property
    def agents(self) -> list[Host]:
        return [host for host in self.state.hosts if host.name != MASTER]

    def save(self) -> None:
        self._files.save(self.state)

    def disk(self, host: Host) -> Path:
        return self._directory / "hosts" / host.name

    def services(self, host: str) -> tuple[str, ...]:
        return runtimes.services(self.state.settings.runtime, host)

    def runtime(self, host: Host) -> runtimes.Module:
        return runtimes.MODULES[runtimes.of(self.state.settings.runtime, host.name)]

    def log(self, host: Host, service: str) -> Path:
        return self.disk(host) / "log" / f"{service}.log"

    def settle(self, settings: LabSettings | None) -> None:
        """The lab's subnet and hosts: kept from the first `up` on. More hosts may be added later, fewer need a new lab."""
        state = self.state
        if settings is not None and settings.hosts > state.settings.hosts:
            state.settings = msgspec.structs.replace(state.settings, hosts=settings.hosts)
        if not state.subnet or (not net.exists(state.id, "switch") and net.subnet_in_use(state.subnet, state.id)):
            if state.complete:
                raise LabFault(f"the lab's network {state.subnet} is now used by another link: run script/down and then script/up")
            self._note_netns_mount()
            with net.claiming():
                state.subnet = net.free_subnet()
                self.save()
                net.ensure_switch(state.id, state.subnet)
        known = {host.name for host in state.hosts}
        wanted = [(MASTER, 2)] + [(f"host-{number}", 10 + number) for number in range(1, state.settings.hosts + 1)]
        state.hosts += [Host(name, net.address(state.subnet, number)) for name, number in wanted if name not in known]
        self.save()

    def share(self) -> None:
        """What the hosts have in common: the points where their folders are mounted, and the switch."""
        self._note_netns_mount()
        self.state.made_folders += boot.make_folders()
        self.state.opened_controllers += cgroups.open_root()
        self.save()
        net.ensure_switch(self.state.id, self.state.subnet)

    def _note_netns_mount(self) -> None:
        if not self.state.made_netns_mount and not net.is_mount(net.NETNS_FOLDER):
            self.state.made_netns_mount = True
            self.save()

    def power_on(self, host: Host) -> None:
        """Its network, cgroup and init; plugged in. Nothing runs in it yet."""
        lab_id, settings = self.state.id, self.state.settings
        if processes.alive(host.init) and net.exists(lab_id, host.name):
            net.plug(lab_id, host.name)
        else:
            boot.halt(host.init, host.outer)
            net.ensure_host(lab_id, host.name, host.address)
            groups = cgroups.create(lab_id, host.name)
            if host.name != MASTER:
                cgroups.limit(groups, cpu=settings.cpu, memory_bytes=settings.memory_bytes)
            host.services = {}
            image = disk.ensure(self.disk(host))
            place = boot.HostPlace(lab_id, host.name, self.disk(host), tuple(groups), image=image, image_options=disk.MOUNT_OPTIONS)
            host.init, host.outer = boot.boot(place)
            cgroups.delegate(groups)
        host.killed = host.partitioned = False
        self.save()

    def power_off(self, host: Host) -> None:
        host.killed = True
        self.save()
        net.remove_host(self.state.id, host.name)  # first: a dying process must not say goodbye to anybody
        boot.halt(host.init, host.outer)

    def cut_off(self, host: Host) -> None:
        host.partitioned = True
        self.save()
        net.unplug(self.state.id, host.name)

    def running(self, name: str) -> tuple[Host, Process]:
        """The host and its init. Raises LabFault when it is unknown or does not run."""
        host = self.state.host(name)
        if host.init is None or not processes.alive(host.init):
            raise LabFault(f"the host {name} does not run: `kctl lab fault heal {name}` starts it")
        return host, host.init

    def spawn(self, host: Host, service: str) -> bool:
        """Start a service unless it runs; True when it was started."""
        if processes.alive(host.services.get(service)):
            return False
        init = self.running(host.name)[1]
        settings = self.state.settings
        env = faketime.environment(self.disk(host)) if host.own_clock else None
        if service in runtimes.SERVICES.values():
            process = self.runtime(host).spawn(init, self.disk(host))
        elif service == "kmaster":
            argv = daemons.kmaster(
                settings, data=daemons.KMASTER_DATA, address=host.address, kubeconfig=self.kubeconfig, ports=daemons.PORTS
            )
            process = boot.spawn(init, argv, log=self.log(host, service), env=env)
        else:
            argv = daemons.kagent_run(settings, host=host.name, data=daemons.KAGENT_DATA, address=host.address)
            process = boot.spawn(init, argv, log=self.log(host, service), env=env)
        host.services = {**host.services, service: process}
        self.save()
        return True

    def wait(self, host: Host, service: str) -> None:
        """Wait until the service answers; kagent does when its node is Ready. Raises LabFault with the service's last words."""
        process = host.services.get(service)
        if service in runtimes.SERVICES.values():
            assert process is not None
            self.runtime(host).wait_ready(self.running(host.name)[1], process, self.disk(host))
        elif service == "kmaster":
            cluster.wait_master(self.kubeconfig, alive=lambda: processes.alive(process), log=self.log(host, service))
        else:
            api = cluster.Api(self.kubeconfig)
            cluster.wait_nodes(api, [host.name], check=lambda: self.check_agents([host]), progress=Quiet())

    def stop(self, host: Host, service: str, sig: signal.Signals) -> None:
        process = host.services.get(service)
        processes.send(process, sig)
        if process and processes.wait_gone([process], STOP_TIMEOUT_S):
            raise LabFault(f"{service} on {host.name} still runs {STOP_TIMEOUT_S:g} s after {sig.name}")

    def join(self, host: Host, join: str) -> None:
        init = self.running(host.name)[1]
        argv = daemons.kagent_join(data=daemons.KAGENT_DATA)
        result = boot.run(init, argv, timeout_s=JOIN_TIMEOUT_S, env={daemons.JOIN_VARIABLE: join})
        if result.returncode:
            words = (result.stderr or result.stdout).strip().splitlines()
            raise LabFault(f"{host.name} could not join: {words[-1] if words else 'it said nothing'}")
        host.joined = True
        self.save()

    def check_agents(self, hosts: list[Host]) -> None:
        """Raises LabFault with the last words of a kagent that has ended."""
        for host in hosts:
            if not processes.alive(host.services.get("kagent")):
                log = self.log(host, "kagent")
                raise LabFault(f"kagent on {host.name} ended: {processes.tail(log)} (see {log})")

    def observe(self, host: Host) -> HostStatus:
        running = processes.alive(host.init) and net.exists(self.state.id, host.name)
        if running:
            condition = ",".join(host.faults) or "running"
            if not net.plugged(self.state.id, host.name):
                condition = "partitioned"
        else:
            condition = "killed" if host.killed else "down"
        found = []
        for name in self.services(host.name):
            process = host.services.get(name)
            alive = running and processes.alive(process)
            found.append(ServiceStatus(name, alive, process.pid if alive and process else 0))
        return HostStatus(host.name, host.address, condition, tuple(found))
