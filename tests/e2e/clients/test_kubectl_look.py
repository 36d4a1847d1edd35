"""Looking with kubectl: get in every form, what the API says of itself, waiting and watching. For describe see test_kubectl_node.py."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.e2e.clients.conftest import HOSTS, Client, until, with_every_kubectl
from tests.e2e.documents import pod, text
from tests.e2e.kmaster import Kubectl

pytestmark = pytest.mark.compat("kubectl")


def looked_at(client: Client) -> Kubectl:
    """kubectl in a namespace with three pods and nothing else of their kinds."""
    kubectl = client.kubectl.having(namespace="looked-at")
    kubectl("create", "namespace", "looked-at")
    tiers = {"a": "back", "b": "front", "c": "back"}
    kubectl("create", "-f", "-", stdin=text(*[pod(name, labels={"tier": tier, "rank": str(9 - i)}) for i, (name, tier) in enumerate(tiers.items())]))
    kubectl("wait", "--for=condition=Ready", "pods", "--all", "--timeout=30s")
    return kubectl


@with_every_kubectl
def test_get_in_every_form(client: Client) -> None:
    three = client.once(looked_at)
    folder = client.new_folder("get")
    get = ("get", "pods")
    head, *rows = three(*get).splitlines()
    assert head.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row.split()[:4] for row in rows] == [[name, "1/1", "Running", "0"] for name in "abc"]
    head, first, *_ = three(*get, "-o", "wide").splitlines()
    assert head.split()[5:7] == ["IP", "NODE"] and re.search(r" 10\.244\.\d+\.\d+ +host-[01] ", first)
    assert three(*get, "-o", "name") == "pod/a\npod/b\npod/c\n"
    assert [item["metadata"]["name"] for item in three.json(*get)["items"]] == ["a", "b", "c"]
    assert yaml.safe_load(three("get", "pod", "a", "-o", "yaml"))["metadata"]["labels"]["tier"] == "back"
    assert three(*get, "-o", "jsonpath={.items[?(@.metadata.labels.tier=='back')].metadata.name}") == "a c"
    assert json.loads(three(*get, "-o", "jsonpath-as-json={.items[*].kind}")) == ["Pod"] * 3
    assert three(*get, "-o", "go-template={{range .items}}{{.metadata.name}};{{end}}") == "a;b;c;"
    columns = "NAME:.metadata.name,IMAGE:.spec.containers[0].image"
    assert three(*get, "-o", f"custom-columns={columns}").splitlines()[1].split() == ["a", "busybox:1.36"]
    forms = {"jsonpath-file": "{.items[*].metadata.name}", "go-template-file": "{{len .items}}", "custom-columns-file": "N\n.metadata.name\n"}
    for form, words in forms.items():
        (folder / form).write_text(words)
    said = {form: three(*get, "-o", f"{form}={folder / form}") for form in forms}
    assert said == {"jsonpath-file": "a b c", "go-template-file": "3", "custom-columns-file": "N\na\nb\nc\n"}
    assert [line.split()[-1] for line in three(*get, "-L", "tier", "--no-headers").splitlines()] == ["back", "front", "back"]
    assert "rank=9,tier=back" in three("get", "pod", "a", "--show-labels", "--show-kind")


@with_every_kubectl
def test_get_selects_sorts_and_pages(client: Client) -> None:
    three = client.once(looked_at)
    names = ("get", "pods", "-o", "name")
    assert three(*names, "-l", "tier in (back),rank!=7") == "pod/a\n"
    assert three(*names, "--field-selector", "metadata.name!=a,status.phase=Running") == "pod/b\npod/c\n"
    assert [line.split()[0] for line in three("get", "pods", "--sort-by=.metadata.labels.rank", "--no-headers").splitlines()] == ["c", "b", "a"]
    paged = three.run(*names, "--chunk-size=1", "-v=6")
    assert paged.stdout == "pod/a\npod/b\npod/c\n" and paged.stderr.count("limit=1") == 3 and paged.stderr.count("continue=") == 2
    everywhere = three("get", "pods,namespaces", "-A", "-o", "name").split()
    assert {"pod/a", "namespace/looked-at", "namespace/kube-system"} <= set(everywhere)
    assert "pod/a" in three("get", "all", "-o", "name").split()
    assert 'pods "missing" not found' in three.fails("get", "pod", "missing")
    assert "the server doesn't have a resource type \"gadgets\"" in three.fails("get", "gadgets")
    assert "field label not supported: spec.nonsense" in three.fails(*names, "--field-selector", "spec.nonsense=1")
    assert three("get", "pods", "-l", "tier=none") == "" and three("get", "pod", "a", "missing", "--ignore-not-found", "-o", "name") == "pod/a\n"


@with_every_kubectl
def test_get_watches(client: Client) -> None:
    three = client.once(looked_at)
    with three.watching("get", "services", "-w", "--output-watch-events") as table:
        assert table.stdout is not None
        three("create", "service", "clusterip", "seen", "--tcp=80")
        assert table.stdout.readline().split()[:2] == ["EVENT", "NAME"]
        assert table.stdout.readline().split()[:3] == ["ADDED", "seen", "ClusterIP"]
        three("delete", "service", "seen")
        assert table.stdout.readline().split()[:2] == ["DELETED", "seen"]


@with_every_kubectl
def test_wait_in_its_ways(client: Client) -> None:
    kubectl = client.kubectl
    kubectl("create", "-f", "-", stdin=text(pod("awaited")))
    assert kubectl("wait", "--for=condition=Ready", "pod/awaited", "--timeout=30s") == "pod/awaited condition met\n"
    assert kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/awaited", "--timeout=30s") == "pod/awaited condition met\n"
    said = kubectl.fails("wait", "--for=delete", "pod/awaited", "--timeout=1s")
    assert "timed out waiting for the condition on pods/awaited" in said or "deadline exceeded" in said
    with kubectl.watching("wait", "--for=delete", "pod/awaited", "--timeout=30s") as gone:
        assert kubectl("delete", "pod", "awaited", "--now").startswith('pod "awaited" deleted')
        assert gone.wait(30) == 0
    assert 'pods "awaited" not found' in kubectl.fails("wait", "--for=condition=Ready", "pod/awaited", "--timeout=1s")


@with_every_kubectl
def test_what_the_api_says_of_itself(client: Client) -> None:
    kubectl = client.kubectl
    said = kubectl.json("version")
    assert said["clientVersion"]["gitVersion"].startswith(f"v{client.version}.") and said["serverVersion"]["gitVersion"].startswith("v1.33.")
    assert "Kubernetes control plane" in kubectl("cluster-info")
    lines = [line.split() for line in kubectl("api-resources", "--no-headers").splitlines()]
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in lines and ["nodes", "no", "v1", "false", "Node"] in lines
    assert {"pods", "services"} <= set(kubectl("api-resources", "--categories=all", "-o", "name").split())
    assert "delete,deletecollection,get" in kubectl("api-resources", "--api-group=batch", "--verbs=list", "-o", "wide").replace("[", "").replace(" ", ",")
    assert {"v1", "apps/v1", "autoscaling/v2", "events.k8s.io/v1"} <= set(kubectl("api-versions").split())
    assert "maximum amount of compute resources" in kubectl("explain", "pod.spec.containers.resources.limits")
    nested = kubectl("explain", "deployment.spec.template.spec.containers.ports", "--recursive")
    assert "containerPort" in nested and "hostPort" in nested
    assert "Specifies how to treat concurrent executions" in kubectl("explain", "cronjobs", "--recursive=false") + kubectl("explain", "cronjob.spec")
    assert 'field "nonsense" does not exist' in kubectl.fails("explain", "pod.spec.nonsense")
    assert "targetCPUUtilizationPercentage" in kubectl("explain", "hpa.spec", "--api-version=autoscaling/v1")
    assert "[+]ping ok" in kubectl("get", "--raw", "/readyz?verbose")
    assert json.loads(kubectl("get", "--raw", "/api/v1/namespaces?limit=1"))["metadata"]["continue"]


@with_every_kubectl
def test_events(client: Client) -> None:
    three = client.once(looked_at)
    assert re.search(r"Normal +Scheduled +Pod/a +Successfully assigned looked-at/a to host-", three("events", "--for", "pod/a"))
    assert "Started" in three("get", "events", "--field-selector", "involvedObject.name=a,reason=Started")


@with_every_kubectl
def test_top(client: Client) -> None:
    three = client.once(looked_at)
    for what in ("node", "pod"):
        until(lambda what=what: three.run("top", what, "a" if what == "pod" else HOSTS[0]).returncode == 0, "figures of what is used")
    head, *rows = three("top", "nodes").splitlines()
    assert head.split()[:2] == ["NAME", "CPU(cores)"] and [row.split()[0] for row in rows] == [*HOSTS]
    assert all(re.fullmatch(r"host-\d +\d+m +\d+% +\d+Mi +\d+% *", row) for row in rows)
    rows = three("top", "pods", "--no-headers").splitlines()
    assert [row.split()[0] for row in rows] == ["a", "b", "c"] and all(re.fullmatch(r"\S+ +\d+m +\d+Mi *", row) for row in rows)
    assert three("top", "pod", "a", "--containers", "--no-headers").split()[:2] == ["a", "main"]
