"""Who are you, may you: the real kubectl binaries as several people, against a real kmaster.

Kubeconfigs are made by the real `kctl user create`. No agents run here. Binaries as in `test_kubectl.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.kmaster import ROOT, Kmaster, Kubectl, running
from tests.e2e.test_kubectl import binary

VERSIONS = [
    version if version in ("1.27", "1.29", "1.33") else pytest.param(version, marks=pytest.mark.long)
    for version in ("1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33")
]

As = Callable[[str], Kubectl]


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kmaster]:
    with running(tmp_path_factory.mktemp("access")) as started:
        for name, *groups in (("alice",), ("bob", "--group", "dev"), ("carol", "--group", "ops", "--group", "dev"),
                              ("system:node:n1", "--group", "system:nodes")):  # fmt: skip
            kctl(started, "user", "create", name, *groups, "--expires", "1h", "--out", str(kubeconfig_of(started, name)))
        yield started
        assert started.stop() == 0


def kubeconfig_of(master: Kmaster, user: str) -> Path:
    """A colon would make two files of it."""
    return master.folder / f"{user.replace(':', '-')}.kubeconfig"


def kctl(master: Kmaster, *args: str) -> str:
    command = [sys.executable, "-m", "ctl", "--config", str(master.folder / "data" / "kctl.json"), *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=VERSIONS)
def acting(request: pytest.FixtureRequest, master: Kmaster, tmp_path: Path) -> As:
    """kubectl of one version, as one of the users, in a namespace of this version's own."""
    version = request.param
    namespace = f"access-{version.replace('.', '-')}"

    def kubectl(user: str) -> Kubectl:
        tool = Kubectl(binary(version), master, namespace=namespace, home=tmp_path)
        if user != "admin":
            tool._env["KUBECONFIG"] = str(kubeconfig_of(master, user))
        return tool

    kubectl("admin").run("create", "namespace", namespace)
    return kubectl


def test_cluster_roles_and_their_aggregation(acting: As) -> None:
    admin, alice = acting("admin"), acting("alice")
    name = admin.namespace
    admin("create", "clusterrole", name, "--verb=get", "--resource=nodes", "--resource-name=n1")
    admin("create", "clusterrolebinding", name, f"--clusterrole={name}", "--user=alice")
    assert 'nodes "n1" not found' in alice.fails("get", "node", "n1") and "cannot get" in alice.fails("get", "node", "n2")
    admin("create", "clusterrole", f"{name}-urls", "--verb=get", "--non-resource-url=/metrics")
    admin("create", "clusterrole", f"{name}-all", f"--aggregation-rule=part={name}")
    admin("label", "clusterrole", name, f"part={name}")
    admin("wait", f"clusterrole/{name}-all", "--for=jsonpath={.rules[0].resources[0]}=nodes", "--timeout=10s")
    assert "pods/log" in admin("describe", "clusterrole", "view")
    admin("delete", "clusterrolebinding", name)
    assert "cannot get" in alice.fails("get", "node", "n1")


def test_a_token_is_a_service_account_until_that_is_gone(acting: As) -> None:
    admin = acting("admin")
    here = admin.namespace
    admin("create", "serviceaccount", "robot")
    admin("create", "rolebinding", "robots", "--clusterrole=view", f"--serviceaccount={here}:robot")
    token = admin("create", "token", "robot", "--duration=30m").strip()
    robot = acting("admin")
    bare = json.loads(admin("config", "view", "--raw", "-o", "json"))
    bare["users"][0]["user"] = {"token": token}
    file = Path(robot._env["HOME"]) / "robot.kubeconfig"
    file.write_text(json.dumps(bare))
    robot._env["KUBECONFIG"] = str(file)
    assert robot("get", "pods") == "" and f"system:serviceaccount:{here}:robot" in robot("auth", "whoami")
    assert f'User "system:serviceaccount:{here}:robot" cannot list resource "secrets"' in robot.fails("get", "secrets")
    assert json.loads(robot("get", "--raw", "/openid/v1/jwks"))["keys"][0]["crv"] == "P-256"
    assert "may not specify a duration less than 10 minutes" in admin.fails("create", "token", "robot", "--duration=1m")
    admin("delete", "serviceaccount", "robot")
    assert "Unauthorized" in robot.fails("get", "pods") or "logged in" in robot.fails("get", "pods")
    admin("create", "serviceaccount", "robot")
    assert robot.run("get", "pods").returncode == 1, "a namesake is not the one that the token was made for"


def test_a_node_reads_what_its_pods_name(acting: As) -> None:
    admin, node = acting("admin"), acting("system:node:n1")
    here = admin.namespace
    container = {"name": "main", "image": "busybox:1.36", "envFrom": [{"secretRef": {"name": "mine"}}]}
    document = {
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"nodeName": "n1", "containers": [container]},
    }  # fmt: skip
    for name in ("mine", "other"):
        admin("create", "secret", "generic", name, "--from-literal=a=b")
    assert "no relationship found between node 'n1' and this object" in node.fails("get", "secret", "mine")
    admin("create", "-f", "-", stdin=json.dumps(document))
    assert node("get", "secret", "mine", "-o", "jsonpath={.data.a}") == "Yg=="
    assert "no relationship found between node 'n1' and this object" in node.fails("get", "secret", "other")
    assert f"{here} p " in " ".join(node("get", "pods", "-A", "--field-selector=spec.nodeName=n1").split())
    assert "can only list/watch pods with spec.nodeName field selector" in node.fails("get", "pods")
    assert "node 'n1' cannot read 'n2', only its own Node object" in node.fails("get", "node", "n2")
    node("delete", "pod", "p", "--force", "--grace-period=0")
    assert "no relationship found" in node.fails("get", "secret", "mine")


def test_a_pod_names_an_account_that_exists(acting: As) -> None:
    admin = acting("admin")
    spec = {"serviceAccountName": "nobody", "containers": [{"name": "main", "image": "busybox:1.36"}]}
    document = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": spec}
    refused = admin.fails("create", "-f", "-", stdin=json.dumps(document))
    assert f'error looking up service account {admin.namespace}/nobody: serviceaccount "nobody" not found' in refused
