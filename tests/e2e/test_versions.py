"""Each kubectl against hosts that run pods: what `test_kubectl.py`, which has no hosts, cannot show."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lab.contract import Lab
from tests.e2e.conftest import Kubectl
from tests.e2e.test_workloads import BUSYBOX, deployment

VERSIONS = ("1.29", "1.33")
OLDER = ("1.27", "1.28", "1.30", "1.31", "1.32")

Run = Callable[..., str]


@pytest.fixture(params=[*VERSIONS, *(pytest.param(version, marks=pytest.mark.long) for version in OLDER)])
def run(request: pytest.FixtureRequest, running: tuple[str, Lab], kubectl: Kubectl) -> Run:
    """kubectl of one version in a namespace of its own; its standard output."""
    version = request.param
    namespace = f"v{version.replace('.', '-')}"

    def call(*args: str, stdin: str | None = None) -> str:
        result = kubectl(running[1], "-n", namespace, *args, version=version, stdin=stdin)
        assert result.returncode == 0, f"kubectl {version} {' '.join(args)}: {result.stderr}"
        return result.stdout

    call("create", "namespace", namespace)
    request.addfinalizer(lambda: call("delete", "namespace", namespace, "--wait=false"))
    return call


def test_a_pod_is_run_looked_at_and_deleted(run: Run, running: tuple[str, Lab]) -> None:
    run("run", "one", f"--image={BUSYBOX}", "--restart=Never", "--", "sh", "-c", "echo said; sleep 3600")
    run("wait", "--for=condition=Ready", "pod/one", "--timeout=40s")
    host = json.loads(run("get", "pod", "one", "-o", "json"))["spec"]["nodeName"]
    assert "Successfully assigned" in run("describe", "pod", "one")
    assert "one" in run("describe", "node", host)
    assert "Started" in run("events", "--for", "pod/one")
    if running[0] != "hollow":
        assert run("logs", "one") == "said\n"
        assert run("logs", "one", "--tail=1", "--timestamps").endswith(" said\n")
    run("delete", "pod", "one", "--grace-period=1", "--timeout=30s")
    assert json.loads(run("get", "pods", "-o", "json"))["items"] == []


def test_a_deployment_is_rolled_out_and_moved(run: Run) -> None:
    run("apply", "-f", "-", stdin=json.dumps(deployment("app", 2)))
    run("rollout", "status", "deployment/app", "--timeout=60s")
    run("set", "image", "deployment/app", "main=busybox:1.37")
    run("rollout", "status", "deployment/app", "--timeout=60s")
    run("rollout", "restart", "deployment/app")
    run("rollout", "status", "deployment/app", "--timeout=60s")
    run("scale", "deployment/app", "--replicas=3")
    run("wait", "--for=jsonpath={.status.readyReplicas}=3", "deployment/app", "--timeout=60s")
    described = run("describe", "deployment", "app")
    assert "3 desired | 3 updated | 3 total | 3 available" in described
    run("cordon", "host-2")
    assert "SchedulingDisabled" in run("get", "nodes")
    run("uncordon", "host-2")
    run("taint", "node", "host-2", "away=yes:NoSchedule")
    assert "away=yes:NoSchedule" in run("describe", "node", "host-2")
    run("taint", "node", "host-2", "away-")
