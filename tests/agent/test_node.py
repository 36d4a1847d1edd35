"""The node's own document: conditions in the kubelet's words, and a time that changes only with its status."""

from __future__ import annotations

import msgspec
import pytest

from agent import node
from agent.node import Facts
from agent.runtime.contract import RuntimeInfo

FACTS = Facts(name="host-1", cpu_milli=1500, memory_bytes=2 << 30, pods=110, addresses=("192.0.2.1",), kernel="6.1", os_image="Debian")
READY = RuntimeInfo("containerd", "1.6.20", True)


def found(pressed: tuple[str, ...] = (), info: RuntimeInfo | None = READY, words: str = "", former: tuple = (), now: float = 1.8e9):
    return {c["type"]: c for c in node.conditions(pressed, info, words=words, former=former, now=now)}


@pytest.mark.parametrize(
    ("changes", "kind", "status", "reason"),
    [
        pytest.param({}, "Ready", "True", "KubeletReady", id="all is well"),
        pytest.param({"info": None, "words": "refused"}, "Ready", "False", "KubeletNotReady", id="the runtime is away"),
        pytest.param({"info": RuntimeInfo("containerd", "1", False, "no network")}, "Ready", "False", "KubeletNotReady", id="no network yet"),
        pytest.param({"pressed": ("MemoryPressure",)}, "MemoryPressure", "True", "KubeletHasInsufficientMemory", id="memory"),
        pytest.param({"pressed": ("DiskPressure",)}, "DiskPressure", "True", "KubeletHasDiskPressure", id="disk"),
        pytest.param({"pressed": ("PIDPressure",)}, "PIDPressure", "True", "KubeletHasInsufficientPID", id="processes"),
    ],
)
def test_conditions(changes: dict, kind: str, status: str, reason: str) -> None:
    condition = found(**changes)[kind]
    assert (condition["status"], condition["reason"]) == (status, reason)


def test_an_unchanged_host_gives_an_unchanged_document() -> None:
    first = tuple(found(now=1.8e9).values())
    assert tuple(found(former=first, now=1.9e9).values()) == first
    changed = found(info=None, words="refused", former=first, now=1.9e9)
    assert changed["Ready"]["lastTransitionTime"] != first[-1]["lastTransitionTime"]
    assert changed["Ready"]["message"] == "container runtime is down: refused"
    assert changed["DiskPressure"]["lastTransitionTime"] == first[1]["lastTransitionTime"]


def test_what_is_reserved_is_not_for_pods_and_a_hosts_own_resources_are() -> None:
    facts = msgspec.structs.replace(FACTS, extended={"example.com/gpu": 2}, reserved={"cpu": 500, "memory": 1 << 30})
    status = node.status(facts, READY, conditions=())
    assert status["capacity"] == {"cpu": "1500m", "example.com/gpu": "2", "memory": "2097152Ki", "pods": "110"}
    assert status["allocatable"] == {"cpu": "1", "example.com/gpu": "2", "memory": "1048576Ki", "pods": "110"}


def test_the_status_carries_what_kubectl_shows() -> None:
    status = node.status(FACTS, READY, conditions=())
    assert status["capacity"] == {"cpu": "1500m", "memory": "2097152Ki", "pods": "110"}
    assert status["addresses"] == [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": "host-1"}]
    assert status["nodeInfo"]["containerRuntimeVersion"] == "containerd://1.6.20"
