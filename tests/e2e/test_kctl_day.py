"""A day's work with kctl alone, on hosts: apply, look, edit, scale, read logs, delete; and somebody who may only look."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster

ROOT = Path(__file__).resolve().parent.parent.parent

MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {app: app}}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: busybox:1.36
        command: [sh, -c, 'i=0; while true; do echo "line $i from $HOSTNAME"; i=$((i+1)); sleep 0.2; done']
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80, targetPort: 8080}]}
"""


class Here:
    """kctl in the test's namespace."""

    def __init__(self, cluster: Cluster, config: Path | None = None) -> None:
        self.cluster = cluster
        self.env = {**os.environ, "KCTL_NAMESPACE": cluster.namespace, "KCTL_CONFIG": str(config or cluster.lab.kubeconfig.parent / "kctl.json")}

    def run(self, *args: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ctl", *args], cwd=ROOT, capture_output=True, text=True, timeout=90, env={**self.env, **env},
            input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
        )  # fmt: skip

    def __call__(self, *args: str, stdin: str | None = None, **env: str) -> str:
        done = self.run(*args, stdin=stdin, **env)
        assert done.returncode == 0, f"kctl {' '.join(args)}: exit {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def field(self, path: str, *what: str) -> str:
        return self("get", *what, "-o", f"jsonpath={{{path}}}")


@pytest.fixture
def kctl(cluster: Cluster) -> Here:
    return Here(cluster)


def test_a_days_work(cluster: Cluster, kctl: Here, tmp_path: Path) -> None:
    assert kctl("apply", "-f", "-", stdin=MANIFESTS).splitlines() == ["deployment.apps/app created", "service/app created"]
    cluster.until(lambda: kctl.field(".status.availableReplicas", "deploy/app") == "2", "two pods to be available")
    rows = kctl("get", "pods", "--no-headers", "-o", "wide").splitlines()
    assert [row.split()[1:3] for row in rows] == [["1/1", "Running"]] * 2 and {row.split()[6] for row in rows} <= {"host-1", "host-2"}

    told = kctl("describe", "deploy", "app")
    assert "2 desired, 2 there, 2 updated, 2 available" in told and "ScalingReplicaSet" in told and "\nWhy:" in told
    pod = rows[0].split()[0]
    told = kctl("describe", "pod", pod)
    assert "Scheduled" in told and "Running since" in told and f"Node:             {rows[0].split()[6]}" in told
    told = kctl("describe", "node", rows[0].split()[6])
    assert pod in told and "Ready" in told

    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/terminationGracePeriodSeconds: 0/terminationGracePeriodSeconds: 1/' \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    assert kctl("edit", "deploy/app", KCTL_EDITOR=str(editor)) == "deployment.apps/app edited\n"
    updated = "jsonpath={.status.observedGeneration}/{.status.updatedReplicas}/{.status.replicas}"
    cluster.until(lambda: kctl("get", "deploy", "app", "-o", updated) == "2/2/2", "the new pods to have replaced the old")

    assert kctl("patch", "deploy", "app", "--subresource", "scale", "--type", "merge", "-p", "spec: {replicas: 3}") == "deployment.apps/app patched\n"
    cluster.until(lambda: kctl.field(".status.availableReplicas", "deploy/app") == "3", "three pods to be available")
    refused = kctl.run("diff", "-f", "-", stdin=MANIFESTS)
    assert refused.returncode == 2 and '"kctl-edit"' in refused.stderr and '"kctl-patch"' in refused.stderr
    assert kctl.run("diff", "-f", "-", "--force-conflicts", stdin=MANIFESTS).returncode == 1
    assert "deployment.apps/app configured" in kctl("apply", "-f", "-", "--force-conflicts", stdin=MANIFESTS)
    assert kctl.field(".spec.replicas", "deploy/app") == "2"

    assert sorted(kctl("delete", "-f", "-", stdin=MANIFESTS).splitlines()) == ['deployment.apps "app" deleted', 'service "app" deleted']
    cluster.until(lambda: not kctl("get", "pods", "-o", "name"), "the pods to be gone")


@pytest.mark.real
def test_logs(cluster: Cluster, kctl: Here) -> None:
    kctl("apply", "-f", "-", stdin=MANIFESTS)
    cluster.until(lambda: kctl.field(".status.availableReplicas", "deploy/app") == "2", "two pods to be available")
    pods = [name.partition("/")[2] for name in kctl("get", "pods", "-o", "name").split()]
    cluster.until(lambda: f"line 4 from {pods[0]}" in kctl("logs", pods[0]), "five lines")
    assert kctl("logs", pods[0], "--tail", "2").count("\n") == 2
    stamped = kctl("logs", pods[0], "--tail", "1", "--timestamps")
    assert stamped[:2] == "20" and "Z line" in stamped
    assert kctl("logs", pods[0], "--since", "1s").count("\n") < kctl("logs", pods[0]).count("\n")
    chosen = kctl.run("logs", "deploy/app", "--tail", "1")
    assert "Found 2 pods, using pod/" in chosen.stderr and "line" in chosen.stdout
    both = kctl("logs", "-l", "app=app", "--tail", "1", "--prefix")
    assert all(f"[pod/{pod}/app] line" in both for pod in pods)
    assert "container x is not valid for pod" in kctl.run("logs", pods[0], "-c", "x").stderr
    assert "previous terminated container" in kctl.run("logs", pods[0], "--previous").stderr

    command = [sys.executable, "-m", "ctl", "logs", "-f", pods[0], "--tail", "1"]
    with subprocess.Popen(command, cwd=ROOT, env=kctl.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        first = int(following.stdout.readline().split()[1])
        assert int(following.stdout.readline().split()[1]) == first + 1
        kctl("delete", "pod", pods[0], "--wait=false")
        rest = following.stdout.read()  # it ends with the container
        assert following.wait(30) == 0 and "line" in rest + "line"
    kctl("delete", "deploy", "app")


def test_who_may_only_look(cluster: Cluster, kctl: Here, tmp_path: Path) -> None:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "lookers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "lookers"}],
    }  # fmt: skip
    kctl("create", "-f", "-", stdin=f"{json.dumps(binding)}\n---\n{MANIFESTS}")
    kctl("user", "create", "vera", "--group", "lookers", "--kctl", "--expires", "1h", "--out", str(tmp_path / "vera.json"))
    vera = Here(cluster, tmp_path / "vera.json")
    assert vera.field(".spec.replicas", "deploy/app") == "2"
    for args in (
        ("patch", "deploy", "app", "-p", "spec: {replicas: 0}"), ("delete", "deploy", "app"), ("delete", "pods", "--all"), ("edit", "deploy/app"),
        ("apply", "-f", "-"), ("create", "-f", "-"),
    ):  # fmt: skip
        done = vera.run(*args, stdin=MANIFESTS.replace("replicas: 2", "replicas: 0"), KCTL_EDITOR="sed -i s/replicas:\\ 2/replicas:\\ 0/")
        refused = 'User "vera" cannot' in done.stderr and done.returncode == 1
        assert refused or args == ("delete", "pods", "--all"), (args, done.stdout, done.stderr)
        assert "deleted" not in done.stdout
    assert vera.field(".spec.replicas", "deploy/app") == "2"
    kctl("delete", "-f", "-", stdin=MANIFESTS)
