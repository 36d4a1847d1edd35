"""A host whose memory runs out, as a user sees it: who holds most beyond what it asked for goes, and all others stay."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.test_workloads import pod

LEFT = "from agent.runtime import cgroup_use; print(cgroup_use.limit('/') - cgroup_use.used('/')[1])"
KEPT_MI = 50
"""Of what is left, the test leaves so much: less than the agent wants to see (100 Mi), enough that the kernel need not kill anybody."""


def memory_pressure(cluster: Cluster) -> str:
    conditions = cluster.json("get", "node", "host-2")["status"]["conditions"]
    return next(c["status"] for c in conditions if c["type"] == "MemoryPressure")


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_host_short_of_memory_evicts_who_uses_most_beyond_its_request(cluster: Cluster) -> None:
    modest = pod("modest", nodeName="host-2")
    cluster.apply(modest)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/modest", "--timeout=30s")
    left_mi = int(cluster.lab.run("host-2", [sys.executable, "-c", LEFT]).stdout) >> 20
    greedy = pod(
        "greedy", f"dd if=/dev/zero of=/fill/it bs=1M count={left_mi - KEPT_MI}; sleep 3600", nodeName="host-2",
        volumes=[{"name": "fill", "emptyDir": {"medium": "Memory"}}],
    )  # fmt: skip
    greedy["spec"]["containers"][0]["volumeMounts"] = [{"name": "fill", "mountPath": "/fill"}]
    cluster.apply(greedy)
    cluster.kubectl("wait", "--for=jsonpath={.status.reason}=Evicted", "pod/greedy", "--timeout=60s")
    status = cluster.json("get", "pod", "greedy")["status"]
    assert status["phase"] == "Failed"
    assert status["message"].startswith("The node was low on resource: memory. Threshold quantity: 102400Ki, available: ")
    assert "Container main was using " in status["message"]
    assert "request is 0Ki, has larger consumption of memory. " in status["message"]
    assert memory_pressure(cluster) == "True"
    assert "node.kubernetes.io/memory-pressure:NoSchedule" in cluster.kubectl("describe", "node", "host-2")
    assert "Evicted" in cluster.kubectl("events", "--for", "pod/greedy")
    cluster.until(lambda: memory_pressure(cluster) == "False", "the memory to be free again")
    kept = cluster.json("get", "pod", "modest")["status"]
    assert (kept["phase"], kept["containerStatuses"][0]["restartCount"]) == ("Running", 0)


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_fork_bomb_stops_at_its_pods_limit_and_its_neighbour_notices_nothing(cluster: Cluster) -> None:
    cluster.apply(pod("bomb", "b() { b | b & }; b; sleep 3600", nodeName="host-2"), pod("neighbour", nodeName="host-2"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/bomb", "pod/neighbour", "--timeout=30s")
    cluster.until(lambda: "can't fork" in cluster.kubectl("logs", "bomb", "--tail=5"), "the kernel to refuse the pod another process")
    assert cluster.kubectl("exec", "neighbour", "--", "sh", "-c", "echo $(echo fine)").strip() == "fine"
    cluster.kubectl("delete", "pod", "bomb", "--now", timeout_s=60)
    kept = cluster.json("get", "pod", "neighbour")["status"]
    assert (kept["phase"], kept["containerStatuses"][0]["restartCount"]) == ("Running", 0)
