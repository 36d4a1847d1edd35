"""Volumes as their pods see them: credentials, folders, claims, with the real kubectl and real containers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.test_workloads import pod

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
