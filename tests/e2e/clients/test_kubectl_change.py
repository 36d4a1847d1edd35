"""Changing what stands with kubectl: apply in all its forms, replace, patch, edit, set, delete; and being told what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.clients.conftest import Client, with_every_kubectl
from tests.e2e.documents import config, deployment, text
from tests.e2e.kmaster import Kubectl

pytestmark = pytest.mark.compat("kubectl")

IMAGES = "jsonpath={.spec.template.spec.containers[*].image}"


def containers(main: str, *env: str, more: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    variables = [{"name": name, "value": "1"} for name in env]
    first = {"name": "main", "image": main, "command": ["sleep", "60"], "env": variables, "ports": [{"containerPort": 80}]}
    return [first, *({"name": name, "image": "busybox:1.36"} for name in more)]


@with_every_kubectl
def test_what_is_applied_twice_changes_in_its_lists(client: Client) -> None:
    kubectl = client.kubectl
    first = text(deployment("twice", 2, containers=containers("busybox:1.36", "A", "B", more=("side",)), labels={"a": "1", "b": "2"}))
    assert kubectl("apply", "-f", "-", stdin=first) == "deployment.apps/twice created\n"
    assert kubectl("apply", "-f", "-", stdin=first) == "deployment.apps/twice unchanged\n"
    kubectl("set", "env", "deployment/twice", "-c", "main", "MINE=kept")
    second = deployment("twice", 2, containers=containers("busybox:1.37", "B", "C", more=("new",)), labels={"b": "3"})
    assert kubectl("apply", "-f", "-", stdin=text(second)) == "deployment.apps/twice configured\n"
    stands = kubectl.json("get", "deployment", "twice")
    main, new = sorted(stands["spec"]["template"]["spec"]["containers"], key=lambda c: c["name"])
    assert (main["image"], new["name"]) == ("busybox:1.37", "new")
    assert sorted(variable["name"] for variable in main["env"]) == ["B", "C", "MINE"], "what others added stays"
    assert stands["metadata"]["labels"] == {"b": "3"}
    applied = json.loads(kubectl("apply", "view-last-applied", "deployment/twice", "-o", "json"))
    assert applied["metadata"]["labels"] == {"b": "3"}


@with_every_kubectl
def test_apply_on_the_server_meets_a_conflict_and_may_force_it(client: Client) -> None:
    kubectl = client.kubectl
    ssa = ("apply", "--server-side", "-f", "-")
    first = text(deployment("owned", 1, containers=containers("busybox:1.36", "A")))
    assert kubectl(*ssa, stdin=first) == "deployment.apps/owned serverside-applied\n"
    theirs = text(deployment("owned", 1, containers=containers("busybox:1.37", "A")))
    said = kubectl.fails(*ssa, "--field-manager=other", stdin=theirs)
    assert 'Apply failed with 1 conflict: conflict with "kubectl"' in said and '.spec.template.spec.containers[name="main"].image' in said
    assert kubectl("get", "deployment", "owned", "-o", IMAGES) == "busybox:1.36"
    assert "serverside-applied" in kubectl(*ssa, "--field-manager=other", "--force-conflicts", stdin=theirs)
    stands = kubectl.json("get", "deployment", "owned", "--show-managed-fields")
    assert stands["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:1.37"
    owners = {entry["manager"]: json.dumps(entry["fieldsV1"]) for entry in stands["metadata"]["managedFields"] if entry["operation"] == "Apply"}
    assert "f:image" in owners["other"] and "f:image" not in owners["kubectl"] and "f:replicas" in owners["kubectl"]
    assert kubectl(*ssa, "--dry-run=server", stdin=text(config("never"))) == "configmap/never serverside-applied (server dry run)\n"


@with_every_kubectl
def test_prune_removes_what_is_no_longer_applied(client: Client) -> None:
    kubectl = client.kubectl
    both = [config(name, labels={"set": "pruned"}, a="1") for name in ("stays", "goes")]
    prune = ("apply", "--prune", "-l", "set=pruned", "--prune-allowlist=core/v1/ConfigMap", "-f", "-")
    kubectl(*prune, stdin=text(*both))
    assert kubectl(*prune, stdin=text(both[0])).splitlines() == ["configmap/stays unchanged", "configmap/goes pruned"]
    assert kubectl("get", "configmaps", "-l", "set=pruned", "-o", "name") == "configmap/stays\n"


@with_every_kubectl
def test_an_apply_set_knows_its_members(client: Client) -> None:
    kubectl = client.kubectl
    alpha = kubectl.having(KUBECTL_APPLYSET="true")
    both = [config(name, a="1") for name in ("member-a", "member-b")]
    apply = ("apply", "--prune", "--applyset=mine", "-f", "-")
    alpha(*apply, stdin=text(*both))
    assert "configmap/member-b pruned" in alpha(*apply, stdin=text(both[0]))
    parent = kubectl.json("get", "secret", "mine")
    members = kubectl("get", "configmaps", "-l", f"applyset.kubernetes.io/part-of={parent['metadata']['labels']['applyset.kubernetes.io/id']}", "-o", "name")
    assert members == "configmap/member-a\n"


@with_every_kubectl
def test_diff_says_what_would_change(client: Client) -> None:
    kubectl = client.kubectl
    kubectl("create", "-f", "-", stdin=text(config("compared", a="1")))
    assert kubectl("diff", "-f", "-", stdin=text(config("compared", a="1"))) == ""
    result = kubectl.run("diff", "-f", "-", stdin=text(config("compared", a="2")))
    assert result.returncode == 1 and '-  a: "1"\n+  a: "2"' in result.stdout
    result = kubectl.run("diff", "--server-side", "-f", "-", stdin=text(config("compared", b="2")))
    assert result.returncode == 1 and '+  b: "2"' in result.stdout
    assert kubectl.json("get", "configmap", "compared")["data"] == {"a": "1"}


@with_every_kubectl
def test_replace(client: Client) -> None:
    kubectl = client.kubectl
    kubectl("create", "-f", "-", stdin=text(config("replaced", a="1", b="2")))
    old = kubectl.json("get", "configmap", "replaced")
    assert kubectl("replace", "-f", "-", stdin=text(config("replaced", c="3"))) == "configmap/replaced replaced\n"
    assert kubectl.json("get", "configmap", "replaced")["data"] == {"c": "3"}
    assert "the object has been modified" in kubectl.fails("replace", "-f", "-", stdin=text(old))
    assert "not found" in kubectl.fails("replace", "-f", "-", stdin=text(config("absent")))
    said = kubectl("replace", "--force", "-f", "-", stdin=text(config("replaced", d="4")))
    assert said == 'configmap "replaced" deleted\nconfigmap/replaced replaced\n'
    assert kubectl.json("get", "configmap", "replaced")["metadata"]["uid"] != old["metadata"]["uid"]


@with_every_kubectl
def test_patch_in_all_three_ways(client: Client) -> None:
    kubectl = client.kubectl
    patch = ("patch", "deployment", "patched", "--type")
    kubectl("create", "-f", "-", stdin=text(deployment("patched", 1, containers=containers("busybox:1.36", more=("side",)))))
    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox:1.35"}]}}}}
    assert kubectl(*patch, "strategic", "-p", json.dumps(strategic)) == "deployment.apps/patched patched\n"
    assert kubectl("get", "deployment", "patched", "-o", IMAGES) == "busybox:1.36 busybox:1.35"
    kubectl(*patch, "merge", "-p", '{"metadata":{"annotations":{"note":"one"}},"spec":{"revisionHistoryLimit":null,"minReadySeconds":1}}')
    operations = '[{"op":"test","path":"/spec/minReadySeconds","value":1},{"op":"replace","path":"/spec/minReadySeconds","value":0}]'
    kubectl(*patch, "json", "-p", operations)
    stands = kubectl.json("get", "deployment", "patched")
    assert (stands["metadata"]["annotations"]["note"], stands["spec"]["revisionHistoryLimit"]) == ("one", 10)
    assert not stands["spec"].get("minReadySeconds")
    assert kubectl(*patch, "json", "-p", '[{"op":"replace","path":"/spec/minReadySeconds","value":0}]').endswith("(no change)\n")
    assert "The request is invalid" in kubectl.fails(*patch, "json", "-p", operations), "the test in it no longer holds"
    assert kubectl("patch", "deployment", "patched", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":0}}')
    assert kubectl("get", "deployment", "patched", "--subresource=scale", "-o", "jsonpath={.kind} {.spec.replicas}") == "Scale 0"


@with_every_kubectl
def test_edit(client: Client) -> None:
    kubectl = client.kubectl
    folder = client.new_folder("edit")
    kubectl("create", "-f", "-", stdin=text(config("edited", a="1")))
    editor = folder / "editor"

    def edit(script: str) -> Kubectl:
        editor.write_text(f'#!/bin/sh\n{script} "$1"\n')
        editor.chmod(0o755)
        return kubectl.having(KUBE_EDITOR=str(editor))

    assert edit("sed -i 's/ a: .*/ a: two/'")("edit", "configmap/edited") == "configmap/edited edited\n"
    assert kubectl("get", "configmap", "edited", "-o", "jsonpath={.data.a}") == "two"
    assert edit("true").run("edit", "configmap/edited").stderr == "Edit cancelled, no changes made.\n"


@with_every_kubectl
def test_set_label_annotate_scale(client: Client) -> None:
    kubectl = client.kubectl
    kubectl("create", "-f", "-", stdin=text(deployment("tuned", 1)))
    assert kubectl("set", "image", "deployment/tuned", "main=busybox:1.37") == "deployment.apps/tuned image updated\n"
    kubectl("set", "resources", "deployment/tuned", "--limits=cpu=100m", "--requests=memory=16Mi")
    kubectl("set", "serviceaccount", "deployment/tuned", "default")
    assert kubectl("scale", "deployment/tuned", "--replicas=3", "--current-replicas=1") == "deployment.apps/tuned scaled\n"
    assert kubectl("label", "deployment", "tuned", "tier=front") == "deployment.apps/tuned labeled\n"
    assert "already has a value (front)" in kubectl.fails("label", "deployment", "tuned", "tier=back")
    kubectl("label", "deployment", "tuned", "tier=back", "--overwrite")
    kubectl("annotate", "deployment", "tuned", "note=read me")
    stands = kubectl.json("get", "deployment", "tuned")
    main = stands["spec"]["template"]["spec"]["containers"][0]
    assert (main["image"], main["resources"]) == ("busybox:1.37", {"limits": {"cpu": "100m"}, "requests": {"memory": "16Mi"}})
    assert stands["spec"]["template"]["spec"]["serviceAccountName"] == "default"
    metadata = stands["metadata"]
    assert (stands["spec"]["replicas"], metadata["labels"], metadata["annotations"]["note"]) == (3, {"tier": "back"}, "read me")
    assert kubectl("label", "deployment", "tuned", "tier-") == "deployment.apps/tuned unlabeled\n"


@with_every_kubectl
def test_rollouts(client: Client) -> None:
    kubectl = client.kubectl
    app = "deployment/rolled"
    kubectl("create", "-f", "-", stdin=text(deployment("rolled", 2)))
    assert 'deployment "rolled" successfully rolled out' in kubectl("rollout", "status", app, "--timeout=30s")
    kubectl("rollout", "pause", app)
    kubectl("set", "image", app, "main=busybox:1.37")
    kubectl("rollout", "resume", app)
    kubectl("rollout", "restart", app)
    kubectl("rollout", "status", app, "--timeout=30s")
    assert "busybox:1.37" in kubectl("rollout", "history", app, "--revision=2")
    kubectl("rollout", "undo", app, "--to-revision=1")
    kubectl("rollout", "status", app, "--timeout=30s")
    assert kubectl("get", app, "-o", IMAGES) == "busybox:1.36"


@with_every_kubectl
def test_kustomize_into_apply(client: Client) -> None:
    kubectl = client.kubectl
    folder = client.new_folder("kustomize")
    (folder / "web.yaml").write_text(text(deployment("web", 1)))
    kustomization = {
        "resources": ["web.yaml"], "namePrefix": "built-", "images": [{"name": "busybox", "newTag": "1.35"}],
        "configMapGenerator": [{"name": "made", "literals": ["a=b"]}], "replicas": [{"name": "web", "count": 2}],
    }  # fmt: skip
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    said = kubectl("apply", "-f", "-", stdin=kubectl("kustomize", str(folder)))
    assert "deployment.apps/built-web created" in said and "configmap/built-made-" in said
    stands = kubectl.json("get", "deployment", "built-web")["spec"]
    assert (stands["replicas"], stands["template"]["spec"]["containers"][0]["image"]) == (2, "busybox:1.35")
    assert kubectl("apply", "-k", str(folder)).count(" unchanged") == 2
    assert kubectl("delete", "-k", str(folder), "--wait=false").count(" deleted") == 2


@with_every_kubectl
def test_delete_in_all_its_ways(client: Client) -> None:
    kubectl = client.kubectl
    both = ("rs,pods", "-o", "name", "-l")
    kubectl("create", "-f", "-", stdin=text(deployment("left", 1), deployment("taken", 1), config("one"), config("two", labels={"x": "y"})))
    kubectl("wait", "--for=condition=Available", "deployment/left", "deployment/taken", "--timeout=30s")
    assert kubectl("delete", "deployment", "left", "--cascade=orphan") == 'deployment.apps "left" deleted\n'
    orphans = kubectl("get", *both, "app=left").split()
    assert [name.partition("/")[0] for name in orphans] == ["replicaset.apps", "pod"]
    assert "ownerReferences" not in kubectl.json("get", orphans[0])["metadata"]
    kubectl("delete", orphans[0], "--cascade=background", "--wait=false")
    kubectl("delete", "deployment", "taken", "--cascade=foreground", "--timeout=30s")
    assert kubectl("get", *both, "app=taken") == "", "those it owned went first"
    assert kubectl("delete", "configmap", "one", "--dry-run=server") == 'configmap "one" deleted (server dry run)\n'
    assert kubectl("delete", "configmap", "one", "absent", "--ignore-not-found") == 'configmap "one" deleted\n'
    assert kubectl("delete", "configmap", "-l", "x=y") == 'configmap "two" deleted\n'
    assert 'configmaps "one" not found' in kubectl.fails("get", "configmap", "one")
    kubectl("create", "namespace", "brief")
    kubectl("create", "configmap", "inside", "-n", "brief")
    assert kubectl("delete", "configmap", "--all", "-n", "brief").count("deleted") >= 1
    kubectl("delete", "namespace", "brief", "--timeout=30s")
    assert 'namespaces "brief" not found' in kubectl.fails("get", "namespace", "brief")


@with_every_kubectl
def test_what_is_wrong_is_said_with_its_place(client: Client) -> None:
    kubectl = client.kubectl
    create = ("create", "-f", "-")
    wrong = text(deployment("wrong", 1, containers=[{"name": "main", "image": "busybox:1.36", "imagee": "x"}]))
    said = kubectl.fails(*create, stdin=wrong)
    assert "strict decoding error" in said and 'unknown field "spec.template.spec.containers[0].imagee"' in said
    warned = kubectl.run(*create, "--validate=warn", stdin=wrong)
    assert warned.returncode == 0 and 'Warning: unknown field "spec.template.spec.containers[0].imagee"' in warned.stderr
    invalid = deployment("invalid", -1)
    invalid["spec"]["selector"]["matchLabels"]["app"] = "else"
    said = kubectl.fails(*create, stdin=text(invalid))
    assert 'The Deployment "invalid" is invalid:' in said
    assert "* spec.replicas: Invalid value: -1: must be greater than or equal to 0" in said
    assert "`selector` does not match template `labels`" in said
    said = kubectl.fails("patch", "deployment", "wrong", "--type=merge", "-p", '{"spec":{"selector":{"matchLabels":{"app":"new"}}}}')
    assert "field is immutable" in said
    said = kubectl.fails(*create, stdin=text({**config("odd"), "apiVersion": "v9"}))
    assert 'no matches for kind "ConfigMap" in version "v9"' in said
