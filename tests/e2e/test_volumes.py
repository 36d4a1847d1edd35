"""Volumes as their pods see them: credentials, folders, claims, with the real kubectl and real containers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.test_pod_settings import waiting
from tests.e2e.test_workloads import BUSYBOX, pod

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ROBOT = """
from kubernetes import client, config
config.load_incluster_config()
core, namespace = client.CoreV1Api(), open("%s/namespace").read()
print("pods", [p.metadata.name for p in core.list_namespaced_pod(namespace).items], flush=True)
try:
    core.list_namespaced_secret(namespace)
except client.ApiException as error:
    print("secrets", error.status, error.body, flush=True)
""" % ACCOUNT


def host_python() -> tuple[list[dict], list[dict]]:
    """This machine's Python with its packages, as volumes and mounts of a pod: the images have none."""
    wanted = ("/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix)
    folders = [path for path in dict.fromkeys(wanted) if Path(path).exists()]
    volumes = [{"name": f"p{number}", "hostPath": {"path": path}} for number, path in enumerate(folders)]
    return volumes, [{"name": f"p{number}", "mountPath": path, "readOnly": True} for number, path in enumerate(folders)]


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_pod_calls_the_api_with_its_own_token_and_gets_what_its_role_allows(cluster: Cluster) -> None:
    """With the official client, as it finds the API by itself."""
    cluster.kubectl("create", "serviceaccount", "robot")
    cluster.kubectl("create", "role", "look", "--verb=list", "--resource=pods")
    cluster.kubectl("create", "rolebinding", "look", "--role=look", f"--serviceaccount={cluster.namespace}:robot")
    volumes, mounts = host_python()
    document = pod("robot", policy="Never", serviceAccountName="robot", volumes=volumes)
    document["spec"]["containers"][0] |= {"command": [sys.executable, "-c", ROBOT], "volumeMounts": mounts}
    cluster.apply(document)
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/robot", "--timeout=30s")
    said = cluster.kubectl("logs", "robot").splitlines()
    assert said[0] == "pods ['robot']"
    assert said[1].startswith("secrets 403") and f"system:serviceaccount:{cluster.namespace}:robot" in said[1]


@pytest.mark.real
def test_a_pods_token_is_for_its_own_user_and_in_memory(cluster: Cluster) -> None:
    document = pod("mine", securityContext={"runAsUser": 1000, "fsGroup": 3000})
    cluster.apply(document, pod("none", automountServiceAccountToken=False))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/mine", "pod/none", "--timeout=30s")
    look = f"stat -L -c '%u %g %a' {ACCOUNT}/token; stat -f -c %T {ACCOUNT}/token; ls {ACCOUNT}; echo $KUBERNETES_SERVICE_PORT"
    said = cluster.kubectl("exec", "mine", "--", "sh", "-c", look).splitlines()
    assert said == ["1000 3000 640", "tmpfs", "ca.crt", "namespace", "token", str(cluster.endpoint("api")[1])]
    assert "No such file" in cluster.kubectl("exec", "none", "--", "ls", ACCOUNT, check=False)


@pytest.mark.real
@pytest.mark.also("docker")
def test_a_container_sees_its_own_part_of_a_volume_and_never_what_a_link_leads_to(cluster: Cluster) -> None:
    mounts = [{"name": "data", "mountPath": "/logs", "subPathExpr": "logs/$(NAME)"}]
    document = pod("parts", volumes=[{"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}])
    env = [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    document["spec"]["containers"][0] |= {"env": env, "volumeMounts": [*mounts, {"name": "data", "mountPath": "/all"}]}
    trap = pod("trap", policy="Never", volumes=[{"name": "data", "emptyDir": {}}])
    trap["spec"]["initContainers"] = [{
        "name": "set", "image": BUSYBOX, "command": ["ln", "-s", "/etc", "/data/in"], "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }]  # fmt: skip
    trap["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data", "subPath": "in"}]
    cluster.apply(document, trap)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/parts", "--timeout=30s")
    look = "echo mine >/logs/file; cat /all/logs/parts/file; df -k /all | tail -1; dd if=/dev/zero of=/all/big bs=1M count=2 2>&1"
    said = cluster.kubectl("exec", "parts", "--", "sh", "-c", look, check=False)
    assert said.startswith("mine\n") and " 1024 " in said and "No space left on device" in said
    cluster.until(lambda: waiting(cluster, "trap").get("reason") == "CreateContainerConfigError", "the refusal")
    assert waiting(cluster, "trap")["message"] == 'failed to prepare subPath for volumeMount "data" of container "main"'


@pytest.mark.real
def test_a_pod_that_writes_more_than_it_may_is_evicted_and_its_neighbour_stays(cluster: Cluster) -> None:
    over = pod("over", "dd if=/dev/zero of=/data/big bs=1M count=2; sleep 3600", volumes=[{"name": "x", "emptyDir": {"sizeLimit": "1Mi"}}])
    over["spec"]["containers"][0]["volumeMounts"] = [{"name": "x", "mountPath": "/data"}]
    talks = pod("talks", "dd if=/dev/zero bs=1M count=3 | base64; sleep 3600")
    talks["spec"]["containers"][0]["resources"] = {"limits": {"ephemeral-storage": "2Mi"}}
    fits = pod("fits", "dd if=/dev/zero of=/data/big bs=1k count=900; sleep 3600", volumes=[{"name": "x", "emptyDir": {"sizeLimit": "1Mi"}}])
    fits["spec"]["containers"][0]["volumeMounts"] = [{"name": "x", "mountPath": "/data"}]
    cluster.apply(over, talks, fits)
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/over", "pod/talks", "--timeout=40s")
    status = cluster.json("get", "pod", "over")["status"]
    assert (status["reason"], status["message"]) == ("Evicted", 'Usage of EmptyDir volume "x" exceeds the limit "1Mi". ')
    disrupted = next(each for each in status["conditions"] if each["type"] == "DisruptionTarget")
    assert (disrupted["status"], disrupted["reason"]) == ("True", "TerminationByKubelet")
    message = cluster.json("get", "pod", "talks")["status"]["message"]
    assert message == "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "
    assert "Evicted" in cluster.kubectl("events", "--for", "pod/over")
    assert cluster.json("get", "pod", "fits")["status"]["phase"] == "Running"


def claim(name: str, **spec: object) -> dict:
    wish = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": wish}


def with_claim(name: str, command: str = "sleep 3600", *, of: str = "data", **spec: object) -> dict:
    document = pod(name, command, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": of}}], **spec)
    document["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return document


@pytest.mark.real
@pytest.mark.also("docker")
def test_what_a_pod_wrote_to_its_claim_is_there_for_the_next_and_goes_with_the_claim(cluster: Cluster) -> None:
    cluster.apply(claim("data"), with_claim("writer", "echo kept >/data/file; sleep 3600", securityContext={"fsGroup": 3000}))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=30s")
    shown = cluster.kubectl("get", "pvc", "data").splitlines()[1].split()
    assert shown[1] == "Bound" and shown[3:6] == ["1Gi", "RWO", "local-path"]
    cluster.kubectl("delete", "pvc", "data", "--wait=false")
    assert "Terminating" in cluster.kubectl("get", "pvc", "data"), "a pod uses it"
    cluster.kubectl("delete", "pod", "writer")
    cluster.until(lambda: "NotFound" in cluster.kubectl("get", "pvc", "data", check=False), "the claim's end")
    cluster.until(lambda: not _volumes_of(cluster), "the volume's end")
    cluster.apply(claim("data"), with_claim("writer", "echo kept >/data/file; sleep 3600"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=30s")
    volume = cluster.json("get", "pvc", "data")["spec"]["volumeName"]
    path = cluster.json("get", "pv", volume)["spec"]["local"]["path"]
    node = cluster.json("get", "pod", "writer")["spec"]["nodeName"]
    assert cluster.lab.run(node, ["cat", f"{path}/file"]).stdout == "kept\n"
    cluster.kubectl("delete", "pod", "writer")
    cluster.apply(with_claim("reader"))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=30s")
    assert cluster.json("get", "pod", "reader")["spec"]["nodeName"] == node
    assert cluster.kubectl("exec", "reader", "--", "cat", "/data/file") == "kept\n"
    cluster.kubectl("delete", "pod/reader", "pvc/data")
    cluster.until(lambda: not _volumes_of(cluster), "the volume's end")
    assert cluster.lab.run(node, ["ls", path]).returncode != 0, "its folder is gone"


def _volumes_of(cluster: Cluster) -> list[str]:
    found = cluster.json("get", "pv")["items"]
    return [v["metadata"]["name"] for v in found if (v["spec"].get("claimRef") or {}).get("namespace") == cluster.namespace]


@pytest.mark.real
def test_a_local_volume_of_the_administrators_draws_its_pod_to_its_host(cluster: Cluster) -> None:
    name = f"local-{cluster.namespace}"
    cluster.lab.run("host-2", ["mkdir", "-p", f"/var/lib/{name}"])
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["host-2"]}
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": name, "local": {"path": f"/var/lib/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
        },
    }  # fmt: skip
    storage_class = {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}, "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }  # fmt: skip
    cluster.apply(storage_class, claim("data", storageClassName=name), with_claim("drawn", "echo here >/data/file; sleep 3600"))
    cluster.until(lambda: "didn't find available persistent volumes to bind" in cluster.kubectl("events", "--for", "pod/drawn"), "the reason")
    cluster.apply(volume)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/drawn", "--timeout=30s")
    assert cluster.json("get", "pod", "drawn")["spec"]["nodeName"] == "host-2"
    assert cluster.lab.run("host-2", ["cat", f"/var/lib/{name}/file"]).stdout == "here\n"
    cluster.apply(with_claim("elsewhere", nodeName="host-1"), with_claim("nowhere", of="absent"))
    cluster.until(lambda: 'persistentvolumeclaim "absent" not found' in cluster.kubectl("events", "--for", "pod/nowhere"), "the reason")
    cluster.kubectl("delete", "pod", "drawn", "elsewhere", "nowhere", "--wait=true")
    cluster.kubectl("delete", "pvc", "data")
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Released", f"pv/{name}", "--timeout=20s")
    cluster.kubectl("delete", "pv", name)
    cluster.kubectl("delete", "storageclass", name)


def test_an_ephemeral_volume_is_a_claim_that_goes_with_its_pod(cluster: Cluster) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    document = pod("scratch", volumes=[{"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}])
    document["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    cluster.apply(document)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/scratch", "--timeout=30s")
    assert cluster.json("get", "pvc", "scratch-data")["status"]["phase"] == "Bound"
    cluster.kubectl("delete", "pod", "scratch")
    cluster.until(lambda: "NotFound" in cluster.kubectl("get", "pvc", "scratch-data", check=False) and not _volumes_of(cluster), "the claim's end")
