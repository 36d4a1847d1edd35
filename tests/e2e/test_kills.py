"""Daemons killed at random points of what they do, many times over: nothing is lost, nothing happens twice, nothing is left.

The seed of the moments is printed with a failure; STEERSMAN_SEED repeats it (as far as real time can be repeated).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from common.clock import SystemRng
from lab import runtimes
from lab.client import Api
from lab.contract import LabFault
from tests.e2e import residue
from tests.e2e.cluster import Cluster
from tests.e2e.test_faults import healthy, running_names

HOST = "host-2"
POINTS, POINTS_LONG = 12, 30
BATCH = 2
SPREAD_S = 0.7
"""Within this time after a batch was asked for, it is created, and the one before it deleted."""
MASTER_KILLS, MASTER_KILLS_LONG = 6, 30
API_BACK_S = 3.0
FLOORS = 5
"""Or so many times what the program's start takes, on a machine so busy that this is more."""
STARTS = "/var/lib/kagent/starts-{namespace}"
TWICE = "two-at-once"
PROGRAM = f"""
(nc -l -p 9999 || echo {TWICE} >>/starts/log) &
echo "$HOSTNAME" >>/starts/log; trap "exit 0" TERM; sleep 3600 & wait
"""
"""Says that it was started; and whether another one of its pod still ran, which would hold the port that they share."""
FORGOTTEN = {
    "agent": ("descriptor", "namespace cni-", "mount /run/netns/cni-", "process containerd-shim"),
    "runtime": ("descriptor", "namespace cni-", "mount /run/netns/cni-"),
}
"""What is nobody's, by who was killed: containerd 1.6 forgets the network namespace, empty still, of a sandbox that it was just making when
it died, or its caller did, and in the second case its shim; it never told anybody their names, and nothing in them says whose they
were. And the daemon that was killed is another one, with other descriptors."""
STAYS = [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"} for key in ("not-ready", "unreachable")]


@pytest.fixture
def rng() -> random.Random:
    seed = os.environ.get("STEERSMAN_SEED") or SystemRng().suffix()
    print(f"STEERSMAN_SEED={seed}")
    return random.Random(seed)


def document(name: str, starts: str) -> dict:
    """A pod that writes a line on the host's disk whenever it is started, and is not driven out while the runtime is away. Of its volumes
    one is a mount of its own, and one a part of another, so that what they leave is looked for, too."""
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "nodeName": HOST, "tolerations": STAYS, "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", PROGRAM],
                            "volumeMounts": [{"name": "starts", "mountPath": "/starts"},
                                             {"name": "scratch", "mountPath": "/scratch", "subPath": "part"}]}],
            "volumes": [{"name": "starts", "hostPath": {"path": starts, "type": "DirectoryOrCreate"}},
                        {"name": "scratch", "emptyDir": {"medium": "Memory"}}],
        },
    }  # fmt: skip


@dataclass
class Crowd:
    """Pods of this test: those that should be, and those that should be gone."""

    cluster: Cluster
    wanted: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._api = Api(self.cluster.lab.kubeconfig)
        self._path = f"/api/v1/namespaces/{self.cluster.namespace}/pods"
        self._starts = STARTS.format(namespace=self.cluster.namespace)

    def create(self, *names: str) -> None:
        for name in names:
            assert self._api.request("POST", self._path, document(name, self._starts)).code == 201
            self.wanted.append(name)

    def delete(self, *names: str) -> None:
        for name in names:
            assert self._api.request("DELETE", f"{self._path}/{name}").code in (200, 202)
            self.wanted.remove(name)
            self.gone.append(name)

    def settled(self) -> bool:
        items = self._api.get(self._path)["items"]
        ready = {
            item["metadata"]["name"] for item in items
            if any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"].get("conditions", []))
        }  # fmt: skip
        return ready == set(self.wanted) and len(items) == len(ready)

    def settle(self) -> None:
        """Wait until all that are wanted are Ready, and have said that they started, and no others are there."""
        self.cluster.until(self.settled, "all pods that are wanted, and no others")
        self.cluster.until(lambda: set(self.wanted) <= set(self.starts()), "all to have started")

    def starts(self) -> Counter[str]:
        """How often the program of each pod was started, by its own word."""
        return Counter(self.cluster.lab.run(HOST, ["cat", f"{self._starts}/log"]).stdout.split())

    def clear(self) -> None:
        self.delete(*list(self.wanted))
        self.cluster.until(self.settled, "all pods to go")
        self.cluster.lab.run(HOST, ["rm", "-r", self._starts])

    def restarts(self) -> dict[str, int]:
        items = self._api.get(self._path)["items"]
        return {item["metadata"]["name"]: status["restartCount"] for item in items for status in item["status"]["containerStatuses"]}


@pytest.mark.real
@pytest.mark.parametrize("of", ["agent", "runtime"])
def test_a_daemon_killed_at_random_points_of_create_run_and_delete(
    cluster: Cluster, rng: random.Random, long: bool, of: str
) -> None:
    cluster.until(lambda: alone(cluster), "the pods of other tests to go")
    service = "kagent" if of == "agent" else runtimes.service(cluster.runtime, HOST)
    crowd, pause = Crowd(cluster), threading.Event()
    crowd.create("first")  # what a host has since its first pod is there before and after
    crowd.settle()
    crowd.clear()
    before = residue.on(cluster, HOST)
    crowd.create(*(f"steady-{n}" for n in range(3)))
    crowd.settle()
    restarts: Counter[str] = Counter()
    for point in range(POINTS_LONG if long else POINTS):
        leaving = [name for name in crowd.wanted if not name.startswith("steady")]
        crowd.create(*(f"p{point}-{n}" for n in range(BATCH)))
        crowd.delete(*leaving)
        pause.wait(rng.uniform(0, SPREAD_S))
        cluster.lab.fault(HOST, "kill", of)
        cluster.lab.start(HOST, service)
        cluster.until(crowd.settled, f"the pods of point {point}, and no others")
        restarts |= Counter(crowd.restarts())
    crowd.settle()
    starts = crowd.starts()
    assert starts[TWICE] == 0
    assert [starts[name] + restarts[name] for name in crowd.wanted if name.startswith("steady")] == [1, 1, 1]
    # Who calls for a start and dies takes the container with it: containerd kills it, and it is replaced, which users see as a restart.
    assert {name: count for name, count in starts.items() if count > 1 + restarts[name]} == {}
    present = sorted([*crowd.wanted, *example_pods(cluster)])
    cluster.until(lambda: sorted(running_names(cluster, HOST)) == present, "what is left of sandboxes that did not start to go")
    crowd.clear()
    healthy(cluster)
    residue.assert_none(cluster, HOST, before, but=FORGOTTEN[of], fewer=True)


def pods_on_host(cluster: Cluster) -> list[tuple[str, str]]:
    items = cluster.json("get", "pods", "-A", "--field-selector", f"spec.nodeName={HOST}")["items"]
    return [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]


def example_pods(cluster: Cluster) -> list[str]:
    return [name for namespace, name in pods_on_host(cluster) if namespace == "default"]


def alone(cluster: Cluster) -> bool:
    """The pods of other tests have gone."""
    return {namespace for namespace, _ in pods_on_host(cluster)} <= {"default", cluster.namespace}


class Writers:
    """Threads that write as fast as they are answered, across the death of the server: what was acknowledged, and when."""

    def __init__(self, cluster: Cluster, count: int = 4) -> None:
        self._api = Api(cluster.lab.kubeconfig)
        self._path = f"/api/v1/namespaces/{cluster.namespace}/configmaps"
        self._end = threading.Event()
        self.acknowledged: list[str] = []
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self, writer: int) -> None:
        number = 0
        while not self._end.is_set():
            number += 1
            name = f"w{writer}-{number}"
            try:
                answer = self._api.request("POST", self._path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
            except LabFault:
                self._end.wait(0.02)
                continue
            if answer.code == 201:
                self.acknowledged.append(name)


def floor_s() -> float:
    """What starting the program alone takes now, on a machine that others use too."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "master", "--help"], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    return time.monotonic() - began


@pytest.mark.real
def test_the_master_killed_again_and_again_under_load_loses_nothing_and_is_back_at_once(
    cluster: Cluster, rng: random.Random, long: bool
) -> None:
    crowd = Crowd(cluster)
    crowd.create("steady-0", "steady-1")
    crowd.settle()
    starts, back_s = crowd.starts(), []
    with Writers(cluster) as writers:
        for _ in range(MASTER_KILLS_LONG if long else MASTER_KILLS):
            enough = len(writers.acknowledged) + rng.randrange(5, 200)
            cluster.until(lambda enough=enough: len(writers.acknowledged) >= enough, "writes to be acknowledged")
            began = time.monotonic()
            cluster.lab.stop("master", "kmaster")
            written = len(writers.acknowledged)
            cluster.lab.start("master", "kmaster")
            cluster.until(lambda written=written: len(writers.acknowledged) > written, "a write to be acknowledged again")
            back_s.append((time.monotonic() - began, floor_s()))
    there = set(cluster.kubectl("get", "configmaps", "-o", "name").replace("configmap/", "").split())
    assert set(writers.acknowledged) <= there
    assert all(took_s < max(API_BACK_S, FLOORS * least_s) for took_s, least_s in back_s), back_s
    healthy(cluster)
    assert crowd.settled()
    assert crowd.starts() == starts
    assert set(crowd.restarts().values()) == {0}
    crowd.clear()
