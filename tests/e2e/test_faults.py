"""Things die, and the cluster says what it sees and heals: agents, runtimes, hosts, cables, the master.

Every case ends with a healed cluster, so that the next one starts from health.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab import runtimes
from tests.e2e.cluster import Cluster
from tests.e2e.test_workloads import deployment, pod

REPLACED_WITHIN_S = 10.0


def ready(cluster: Cluster, node: str) -> str:
    conditions = cluster.json("get", "node", node)["status"]["conditions"]
    return next(c["status"] for c in conditions if c["type"] == "Ready")


def containers(cluster: Cluster, app: str) -> dict[str, tuple[str, int]]:
    """Per pod: the container's id, and how often it was restarted."""
    pods = cluster.json("get", "pods", "-l", f"app={app}")["items"]
    return {
        p["metadata"]["name"]: (s.get("containerID", ""), s["restartCount"]) for p in pods for s in p["status"].get("containerStatuses", [])
    }


def running_on(cluster: Cluster, app: str, node: str) -> list[str]:
    pods = cluster.json("get", "pods", "-l", f"app={app}")["items"]
    return [
        p["metadata"]["name"] for p in pods
        if p["spec"].get("nodeName") == node and not p["metadata"].get("deletionTimestamp") and p["status"]["phase"] == "Running"
    ]  # fmt: skip


@contextmanager
def broken(cluster: Cluster, fault: str, host: str, of: str = "host") -> Iterator[None]:
    """The fault while the block runs; healed after it, whatever happened."""
    cluster.lab.fault(host, fault, of)
    try:
        yield
    finally:
        cluster.lab.heal(host)


def healthy(cluster: Cluster) -> None:
    cluster.until(lambda: all(ready(cluster, node) == "True" for node in ("host-1", "host-2")), "both nodes Ready")


@pytest.mark.real
@pytest.mark.also("docker")
def test_an_agent_that_was_killed_adopts_what_runs(cluster: Cluster) -> None:
    cluster.apply(deployment("adopt", 4))
    cluster.kubectl("rollout", "status", "deployment/adopt", "--timeout=60s")
    before = containers(cluster, "adopt")
    for host in ("host-1", "host-2"):
        cluster.lab.stop(host, "kagent")
        cluster.lab.start(host, "kagent")
    healthy(cluster)
    cluster.apply(pod("after", nodeName="host-1"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/after", "--timeout=30s")
    assert containers(cluster, "adopt") == before


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_runtime_that_stops_makes_its_node_not_ready_and_comes_back(cluster: Cluster) -> None:
    cluster.apply(deployment("rt", 2))
    cluster.kubectl("rollout", "status", "deployment/rt", "--timeout=60s")
    before = containers(cluster, "rt")
    runtime = runtimes.service(cluster.runtime, "host-2")
    cluster.lab.stop("host-2", runtime)
    try:
        cluster.until(lambda: ready(cluster, "host-2") == "False", "host-2 not Ready")
    finally:
        cluster.lab.start("host-2", runtime)
    healthy(cluster)
    kept = {name: one for name, one in containers(cluster, "rt").items() if name in before}
    assert all(before[name] == one for name, one in kept.items())


def test_the_pods_of_a_dead_host_run_elsewhere_and_none_runs_twice_after_its_return(cluster: Cluster) -> None:
    cluster.apply(deployment("survive", 4))
    cluster.kubectl("rollout", "status", "deployment/survive", "--timeout=60s")
    lost = running_on(cluster, "survive", "host-2")
    assert lost
    with broken(cluster, "kill", "host-2"):
        cluster.until(lambda: ready(cluster, "host-2") == "Unknown", "host-2 to be declared dead")
        took_s = cluster.until(lambda: len(running_on(cluster, "survive", "host-1")) == 4, "all four on host-1")
        assert took_s < REPLACED_WITHIN_S
        assert "unreachable" in cluster.kctl("why", f"pod/{lost[0]}", "-n", cluster.namespace)
    healthy(cluster)
    cluster.until(lambda: not set(lost) & set(cluster.kubectl("get", "pods", "-o", "name").replace("pod/", "").split()), "the lost pods to go")
    assert len(cluster.json("get", "pods", "-l", "app=survive")["items"]) == 4
    if cluster.runtime != "hollow":
        mine = [name for name in running_names(cluster, "host-2") if name.startswith("survive-")]
        assert sorted(mine) == sorted(running_on(cluster, "survive", "host-2"))


def running_names(cluster: Cluster, host: str) -> list[str]:
    """The names of the pods whose sandboxes really run on a host."""
    if runtimes.of(cluster.runtime, host) == "docker":
        form = '{{.Label "io.kubernetes.pod.name"}}'
        return cluster.lab.run(host, ["docker", "ps", "--filter", "label=io.kubernetes.docker.type=podsandbox", "--format", form]).stdout.split()
    listed = cluster.lab.run(host, ["ctr", "-n", "k8s.io", "containers", "ls", "-q", "labels.\"io.cri-containerd.kind\"==sandbox"])
    names = []
    for identity in listed.stdout.split():
        shown = cluster.lab.run(host, ["ctr", "-n", "k8s.io", "containers", "info", identity])
        if shown.returncode != 0 and "not found" in shown.stderr:
            continue  # it was removed since the list was made
        assert shown.returncode == 0, shown.stderr
        names.append(json.loads(shown.stdout)["Labels"]["io.kubernetes.pod.name"])
    return names


@pytest.mark.real
def test_a_host_that_is_cut_off_keeps_its_pods_and_gives_them_up_on_its_return(cluster: Cluster) -> None:
    cluster.apply(deployment("cut", 4))
    cluster.kubectl("rollout", "status", "deployment/cut", "--timeout=60s")
    away = running_on(cluster, "cut", "host-2")
    assert away
    with broken(cluster, "partition", "host-2"):
        cluster.until(lambda: len(running_on(cluster, "cut", "host-1")) == 4, "all four on host-1")
        assert set(away) <= set(running_names(cluster, "host-2"))
    healthy(cluster)
    cluster.until(lambda: not set(away) & set(running_names(cluster, "host-2")), "the given-up pods to end")
    cluster.until(lambda: len(cluster.json("get", "pods", "-l", "app=cut")["items"]) == 4, "their objects to go too")


LOAD = """
import os, sys, threading
from pathlib import Path
from lab.client import Api
from lab.contract import LabFault

api, path = Api(Path(sys.argv[1])), f"/api/v1/namespaces/{sys.argv[2]}/configmaps"

def write(worker):
    for i in range(2000):
        name = f"load-{worker}-{i}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(i)}}
        try:
            answer = api.request("POST", path, body)
        except LabFault:
            return
        if answer.code != 201:
            sys.exit(f"{name}: {answer.document}")
        os.write(1, f"{name}\\n".encode())

workers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
"""


def test_the_master_killed_under_load_loses_no_acknowledged_write_and_touches_no_container(cluster: Cluster) -> None:
    cluster.apply(deployment("steady", 3))
    cluster.kubectl("rollout", "status", "deployment/steady", "--timeout=60s")
    before = containers(cluster, "steady")
    load = subprocess.Popen(
        [sys.executable, "-c", LOAD, str(cluster.lab.kubeconfig), cluster.namespace],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert load.stdout is not None
    acknowledged = [load.stdout.readline().strip() for _ in range(100)]
    cluster.lab.stop("master", "kmaster")
    rest, complaints = load.communicate(timeout=30)
    assert load.returncode == 0, complaints
    acknowledged += rest.split()
    cluster.lab.start("master", "kmaster")
    there = set(cluster.kubectl("get", "configmaps", "-o", "name").replace("configmap/", "").split())
    assert set(acknowledged) <= there
    healthy(cluster)
    assert containers(cluster, "steady") == before
    cluster.kubectl("scale", "deployment/steady", "--replicas=4")
    cluster.kubectl("rollout", "status", "deployment/steady", "--timeout=60s")


def test_a_pod_that_must_be_at_most_one_waits_for_the_fence(cluster: Cluster) -> None:
    document = deployment("single", 1, nodeSelector={})
    document["spec"]["template"]["metadata"]["annotations"] = {"steersman.io/at-most-one": "true"}
    cluster.apply(document)
    cluster.kubectl("rollout", "status", "deployment/single", "--timeout=60s")
    only = cluster.json("get", "pods", "-l", "app=single")["items"][0]
    host, name = only["spec"]["nodeName"], only["metadata"]["name"]
    other = "host-1" if host == "host-2" else "host-2"
    with broken(cluster, "kill", host):
        cluster.until(lambda: "Terminating" in cluster.kubectl("get", "pod", name), "its eviction")
        assert not running_on(cluster, "single", other)
        cluster.kctl("node", "fence", host, "--yes")
        cluster.until(lambda: len(running_on(cluster, "single", other)) == 1, "its replacement")
    cluster.kctl("node", "fence", host, "--undo")
    healthy(cluster)
    assert len(cluster.json("get", "pods", "-l", "app=single")["items"]) == 1


@pytest.mark.parametrize("port", ["api", "agents", "streams", "native"])
def test_garbage_on_a_port_disturbs_nobody(cluster: Cluster, port: str) -> None:
    import os
    import socket

    address = cluster.endpoint(port)
    held = []
    for _ in range(100):
        held.append(socket.create_connection(address, timeout=5))
    for connection in held[:50]:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" + os.urandom(2000))
    try:
        assert "ok" in cluster.kubectl("get", "--raw", "/readyz")
        assert cluster.kctl("version").count("\n") == 2
        cluster.apply(pod(f"beside-{port}"))
        cluster.kubectl("wait", "--for=condition=Ready", f"pod/beside-{port}", "--timeout=30s")
    finally:
        for connection in held:
            connection.close()
    assert all(ready(cluster, node) == "True" for node in ("host-1", "host-2"))
