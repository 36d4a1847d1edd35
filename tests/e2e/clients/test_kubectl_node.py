"""Nodes at work: a drain that waits for a budget; and what is done on the other node meanwhile: debug, taint, describe.

kubectl tries an eviction again every 5 s. So that nobody waits for it, the drain runs in the background while the other tests of this
file run, and the last one looks at how it ended.
"""

from __future__ import annotations

import re
import subprocess

import msgspec
import pytest

from tests.e2e.clients.conftest import HOSTS, Client, with_every_kubectl
from tests.e2e.documents import config, deployment, pod, text
from tests.e2e.kmaster import Kubectl

pytestmark = pytest.mark.compat("kubectl")


class Drained(msgspec.Struct, frozen=True):
    """kubectl: in the namespace of the pods that are to move from node to other."""

    kubectl: Kubectl
    process: subprocess.Popen[str]
    node: str
    other: str


def drain(client: Client) -> Drained:
    kubectl = client.kubectl.having(namespace="drained")
    kubectl("create", "namespace", "drained")
    kubectl("create", "-f", "-", stdin=text(deployment("kept", 2)))
    kubectl("create", "pdb", "kept", "--selector=app=kept", "--min-available=2")
    kubectl("wait", "--for=jsonpath={.status.currentHealthy}=2", "pdb/kept", "--timeout=30s")
    node = kubectl.json("get", "pods")["items"][0]["spec"]["nodeName"]
    (other,) = {*HOSTS} - {node}
    process = client.enter(kubectl.watching("drain", node, "--ignore-daemonsets", "--pod-selector=app=kept", "--timeout=90s"))
    return Drained(kubectl, process, node, other)


@with_every_kubectl
def test_a_budget_holds_a_drain(client: Client) -> None:
    drained = client.once(drain)
    kubectl, refusals = drained.kubectl, iter(drained.process.stderr.readline, "")  # type: ignore[union-attr]
    assert any("Cannot evict pod as it would violate the pod's disruption budget." in line for line in refusals)
    assert "SchedulingDisabled" in kubectl("get", "node", drained.node)
    assert [item["metadata"].get("deletionTimestamp") for item in kubectl.json("get", "pods")["items"]] == [None, None]
    kubectl("patch", "pdb", "kept", "--type=merge", "-p", '{"spec":{"minAvailable":0}}')


@with_every_kubectl
def test_debug_in_the_pod_on_a_copy_and_on_the_node(client: Client) -> None:
    kubectl, drained = client.kubectl, client.once(drain)
    kubectl("create", "-f", "-", stdin=text(pod("sick")))
    kubectl("wait", "--for=condition=Ready", "pod/sick", "--timeout=30s")
    sleep, doctor = ("--", "sleep", "60"), ("--image=busybox:1.36", "--container=doctor")
    kubectl("debug", "sick", *doctor, "--target=main", *sleep)
    kubectl("wait", "--for=jsonpath={.status.ephemeralContainerStatuses[0].name}=doctor", "pod/sick", "--timeout=30s")
    stands = kubectl.json("get", "pod", "sick")
    assert stands["spec"]["ephemeralContainers"][0]["targetContainerName"] == "main"
    assert stands["status"]["ephemeralContainerStatuses"][0]["state"].keys() <= {"waiting", "running"} and len(stands["spec"]["containers"]) == 1
    kubectl("debug", "sick", *doctor, "--copy-to=twin", "--set-image=main=busybox:1.35", *sleep)
    twin = kubectl.json("get", "pod", "twin")["spec"]["containers"]
    assert [(c["name"], c["image"]) for c in twin] == [("main", "busybox:1.35"), ("doctor", "busybox:1.36")]
    node = drained.other
    kubectl("debug", f"node/{node}", *doctor, "--profile=general", *sleep)
    pods = kubectl.json("get", "pods")["items"]
    spec = next(item["spec"] for item in pods if item["metadata"]["name"].startswith(f"node-debugger-{node}-"))
    assert spec["nodeName"] == node and spec["hostNetwork"] and spec["hostPID"] and spec["volumes"][0]["hostPath"]["path"] == "/"


@with_every_kubectl
def test_cordon_and_taint(client: Client) -> None:
    kubectl, drained = client.kubectl, client.once(drain)
    node = drained.node
    assert kubectl("cordon", node) == f"node/{node} already cordoned\n"
    assert kubectl("taint", "nodes", node, "dedicated=batch:NoSchedule") == f"node/{node} tainted\n"
    taints = kubectl.json("get", "node", node)["spec"]["taints"]
    assert {(taint["key"], taint["effect"]) for taint in taints} >= {("dedicated", "NoSchedule")}
    kubectl("taint", "nodes", node, "dedicated-")


EXTRA = [
    {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {"name": "disk"},
     "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/disk"}}},
    {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "claim"},
     "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "shown"}, "spec": {"selector": {"app": "shown"}, "ports": [{"port": 80}]}},
    {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "shown"}, "data": {"key": "dmFsdWU="}},
    {"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "shown"},
     "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    {"kind": "PodDisruptionBudget", "apiVersion": "policy/v1", "metadata": {"name": "shown"},
     "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shown"}}}},
    {"kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2", "metadata": {"name": "shown"},
     "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shown"}}},
    {"kind": "StorageClass", "apiVersion": "storage.k8s.io/v1", "metadata": {"name": "fast"}, "provisioner": "example.test/disks"},
    {"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1", "metadata": {"name": "closed"}, "spec": {"podSelector": {}}},
    {"kind": "LimitRange", "apiVersion": "v1", "metadata": {"name": "bounds"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}},
    {"kind": "CronJob", "apiVersion": "batch/v1", "metadata": {"name": "never"},
     "spec": {"schedule": "0 0 30 2 *", "jobTemplate": {"spec": {"template": {"spec": {
         "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1.36"}]}}}}}},
]  # fmt: skip
DESCRIBED = {
    "pod/shown": (r"Status: +Running", r"Node: +host-", r"Normal +Started"),
    "deployment/shown": (r"Replicas: +1 desired \| 1 updated \| 1 total \| 1 available", r"Normal +ScalingReplicaSet"),
    "replicaset": (r"Controlled By: +Deployment/shown", r"1 Running / 0 Waiting"),
    "service/shown": (r"Selector: +app=shown", r"Port: +<unset> +80/TCP"),
    "node/host-1": (r"Ready +True", r"Capacity:", r"Non-terminated Pods:", r"Lease:"),
    "namespace/described": (r"Status: +Active",),
    "configmap/shown": (r"a:\n----\nb",),
    "secret/shown": (r"key: +5 bytes",),
    "serviceaccount/default": (r"Image pull secrets: +<none>",),
    "role/shown": (r"pods +\[\] +\[\] +\[get\]",),
    "poddisruptionbudget/shown": (r"Min available: +1",),
    "horizontalpodautoscaler/shown": (r"Reference: +Deployment/shown",),
    "persistentvolume/disk": (r"Capacity: +1Gi",),
    "persistentvolumeclaim/claim": (r"Name: +claim",),
    "storageclass/fast": (r"Provisioner: +example.test/disks",),
    "networkpolicy/closed": (r"Allowing ingress traffic",),
    "limitrange/bounds": (r"Container +cpu +- +2",),
    "cronjob/never": (r"Schedule: +0 0 30 2 \*",),
}


@with_every_kubectl
def test_describe_of_every_common_kind(client: Client) -> None:
    kubectl = client.kubectl.having(namespace="described")
    kubectl("create", "namespace", "described")
    kubectl("create", "-f", "-", stdin=text(deployment("shown"), pod("shown"), config("shown", a="b"), *EXTRA))
    kubectl("wait", "--for=condition=Ready", "pods", "--all", "--timeout=30s")
    kubectl("wait", "--for=condition=Available", "deployment/shown", "--timeout=30s")
    for what, words in DESCRIBED.items():
        said = kubectl("describe", what)
        assert [word for word in words if not re.search(word, said)] == [], f"{what}: {said}"


@with_every_kubectl
def test_the_drain_went_on(client: Client) -> None:
    drained = client.once(drain)
    kubectl = drained.kubectl
    out, _ = drained.process.communicate(timeout=90)
    assert drained.process.returncode == 0 and f"node/{drained.node} drained" in out
    kubectl("wait", "--for=condition=Available", "deployment/kept", "--timeout=30s")
    assert {item["spec"]["nodeName"] for item in kubectl.json("get", "pods")["items"]} == {drained.other}
    assert kubectl("uncordon", drained.node) == f"node/{drained.node} uncordoned\n"
    assert not kubectl.json("get", "node", drained.node)["spec"].get("unschedulable")
