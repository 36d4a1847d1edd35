"""Every kind that kubectl can make from its arguments alone: what it says, and what then stands."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.clients.conftest import Client, with_every_kubectl

pytestmark = pytest.mark.compat("kubectl")

RULES = [{"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["get", "list"]}]
MADE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("namespace/other", "create namespace other", {"status.phase": "Active"}),
    ("configmap/settings", "create configmap settings --from-literal=a=b --from-file=FOLDER/notes.txt",
     {"data": {"a": "b", "notes.txt": "read me\n"}}),
    ("secret/plain", "create secret generic plain --from-literal=key=value --type=custom/kind",
     {"data": {"key": "dmFsdWU="}, "type": "custom/kind"}),
    ("secret/pull", "create secret docker-registry pull --docker-server=registry.test --docker-username=u --docker-password=p",
     {"type": "kubernetes.io/dockerconfigjson"}),
    ("secret/cert", "create secret tls cert --cert=FOLDER/tls.crt --key=FOLDER/tls.key", {"type": "kubernetes.io/tls"}),
    ("serviceaccount/robot", "create serviceaccount robot", {"metadata.name": "robot"}),
    ("role.rbac.authorization.k8s.io/reader", "create role reader --verb=get,list --resource=pods,configmaps", {"rules": RULES}),
    ("rolebinding.rbac.authorization.k8s.io/readers", "create rolebinding readers --role=reader --user=dave --serviceaccount=shop:robot",
     {"roleRef.name": "reader", "subjects.0.name": "dave", "subjects.1": {"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}}),
    ("clusterrole.rbac.authorization.k8s.io/looker", "create clusterrole looker --verb=get --resource=nodes --resource-name=host-1",
     {"rules.0.resourceNames": ["host-1"]}),
    ("clusterrole.rbac.authorization.k8s.io/gatherer", "create clusterrole gatherer --aggregation-rule=part=whole",
     {"aggregationRule.clusterRoleSelectors.0.matchLabels": {"part": "whole"}}),
    ("clusterrolebinding.rbac.authorization.k8s.io/lookers", "create clusterrolebinding lookers --clusterrole=looker --group=watchers",
     {"subjects.0.kind": "Group"}),
    ("quota/small", "create quota small --hard=pods=90,limits.memory=1Gi --scopes=NotTerminating -n other",
     {"spec.hard": {"pods": "90", "limits.memory": "1Gi"}, "spec.scopes": ["NotTerminating"]}),
    ("priorityclass.scheduling.k8s.io/high", "create priorityclass high --value=1000 --description=first --preemption-policy=Never",
     {"value": 1000, "description": "first", "preemptionPolicy": "Never"}),
    ("poddisruptionbudget.policy/keep", "create pdb keep --selector=app=keep --min-available=50%",
     {"spec.minAvailable": "50%", "spec.selector.matchLabels": {"app": "keep"}}),
    ("deployment.apps/front", "create deployment front --image=busybox:1.36 --image=nginx:1 --replicas=2",
     {"spec.replicas": 2, "spec.template.spec.containers.1.image": "nginx:1", "spec.selector.matchLabels": {"app": "front"}}),
    ("horizontalpodautoscaler.autoscaling/front", "autoscale deployment front --min=2 --max=5 --cpu-percent=60",
     {"spec.maxReplicas": 5, "spec.metrics.0.resource.target.averageUtilization": 60}),
    ("service/front", "expose deployment front --port=80 --target-port=8080",
     {"spec.selector": {"app": "front"}, "spec.ports.0.targetPort": 8080, "spec.type": "ClusterIP"}),
    ("service/inner", "create service clusterip inner --tcp=80:8080", {"spec.ports.0.port": 80}),
    ("service/headless", "create service clusterip headless --clusterip=None", {"spec.clusterIP": "None"}),
    ("service/outer", "create service nodeport outer --tcp=80 --node-port=30081", {"spec.ports.0.nodePort": 30081}),
    ("service/balanced", "create service loadbalancer balanced --tcp=80", {"spec.type": "LoadBalancer"}),
    ("service/named", "create service externalname named --external-name=example.test", {"spec.externalName": "example.test"}),
    ("ingress.networking.k8s.io/web", "create ingress web --class=public --rule=a.example.test/*=front:80,tls=cert",
     {"spec.ingressClassName": "public", "spec.rules.0.http.paths.0.pathType": "Prefix", "spec.tls.0.secretName": "cert",
      "spec.rules.0.http.paths.0.backend": {"service": {"name": "front", "port": {"number": 80}}}}),
    ("cronjob.batch/yearly", "create cronjob yearly --image=busybox:1.36 --schedule='0 0 1 1 *' -- date",
     {"spec.jobTemplate.spec.template.spec.containers.0.command": ["date"], "spec.concurrencyPolicy": "Allow"}),
    ("job.batch/once", "create job once --image=busybox:1.36 -- true", {"spec.backoffLimit": 6}),
    ("job.batch/early", "create job early --from=cronjob/yearly", {"metadata.ownerReferences.0.name": "yearly"}),
    ("pod/runner", "run runner --image=busybox:1.36 --restart=Never --labels=a=b --env=X=1 -- sleep 5",
     {"spec.restartPolicy": "Never", "spec.containers.0.args": ["sleep", "5"], "metadata.labels": {"a": "b"},
      "spec.containers.0.env": [{"name": "X", "value": "1"}]}),
)  # fmt: skip
SAID = {"expose": "exposed", "autoscale": "autoscaled"}


def value_at(document: Any, path: str) -> Any:
    for word in path.split("."):
        document = document[int(word)] if isinstance(document, list) else document[word]
    return document


def certificate(folder: Path) -> None:
    """kubectl checks that certificate and key belong together."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.test")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    signed = builder.not_valid_before(now).not_valid_after(now + timedelta(days=9999)).sign(key, hashes.SHA256())
    (folder / "tls.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


@with_every_kubectl
def test_every_imperative_kind(client: Client) -> None:
    kubectl, folder = client.kubectl, client.new_folder("create")
    certificate(folder)
    (folder / "notes.txt").write_text("read me\n")
    for name, command, _ in MADE:
        said = kubectl(*_words(command, folder))
        kind = name.replace("quota/", "resourcequota/")
        assert said == f"{kind} {SAID.get(command.split()[0], 'created')}\n"
    mine = [name for name, command, _ in MADE if not command.endswith("-n other")]
    stands = {_key(item): item for item in kubectl.json("get", *mine)["items"]}
    stands[("ResourceQuota", "small")] = kubectl.json("get", "quota", "small", "-n", "other")
    for (name, command, expected), document in zip(MADE, (_find(stands, name) for name, _, _ in MADE), strict=True):
        assert {path: value_at(document, path) for path in expected} == expected, command


def _words(command: str, folder: Path) -> list[str]:
    return [word.replace("FOLDER", str(folder)) for word in shlex.split(command)]


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def _find(stands: dict[tuple[str, str], dict[str, Any]], name: str) -> dict[str, Any]:
    kind, _, wanted = name.partition("/")
    plain = kind.partition(".")[0].replace("quota", "resourcequota")
    return next(item for (its, named), item in stands.items() if its.lower() == plain and named == wanted)


@with_every_kubectl
def test_what_is_made_twice_or_wrongly_is_refused(client: Client) -> None:
    kubectl = client.kubectl
    said = kubectl.fails("create", "namespace", "default")
    assert said == 'Error from server (AlreadyExists): namespaces "default" already exists\n'
    assert 'namespaces "nowhere" not found' in kubectl.fails("create", "configmap", "c", "-n", "nowhere")
    assert 'Invalid value: "Not_A_Name"' in kubectl.fails("create", "configmap", "Not_A_Name")


@with_every_kubectl
def test_a_dry_run_on_the_server_says_what_would_stand(client: Client) -> None:
    kubectl = client.kubectl
    words = ("create", "deployment", "tried", "--image=busybox:1.36", "--dry-run=server")
    assert kubectl(*words) == "deployment.apps/tried created (server dry run)\n"
    shown = json.loads(kubectl(*words, "-o", "json"))
    assert shown["spec"]["strategy"]["type"] == "RollingUpdate" and shown["metadata"]["uid"]
    assert 'deployments.apps "tried" not found' in kubectl.fails("get", "deployment", "tried")
