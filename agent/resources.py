"""What the host has and how much of it is left; the one module that asks psutil and /proc.

Owns reading; `node.py` makes the node's document of it. Stated capacity (settings cpu, memory, pods) takes the place of what the
machine has, because several hosts may share one. `HollowResources` states everything and reads nothing, for the simulation.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import psutil

from agent import devices
from agent.lifecycle import pressure
from agent.lifecycle.names import resolver
from agent.lifecycle.pressure import Amount
from agent.node import Consumed, Facts
from agent.runtime import cgroup_use
from agent.settings import Settings
from common import architecture
from common.objects import quantity

TEXT_MOST = 64 << 10
HOLLOW_CPU_MILLI = 8000
HOLLOW_MEMORY_BYTES = 16 << 30
HOLLOW_DISK_BYTES = 100 << 30


class Resources(Protocol):
    def facts(self) -> Facts:
        """What the host has."""

    def signals(self) -> Mapping[str, Amount]:
        """What is left of it, by the kubelet's names (`agent.lifecycle.pressure`); without those that cannot be measured."""

    def consumed(self) -> Consumed:
        """What was used of it."""


class HollowResources:
    def __init__(self, name: str, *, settings: Settings = Settings(), address: str = "") -> None:
        self._facts = Facts(
            name=name,
            cpu_milli=quantity.milli(settings.cpu) if settings.cpu else HOLLOW_CPU_MILLI,
            memory_bytes=quantity.value(settings.memory) if settings.memory else HOLLOW_MEMORY_BYTES,
            pods=quantity.value(settings.pods),
            disk_bytes=HOLLOW_DISK_BYTES,
            extended=extended(settings),
            reserved=reserved(settings),
            addresses=(address,) if address else (),
            kernel="hollow",
            os_image="Hollow host",
            machine_id=name,
            system_uuid=name,
            boot_id=name,
        )
        self.left: dict[str, Amount] = {}

    def facts(self) -> Facts:
        return self._facts

    def signals(self) -> Mapping[str, Amount]:
        return self.left

    def consumed(self) -> Consumed:
        return Consumed(0, 0, whole=False)


class HostResources:
    def __init__(self, name: str, settings: Settings) -> None:
        self._settings = settings
        cpu, memory = settings.cpu, settings.memory
        self._name = name
        self._stated_memory = quantity.value(memory) if memory else 0
        self._cpu_milli = quantity.milli(cpu) if cpu else len(os.sched_getaffinity(0)) * 1000
        self._memory_bytes = self._stated_memory or psutil.virtual_memory().total
        self._disk = Path(settings.data_dir)

    def facts(self) -> Facts:
        release = platform.uname()
        return Facts(
            name=self._name,
            cpu_milli=self._cpu_milli,
            memory_bytes=self._memory_bytes,
            pods=quantity.value(self._settings.pods),
            disk_bytes=psutil.disk_usage(str(self._disk)).total if self._disk.exists() else 0,
            addresses=addresses(self._settings.node_address),
            kernel=release.release,
            os_image=_os_image(),
            architecture=architecture.name(release.machine),
            machine_id=_line("/etc/machine-id").replace("-", ""),
            system_uuid=_line("/sys/class/dmi/id/product_uuid") or _line("/etc/machine-id"),
            boot_id=_line("/proc/sys/kernel/random/boot_id"),
            hosts=_text("/etc/hosts"),
            dns=resolver(_text("/etc/resolv.conf")),
            extended=extended(self._settings),
            reserved=reserved(self._settings),
        )

    def signals(self) -> Mapping[str, Amount]:
        found = {pressure.MEMORY: self._memory_left()}
        most_pids, threads = int(_line("/proc/sys/kernel/pid_max") or 0), _threads()
        if most_pids:
            found[pressure.PIDS] = Amount(most_pids - threads, most_pids)
        if self._disk.exists():
            disk = os.statvfs(self._disk)
            found[pressure.DISK] = Amount(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
            if disk.f_files:  # not all file systems count them
                found[pressure.INODES] = Amount(disk.f_favail, disk.f_files)
        return found

    def _memory_left(self) -> Amount:
        """Of a machine, what could be had without swapping. In a cgroup with a limit, as a host of a lab is one, what the limit leaves; of
        a stated memory, what the pods leave. Never more than the machine has."""
        machine = psutil.virtual_memory()
        free, limit = machine.available, cgroup_use.limit("/")
        whole = cgroup_use.used("/") if limit is not None and limit < machine.total else None
        if whole is not None and limit is not None:
            return Amount(max(0, min(free, limit - whole[1])), limit)
        if self._stated_memory:
            pods = cgroup_use.used(self._settings.cgroup_root) or (0, 0)
            return Amount(max(0, min(free, self._stated_memory - pods[1])), self._stated_memory)
        return Amount(free, machine.total)

    def consumed(self) -> Consumed:
        """A host whose capacity is stated is a part of its machine: it uses what its agent and its pods use."""
        if self._settings.cpu or self._settings.memory:
            own = psutil.Process()
            times = own.cpu_times()
            return Consumed(int((times.user + times.system) * 1e9), own.memory_info().rss, whole=False)
        times = psutil.cpu_times()
        # `guest` is a part of `user`, and so `guest_nice` of `nice`.
        busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
        memory = psutil.virtual_memory()
        return Consumed(int(busy * 1e9), memory.total - memory.available, whole=True)


def extended(settings: Settings) -> dict[str, int]:
    return {name: devices.units(text)[0] for name, text in settings.resources.items()}


def reserved(settings: Settings) -> dict[str, int]:
    return {name: quantity.of(name, amount) for name, amount in settings.reserved.items()}


def _threads() -> int:
    """All threads of the machine: the total in /proc/loadavg's fourth field."""
    words = _line("/proc/loadavg").split()
    return int(words[3].partition("/")[2]) if len(words) > 3 else 0


def addresses(stated: str) -> tuple[str, ...]:
    """The stated address, or that of the interface of the default route, or the first that is not loopback."""
    if stated:
        return (stated,)
    interfaces = psutil.net_if_addrs()
    route = _default_interface()
    names = [route] if route else [name for name in interfaces if name != "lo"]
    for name in names:
        for address in interfaces.get(name, []):
            if address.family == socket.AF_INET:
                return (address.address,)
    return ()


def _default_interface() -> str:
    try:
        lines = Path("/proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return ""
    return next((line.split()[0] for line in lines if line.split()[1:2] == ["00000000"]), "")


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _line(path: str) -> str:
    try:
        with open(path) as file:
            return file.readline(4096).strip()
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read(TEXT_MOST)
    except OSError:
        return ""


def host_name() -> str:
    """This host's name as a node name."""
    return socket.gethostname().lower()
