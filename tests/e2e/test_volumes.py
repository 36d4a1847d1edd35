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
