"""The node's own document: what a host tells of itself, from plain facts. Pure.

Owns `node.status` as the kubelet writes it: capacity, allocatable, addresses, nodeInfo, and the conditions Ready, MemoryPressure,
DiskPressure, PIDPressure with the kubelet's reasons. A condition's time changes only with its status, so an unchanged host gives an
unchanged document.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from agent.lifecycle.status import when
from agent.runtime.contract import Dns, RuntimeInfo
from common.objects import quantity
from common.version import KUBERNETES

READY_MESSAGE = "kagent is posting ready status"


class Facts(msgspec.Struct, frozen=True):
    """What does not change while the host is up, but for its addresses. hosts: its /etc/hosts; dns: its resolver.
    extended: units of resources of its own; reserved: what pods do not get, in the units of `quantity.of`."""

    name: str
    cpu_milli: int
    memory_bytes: int
    pods: int
    disk_bytes: int = 0
    addresses: tuple[str, ...] = ()
    kernel: str = ""
    os_image: str = ""
    architecture: str = "amd64"
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    hosts: str = ""
    dns: Dns = Dns()
    extended: dict[str, int] = {}
    reserved: dict[str, int] = {}


class Consumed(msgspec.Struct, frozen=True):
    """What the host used so far. whole: that is all of it; else its pods' use comes on top."""

    cpu_ns: int
    memory_bytes: int
    whole: bool


def labels(facts: Facts, extra: Mapping[str, str]) -> dict[str, str]:
    return {
        "kubernetes.io/arch": facts.architecture,
        "kubernetes.io/hostname": facts.name,
        "kubernetes.io/os": "linux",
        **extra,
    }


def capacity(facts: Facts) -> dict[str, str]:
    return _resources(facts, {})


def allocatable(facts: Facts) -> dict[str, str]:
    """What pods may ask for: the capacity without what is reserved."""
    return _resources(facts, facts.reserved)


def _resources(facts: Facts, reserved: Mapping[str, int]) -> dict[str, str]:
    def left(whole: int, resource: str) -> int:
        return max(0, whole - reserved.get(resource, 0))

    found = {
        "cpu": quantity.cpu_text(left(facts.cpu_milli, "cpu")), "memory": f"{left(facts.memory_bytes, 'memory') // 1024}Ki",
        "pods": str(facts.pods), **{name: str(count) for name, count in facts.extended.items()},
    }  # fmt: skip
    if facts.disk_bytes:
        found["ephemeral-storage"] = f"{left(facts.disk_bytes, 'ephemeral-storage') // 1024}Ki"
    return dict(sorted(found.items()))


def ready(info: RuntimeInfo | None, words: str) -> tuple[str, str, str]:
    """Status, reason and message of the condition Ready. info None: the runtime does not answer, in these words."""
    if info is None:
        return "False", "KubeletNotReady", f"container runtime is down: {words}"
    if not info.ready:
        return "False", "KubeletNotReady", info.message or "container runtime is not ready"
    return "True", "KubeletReady", READY_MESSAGE


def conditions(
    pressed: Collection[str], info: RuntimeInfo | None, *, words: str, former: tuple[dict, ...], now: float
) -> tuple[dict, ...]:  # fmt: skip
    """pressed: those of the pressures that the host is under, as "MemoryPressure"."""
    pressures = (
        ("MemoryPressure", "KubeletHasInsufficientMemory",
         "KubeletHasSufficientMemory", "insufficient memory available", "sufficient memory available"),
        ("DiskPressure", "KubeletHasDiskPressure",
         "KubeletHasNoDiskPressure", "disk pressure", "no disk pressure"),
        ("PIDPressure", "KubeletHasInsufficientPID",
         "KubeletHasSufficientPID", "insufficient PID available", "sufficient PID available"),
    )  # fmt: skip
    found = [
        (kind, "True", reason_bad, f"kagent has {bad_text}") if kind in pressed else (kind, "False", reason_good, f"kagent has {good_text}")
        for kind, reason_bad, reason_good, bad_text, good_text in pressures
    ]  # fmt: skip
    found.append(("Ready", *ready(info, words)))
    before = {condition["type"]: condition for condition in former}
    made = []
    for kind, status, reason, message in found:
        old = before.get(kind)
        since = old["lastTransitionTime"] if old is not None and old["status"] == status else when(now)
        made.append({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
    return tuple(made)


def status(facts: Facts, info: RuntimeInfo | None, *, conditions: tuple[dict, ...]) -> dict:
    """`node.status`."""
    addresses = [{"type": "InternalIP", "address": address} for address in facts.addresses]
    addresses.append({"type": "Hostname", "address": facts.name})
    return {
        "capacity": capacity(facts),
        "allocatable": allocatable(facts),
        "addresses": addresses,
        "conditions": list(conditions),
        "nodeInfo": {
            "machineID": facts.machine_id,
            "systemUUID": facts.system_uuid,
            "bootID": facts.boot_id,
            "kernelVersion": facts.kernel,
            "osImage": facts.os_image,
            "containerRuntimeVersion": f"{info.name}://{info.version}" if info is not None else "",
            "kubeletVersion": KUBERNETES,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": facts.architecture,
        },
    }
