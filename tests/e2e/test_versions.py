"""Each kubectl against hosts that run pods: what `test_kubectl.py`, which has no hosts, cannot show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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


def test_a_rollout_has_a_history_that_one_can_go_back_in(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, image = "deployment/back", "jsonpath={.spec.template.spec.containers[0].image}"
    document = deployment("back", 2)
    document["spec"]["template"]["spec"]["containers"][0] |= {"env": [], "resources": {"requests": {"cpu": "10m", "memory": "1024Ki"}}}
    run("create", "-f", "-", stdin=json.dumps(document))
    run("annotate", app, "kubernetes.io/change-cause=the first")
    run("rollout", "status", app, "--timeout=60s")
    run("rollout", "pause", app)
    run("set", "image", app, "main=busybox:1.37")
    run("annotate", app, "kubernetes.io/change-cause=the second", "--overwrite")
    assert len(run("get", "rs", "-l", "app=back", "-o", "name").split()) == 1, "a paused one makes no new set"
    run("rollout", "resume", app)
    run("rollout", "status", app, "--timeout=60s")
    assert "busybox:1.37" in run("rollout", "history", app, "--revision=2")
    run("rollout", "undo", app, "--to-revision=1")
    run("rollout", "status", app, "--timeout=60s")
    assert run("get", app, "-o", image) == BUSYBOX
    assert len(run("get", "rs", "-l", "app=back", "-o", "name").split()) == 2, "the old set was taken again"
    history = [line.split(maxsplit=1) for line in run("rollout", "history", app).splitlines() if line[:1].isdigit()]
    assert history == [["2", "the second"], ["3", "the first"]]
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^  replicas: 2$/  replicas: 3/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("KUBE_EDITOR", str(editor))
    assert "edited" in run("edit", app)
    run("wait", "--for=jsonpath={.status.availableReplicas}=3", app, "--timeout=60s")
