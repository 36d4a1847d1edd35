"""Three people with different rights, each with a kubeconfig of their own, and kubectl of every version.

alice has what a role gives her by name, carol what her groups have, the robot what its ServiceAccount's token gives it.
"""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.certificate_requests import asked
from tests.e2e.clients.conftest import Client, until, with_every_kubectl
from tests.e2e.documents import config, text
from tests.e2e.kmaster import Kubectl

pytestmark = pytest.mark.compat("kubectl")


class Office(msgspec.Struct, frozen=True):
    """A namespace in which rights were given, as the administrator, alice and carol see it."""

    admin: Kubectl
    alice: Kubectl
    carol: Kubectl

    @property
    def all(self) -> tuple[Kubectl, Kubectl, Kubectl]:
        return self.admin, self.alice, self.carol


def office(client: Client) -> Office:
    admin = client.kubectl.having(namespace="office")
    admin("create", "namespace", "office")
    admin("create", "role", "reader", "--verb=get,list,watch", "--resource=pods,configmaps", "--resource=deployments.apps")
    admin("create", "rolebinding", "readers", "--role=reader", "--user=alice")
    admin("create", "rolebinding", "editors", "--clusterrole=edit", "--group=ops")
    return Office(admin, _admitted(client, admin, "alice"), _admitted(client, admin, "carol", "dev", "ops"))


def _admitted(client: Client, admin: Kubectl, name: str, *groups: str) -> Kubectl:
    """Somebody whose certificate the administrator approves, and who makes a kubeconfig of it."""
    folder, key = client.new_folder(name), ec.generate_private_key(ec.SECP256R1())
    spec = {"request": asked(name, *groups, key=key), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}
    document = {"kind": "CertificateSigningRequest", "apiVersion": "certificates.k8s.io/v1", "metadata": {"name": name}, "spec": spec}
    admin("create", "-f", "-", stdin=json.dumps(document))
    assert admin("get", "csr", name, "--no-headers").split()[-1] == "Pending"
    assert f"certificatesigningrequest.certificates.k8s.io/{name} approved" in admin("certificate", "approve", name)
    until(lambda: admin("get", "csr", name, "--no-headers").split()[-1] == "Approved,Issued", "the certificate")
    issued = base64.b64decode(admin("get", "csr", name, "-o", "jsonpath={.status.certificate}"))
    (folder / "crt").write_bytes(issued)
    (folder / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "kubeconfig").write_text(admin("config", "view", "--raw"))
    person = admin.having(KUBECONFIG=str(folder / "kubeconfig"))
    files = (f"--client-certificate={folder / 'crt'}", f"--client-key={folder / 'key'}")
    assert person("config", "set-credentials", name, *files, "--embed-certs") == f'User "{name}" set.\n'
    person("config", "set-context", "--current", f"--user={name}")
    return person


@with_every_kubectl
def test_each_does_what_is_theirs(client: Client) -> None:
    admin, alice, carol = client.once(office).all
    assert alice("get", "pods") == ""
    said = alice.fails("create", "configmap", "hers")
    assert 'User "alice" cannot create resource "configmaps" in API group "" in the namespace "office"' in said
    assert carol("create", "configmap", "theirs", "--from-literal=a=b") == "configmap/theirs created\n"
    assert alice("get", "configmap", "theirs", "-o", "jsonpath={.data.a}") == "b"
    assert 'cannot list resource "secrets"' in alice.fails("get", "secrets")
    assert 'nodes is forbidden: User "carol" cannot list resource "nodes" in API group "" at the cluster scope' in carol.fails("get", "nodes")
    admin("create", "rolebinding", "admins", "--clusterrole=admin", "--user=carol")
    said = carol.fails("create", "rolebinding", "mine", "--clusterrole=cluster-admin", "--user=carol")
    assert "is attempting to grant RBAC permissions not currently held" in said


@with_every_kubectl
def test_whoami_and_can_i(client: Client) -> None:
    admin, alice, carol = client.once(office).all
    assert json.loads(carol("auth", "whoami", "-o", "json"))["status"]["userInfo"]["groups"] == ["dev", "ops", "system:authenticated"]
    assert "alice" in alice("auth", "whoami")
    assert carol("auth", "can-i", "delete", "pods") == "yes\n" and admin("auth", "can-i", "*", "*").strip() == "yes"
    assert alice.run("auth", "can-i", "delete", "pods").returncode == 1
    listed = {line.split()[0]: line for line in alice("auth", "can-i", "--list").splitlines() if line}
    assert "[get list watch]" in listed["pods"] and "[get list watch]" in listed["deployments.apps"] and "secrets" not in listed
    assert "[create]" in listed["selfsubjectaccessreviews.authorization.k8s.io"]


@with_every_kubectl
def test_as_somebody_else(client: Client) -> None:
    admin, alice, _ = client.once(office).all
    assert admin("get", "configmaps", "--as=dave", "--as-group=ops", "-o", "name")
    assert 'User "dave" cannot list resource "configmaps"' in admin.fails("get", "configmaps", "--as=dave")
    assert admin("auth", "can-i", "list", "pods", "--as=alice") == "yes\n"
    assert 'User "alice" cannot impersonate resource "users"' in alice.fails("get", "pods", "--as=kubernetes-admin")


@with_every_kubectl
def test_a_token_is_a_service_account(client: Client) -> None:
    admin = client.once(office).admin
    admin("create", "serviceaccount", "robot")
    admin("create", "rolebinding", "robots", "--clusterrole=view", "--serviceaccount=office:robot")
    token = admin("create", "token", "robot", "--duration=30m").strip()
    bare = json.loads(admin("config", "view", "--raw", "-o", "json"))
    bare["users"][0]["user"] = {"token": token}
    kubeconfig = client.folder / "robot.kubeconfig"
    kubeconfig.write_text(json.dumps(bare))
    robot = admin.having(KUBECONFIG=str(kubeconfig))
    assert "system:serviceaccount:office:robot" in robot("auth", "whoami")
    assert robot("get", "pods") == ""
    said = robot.fails("create", "configmap", "its")
    assert 'User "system:serviceaccount:office:robot" cannot create resource "configmaps"' in said
    admin("delete", "serviceaccount", "robot")
    assert robot.run("get", "pods").returncode == 1, "the token went with its account"


@with_every_kubectl
def test_roles_are_reconciled(client: Client) -> None:
    admin = client.once(office).admin
    role = {
        "kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "reader", "namespace": "office"},
        "rules": [{"apiGroups": [""], "resources": ["services"], "verbs": ["get"]}],
    }  # fmt: skip
    assert "reconciled" in admin("auth", "reconcile", "-f", "-", stdin=text(role))
    rules = admin.json("get", "role", "reader")["rules"]
    assert any(rule["resources"] == ["services"] for rule in rules) and len(rules) > 1, "what was there stays"
    assert "configmap/by-alice created" in admin("create", "-f", "-", "--as=carol", "--as-group=ops", stdin=text(config("by-alice")))
