"""The real kubectl binaries against a real kmaster: what people type, and what they see.

The corners: what each kubectl does every day is in `clients/`. No agents run here, so pods stay Pending. What needs running containers
is in `test_workloads.py`. The binaries stand beside the `kubectl` on the path (`kubectl.1.29`, …) or in $KUBECTL_DIR.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.documents import config, text
from tests.e2e.kmaster import Kmaster, Kubectl, running

ALWAYS = ("1.29", "1.33")
VERSIONS = [
    version if version in ALWAYS else pytest.param(version, marks=pytest.mark.long)
    for version in ("1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33")
]
"""From 1.27 to 1.29 kubectl speaks JSON alone and asks for OpenAPI v2; from 1.32 on it sends what it creates as protobuf."""


def binary(version: str) -> Path:
    given = os.environ.get("KUBECTL_DIR")
    found = shutil.which("kubectl")
    folder = Path(given) if given else Path(found).resolve().parent if found else None
    path = folder / f"kubectl.{version}" if folder else None
    if path is None or not path.exists():
        pytest.skip(f"kubectl {version} is not on this machine: put kubectl.{version} into $KUBECTL_DIR")
    return path


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kmaster]:
    with running(tmp_path_factory.mktemp("kmaster")) as started:
        yield started
        assert started.stop() == 0


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def home(version: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this kubectl caches discovery."""
    return tmp_path_factory.mktemp(f"home-{version}")


@pytest.fixture
def kubectl(request: pytest.FixtureRequest, master: Kmaster, version: str, home: Path) -> Iterator[Kubectl]:
    """In a namespace of the test's own."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.split("[")[0].removeprefix("test_"))[:40].strip("-")
    tool = Kubectl(binary(version), master, namespace=f"{words}-{version.replace('.', '-')}", home=home)
    tool("create", "-f", "-", stdin=text(namespace(tool.namespace)))
    yield tool
    tool.run("delete", "namespace", tool.namespace, "--wait=false")


def namespace(name: str) -> dict[str, Any]:
    return {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}


def node(name: str) -> dict[str, Any]:
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "main", "image": "busybox:1.36"}], "schedulerName": "nobody"},
    }  # fmt: skip


def deployment(name: str, replicas: int = 1) -> dict[str, Any]:
    containers = [
        {"name": "main", "image": "busybox:1.36", "ports": [{"containerPort": 80}]},
        {"name": "side", "image": "busybox:1.35", "env": [{"name": "A", "value": "1"}]},
    ]
    return {
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"schedulerName": "nobody", "containers": containers}},
        },
    }  # fmt: skip


# What the cluster says about itself.


def test_raw_paths(kubectl: Kubectl) -> None:
    assert kubectl("get", "--raw", "/livez") == "ok"
    assert "[+]ping ok" in kubectl("get", "--raw", "/readyz?verbose")
    assert json.loads(kubectl("get", "--raw", "/version"))["major"] == "1"
    assert json.loads(kubectl("get", "--raw", "/apis"))["kind"] == "APIGroupList"
    assert json.loads(kubectl("get", "--raw", "/api/v1/namespaces?limit=1"))["metadata"]["continue"]
    assert "could not find the requested resource" in kubectl.fails("get", "--raw", "/apis/nowhere/v1/things")


# Looking.


def test_get_watches(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(config("first", labels={"seen": "yes"})))
    get = ("get", "cm", "-w", "-l", "seen")  # others come and go: each namespace has the cluster's certificate
    with kubectl.watching(*get, "--no-headers", "-o", "name") as names, kubectl.watching(*get) as table:
        assert names.stdout is not None and table.stdout is not None
        assert names.stdout.readline().strip() == "configmap/first"
        assert table.stdout.readline().split()[0] == "NAME"
        assert table.stdout.readline().split()[0] == "first"
        kubectl("create", "-f", "-", stdin=text(config("second", labels={"seen": "yes"}, a="b")))
        assert names.stdout.readline().strip() == "configmap/second"
        assert table.stdout.readline().split()[:2] == ["second", "1"]


# Changing.


IMPERATIVE = {
    "namespace": ["namespace", "imperative-{version}"],
    "configmap": ["configmap", "c", "--from-literal=a=b", "--from-literal=empty="],
    "secret": ["secret", "generic", "s", "--from-literal=key=value", "--type=custom/kind"],
    "registry secret": ["secret", "docker-registry", "r", "--docker-username=u", "--docker-password=p", "--docker-server=registry.test"],
    "service account": ["serviceaccount", "robot"],
    "deployment": ["deployment", "d", "--image=busybox:1.36", "--image=nginx:1", "--replicas=0", "--port=80"],
    "deployment with a command": ["deployment", "e", "--image=busybox:1.36", "--", "sleep", "5"],
    "ClusterIP service": ["service", "clusterip", "ip", "--tcp=80:8080"],
    "headless service": ["service", "clusterip", "headless", "--clusterip=None"],
    "NodePort service": ["service", "nodeport", "np", "--tcp=80", "--node-port=30081"],
    "external service": ["service", "externalname", "ex", "--external-name=example.test"],
}


def test_what_is_created_is_what_kubectl_meant(kubectl: Kubectl, version: str) -> None:
    """Whatever encoding this kubectl sends, the master has understood what the same kubectl shows with a client's dry run."""
    for what, words in IMPERATIVE.items():
        words = [word.format(version=version.replace(".", "-")) for word in words]
        at = words.index("--") if "--" in words else len(words)
        meant, tried, made = (
            json.loads(kubectl("create", *words[:at], *dry_run, "-o", "json", *words[at:]))
            for dry_run in (["--dry-run=client"], ["--dry-run=server"], [])
        )
        assert "resourceVersion" not in tried["metadata"] and made["metadata"]["resourceVersion"], what
        assert lacking(meant, made) == [], what
    kubectl("delete", "namespace", f"imperative-{version.replace('.', '-')}", "--wait=false")


def lacking(meant: Any, made: Any, place: str = "") -> list[str]:
    """Where `made` says less or something else; null and empty things say nothing."""
    if isinstance(meant, dict) and isinstance(made, dict):
        told = {key: value for key, value in meant.items() if value not in (None, {}, [])}
        return [text for key, value in told.items() for text in lacking(value, made.get(key), f"{place}.{key}")]
    if isinstance(meant, list) and isinstance(made, list) and len(meant) == len(made):
        return [text for i, pair in enumerate(zip(meant, made, strict=True)) for text in lacking(*pair, f"{place}[{i}]")]
    return [] if meant == made else [f"{place}: {meant!r} became {made!r}"]


def test_events_and_waiting(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(pod("a")))
    uid = kubectl.json("get", "pod", "a")["metadata"]["uid"]
    event = {
        "kind": "Event", "apiVersion": "v1", "metadata": {"name": "a.1"}, "reason": "Looked", "message": "somebody looked", "type": "Normal",
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": kubectl.namespace, "uid": uid, "apiVersion": "v1"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z", "count": 1, "source": {"component": "test"},
    }  # fmt: skip
    kubectl("create", "-f", "-", stdin=text(event))
    assert "somebody looked" in kubectl("events") and "somebody looked" in kubectl("get", "events")
    assert "somebody looked" in kubectl("describe", "pod", "a")
    with kubectl.watching("wait", "--for=condition=Ready", "pod/a", "--timeout=20s") as ready:
        status = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        kubectl("patch", "pod", "a", "--subresource=status", "--type=merge", "-p", json.dumps(status))
        assert ready.wait(20) == 0
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/a", "--timeout=10s")
    with kubectl.watching("wait", "--for=delete", "pod/a", "--timeout=20s") as gone:
        kubectl("delete", "pod", "a", "--now")
        assert gone.wait(20) == 0


def test_a_pod_without_a_node_has_no_log_yet(kubectl: Kubectl) -> None:
    two = pod("two")
    two["spec"]["containers"].append({"name": "side", "image": "busybox:1.36"})
    kubectl("create", "-f", "-", stdin=text(pod("one"), two))
    assert kubectl("logs", "one") == ""
    assert "main" in kubectl.run("logs", "two").stderr
    assert "container nope is not valid for pod two" in kubectl.fails("logs", "two", "-c", "nope")


def test_what_is_wrong_is_said_where_it_is_wrong(kubectl: Kubectl) -> None:
    wrong = deployment("web")
    wrong["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    said = kubectl.fails("create", "-f", "-", stdin=text(wrong))
    assert "strict decoding error" in said and 'unknown field "spec.template.spec.containers[0].imagee"' in said
    # A List is validated by kubectl itself, with OpenAPI v2.
    said = kubectl.fails("create", "-f", "-", stdin=text(config("fine"), wrong))
    assert "error validating data" in said and 'unknown field "imagee" in io.k8s.api.core.v1.Container' in said
    assert "created" in kubectl("create", "--validate=ignore", "-f", "-", stdin=text(wrong))
    kubectl("delete", "deploy", "web")
    warned = kubectl.run("create", "--validate=warn", "-f", "-", stdin=text(wrong))
    assert warned.returncode == 0 and 'Warning: unknown field "spec.template.spec.containers[0].imagee"' in warned.stderr
    said = kubectl.fails("create", "-f", "-", stdin=text(deployment("Not A Name")))
    assert "metadata.name" in said and "Invalid value" in said
    wrong = pod("p")
    wrong["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "lots"}}
    assert "quantities must match the regular expression" in kubectl.fails("create", "-f", "-", stdin=text(wrong))
    wrong = deployment("web2")
    wrong["spec"]["replicas"] = "three"
    assert "spec.replicas" in kubectl.fails("create", "-f", "-", stdin=text(wrong))
    assert "spec.selector" in kubectl.fails("create", "-f", "-", stdin=text({**deployment("x"), "spec": {}}))


def test_a_deleted_namespace_takes_its_objects_along(kubectl: Kubectl) -> None:
    other = f"{kubectl.namespace}-x"
    kubectl("create", "-f", "-", stdin=text(namespace(other)))
    kubectl("-n", other, "create", "-f", "-", stdin=text(config("c")))
    kubectl("delete", "namespace", other, "--timeout=20s")
    assert "NotFound" in kubectl.fails("get", "namespace", other)
    assert "Forbidden" in kubectl.fails("delete", "namespace", "kube-system")


# The daemon.


def test_what_was_written_survives_the_end_of_the_process(tmp_path: Path, home: Path, version: str) -> None:
    with running(tmp_path) as daemon:
        tool = Kubectl(binary(version), daemon, namespace="default", home=home)
        tool("create", "-f", "-", stdin=text(config("kept")))
        daemon.stop(signal.SIGKILL)
        daemon.start()
        assert "configmap/kept" in tool("get", "cm", "-o", "name").split()
        began = time.monotonic()
        with tool.watching("get", "cm", "-w") as watch:
            assert watch.stdout is not None
            watch.stdout.readline()
            assert daemon.stop() == 0
        assert time.monotonic() - began < 5
