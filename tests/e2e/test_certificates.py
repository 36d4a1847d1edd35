"""Certificates for people, from a request to its end: `kubectl certificate approve`, the certificate at work, and `kctl user revoke`.

Against a real kmaster, with the real kubectl and kctl. What may be asked for and by whom is the table below.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.certificate_requests import asked
from tests.e2e.kmaster import Kmaster, Kubectl, running
from tests.e2e.test_access import kctl
from tests.e2e.test_kubectl import binary

SIGNER = "kubernetes.io/kube-apiserver-client"
DEADLINE_S = 15.0


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kmaster]:
    with running(tmp_path_factory.mktemp("certificates")) as started:
        yield started
        assert started.stop() == 0


@pytest.fixture
def admin(master: Kmaster, tmp_path: Path) -> Kubectl:
    return Kubectl(binary("1.33"), master, namespace="default", home=tmp_path)


def request(name: str, pem: str, **spec: Any) -> str:
    document = {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {"request": pem, "signerName": SIGNER, "usages": ["client auth"], **spec},
    }  # fmt: skip
    return json.dumps(document)


def until(condition: Any, what: str) -> Any:
    pause, deadline = threading.Event(), time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:g} s for {what}"
        pause.wait(0.05)
    return found


def as_user(admin: Kubectl, master: Kmaster, certificate: str, key: Any, tmp_path: Path) -> Kubectl:
    """kubectl with the issued certificate."""
    raw = json.loads(admin("config", "view", "--raw", "-o", "json"))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    raw["users"][0]["user"] = {"client-certificate-data": certificate, "client-key-data": base64.b64encode(pem).decode()}
    file = tmp_path / f"{time.monotonic_ns()}.kubeconfig"
    file.write_text(json.dumps(raw))
    made = Kubectl(admin.binary, master, namespace="default", home=tmp_path)
    made._env["KUBECONFIG"] = str(file)
    return made


@pytest.mark.parametrize("kind", ["elliptic", "rsa"])
def test_an_approved_request_gives_a_usable_certificate(kind: str, admin: Kubectl, master: Kmaster, tmp_path: Path) -> None:
    key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "elliptic" else rsa.generate_private_key(65537, 2048)
    name = f"jane-{kind}"
    admin("create", "-f", "-", stdin=request(name, asked(name, "dev", key=key), expirationSeconds=3600))
    assert "Pending" in admin("get", "csr", name)
    admin("certificate", "approve", name)
    text = until(lambda: admin.json("get", "csr", name)["status"].get("certificate"), "the certificate")
    assert "Approved,Issued" in admin("get", "csr", name)
    made = x509.load_pem_x509_certificate(base64.b64decode(text))
    assert made.public_key() == key.public_key()
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert 3000 < (made.not_valid_after_utc - made.not_valid_before_utc).total_seconds() < 4000
    jane = as_user(admin, master, text, key, tmp_path)
    who = jane("auth", "whoami")
    assert name in who and "dev" in who
    admin("create", "rolebinding", name, "--clusterrole=view", f"--user={name}")
    assert jane("get", "pods", "-o", "name") == "" and "forbidden" in jane.fails("get", "secrets")


def test_what_is_not_signed(admin: Kubectl) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = asked("joe", key=key)
    refused = admin.fails("create", "-f", "-", stdin=request("masters", asked("joe", "system:masters", key=key)))
    assert "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed" in refused
    broken = base64.b64encode(b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n").decode()
    assert "spec.request: Invalid value" in admin.fails("create", "-f", "-", stdin=request("broken", broken))
    admin("create", "-f", "-", stdin=request("server", pem, usages=["server auth", "client auth"]))
    admin("create", "-f", "-", stdin=request("elsewhere", pem, signerName="example.com/ca"))
    admin("create", "-f", "-", stdin=request("denied", pem))
    admin("certificate", "deny", "denied")
    admin("certificate", "approve", "server", "elsewhere")
    until(lambda: "Approved,Failed" in admin("get", "csr", "server"), "the signer's refusal")
    conditions = {one["type"]: one for one in admin.json("get", "csr", "server")["status"]["conditions"]}
    assert conditions["Failed"]["reason"] == "SignerValidationFailure" and "client auth" in conditions["Failed"]["message"]
    for name in ("elsewhere", "denied", "server"):
        assert "certificate" not in admin.json("get", "csr", name)["status"]


def test_approving_takes_a_right_on_the_signer(admin: Kubectl, master: Kmaster) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    admin("create", "-f", "-", stdin=request("waits", asked("kim", key=key)))
    verbs = ["--verb=get,list,watch,update,patch", "--resource=certificatesigningrequests.certificates.k8s.io"]
    admin("create", "clusterrole", "requests", *verbs, "--resource=certificatesigningrequests.certificates.k8s.io/approval")
    admin("create", "clusterrolebinding", "requests", "--clusterrole=requests", "--user=lee")
    said = admin.fails("certificate", "approve", "waits", "--as=lee")
    assert f'user not permitted to approve requests with signerName "{SIGNER}"' in said
    approver = "--clusterrole=system:certificates.k8s.io:kube-apiserver-client-approver"
    admin("create", "clusterrolebinding", "approvers", approver, "--user=lee")
    admin("certificate", "approve", "waits", "--as=lee")
    until(lambda: admin.json("get", "csr", "waits")["status"].get("certificate"), "the certificate")


def test_a_revoked_certificate_opens_nothing_more(admin: Kubectl, master: Kmaster, tmp_path: Path) -> None:
    def created() -> Kubectl:
        file = tmp_path / f"{time.monotonic_ns()}.kubeconfig"
        kctl(master, "user", "create", "mallory", "--expires", "1h", "--out", str(file))
        tool = Kubectl(admin.binary, master, namespace="default", home=tmp_path)
        tool._env["KUBECONFIG"] = str(file)
        return tool

    first = created()
    assert "mallory" in first("auth", "whoami")
    kctl(master, "user", "revoke", "mallory")
    assert first.run("auth", "whoami").returncode == 1 and "Unauthorized" in first.run("get", "--raw", "/api").stderr
    again = until(lambda: (made := created()).run("auth", "whoami").returncode == 0 and made, "a certificate of the next second")
    assert "mallory" in again("auth", "whoami")
    assert first.run("auth", "whoami").returncode == 1
    assert "mallory" in admin("get", "configmap", "steersman-revoked-users", "-n", "kube-system", "-o", "jsonpath={.data}")
    key = ec.generate_private_key(ec.SECP256R1())
    admin("create", "-f", "-", stdin=request("mallory", asked("mallory", key=key)))
    admin("certificate", "approve", "mallory")
    text = until(lambda: admin.json("get", "csr", "mallory")["status"].get("certificate"), "the certificate")
    by_request = as_user(admin, master, text, key, tmp_path)
    assert "mallory" in by_request("auth", "whoami")
    kctl(master, "user", "revoke", "mallory")
    assert by_request.run("auth", "whoami").returncode == 1, "however it was made"
