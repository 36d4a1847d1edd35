"""The real Helm, old and new, over a chart with a Deployment, a ConfigMap, a hook, and a definition with an instance of it.

Helm 3 sends strategic merge patches and protobuf, Helm 4 server-side apply; both keep their releases in Secrets. On hollow hosts, so that
`--wait` has something to wait for.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.contract import Lab
from tests.e2e.conftest import Kubectl
from tests.e2e.test_workloads import deployment

VERSIONS = ("3.18", "4.1")
GADGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "helmgadgets.example.test"},
    "spec": {
        "group": "example.test", "scope": "Namespaced", "names": {"plural": "helmgadgets", "kind": "HelmGadget"},
        "versions": [{
            "name": "v1", "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}}}},
        }],
    },
}  # fmt: skip


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "crds").mkdir()
    web = deployment("NAME-web", 1)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "NAME-config"}, "data": {"n": "COUNT"}}
    hook = {
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"ran": "yes"},
        "metadata": {"name": "NAME-hook", "annotations": {"helm.sh/hook": "pre-install"}},
    }  # fmt: skip
    gadget = {"apiVersion": "example.test/v1", "kind": "HelmGadget", "metadata": {"name": "NAME-gadget"}, "spec": {"n": 0}}
    for name, document in {"web": web, "config": config, "hook": hook, "gadget": gadget}.items():
        text = json.dumps(document).replace("NAME", "{{ .Release.Name }}").replace("COUNT", "{{ .Values.count }}")
        text = text.replace('"replicas": 1', '"replicas": {{ .Values.count }}').replace('"n": 0', '"n": {{ .Values.count }}')
        (folder / "templates" / f"{name}.yaml").write_text(text)
    (folder / "crds" / "gadgets.yaml").write_text(json.dumps(GADGETS))
    (folder / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": "chart", "version": "0.1.0"}))
    (folder / "values.yaml").write_text(json.dumps({"count": 1}))
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_a_release_from_its_installation_to_its_end(version: str, chart: Path, hollow_lab: Lab, kubectl: Kubectl, tmp_path: Path) -> None:
    binary = Path(os.environ.get("HELM_DIR", "/nowhere")) / f"helm.{version}"
    if not binary.exists():
        pytest.skip(f"there is no Helm {version} in $HELM_DIR: script/test fetches it")
    namespace, release = f"helm-{version.replace('.', '-')}", "shop"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(hollow_lab.kubeconfig)}

    def helm(*args: str) -> str:
        result = subprocess.run(
            [str(binary), "-n", namespace, *args], env=environment, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL
        )
        assert result.returncode == 0, f"helm {version} {' '.join(args)}: {result.stderr}{result.stdout}"
        return result.stdout

    def stands(resource: str, name: str) -> Any:
        result = kubectl(hollow_lab, "-n", namespace, "get", resource, f"{release}-{name}", "-o", "json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def counts() -> list[Any]:
        web = stands("deployment", "web")
        return [web["spec"]["replicas"], stands("cm", "config")["data"]["n"], stands("helmgadgets", "gadget")["spec"]["n"]]

    helm("install", release, str(chart), "--create-namespace", "--wait", "--timeout", "60s")
    assert stands("deployment", "web")["status"]["readyReplicas"] == 1
    assert (counts(), stands("cm", "hook")["data"]) == ([1, "1", 1], {"ran": "yes"})
    helm("upgrade", release, str(chart), "--set", "count=3", "--wait", "--timeout", "60s")
    assert stands("deployment", "web")["status"]["readyReplicas"] == 3
    assert counts() == [3, "3", 3]
    assert [entry["status"] for entry in json.loads(helm("history", release, "-o", "json"))] == ["superseded", "deployed"]
    helm("rollback", release, "1", "--wait", "--timeout", "60s")
    assert counts() == [1, "1", 1]
    listed = json.loads(helm("list", "-o", "json"))
    assert [(entry["name"], entry["revision"], entry["status"]) for entry in listed] == [(release, "3", "deployed")]
    assert "STATUS: deployed" in helm("status", release)
    helm("uninstall", release, "--wait", "--timeout", "60s")
    left = kubectl(hollow_lab, "-n", namespace, "get", "deployments,helmgadgets,secrets", "-o", "name").stdout.split()
    assert left == []
    assert kubectl(hollow_lab, "delete", "namespace", namespace, "--wait=false").returncode == 0
