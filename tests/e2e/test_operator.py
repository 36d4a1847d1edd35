"""An operator made with kopf, run as a process of its own beside a hollow lab, as a ServiceAccount with no more rights than it needs.

It makes a Deployment of each Gadget (`gadget_operator.py`): seen here are its handlers, finalizer, status, Events, and its peering, by
which of two operators one waits for the other's end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.contract import Lab
from tests.e2e.cluster import manifest
from tests.e2e.conftest import Kubectl

pytest.importorskip("kopf")

pytestmark = pytest.mark.compat("kopf")

OPERATOR = Path(__file__).with_name("gadget_operator.py")
SPACE, ACCOUNT = "operated", "gadget-operator"
DEADLINE_S = 30.0


def definition(plural: str, kind: str, group: str, spec: dict[str, Any], **version: Any) -> dict[str, Any]:
    properties = {
        "spec": spec,
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"ready": {"type": "integer"}}},
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    served = {"name": "v1", "served": True, "storage": True, "schema": schema, **version}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind}, "versions": [served]},
    }  # fmt: skip


def everything() -> list[dict[str, Any]]:
    """What an operator's manifest brings: definitions, its account, its rights."""
    gadget = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 0}}}
    peers = definition("kopfpeerings", "KopfPeering", "kopf.dev", {"type": "object"})
    peers["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"] = {
        "type": "object", "x-kubernetes-preserve-unknown-fields": True
    }
    rules = [
        (["example.test"], ["opgadgets"], ["list", "watch", "get", "patch"]), (["example.test"], ["opgadgets/status"], ["patch"]),
        (["apps"], ["deployments"], ["list", "watch", "create", "patch"]), ([""], ["configmaps"], ["create"]),
        ([""], ["events"], ["create"]), (["kopf.dev"], ["kopfpeerings"], ["list", "watch", "get", "patch"]),
    ]  # fmt: skip
    observed = [(["apiextensions.k8s.io"], ["customresourcedefinitions"], ["list", "watch"]), ([""], ["namespaces"], ["list", "watch"])]
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SPACE}
    rbac = "rbac.authorization.k8s.io"

    def role(kind: str, rules: list[tuple[list[str], list[str], list[str]]]) -> list[dict[str, Any]]:
        meta = {"name": ACCOUNT, **({} if kind.startswith("Cluster") else {"namespace": SPACE})}
        told = [{"apiGroups": groups, "resources": resources, "verbs": verbs} for groups, resources, verbs in rules]
        reference = {"apiGroup": rbac, "kind": kind, "name": ACCOUNT}
        return [
            {"apiVersion": f"{rbac}/v1", "kind": kind, "metadata": meta, "rules": told},
            {"apiVersion": f"{rbac}/v1", "kind": f"{kind}Binding", "metadata": meta, "roleRef": reference, "subjects": [subject]},
        ]

    return [
        definition("opgadgets", "OpGadget", "example.test", gadget, subresources={"status": {}}),
        peers,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": SPACE}},
        *role("Role", rules), *role("ClusterRole", observed),
    ]  # fmt: skip


class Operated:
    """The lab, looked at through kubectl, with the operator's own kubeconfig."""

    def __init__(self, lab: Lab, kubectl: Kubectl, folder: Path) -> None:
        self._lab = lab
        self._kubectl = kubectl
        self._folder = folder
        self.kubeconfig = folder / "operator.kubeconfig"

    def run(self, *args: str, stdin: str | None = None) -> str:
        done = self._kubectl(self._lab, "-n", SPACE, *args, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}"
        return done.stdout

    def finds(self, *args: str) -> Any:
        """None when it is not there."""
        done = self._kubectl(self._lab, "-n", SPACE, "get", *args, "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def install(self) -> None:
        kinds = [one for one in everything() if one["kind"] == "CustomResourceDefinition"]
        self.run("apply", "-f", "-", stdin=manifest(*everything()))
        for kind in kinds:
            self.run("wait", "--for=condition=Established", f"crd/{kind['metadata']['name']}", "--timeout=10s")
        peering = {"apiVersion": "kopf.dev/v1", "kind": "KopfPeering", "metadata": {"name": "gadgets"}}
        self.run("apply", "-f", "-", stdin=manifest(peering))
        settings = yaml.safe_load(self._lab.kubeconfig.read_text())
        settings["users"] = [{"name": ACCOUNT, "user": {"token": self.run("create", "token", ACCOUNT).strip()}}]
        settings["contexts"][0]["context"]["user"] = ACCOUNT
        settings["contexts"][0]["context"]["namespace"] = SPACE
        self.kubeconfig.write_text(json.dumps(settings))
        self.kubeconfig.chmod(0o600)

    @contextmanager
    def operator(self, name: str, priority: int) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
        """A running operator: the process, and what it has said so far."""
        log = self._folder / f"{name}.log"
        command = [
            sys.executable, "-m", "kopf", "run", "--namespace", SPACE, "--peering", "gadgets", "--priority", str(priority), "--verbose",
            str(OPERATOR),
        ]  # fmt: skip
        env = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "KUBECONFIG": str(self.kubeconfig)}
        with log.open("wb") as out:
            process = subprocess.Popen(command, cwd=self._folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            yield process, log.read_text
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def gadget(self, name: str, size: int) -> None:
        document = {"apiVersion": "example.test/v1", "kind": "OpGadget", "metadata": {"name": name}, "spec": {"size": size}}
        self.run("apply", "-f", "-", stdin=manifest(document))


def until(condition: Callable[[], Any], what: str, said: Callable[[], str]) -> Any:
    pause, deadline = threading.Event(), time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:g} s for {what}; the operator said:\n{said()[-6000:]}"
        pause.wait(0.1)
    return found


@pytest.fixture(scope="module")
def operated(hollow_lab: Lab, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    made = Operated(hollow_lab, kubectl, tmp_path_factory.mktemp("operator"))
    made.install()
    yield made
    names = [f"crd/{one['metadata']['name']}" for one in everything() if one["kind"] == "CustomResourceDefinition"]
    made.run("delete", *names, f"namespace/{SPACE}", f"clusterrole/{ACCOUNT}", f"clusterrolebinding/{ACCOUNT}", "--wait=false")


def test_an_operator_reconciles_its_resource(operated: Operated) -> None:
    with operated.operator("only", 10) as (process, said):
        operated.gadget("one", 2)
        until(lambda: operated.finds("opgadget", "one").get("status", {}).get("ready") == 2, "two ready pods", said)
        stands = operated.finds("opgadget", "one")
        child = operated.finds("deployment", "one")
        assert stands["metadata"]["finalizers"] == ["example.test/gadget-operator"]
        assert stands["status"]["created"] == {"uid": child["metadata"]["uid"]}
        assert child["metadata"]["ownerReferences"][0]["uid"] == stands["metadata"]["uid"]
        told = until(lambda: operated.run("get", "events", "--field-selector", "reason=Made", "-o", "name"), "an event", said)
        assert told.startswith("event/")

        operated.gadget("one", 1)
        until(lambda: operated.finds("opgadget", "one")["status"].get("resized") == "2 to 1", "the change", said)
        until(lambda: operated.finds("opgadget", "one")["status"]["ready"] == 1, "one ready pod", said)

        operated.run("delete", "opgadget", "one", "--timeout=30s")
        assert operated.finds("configmap", "one-farewell")["data"] == {"gadget": "one"}
        until(lambda: operated.finds("deployment", "one") is None, "the owned Deployment to go", said)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0, said()
    assert "Forbidden" not in said() and "Traceback" not in said(), said()


def test_of_two_operators_one_works(operated: Operated) -> None:
    with operated.operator("high", 100) as (high, high_said), operated.operator("low", 1) as (_, low_said):
        until(lambda: all("Keep-alive in 'gadgets'" in said() for said in (high_said, low_said)), "both to know of each other", low_said)
        operated.gadget("two", 1)
        until(lambda: (operated.finds("opgadget", "two") or {}).get("status", {}).get("created"), "the gadget", high_said)
        assert "two" in high_said() and "[operated/two]" not in low_said()
        high.send_signal(signal.SIGTERM)
        assert high.wait(15) == 0
        until(lambda: "Resuming operations" in low_said(), "the lesser operator to take over", low_said)
        operated.run("delete", "opgadget", "two", "--timeout=30s")
        assert "[operated/two]" in low_said()
