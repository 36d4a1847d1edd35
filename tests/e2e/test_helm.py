"""The real Helm, old and new, over a chart with a Deployment, a ConfigMap, hooks, and a definition with an instance of it.

Helm 3 sends strategic merge patches and protobuf, Helm 4 server-side apply; both keep their releases in Secrets. On hollow hosts, so that
`--wait` has something to wait for. Hooks are Pods, which Helm follows to their end, and ConfigMaps.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.contract import Lab
from tests.e2e.conftest import Kubectl
from tests.e2e.test_workloads import deployment, pod

pytestmark = pytest.mark.compat("Helm")
VERSIONS = ("3.18", "4.1")
GADGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "helmgadgets.example.test"},
    "spec": {
        "group": "example.test", "scope": "Namespaced", "names": {"plural": "helmgadgets", "kind": "HelmGadget"},
        "versions": [{
            "name": "v1", "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            }},
        }],
    },
}  # fmt: skip


WAITS = ("--wait", "--timeout", "60s")
ROLLS_BACK = {"3.18": "--atomic", "4.1": "--rollback-on-failure"}


def hook(document: dict[str, Any], event: str, **annotations: str) -> dict[str, Any]:
    said = {"helm.sh/hook": event, **{f"helm.sh/{key.replace('_', '-')}": value for key, value in annotations.items()}}
    return {**document, "metadata": {"name": document["metadata"]["name"], "annotations": said}}


def write_chart(folder: Path, templates: dict[str, dict[str, Any]], values: dict[str, Any]) -> Path:
    """NAME in a template is the release's; VALUE_x a value of the chart, NUMBER_x one without quotes."""
    (folder / "templates").mkdir(parents=True)
    for name, document in templates.items():
        text = json.dumps(document).replace("NAME", "{{ .Release.Name }}")
        for key in values:
            text = text.replace(f'"NUMBER_{key}"', f"{{{{ .Values.{key} }}}}").replace(f"VALUE_{key}", f"{{{{ .Values.{key} }}}}")
        (folder / "templates" / f"{name}.yaml").write_text(text)
    (folder / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "chart", "version": "0.1.0"}))
    (folder / "values.yaml").write_text(json.dumps(values))
    return folder


def web(image: str = "busybox:1.36") -> dict[str, Any]:
    made = deployment("NAME-web", 1)
    made["spec"]["replicas"] = "NUMBER_count"
    made["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return made


def configs(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    gadget = {"apiVersion": "example.test/v1", "kind": "HelmGadget", "metadata": {"name": "NAME-gadget"}, "spec": {"n": "NUMBER_count"}}
    templates = {
        "web": web(), "config": configs("NAME-config", n="VALUE_count"), "gadget": gadget,
        "hook": hook(configs("NAME-hook", ran="yes"), "pre-install"),
    }  # fmt: skip
    folder = write_chart(tmp_path / "chart", templates, {"count": 1})
    (folder / "crds").mkdir()
    (folder / "crds" / "gadgets.yaml").write_text(json.dumps(GADGETS))
    return folder


class Helm:
    """One version of it, one release in a namespace of its own."""

    release = "shop"

    def __init__(self, version: str, lab: Lab, kubectl: Kubectl, *, namespace: str, home: Path) -> None:
        self.version = version
        self._binary = Path(os.environ.get("HELM_DIR", "/nowhere")) / f"helm.{version}"
        if not self._binary.exists():
            pytest.skip(f"there is no Helm {version} in $HELM_DIR: script/test fetches it")
        self._lab = lab
        self._kubectl = kubectl
        self.namespace = namespace
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(lab.kubeconfig)}

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._binary), "-n", self.namespace, *args]
        return subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)

    def __call__(self, *args: str) -> str:
        done = self.run(*args)
        assert done.returncode == 0, f"helm {self.version} {' '.join(args)}: {done.stderr}{done.stdout}"
        return done.stdout

    def install(self, chart: Path, *args: str) -> None:
        self("install", self.release, str(chart), "--create-namespace", *args)

    def history(self) -> list[str]:
        return [entry["status"] for entry in json.loads(self("history", self.release, "-o", "json"))]

    def get(self, *args: str) -> str:
        done = self._kubectl(self._lab, "-n", self.namespace, "get", *args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stands(self, resource: str, name: str) -> Any:
        return json.loads(self.get(resource, f"{self.release}-{name}", "-o", "json"))

    def events(self, field: str, value: str) -> int:
        return len(self.get("events", "--field-selector", f"{field}={value}", "-o", "name").split())


@pytest.fixture(params=VERSIONS)
def helm(request: pytest.FixtureRequest, hollow_lab: Lab, kubectl: Kubectl, tmp_path: Path) -> Iterator[Helm]:
    words = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:30].strip("-")
    namespace = f"helm-{request.param.replace('.', '-')}-{words}"
    yield Helm(request.param, hollow_lab, kubectl, namespace=namespace, home=tmp_path)
    assert kubectl(hollow_lab, "delete", "namespace", namespace, "--wait=false").returncode == 0


def test_a_release_from_its_installation_to_its_end(helm: Helm, chart: Path) -> None:
    release, stands = helm.release, helm.stands

    def counts() -> list[Any]:
        replicas, n = (stands(kind, name)["spec"] for kind, name in (("deployment", "web"), ("helmgadgets", "gadget")))
        return [replicas["replicas"], stands("cm", "config")["data"]["n"], n["n"]]

    helm.install(chart, *WAITS)
    assert stands("deployment", "web")["status"]["readyReplicas"] == 1
    assert (counts(), stands("cm", "hook")["data"]) == ([1, "1", 1], {"ran": "yes"})
    helm("upgrade", release, str(chart), "--set", "count=3", *WAITS)
    assert stands("deployment", "web")["status"]["readyReplicas"] == 3
    assert counts() == [3, "3", 3]
    assert helm.history() == ["superseded", "deployed"]
    helm("rollback", release, "1", *WAITS)
    assert counts() == [1, "1", 1]
    listed = json.loads(helm("list", "-o", "json"))
    assert [(entry["name"], entry["revision"], entry["status"]) for entry in listed] == [(release, "3", "deployed")]
    assert "STATUS: deployed" in helm("status", release)
    helm("uninstall", release, *WAITS)
    assert helm.get("deployments,helmgadgets,secrets", "-o", "name").split() == []


def test_a_failing_upgrade_is_taken_back(helm: Helm, tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "chart", {"web": web("VALUE_image")}, {"count": 2, "image": "busybox:1.36"})
    helm.install(chart, *WAITS)
    wrong = ("--set", "image=missing.invalid/nonexistent:1")
    broken = helm.run("upgrade", helm.release, str(chart), *wrong, ROLLS_BACK[helm.version], "--timeout", "3s")
    assert broken.returncode != 0 and "rolled back" in broken.stderr + broken.stdout
    assert helm.history() == ["superseded", "failed", "deployed"]
    stands = helm.stands("deployment", "web")
    assert stands["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:1.36"
    assert stands["status"]["readyReplicas"] == 2


def test_hooks_that_are_pods_are_waited_for(helm: Helm, tmp_path: Path) -> None:
    """Before the release in the order of their weights; away when they succeeded, if they say so; a failing one stops the upgrade."""
    def once(name: str, command: str) -> dict[str, Any]:
        return pod(f"NAME-{name}", command, policy="Never")

    templates = {
        "web": web(), "late": hook(once("late", "sleep 1"), "pre-install", hook_weight="5"),
        "early": hook(once("early", "exit 0"), "pre-install", hook_weight="-5", hook_delete_policy="hook-succeeded"),
        "upgrade": hook(once("upgrade", "exit VALUE_code"), "pre-upgrade", hook_delete_policy="before-hook-creation"),
        "check": hook(once("check", "exit 0"), "test"), "end": hook(once("end", "exit 0"), "pre-delete"),
    }  # fmt: skip
    chart = write_chart(tmp_path / "chart", templates, {"count": 1, "code": 0})
    helm.install(chart, *WAITS)
    late, made = helm.stands("pod", "late"), helm.stands("deployment", "web")["metadata"]["creationTimestamp"]
    assert late["status"]["phase"] == "Succeeded"
    assert late["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] <= made
    assert "shop-early" not in helm.get("pods", "-o", "name") and helm.events("involvedObject.name", "shop-early")
    assert "Phase:          Succeeded" in helm("test", helm.release)
    failed = helm.run("upgrade", helm.release, str(chart), "--set", "code=3,count=2", "--timeout", "30s")
    assert failed.returncode != 0 and "pre-upgrade hooks failed" in failed.stderr
    assert (helm.stands("deployment", "web")["spec"]["replicas"], helm.history()) == (1, ["deployed", "failed"])
    helm("upgrade", helm.release, str(chart), "--set", "count=2", *WAITS)
    assert helm.stands("deployment", "web")["status"]["readyReplicas"] == 2
    helm("uninstall", helm.release, *WAITS)
    assert helm.stands("pod", "end")["status"]["phase"] == "Succeeded"
