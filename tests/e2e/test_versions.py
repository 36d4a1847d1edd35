"""Each kubectl against hosts that run pods: what `test_kubectl.py`, which has no hosts, cannot show."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.clock import SystemRng
from lab.contract import Lab
from tests.e2e.conftest import Kubectl, kubectl_path
from tests.e2e.test_workloads import BUSYBOX, deployment, pod

VERSIONS = ("1.29", "1.33")
OLDER = ("1.27", "1.28", "1.30", "1.31", "1.32")
LINE_S = 30.0
PLACED = (("a", "host-1", "front"), ("b", "host-2", "back"), ("c", "host-1", "front"))
"""Pods: their names, hosts and labels."""


class Run:
    """kubectl of one version in a namespace of its own."""

    def __init__(self, lab: Lab, kubectl: Kubectl, *, version: str) -> None:
        self.version = version
        self.namespace = f"v{version.replace('.', '-')}-{SystemRng().suffix()}"
        self._lab = lab
        self._kubectl = kubectl

    def __call__(self, *args: str, stdin: str | None = None, code: int = 0) -> str:
        """Its standard output; of one that is to end with another code, its errors too."""
        result = self._kubectl(self._lab, "-n", self.namespace, *args, version=self.version, stdin=stdin)
        assert result.returncode == code, f"kubectl {self.version} {' '.join(args)}: {result.returncode} {result.stderr}{result.stdout}"
        return result.stdout + result.stderr if code else result.stdout

    def create(self, *documents: dict) -> None:
        for document in documents:
            self("create", "-f", "-", stdin=json.dumps(document))

    @contextmanager
    def lines(self, *args: str) -> Iterator[Callable[[], list[str]]]:
        """kubectl in the background; the callable waits for its next line, and gives its words."""
        environment = {**os.environ, "KUBECONFIG": str(self._lab.kubeconfig), "HOME": str(self._lab.kubeconfig.parent)}
        command = [str(kubectl_path(self.version)), "-n", self.namespace, *args]
        with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            output, rest = child.stdout.fileno(), bytearray()

            def next_line() -> list[str]:
                while b"\n" not in rest:
                    assert select.select([output], [], [], LINE_S)[0], f"waited {LINE_S:g} s for a line of kubectl {' '.join(args)}"
                    data = os.read(output, 65536)
                    assert data, f"kubectl {' '.join(args)} ended"
                    rest.extend(data)
                line, _, rest[:] = bytes(rest).partition(b"\n")
                return line.decode().split()

            try:
                yield next_line
            finally:
                child.kill()


@pytest.fixture(params=[*VERSIONS, *(pytest.param(version, marks=pytest.mark.long) for version in OLDER)])
def run(request: pytest.FixtureRequest, running: tuple[str, Lab], kubectl: Kubectl) -> Run:
    made = Run(running[1], kubectl, version=request.param)
    made("create", "namespace", made.namespace)
    request.addfinalizer(lambda: made("delete", "namespace", made.namespace, "--wait=false"))
    return made


def test_the_cluster_is_looked_at_from_all_sides(run: Run) -> None:
    assert json.loads(run("version", "-o", "json"))["serverVersion"]["gitVersion"].startswith("v1.33.")
    assert "control plane" in run("cluster-info")
    assert {"deployments", "pods", "nodes"} <= {line.split()[0] for line in run("api-resources", "--no-headers").splitlines()}
    assert "Deployment enables declarative updates" in run("explain", "deployment")
    assert "maximum amount of compute resources" in run("explain", "pod.spec.containers.resources.limits")
    run.create(*({**pod(name, nodeName=host), "metadata": {"name": name, "labels": {"tier": tier}}} for name, host, tier in PLACED))
    run("wait", "--for=condition=Ready", "pod", "--all", "--timeout=40s")
    rows = [line.split() for line in run("get", "pods", "-o", "wide", "--no-headers").splitlines()]
    assert [(row[0], row[1], row[2], row[6]) for row in rows] == [(name, "1/1", "Running", host) for name, host, _ in PLACED]
    assert json.loads(run("get", "pod", "a", "-o", "json"))["status"]["phase"] == "Running"
    assert "phase: Running" in run("get", "pod", "a", "-o", "yaml")
    assert run("get", "pods", "-o", "name").split() == ["pod/a", "pod/b", "pod/c"]
    assert run("get", "pods", "-o", "jsonpath={.items[*].status.phase}") == "Running Running Running"
    assert run("get", "pods", "-o", "custom-columns=N:.spec.nodeName", "--no-headers").split() == [host for _, host, _ in PLACED]
    assert run("get", "pods", "-l", "tier=front", "-o", "name").split() == ["pod/a", "pod/c"]
    assert run("get", "pods", "--field-selector", "spec.nodeName=host-2,status.phase=Running", "-o", "name").split() == ["pod/b"]
    assert run("get", "pods", "--sort-by=.metadata.labels.tier", "--no-headers").split()[0] == "b"
    assert {run.namespace, "default"} <= {line.split()[0] for line in run("get", "pods", "-A", "--no-headers").splitlines()}
    assert run("get", "--raw", "/livez") == "ok"
    assert len(json.loads(run("get", "--raw", f"/api/v1/namespaces/{run.namespace}/pods"))["items"]) == 3


def test_what_runs_is_changed_in_every_way(run: Run) -> None:
    first, image = deployment("app", 1), "jsonpath={.items[*].spec.containers[0].image}"
    assert run("apply", "-f", "-", stdin=json.dumps(first)) == "deployment.apps/app created\n"
    run("rollout", "status", "deployment/app", "--timeout=60s")
    assert run("diff", "-f", "-", stdin=json.dumps(first)) == ""
    second = deployment("app", 1)
    second["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:1.37"
    assert "image: busybox:1.37" in run("diff", "-f", "-", stdin=json.dumps(second), code=1)
    assert run("get", "pods", "-o", image) == BUSYBOX, "a difference that is shown changes nothing"
    assert run("replace", "-f", "-", stdin=json.dumps(second)) == "deployment.apps/app replaced\n"
    run("rollout", "status", "deployment/app", "--timeout=60s")
    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "COLOUR", "value": "green"}]}]}}}}
    assert "patched" in run("patch", "deployment", "app", "-p", json.dumps(strategic))
    assert "patched" in run("patch", "deployment", "app", "--type=merge", "-p", '{"spec":{"minReadySeconds":1}}')
    assert "patched" in run("patch", "deployment", "app", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":2}]')
    run("rollout", "status", "deployment/app", "--timeout=60s")
    run("wait", "--for=jsonpath={.status.availableReplicas}=2", "deployment/app", "--timeout=60s")
    stands = json.loads(run("get", "deployment", "app", "-o", "json"))["spec"]
    main = stands["template"]["spec"]["containers"][0]
    assert (main["image"], main["env"], stands["minReadySeconds"]) == ("busybox:1.37", [{"name": "COLOUR", "value": "green"}], 1)
    assert "labeled" in run("label", "deployment", "app", "tier=front")
    assert "deployment.apps/app annotate" in run("annotate", "deployment", "app", "note=read me")  # "annotated" since 1.28
    about = json.loads(run("get", "deployment", "-l", "tier=front", "-o", "json"))["items"][0]["metadata"]
    assert about["annotations"]["note"] == "read me"
    assert "tier" not in json.loads(run("label", "deployment", "app", "tier-", "-o", "json"))["metadata"].get("labels", {})


def test_a_watch_follows_a_pod_from_its_creation_to_its_end(run: Run) -> None:
    run.create(pod("before", nodeSelector={"no": "such-node"}))  # once it is shown, the watch has begun
    with run.lines("get", "pods", "-w", "--no-headers") as line:
        assert line()[0] == "before"
        run.create(pod("seen"))

        def until(condition: Callable[[str], bool]) -> Iterator[list[str]]:
            while True:
                words = line()
                if words[0] == "seen":
                    yield words
                    if condition(words[2]):
                        return

        seen = list(until(lambda status: status == "Running"))
        run("delete", "pod", "seen", "--grace-period=1", "--wait=false")
        seen += until(lambda status: status != "Running")
    assert (seen[0][1:3], seen[-1][2]) == (["0/1", "Pending"], "Terminating")


def test_a_rollout_that_does_not_progress_fails(run: Run) -> None:
    document = deployment("late", 1)
    document["spec"]["progressDeadlineSeconds"] = 2
    document["spec"]["template"]["spec"]["containers"][0]["image"] = "missing.invalid/nonexistent:1"
    run.create(document)
    assert 'deployment "late" exceeded its progress deadline' in run("rollout", "status", "deployment/late", "--timeout=60s", code=1)
    assert "ProgressDeadlineExceeded" in run("describe", "deployment", "late")
    run("set", "image", "deployment/late", f"main={BUSYBOX}")
    assert "successfully rolled out" in run("rollout", "status", "deployment/late", "--timeout=60s")


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
