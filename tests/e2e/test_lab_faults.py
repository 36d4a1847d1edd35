"""Every fault that the lab can make: what the user then sees with kubectl and kctl, and that it heals.

Killed hosts and pulled cables are in test_faults.py. Only real hosts have links, disks and clocks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from common.clock import SystemClock, SystemRng, parse_rfc3339
from lab.contract import LabFault
from lab.faults import JUMP_S
from tests.e2e import residue
from tests.e2e.cluster import Cluster
from tests.e2e.test_faults import broken, containers, healthy, ready, running_names, running_on
from tests.e2e.test_workloads import deployment, pod


def deployed(cluster: Cluster, name: str, replicas: int) -> dict[str, tuple[str, int]]:
    """It runs on both hosts; its containers."""
    cluster.apply(deployment(name, replicas))
    cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
    assert running_on(cluster, name, "host-1")
    assert running_on(cluster, name, "host-2")
    return containers(cluster, name)


def condition(cluster: Cluster, node: str, kind: str) -> dict:
    return next(c for c in cluster.json("get", "node", node)["status"]["conditions"] if c["type"] == kind)


def _leaving(cluster: Cluster) -> list[str]:
    return [p["metadata"]["name"] for p in cluster.json("get", "pods", "-A")["items"] if p["metadata"].get("deletionTimestamp")]


def runs(cluster: Cluster, name: str, node: str) -> None:
    cluster.apply(pod(name, nodeName=node))
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=40s")


@pytest.mark.parametrize("of", ["host", pytest.param("agent", marks=pytest.mark.real)])
def test_a_frozen_host_is_given_up_and_when_thawed_gives_up_its_pods(cluster: Cluster, of: str) -> None:
    deployed(cluster, "frozen", 4)
    lost = running_on(cluster, "frozen", "host-2")
    with broken(cluster, "freeze", "host-2", of):
        cluster.until(lambda: ready(cluster, "host-2") == "Unknown", "host-2 to be declared dead")
        cluster.until(lambda: len(running_on(cluster, "frozen", "host-1")) == 4, "all four on host-1")
        assert "freeze" in {host.state.partition(":")[0] for host in cluster.lab.status().hosts}
        if cluster.runtime != "hollow":
            assert of == "host" or set(lost) <= set(running_names(cluster, "host-2"))  # a frozen host's runtime answers nobody
    healthy(cluster)
    left = lambda: set(cluster.kubectl("get", "pods", "-o", "name").replace("pod/", "").split())  # noqa: E731
    cluster.until(lambda: not set(lost) & left(), "the given-up pods to go")
    if cluster.runtime != "hollow":
        assert not set(lost) & set(running_names(cluster, "host-2"))
    assert len(left()) == 4
    runs(cluster, "thawed", "host-2")


@pytest.mark.real
def test_a_frozen_runtime_makes_its_node_not_ready_and_keeps_its_containers(cluster: Cluster) -> None:
    before = deployed(cluster, "hangs", 2)
    mine = running_on(cluster, "hangs", "host-2")
    with broken(cluster, "freeze", "host-2", "runtime"):
        cluster.until(lambda: ready(cluster, "host-2") == "False", "host-2 not Ready")
        assert "container runtime is down" in condition(cluster, "host-2", "Ready")["message"]
        cluster.until(lambda: len(running_on(cluster, "hangs", "host-1")) == 2, "both on host-1")
    healthy(cluster)
    cluster.until(lambda: not set(mine) & set(running_names(cluster, "host-2")), "the evicted pod to end")
    kept = {name: one for name, one in containers(cluster, "hangs").items() if name in before}
    assert kept
    assert all(before[name] == one for name, one in kept.items())
    runs(cluster, "again", "host-2")


@pytest.mark.real
def test_a_slow_link_delays_a_log_and_loses_no_node(cluster: Cluster) -> None:
    lines = 6000
    cluster.apply(pod("talks", f"seq -f 'line %048.0f' {lines} 2>/dev/null || yes line {'x' * 48} | head -n {lines}; sleep 3600", nodeName="host-2"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/talks", "--timeout=30s")
    cluster.until(lambda: cluster.kubectl("logs", "talks", "--tail=1"), "its log")
    before = containers(cluster, "talks")
    whole = cluster.kubectl("logs", "talks")
    assert len(whole.splitlines()) == lines
    with broken(cluster, "slow", "host-2"):
        with cluster.following("logs", "talks") as log:
            beside = f"beside-{cluster.namespace[-5:]}"
            runs(cluster, beside, "host-2")
            assert ready(cluster, "host-2") == "True"
            assert log() == whole
        assert ready(cluster, "host-2") == "True"
    assert containers(cluster, "talks") == before


@pytest.mark.real
def test_a_starved_agent_keeps_its_node(cluster: Cluster) -> None:
    before = deployed(cluster, "starved", 2)
    with broken(cluster, "slow", "host-2", "agent"):
        runs(cluster, "patient", "host-2")
        assert ready(cluster, "host-2") == "True"
    assert containers(cluster, "starved") == before


@pytest.mark.real
def test_a_full_disk_is_told_and_takes_no_pods_until_it_is_freed(cluster: Cluster) -> None:
    before = deployed(cluster, "before", 2)
    cluster.until(lambda: not _leaving(cluster), "the pods of other tests to go: what they leave would be room")
    volume = {"volumes": [{"name": "scratch", "emptyDir": {}}]}
    stuck = pod("stuck", nodeName="host-2", **volume)
    stuck["spec"]["containers"][0]["volumeMounts"] = [{"name": "scratch", "mountPath": "/scratch"}]
    with broken(cluster, "disk-full", "host-2"):
        cluster.apply(stuck)
        cluster.until(lambda: "no space left on device" in cluster.kubectl("events", "--for", "pod/stuck").lower(), "word of the disk")
        cluster.until(lambda: condition(cluster, "host-2", "DiskPressure")["status"] == "True", "DiskPressure")
        cluster.until(lambda: "disk-pressure:NoSchedule" in cluster.kubectl("describe", "node", "host-2"), "its taint")
        cluster.apply(deployment("elsewhere", 3))
        cluster.kubectl("rollout", "status", "deployment/elsewhere", "--timeout=30s")
        assert len(running_on(cluster, "elsewhere", "host-1")) == 3
        assert ready(cluster, "host-2") == "True"
        assert containers(cluster, "before") == before
    cluster.kubectl("wait", "--for=condition=Ready", "pod/stuck", "--timeout=40s")
    cluster.until(lambda: condition(cluster, "host-2", "DiskPressure")["status"] == "False", "no DiskPressure")
    freed = containers(cluster, "stuck")  # a try may have been made that the full disk did not let start
    cluster.lab.stop("host-2", "kagent")
    cluster.lab.start("host-2", "kagent")
    healthy(cluster)
    assert containers(cluster, "stuck") == freed
    cluster.kubectl("delete", "pod", "stuck")
    assert "stuck" not in running_names(cluster, "host-2")
    assert containers(cluster, "before") == before


def is_ahead(cluster: Cluster, host: str) -> bool:
    """By what the host's daemon writes: kmaster a creation, kagent a start."""
    name = f"time-{SystemRng().suffix()}"
    runs(cluster, name, "host-2")
    found = cluster.json("get", "pod", name)
    cluster.kubectl("delete", "pod", name, "--wait=false")
    at = found["metadata"]["creationTimestamp"] if host == "master" else found["status"]["startTime"]
    return parse_rfc3339(at) - SystemClock().now() > JUMP_S / 2


@pytest.mark.real
@pytest.mark.parametrize("host", ["host-2", "master"])
def test_a_clock_that_jumps_an_hour_and_back_moves_no_pod(cluster: Cluster, host: str) -> None:
    before = deployed(cluster, "steady", 2)
    cluster.apply(pod("crash", "exit 1", nodeName="host-2"))
    cluster.kctl("token", "create", "--ttl", "10m", "--description", f"short-{cluster.namespace}")
    cluster.kctl("token", "create", "--ttl", "2h", "--description", f"lasting-{cluster.namespace}")
    with broken(cluster, "clock", host):
        cluster.until(lambda: is_ahead(cluster, host), "the clock to jump ahead")
        assert [ready(cluster, node) for node in ("host-1", "host-2")] == ["True", "True"]
        tokens = cluster.kctl("token", "ls")
        assert f"lasting-{cluster.namespace}" in tokens
        cluster.kubectl("scale", "deployment/steady", "--replicas=3")
        cluster.kubectl("rollout", "status", "deployment/steady", "--timeout=30s")
    cluster.until(lambda: not is_ahead(cluster, host), "the clock to jump back")
    daemon = residue.pids(cluster, host)["kmaster" if host == "master" else "kagent"]
    assert b"faketime" not in Path(f"/proc/{daemon}/environ").read_bytes(), "nothing of the fault is left"
    assert [ready(cluster, node) for node in ("host-1", "host-2")] == ["True", "True"]
    cluster.until(lambda: containers(cluster, "crash")["crash"][1] >= 2, "its back-off to end", deadline_s=30)
    assert before.items() <= containers(cluster, "steady").items()


def test_a_fault_that_a_host_cannot_have_is_refused_in_a_sentence(cluster: Cluster) -> None:
    with pytest.raises(LabFault, match="host-1 is hollow, it has no link" if cluster.runtime == "hollow" else "of one daemon only kill"):
        cluster.lab.fault("host-1", "clock", "host" if cluster.runtime == "hollow" else "agent")
    assert {host.state for host in cluster.lab.status().hosts} == {"running"}
