"""`kubectl apply --server-side` of the real binaries against a real kmaster: what is owned, what is refused, what goes.

The master's own Deployment controller runs meanwhile, so its fields stand beside those that are applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kmaster import Kmaster, Kubectl, running
from tests.e2e.test_kubectl import VERSIONS, binary

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: nginx:1
        env: [{name: FIRST, value: "1"}, {name: SECOND, value: "2"}]
        ports: [{containerPort: 80}]
      - {name: side, image: busybox}
"""
CHANGED = (
    WEB.replace("busybox", "busybox:2")
    .replace('{name: FIRST, value: "1"}, ', "")
    .replace("      - {name: side", "      - {name: new, image: redis}\n      - {name: side")
)
MANAGERS = "jsonpath={range .metadata.managedFields[*]}{.manager} {.operation} {.subresource},{end}"


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kmaster]:
    with running(tmp_path_factory.mktemp("kmaster")) as started:
        yield started


@pytest.fixture(params=VERSIONS)
def kubectl(request: pytest.FixtureRequest, master: Kmaster, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl of one version in a namespace of its own."""
    name = f"apply-{request.param.replace('.', '-')}-{abs(hash(request.node.name)) % 10**8}"
    kubectl = Kubectl(binary(request.param), master, namespace=name, home=tmp_path)
    kubectl("create", "namespace", name)
    yield kubectl
    kubectl("delete", "namespace", name, "--wait=false")


def managers(kubectl: Kubectl) -> list[str]:
    """All but the master's own."""
    said = kubectl("get", "deployment", "web", "--show-managed-fields", "-o", MANAGERS).split(",")
    return [one.strip() for one in said if one.strip() and not one.startswith("deployment-controller")]


def apply(kubectl: Kubectl, text: str, *flags: str) -> str:
    return kubectl("apply", "--server-side", *flags, "-f", "-", stdin=text)


def test_what_is_applied_twice_changes_in_its_lists(kubectl: Kubectl) -> None:
    assert apply(kubectl, WEB) == "deployment.apps/web serverside-applied\n"
    apply(kubectl, CHANGED)
    containers = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert [(c["name"], c["image"]) for c in containers] == [("main", "nginx:1"), ("new", "redis"), ("side", "busybox:2")]
    assert containers[0]["env"] == [{"name": "SECOND", "value": "2"}]
    assert managers(kubectl) == ["kubectl Apply"]
    assert "managedFields" not in kubectl("get", "deployment", "web", "-o", "yaml")


def test_a_difference_is_shown_and_nothing_is_stored(kubectl: Kubectl, tmp_path: Path) -> None:
    apply(kubectl, WEB)
    (tmp_path / "web.yaml").write_text(CHANGED)
    result = kubectl.run("diff", "--server-side", "-f", str(tmp_path / "web.yaml"))
    assert result.returncode == 1, result.stderr
    assert "-      - image: busybox\n" in result.stdout and "+      - image: busybox:2\n" in result.stdout
    assert "-        - name: FIRST\n" in result.stdout
    assert len(kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]) == 2


def test_a_conflict_is_refused_and_forced(kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    kubectl("scale", "deployment", "web", "--replicas=4")
    said = kubectl.fails("apply", "--server-side", "-f", "-", stdin=WEB)
    assert f'conflict with "{kubectl.binary.name}" with subresource "scale" using apps/v1: .spec.replicas' in said
    apply(kubectl, WEB, "--force-conflicts")
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "1"
    assert managers(kubectl) == ["kubectl Apply"]


def test_two_appliers_share_and_part(kubectl: Kubectl) -> None:
    apply(kubectl, WEB)
    label = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {%s}}"
    apply(kubectl, label % "app: web, team: blue", "--field-manager=team")
    assert managers(kubectl) == ["kubectl Apply", "team Apply"]
    apply(kubectl, WEB.replace(", labels: {app: web}}\nspec:\n  replicas", "}\nspec:\n  replicas"))
    assert kubectl.json("get", "deployment", "web")["metadata"]["labels"] == {"app": "web", "team": "blue"}
    apply(kubectl, label % "team: blue", "--field-manager=team")
    assert kubectl.json("get", "deployment", "web")["metadata"]["labels"] == {"team": "blue"}


def test_who_applied_by_the_client_goes_on_by_the_server_and_back(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    assert managers(kubectl) == ["kubectl-client-side-apply Update"]
    apply(kubectl, CHANGED)
    assert managers(kubectl)[0] == "kubectl Apply"
    assert "kubectl-client-side-apply Update" not in managers(kubectl)
    containers = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert [c["name"] for c in containers] == ["main", "new", "side"]
    assert containers[0]["env"] == [{"name": "SECOND", "value": "2"}], "what the client had applied is known to be its own"
    assert kubectl("apply", "-f", "-", stdin=CHANGED) == "deployment.apps/web unchanged\n"


def test_an_unknown_field_is_refused(kubectl: Kubectl) -> None:
    said = kubectl.fails("apply", "--server-side", "-f", "-", stdin=WEB.replace("replicas: 1", "replica: 1"))
    assert "apps/v1, Kind=Deployment): .spec.replica: field not declared in schema" in said
