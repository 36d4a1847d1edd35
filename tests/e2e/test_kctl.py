"""kctl on objects, against a real kmaster: as kubectl does it, as people with few rights, and across the master's restart.

No agents run here. A day's work on a cluster with hosts is `test_kctl_day.py`.
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
from pathlib import Path

import pytest
from click.testing import CliRunner

from ctl import client
from ctl.__main__ import cli
from tests.e2e import compat
from tests.e2e.kmaster import ROOT, Kmaster, Kubectl, running
from tests.e2e.test_kubectl import binary

pytestmark = pytest.mark.compat("kctl")

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: a, image: "busybox:1.36"}, {name: b, image: "busybox:1.36"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {text: "one\\ntwo\\n"}
"""


class Kctl:
    """The command line in this process: over the real sockets, without the time that a process takes to start."""

    def __init__(self, config: Path, *, namespace: str = "") -> None:
        self.config = config
        self.env = {**({"KCTL_NAMESPACE": namespace} if namespace else {}), "KCTL_CONFIG": str(config)}

    def run(self, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(cli, args, input=stdin, env=self.env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return subprocess.CompletedProcess(args, done.exit_code, done.stdout, done.stderr)

    def process(self, env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
        """As a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "ctl", *args], cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env={**os.environ, **self.env, **env},
        )  # fmt: skip

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        done = self.run(*args, stdin=stdin)
        assert done.returncode == 0, f"kctl {' '.join(args)}: exit {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def fails(self, *args: str, stdin: str | None = None, code: int = 1) -> str:
        done = self.run(*args, stdin=stdin)
        assert done.returncode == code, f"kctl {' '.join(args)}: exit {done.returncode}: {done.stderr}{done.stdout}"
        return done.stderr


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kmaster]:
    with compat.logged(), running(tmp_path_factory.mktemp("kctl")) as started:
        compat.RECORD.follow(started.log)
        admin = Kctl(started.folder / "data" / "kctl.json")
        admin("create", "-f", "-", stdin="apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
        admin("apply", "-n", "shop", "-f", "-", stdin=DEPLOYMENT)
        yield started
        assert started.stop() == 0


@pytest.fixture
def kctl(master: Kmaster) -> Kctl:
    return Kctl(master.folder / "data" / "kctl.json", namespace="shop")


@pytest.fixture
def kubectl(master: Kmaster, tmp_path: Path) -> Kubectl:
    return Kubectl(binary("1.33"), master, namespace="shop", home=tmp_path)


ALIKE = {
    "a table": ("get", "deployments"), "a wide table": ("get", "pods", "-o", "wide"), "short names and several kinds": ("get", "deploy,svc,cm"),
    "a name": ("get", "deploy", "web"), "names with kinds": ("get", "deploy/web", "svc/web"), "all": ("get", "all"),
    "all namespaces": ("get", "configmaps", "-A"), "labels": ("get", "deploy", "--show-labels"), "no headers": ("get", "svc", "--no-headers"),
    "by label": ("get", "pods", "-l", "app in (web),!x"), "by field": ("get", "cm", "--field-selector", "metadata.name=c"),
    "names alone": ("get", "deploy,svc", "-o", "name"), "of the cluster": ("get", "namespaces"), "sorted": ("get", "cm", "-A", "--sort-by", ".metadata.name"),
    "a path": ("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"),
    "a range": ("get", "pods", "-o", 'jsonpath={range .items[*]}{.metadata.labels.app}{"\\t"}{.spec.containers[*].name}{"\\n"}{end}'),
    "a filter": ("get", "deploy", "web", "-o", 'jsonpath={.spec.template.spec.containers[?(@.name=="b")].image}'),
    "a map": ("get", "deploy", "web", "-o", "jsonpath={.spec.selector}"),
    "columns": ("get", "deploy,svc", "-o", "custom-columns=NAME:.metadata.name,APP:.spec.selector.matchLabels.app,N:.spec.replicas"),
    "yaml": ("get", "cm", "c", "-o", "yaml"), "json": ("get", "svc", "web", "-o", "json"), "a list in json": ("get", "cm", "-o", "json"),
}  # fmt: skip


@pytest.mark.parametrize("args", ALIKE.values(), ids=ALIKE)
def test_get_prints_what_kubectl_prints(kctl: Kctl, kubectl: Kubectl, args: tuple[str, ...]) -> None:
    def words(text: str) -> object:
        """Ages differ; YAML's quotes do, too."""
        if args[-1] in ("json", "yaml"):
            import yaml

            return yaml.safe_load(text)
        return [[word for word in line.split() if not word.removesuffix("s").removesuffix("m").isdigit()] for line in text.splitlines()]

    assert words(kctl(*args)) == words(kubectl(*args))


def test_what_is_not_there_is_an_error_and_the_rest_is_printed(kctl: Kctl) -> None:
    done = kctl.run("get", "cm", "none", "c")
    assert done.returncode == 1 and done.stdout.splitlines()[1].startswith("c ") and done.stderr == 'Error: configmaps "none" not found\n'
    assert kctl("get", "cm", "none", "--ignore-not-found") == ""
    assert "None of" not in kctl.fails("get", "cm", "-o", "xml", code=2)
    assert kctl.run("get", "jobs").stderr == "No resources found in shop namespace.\n"
    assert "name what" in kctl.fails("get", code=2)


def test_apply_says_what_became_of_each(kctl: Kctl, kubectl: Kubectl, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(DEPLOYMENT.replace("name: c}", "name: d}"))
    assert kctl("apply", "-f", str(file), "--dry-run=server").splitlines()[2] == "configmap/d created (server dry run)"
    assert "d created" in kctl("apply", "-f", str(file)) and kctl.run("diff", "-f", str(file)).returncode == 0
    file.write_text(file.read_text().replace("two", "three"))
    differing = kctl.run("diff", "-f", str(file))
    assert differing.returncode == 1 and "-    two\n+    three\n" in differing.stdout
    assert kctl("apply", "-f", str(tmp_path)).splitlines() == ["deployment.apps/web unchanged", "service/web unchanged", "configmap/d configured"]
    assert kctl("get", "cm", "d", "-o", "jsonpath={.data.text}") == "one\nthree\n"
    kubectl("patch", "cm", "d", "--type=merge", "-p", '{"data":{"text":"theirs"}}')
    refused = kctl.fails("apply", "-f", str(file))
    assert 'conflict with "kubectl-patch" using v1: .data.text' in refused and "--force-conflicts" in refused
    assert kctl.run("diff", "-f", str(file)).returncode == 2
    assert "configmap/d configured" in kctl("apply", "-f", str(file), "--force-conflicts")
    file.write_text(file.read_text().replace("replicas: 2", "replicas: -2").replace("three", "four"))
    failed = kctl.run("apply", "-f", str(file))
    assert failed.returncode == 1 and "configmap/d configured" in failed.stdout
    assert "m.yaml, document 1" in failed.stderr and "spec.replicas: Invalid value: -2" in failed.stderr
    assert 'configmaps "d" already exists' in kctl.fails("create", "-f", str(file))
    kctl("delete", "cm", "d")


def test_a_definition_and_its_instances_in_one_file(kctl: Kctl) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "kites.toys.example"},
        "spec": {
            "group": "toys.example", "scope": "Namespaced", "names": {"plural": "kites", "singular": "kite", "kind": "Kite", "shortNames": ["kt"]},
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {"tails": {"type": "integer"}}}}}},
                "additionalPrinterColumns": [{"name": "Tails", "type": "integer", "jsonPath": ".spec.tails"}],
            }],
        },
    }  # fmt: skip
    kite = {"apiVersion": "toys.example/v1", "kind": "Kite", "metadata": {"name": "red"}, "spec": {"tails": 3}}
    text = f"{json.dumps(definition)}\n---\n{json.dumps(kite)}"
    assert kctl("apply", "-f", "-", stdin=text).splitlines()[1] == "kite.toys.example/red created"
    assert kctl("get", "kt").splitlines()[1].split()[:2] == ["red", "3"]
    assert "Tails:            3" in kctl("describe", "kite", "red")
    assert kctl("patch", "kt", "red", "--type=merge", "-p", "spec: {tails: 4}") == "kite.toys.example/red patched\n"
    assert "use --type merge" in kctl.fails("patch", "kt", "red", "-p", "spec: {tails: 4}")
    kctl("delete", "-f", "-", "--ignore-not-found", stdin=text)
    assert "doesn't have a resource type" in kctl.fails("get", "kt")


def test_deletion_waits_and_says_what_it_waits_for(kctl: Kctl) -> None:
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["toys.example/hold"], "labels": {"held": "yes"}}}
    kctl("create", "-f", "-", stdin=json.dumps(held))
    assert kctl("delete", "cm", "held", "--dry-run=server") == 'configmap "held" deleted (server dry run)\n'
    waited = kctl.fails("delete", "cm", "-l", "held", "--timeout", "1s")
    assert "configmap/held is still there after 1 s: its finalizers are toys.example/hold" in waited
    assert kctl("delete", "cm", "held", "--wait=false", "-o", "name") == "configmap/held\n"
    kctl("patch", "cm", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert 'configmaps "held" not found' in kctl.fails("delete", "cm", "held")
    assert kctl("delete", "cm", "held", "--ignore-not-found") == ""


def test_who_may_only_look_is_refused_as_by_https(
    kctl: Kctl, kubectl: Kubectl, master: Kmaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl("create", "rolebinding", "lookers", "--clusterrole=view", "--user=vera")
    file = master.folder / "vera.json"
    kctl("user", "create", "vera", "--kctl", "--expires", "1h", "--out", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    vera = Kctl(file, namespace="shop")
    assert vera("get", "deploy", "-o", "name") == "deployment.apps/web\n" and "Replicas:" in vera("describe", "deploy", "web")
    for args, stdin in (
        (("get", "secrets"), None), (("get", "deploy", "-A"), None), (("patch", "deploy", "web", "-p", "spec: {replicas: 1}"), None),
        (("delete", "cm", "c"), None),
    ):  # fmt: skip
        said = vera.fails(*args, stdin=stdin).removeprefix("Error: ")
        as_kubectl = kubectl.fails(*args, "--as=vera").removeprefix("Error from server (Forbidden): ")
        assert said == as_kubectl and 'User "vera" cannot' in said
    applied = vera.fails("apply", "-f", "-", stdin=DEPLOYMENT)
    assert applied.count('User "vera" cannot patch resource') == 3
    assert 'User "vera" cannot' in kctl.fails("get", "secrets", "--as", "vera")
    assert 'User "vera" cannot impersonate resource "users"' in vera.fails("get", "pods", "--as", "kubernetes-admin")
    secret = kctl("get", "secrets", "-n", "kube-system", "-o", "name", "--field-selector", "type=steersman.io/user-key").strip()
    kctl("delete", "-n", "kube-system", secret)
    shut = "within 1.5 s: is kmaster running there, and is this its key?"
    with monkeypatch.context() as impatient:
        impatient.setattr(client, "ANSWER_S", 1.5)
        assert shut in vera.fails("get", "deploy")
    kctl("user", "create", "vera", "--kctl", "--expires", "1h", "--out", str(file))
    assert vera("get", "deploy", "-o", "name") == "deployment.apps/web\n"
    kctl("user", "revoke", "vera")
    monkeypatch.setattr(client, "ANSWER_S", 1.5)
    assert shut in vera.fails("get", "deploy")


def test_tab_offers_kinds_names_and_namespaces(kctl: Kctl, tmp_path: Path) -> None:
    def offered(*words: str) -> list[str]:
        env = {"_KCTL_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("kctl", *words)), "COMP_CWORD": str(len(words))}
        done = kctl.process(env)
        assert (done.returncode, done.stderr) == (0, "")
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert offered("get", "deplo") == ["deployments"]
    assert offered("get", "deploy", "w") == ["web"] and "cm/c" in offered("describe", "cm/")
    assert "shop" in offered("get", "pods", "-n", "sh") and offered("ap") == ["apply", "api-resources"]
    assert all(name.startswith("web-") for name in offered("logs", "we")) and offered("logs", "we")
    nowhere = tmp_path / "none.json"
    nowhere.write_text(json.dumps({**json.loads(kctl.config.read_text()), "endpoint": "tcp://127.0.0.1:9"}))
    nowhere.chmod(0o600)
    asked = {"KCTL_CONFIG": str(nowhere), "_KCTL_COMPLETE": "bash_complete", "COMP_WORDS": "kctl get po", "COMP_CWORD": "2"}
    assert kctl.process(asked).stdout.strip() == ""


def until(condition: Callable[[], bool], what: str, deadline_s: float = 45.0) -> None:
    ends, pause = time.monotonic() + deadline_s, threading.Event()
    while not condition():
        assert time.monotonic() < ends, f"waited {deadline_s:g} s for {what}"
        pause.wait(0.1)


def test_a_watch_outlives_the_master(tmp_path: Path) -> None:
    with running(tmp_path) as master:
        master.pin_ports()
        kctl = Kctl(tmp_path / "data" / "kctl.json", namespace="default")
        out, err = tmp_path / "out", tmp_path / "err"
        command = [sys.executable, "-u", "-m", "ctl", "get", "cm", "-w", "-o", "name"]
        with out.open("w") as printed, err.open("w") as said:
            watching = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **kctl.env}, stdout=printed, stderr=said, stdin=subprocess.DEVNULL)
            try:
                def make(name: str) -> None:
                    kctl("create", "-f", "-", stdin=f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")

                make("one")
                until(lambda: "configmap/one" in out.read_text(), "the first event")
                assert master.stop() == 0
                master.start()
                make("two")
                until(lambda: "configmap/two" in out.read_text(), "what happened after the restart")
                watching.send_signal(signal.SIGINT)
                assert watching.wait(10) == 130
            finally:
                watching.kill()
                watching.wait(10)
        names = [line for line in out.read_text().split() if line in ("configmap/one", "configmap/two")]
        assert names == ["configmap/one", "configmap/two"]
        assert "the watch broke off" in err.read_text() and "the watch goes on" in err.read_text()
