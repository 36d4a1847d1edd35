"""Breaking a lab's host, and mending it: `kctl lab fault`. Power (`kill`) and cable (`partition`) are `machines.py`'s; here are

    freeze     nothing of the host, or one daemon, is scheduled any more (SIGSTOP): as a machine that hangs, or swaps itself to death
    slow       the host's cable carries LINK_BITS_S each way and drops what does not fit; or one daemon gets STARVED_SHARE of a CPU
    disk-full  not a block of the host's disk is free
    clock      the wall clock of the host's kagent (or kmaster) jumps JUMP_S ahead

A fault is noted in the state before it is made, so that `mend` undoes it after anything. All are idempotent.
"""

from __future__ import annotations

import signal

from lab import cgroups, cluster, disk, faketime, net, processes
from lab.contract import FAULTS, MASTER, OF_DAEMON, LabFault
from lab.machines import Machines
from lab.processes import Process
from lab.state import Host

LINK_BITS_S = 1_000_000
STARVED_SHARE = 0.05
JUMP_S = 3600
HOST = "host"
PARTS = (HOST, "agent", "runtime")


def make(machines: Machines, host: Host, kind: str, of: str) -> None:
    """One of `contract.FAULTS`. Raises LabFault."""
    if kind not in FAULTS or of not in PARTS or (of != HOST and kind not in OF_DAEMON):
        raise LabFault(f"there is no fault {kind!r} of {of}: choose one of {', '.join(FAULTS)}; of one daemon only {', '.join(OF_DAEMON)}")
    if kind == "kill" and of == HOST:
        machines.power_off(host)  # whether it runs or not
        return
    machines.running(host.name)
    match kind:
        case "kill":
            machines.stop(host, _service(machines, host, of), signal.SIGKILL)
        case "partition":
            machines.cut_off(host)
        case "freeze":
            _freeze(machines, host, of)
        case "slow":
            _slow(machines, host, of)
        case "disk-full":
            _fill_disk(machines, host)
        case "clock":
            _jump_clock(machines, host)


def _service(machines: Machines, host: Host, of: str) -> str:
    """The daemon that `agent` or `runtime` means on this host. Raises LabFault."""
    names = machines.services(host.name)
    if host.name == MASTER:
        raise LabFault(f"{host.name} has no {of}, it runs {' and '.join(names)}: leave out --of")
    return names[1] if of == "agent" else names[0]


def _note(machines: Machines, host: Host, fault: str, of: str = HOST) -> None:
    name = fault if of == HOST else f"{fault}:{of}"
    if name not in host.faults:
        host.faults = [*host.faults, name]
        machines.save()


def _daemon(machines: Machines, host: Host, of: str) -> Process:
    name = _service(machines, host, of)
    process = host.services.get(name)
    if process is None or not processes.alive(process):
        raise LabFault(f"{name} does not run on {host.name}: `kctl lab fault heal {host.name}` starts it")
    return process


def _freeze(machines: Machines, host: Host, of: str) -> None:
    """Subtle: a host's processes are stopped in rounds, until none is new, because one that runs may have forked meanwhile."""
    target = [] if of == HOST else [_daemon(machines, host, of)]
    _note(machines, host, "freeze", of)
    stopped: set[Process] = set()
    while fresh := set(target or _all(machines, host)) - stopped:
        for process in sorted(fresh, key=lambda each: each.pid):
            processes.send(process, signal.SIGSTOP)
        stopped |= fresh


def _all(machines: Machines, host: Host) -> list[Process]:
    """The host's processes, its pods' included."""
    pids = {pid for folder in cgroups.folders(machines.state.id) for pid in cgroups.pids(folder / host.name)}
    return [process for pid in sorted(pids) if (process := processes.named(pid))]


def _slow(machines: Machines, host: Host, of: str) -> None:
    process = None if of == HOST else _daemon(machines, host, of)
    _note(machines, host, "slow", of)
    if process is None:
        net.throttle(machines.state.id, host.name, LINK_BITS_S)
    elif not cgroups.starve(machines.state.id, host.name, pid=process.pid, share=STARVED_SHARE):
        raise LabFault("this machine's cgroups cannot limit the CPU: `slow HOST` throttles its link instead")


def _fill_disk(machines: Machines, host: Host) -> None:
    _note(machines, host, "disk-full")
    disk.fill(machines.running(host.name)[1], machines.disk(host))


def _jump_clock(machines: Machines, host: Host) -> None:
    """The daemon is started anew first, unless it has a clock of its own already, and jumps while it runs."""
    name = machines.services(host.name)[-1]
    faketime.library()
    if not host.own_clock or not processes.alive(host.services.get(name)):
        faketime.jump(machines.disk(host), 0)
        machines.stop(host, name, signal.SIGTERM)
        host.own_clock = True
        heard = cluster.heartbeat(machines.kubeconfig, host.name) if name == "kagent" else ""
        machines.spawn(host, name)
        machines.wait(host, name)
        if name == "kagent":
            cluster.wait_heartbeat(machines.kubeconfig, host.name, after=heard)
    _note(machines, host, "clock")
    faketime.jump(machines.disk(host), JUMP_S)


def mend(machines: Machines, host: Host) -> None:
    """Undo all of the above on a host that is switched on. What had a clock of its own is stopped: the caller starts it anew."""
    if not host.faults:
        return
    for process in _all(machines, host):
        processes.send(process, signal.SIGCONT)
    net.unthrottle(machines.state.id, host.name)
    cgroups.feed(machines.state.id, host.name)
    disk.free(machines.running(host.name)[1], machines.disk(host))
    if "clock" in host.faults:
        _set_right(machines, host)
    host.faults = []
    machines.save()


def _set_right(machines: Machines, host: Host) -> None:
    """The clock jumps back while its daemon runs. With the library it would go on, but slowly: a busy agent lost its session."""
    name = machines.services(host.name)[-1]
    faketime.jump(machines.disk(host), 0)
    if processes.alive(host.services.get(name)):
        noticed = processes.CLOCK.monotonic() + 2 * faketime.READ_EVERY_S
        processes.until(lambda: processes.CLOCK.monotonic() >= noticed, 3 * faketime.READ_EVERY_S, "time stands still")
        machines.stop(host, name, signal.SIGTERM)
    host.own_clock = False
