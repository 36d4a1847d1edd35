"""The real kubectl binaries against a real kmaster: what people type, and what they see.

No agents run here, so pods stay Pending; nodes are made by hand where a command needs one. What needs running containers is in
`test_workloads.py`. The binaries stand beside the `kubectl` on the path (`kubectl.1.29`, …) or in $KUBECTL_DIR.
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
import yaml

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


def config(name: str, **data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": data}


def text(*documents: dict[str, Any]) -> str:
    return json.dumps(documents[0] if len(documents) == 1 else {"kind": "List", "apiVersion": "v1", "items": documents})


# What the cluster says about itself.


def test_version_and_cluster_info(kubectl: Kubectl, master: Kmaster) -> None:
    assert kubectl.json("version")["serverVersion"]["gitVersion"].startswith("v1.33.")
    assert master.server in kubectl("cluster-info")


def test_api_resources_and_versions(kubectl: Kubectl) -> None:
    rows = [line.split() for line in kubectl("api-resources", "--no-headers").splitlines()]
    lines = {row[0]: row for row in rows if "metrics.k8s.io/v1beta1" not in row}
    assert ["nodes", "metrics.k8s.io/v1beta1", "false", "NodeMetrics"] in rows
    assert {"pods", "nodes", "namespaces", "deployments", "replicasets", "events", "leases", "secrets", "services"} <= set(lines)
    assert lines["deployments"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert lines["nodes"] == ["nodes", "no", "v1", "false", "Node"]
    assert {"v1", "apps/v1", "coordination.k8s.io/v1"} <= set(kubectl("api-versions").split())
    assert "pods" in kubectl("api-resources", "--categories=all", "-o", "name")


def test_explain_descends(kubectl: Kubectl) -> None:
    top = kubectl("explain", "deployment")
    assert "Deployment enables declarative updates" in top and "spec" in top
    nested = kubectl("explain", "pod.spec.containers.resources.limits")
    assert "maximum amount of compute resources" in nested
    assert "containerPort" in kubectl("explain", "deploy.spec.template.spec.containers", "--recursive")
    assert "does not exist" in kubectl.fails("explain", "pod.spec.nonsense")


def test_raw_paths(kubectl: Kubectl) -> None:
    assert kubectl("get", "--raw", "/livez") == "ok"
    assert "[+]ping ok" in kubectl("get", "--raw", "/readyz?verbose")
    assert json.loads(kubectl("get", "--raw", "/version"))["major"] == "1"
    assert json.loads(kubectl("get", "--raw", "/apis"))["kind"] == "APIGroupList"
    assert json.loads(kubectl("get", "--raw", "/api/v1/namespaces?limit=1"))["metadata"]["continue"]
    assert "could not find the requested resource" in kubectl.fails("get", "--raw", "/apis/nowhere/v1/things")


# Looking.


def test_get_in_every_form(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(pod("a", labels={"tier": "front"}), pod("b", labels={"tier": "back"})))
    table = kubectl("get", "pods").splitlines()
    assert table[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert table[1].split()[:4] == ["a", "0/1", "Pending", "0"]
    assert "NODE" in kubectl("get", "pods", "-o", "wide").splitlines()[0].split()
    assert kubectl("get", "pods", "-o", "name").split() == ["pod/a", "pod/b"]
    assert [p["metadata"]["name"] for p in kubectl.json("get", "pods")["items"]] == ["a", "b"]
    assert yaml.safe_load(kubectl("get", "pod", "a", "-o", "yaml"))["kind"] == "Pod"
    assert kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.labels.tier}") == "front back"
    columns = kubectl("get", "pods", "-o", "custom-columns=N:.metadata.name,I:.spec.containers[0].image").splitlines()
    assert columns[1].split() == ["a", "busybox:1.36"]
    assert kubectl("get", "pods", "-L", "tier").splitlines()[1].split()[-1] == "front"
    assert kubectl("get", "pods", "--show-labels", "--no-headers").splitlines()[1].split()[-1] == "tier=back"


def test_get_selects_and_sorts(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(*[pod(n, labels={"tier": t}) for n, t in (("a", "x"), ("b", "y"), ("c", "x"))]))
    names = ("-o", "name")
    assert kubectl("get", "po", "-l", "tier=x", *names).split() == ["pod/a", "pod/c"]
    assert kubectl("get", "po", "-l", "tier in (y),!absent", *names).split() == ["pod/b"]
    assert kubectl("get", "po", "--field-selector", "metadata.name!=a,status.phase=Pending", *names).split() == ["pod/b", "pod/c"]
    assert kubectl("get", "po", "--field-selector", "status.phase=Running", *names).split() == []
    assert kubectl("get", "po", "--sort-by=.metadata.labels.tier", "--no-headers").split()[0] == "a"
    kubectl("get", "po", "--sort-by={.metadata.creationTimestamp}")
    assert kubectl("get", "po", "--chunk-size=1", *names).split() == ["pod/a", "pod/b", "pod/c"]
    assert kubectl.namespace in kubectl("get", "pods", "-A")
    assert "pod/a" in kubectl("get", "all")
    assert "NotFound" in kubectl.fails("get", "pod", "missing")
    assert "the server doesn't have a resource type" in kubectl.fails("get", "gadgets")
    assert "field label not supported" in kubectl.fails("get", "po", "--field-selector", "spec.nonsense=1")


def test_get_watches(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(config("first")))
    watch = ("get", "cm", "-w", "--field-selector", "metadata.name!=kube-root-ca.crt")
    with kubectl.watching(*watch, "--no-headers", "-o", "name") as names, kubectl.watching(*watch) as table:
        assert names.stdout is not None and table.stdout is not None
        assert names.stdout.readline().strip() == "configmap/first"
        assert table.stdout.readline().split()[0] == "NAME"
        assert table.stdout.readline().split()[0] == "first"
        kubectl("create", "-f", "-", stdin=text(config("second", a="b")))
        assert names.stdout.readline().strip() == "configmap/second"
        assert table.stdout.readline().split()[:2] == ["second", "1"]


def test_describe(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(deployment("web"), pod("a")))
    described = kubectl("describe", "deployment", "web")
    assert "StrategyType:" in described and "RollingUpdate" in described and "busybox:1.36" in described
    assert re.search(r"Status:\s+Pending", kubectl("describe", "pod", "a"))
    described = kubectl("describe", "namespace", kubectl.namespace)
    assert re.search(r"Status:\s+Active", described)


# Changing.


def test_create_replace_delete(kubectl: Kubectl) -> None:
    assert kubectl("create", "-f", "-", stdin=text(config("c", a="1"))) == "configmap/c created\n"
    assert "AlreadyExists" in kubectl.fails("create", "-f", "-", stdin=text(config("c", a="1")))
    assert kubectl("replace", "-f", "-", stdin=text(config("c", b="2"))) == "configmap/c replaced\n"
    assert kubectl.json("get", "cm", "c")["data"] == {"b": "2"}
    assert "NotFound" in kubectl.fails("replace", "-f", "-", stdin=text(config("missing")))
    stale = kubectl.json("get", "cm", "c")
    kubectl("label", "cm", "c", "x=y")
    assert "Conflict" in kubectl.fails("replace", "-f", "-", stdin=text(stale))
    assert kubectl("delete", "cm", "c").startswith('configmap "c" deleted')
    assert "NotFound" in kubectl.fails("delete", "cm", "c")
    assert "NotFound" not in kubectl.run("delete", "cm", "c", "--ignore-not-found").stderr


def test_run_and_expose(kubectl: Kubectl) -> None:
    kubectl("run", "r", "--image=busybox:1.36", "--restart=Never", "--labels=a=b", "--", "sleep", "5")
    made = kubectl.json("get", "pod", "r")
    assert (made["spec"]["restartPolicy"], made["spec"]["containers"][0]["args"]) == ("Never", ["sleep", "5"])
    kubectl("create", "-f", "-", stdin=text(deployment("d")))
    kubectl("expose", "deployment", "d", "--port=80")
    assert kubectl.json("get", "service", "d")["spec"]["selector"] == {"app": "d"}


def test_create_imperatively(kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "s", "--from-literal=key=value")
    assert kubectl.json("get", "secret", "s")["data"] == {"key": "dmFsdWU="}
    kubectl("create", "deployment", "d", "--image=busybox:1.36", "--replicas=2")
    assert kubectl.json("get", "deploy", "d")["spec"]["replicas"] == 2
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    assert kubectl.json("get", "cm", "c")["data"] == {"a": "b"}


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


def test_apply_merges_lists_by_their_keys(kubectl: Kubectl) -> None:
    first = deployment("web")
    assert kubectl("apply", "-f", "-", stdin=text(first)) == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=text(first)) == "deployment.apps/web unchanged\n"
    kubectl("scale", "deployment", "web", "--replicas=3")
    second = deployment("web")
    del second["spec"]["replicas"]
    main, side = second["spec"]["template"]["spec"]["containers"]
    main["image"], side["env"] = "busybox:1.37", [{"name": "B", "value": "2"}]
    second["spec"]["template"]["spec"]["containers"] = [side, main, {"name": "third", "image": "busybox:1.36"}]
    assert kubectl("apply", "-f", "-", stdin=text(second)) == "deployment.apps/web configured\n"
    stands = kubectl.json("get", "deploy", "web")["spec"]["template"]["spec"]["containers"]
    by_name = {c["name"]: c for c in stands}
    assert set(by_name) == {"main", "side", "third"}
    assert (by_name["main"]["image"], by_name["side"]["env"]) == ("busybox:1.37", [{"name": "B", "value": "2"}])
    second["spec"]["template"]["spec"]["containers"] = [main]
    kubectl("apply", "-f", "-", stdin=text(second))
    assert [c["name"] for c in kubectl.json("get", "deploy", "web")["spec"]["template"]["spec"]["containers"]] == ["main"]


def test_diff_shows_without_changing(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=text(config("c", a="1")))
    assert kubectl.run("diff", "-f", "-", stdin=text(config("c", a="1"))).returncode == 0
    result = kubectl.run("diff", "-f", "-", stdin=text(config("c", a="2")))
    assert result.returncode == 1 and "+  a: \"2\"" in result.stdout
    assert kubectl.json("get", "cm", "c")["data"] == {"a": "1"}


def test_dry_run_on_the_server_changes_nothing(kubectl: Kubectl) -> None:
    assert "created (server dry run)" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=text(config("c", a="1")))
    assert "configmap/c" not in kubectl("get", "cm", "-o", "name").split()
    kubectl("create", "-f", "-", stdin=text(config("c", a="1")))
    kubectl("label", "cm", "c", "x=y", "--dry-run=server")
    kubectl("delete", "cm", "c", "--dry-run=server")
    assert "labels" not in kubectl.json("get", "cm", "c")["metadata"]


def test_patch_in_three_ways(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(deployment("web")))
    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox:1.34"}]}}}}
    kubectl("patch", "deploy", "web", "-p", json.dumps(strategic))
    images = "jsonpath={.spec.template.spec.containers[*].image}"
    assert kubectl("get", "deploy", "web", "-o", images) == "busybox:1.36 busybox:1.34"
    kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":4,"paused":true}}')
    kubectl("patch", "deploy", "web", "--type=json", "-p", '[{"op":"remove","path":"/spec/paused"},{"op":"test","path":"/spec/replicas","value":4}]')
    spec = kubectl.json("get", "deploy", "web")["spec"]
    assert spec["replicas"] == 4 and not spec.get("paused")
    kubectl.fails("patch", "deploy", "web", "--type=json", "-p", '[{"op":"remove","path":"/spec/nowhere"}]')
    kubectl("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", '{"status":{"observedGeneration":1}}')


def test_scale_set_label_annotate(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(deployment("web")))
    assert kubectl("scale", "deploy/web", "--replicas=5", "--current-replicas=1") == "deployment.apps/web scaled\n"
    kubectl("set", "image", "deploy/web", "main=busybox:9")
    kubectl("set", "env", "deploy/web", "-c", "side", "B=2")
    kubectl("set", "resources", "deploy/web", "-c", "main", "--limits=cpu=100m")
    stands = kubectl.json("get", "deploy", "web")["spec"]
    main, side = stands["template"]["spec"]["containers"]
    assert (stands["replicas"], main["image"], main["resources"]["limits"]) == (5, "busybox:9", {"cpu": "100m"})
    assert {"name": "B", "value": "2"} in side["env"]
    kubectl("label", "deploy", "web", "x=1")
    assert "already has a value" in kubectl.fails("label", "deploy", "web", "x=2")
    kubectl("label", "deploy", "web", "x=2", "--overwrite")
    kubectl("annotate", "deploy", "web", "note=read me")
    kubectl("label", "deploy", "web", "x-")
    metadata = kubectl.json("get", "deploy", "web")["metadata"]
    assert "x" not in metadata.get("labels", {}) and metadata["annotations"]["note"] == "read me"
    kubectl("rollout", "pause", "deploy/web")
    kubectl("rollout", "resume", "deploy/web")
    kubectl("rollout", "restart", "deploy/web")
    assert "web" in kubectl("rollout", "history", "deploy/web")


def test_nodes_are_tainted_and_cordoned(kubectl: Kubectl, version: str) -> None:
    name = f"n{version.replace('.', '-')}"
    kubectl("create", "--raw", "/api/v1/nodes", "-f", "-", stdin=text(node(name)))
    kubectl("taint", "node", name, "dedicated=batch:NoSchedule")
    kubectl("cordon", name)
    stands = kubectl.json("get", "node", name)["spec"]
    assert stands["unschedulable"] and any(t["key"] == "dedicated" for t in stands["taints"])
    assert "SchedulingDisabled" in kubectl("get", "nodes")
    described = kubectl("describe", "node", name)
    assert "dedicated=batch:NoSchedule" in described and "Unschedulable:" in described
    kubectl("uncordon", name)
    kubectl("taint", "node", name, "dedicated-")
    assert not kubectl.json("get", "node", name)["spec"].get("unschedulable")
    kubectl("drain", name, "--ignore-daemonsets")
    kubectl("delete", "node", name)


def test_drain_evicts(kubectl: Kubectl, version: str) -> None:
    name = f"emptied-{version.replace('.', '-')}"
    kubectl("create", "-f", "-", stdin=text(node(name)))
    placed = pod("a")
    placed["spec"]["nodeName"] = name
    kubectl("create", "-f", "-", stdin=text(placed))
    kubectl("wait", "--for=jsonpath={.spec.nodeName}=" + name, "pod/a", "--timeout=10s")
    with kubectl.watching("drain", name, "--force", "--timeout=20s", "-v=6") as drain:
        kubectl("wait", "--for=jsonpath={.metadata.deletionGracePeriodSeconds}=30", "pod/a", "--timeout=10s")
        kubectl("delete", "pod", "a", "--force", "--grace-period=0")  # no agent is there to end it
        out, err = drain.communicate(timeout=20)
    assert drain.returncode == 0 and f"node/{name} drained" in out, err
    assert "/pods/a/eviction" in err
    kubectl("delete", "node", name)


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


def test_a_deployment_owns_its_replicas(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=text(deployment("web", 2)))
    deadline = time.monotonic() + 10
    while len(kubectl("get", "pods", "-o", "name").split()) != 2:
        assert time.monotonic() < deadline, kubectl("get", "all")
    assert len(kubectl("get", "rs", "-o", "name").split()) == 1
    kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=20s")
    assert kubectl("get", "rs,pods", "-o", "name").split() == []


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
