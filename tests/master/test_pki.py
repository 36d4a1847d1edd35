"""Certificates: made once, kept, renewed in time, never replaced by accident; and a kubeconfig that is nobody else's."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from common.errors import Unavailable
from master import pki

NOW = 1_790_000_000.0
DAY = 86400.0
NAMES = pki.server_names(["10.0.0.1", "master.example"], "host", "cluster.local")


def ensure(folder: Path, *, now: float = NOW, names: tuple[str, ...] = NAMES) -> tuple[pki.Pki, dict[str, str]]:
    return pki.ensure(folder, cluster="c", names=names, now=now)


def test_the_first_start_makes_all_and_the_second_none(tmp_path: Path) -> None:
    first, made = ensure(tmp_path)
    assert set(made) == {"ca", "server", "admin", "sa"}
    second, made = ensure(tmp_path)
    assert second == first and made == {}


def test_every_file_is_its_owners_alone(tmp_path: Path) -> None:
    ensure(tmp_path)
    folder = tmp_path / "pki"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_server_is_named_by_all_that_it_is_called(tmp_path: Path) -> None:
    made, _ = ensure(tmp_path)
    names = x509.load_pem_x509_certificate(made.server.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "host", "master.example", "kubernetes.default.svc.cluster.local"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "::1", "10.0.0.1"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}


def test_the_administrator_is_of_the_masters(tmp_path: Path) -> None:
    made, _ = ensure(tmp_path)
    subject = x509.load_pem_x509_certificate(made.admin.certificate).subject.rfc4514_string()
    assert subject == "CN=kubernetes-admin,O=system:masters"


def test_what_is_about_to_end_is_renewed_and_the_ca_is_not(tmp_path: Path) -> None:
    first, _ = ensure(tmp_path)
    second, made = ensure(tmp_path, now=NOW + 340 * DAY)
    assert set(made) == {"server", "admin"}
    assert second.ca == first.ca and second.server != first.server


def test_a_new_name_makes_a_new_server_certificate(tmp_path: Path) -> None:
    ensure(tmp_path)
    _, made = ensure(tmp_path, names=(*NAMES, "10.0.0.2"))
    assert made == {"server": "it does not name 10.0.0.2"}


def test_certificates_of_another_ca_are_replaced(tmp_path: Path) -> None:
    ensure(tmp_path / "a")
    ensure(tmp_path / "b")
    for name in ("server.crt", "server.key"):
        (tmp_path / "a/pki" / name).write_bytes((tmp_path / "b/pki" / name).read_bytes())
    _, made = ensure(tmp_path / "a")
    assert made == {"server": "it is not of this cluster's CA"}


@pytest.mark.parametrize("damage", ["empty", "lost", "swapped"])
def test_a_damaged_ca_is_said_and_never_replaced(tmp_path: Path, damage: str) -> None:
    ensure(tmp_path)
    key = tmp_path / "pki/ca.key"
    if damage == "empty":
        key.write_bytes(b"")
    elif damage == "lost":
        key.unlink()
    else:
        key.write_bytes((tmp_path / "pki/admin.key").read_bytes())
    with pytest.raises(Unavailable, match=r"ca\.crt and ca\.key cannot be used .* from a backup"):
        ensure(tmp_path)


def test_tls_takes_the_certificates(tmp_path: Path) -> None:
    made, _ = ensure(tmp_path)
    context = pki.context(made)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2 and context.verify_mode == ssl.CERT_OPTIONAL


def test_the_kubeconfig_embeds_all_it_needs(tmp_path: Path) -> None:
    made, _ = ensure(tmp_path)
    config = yaml.safe_load(pki.kubeconfig(made, cluster="c", address="10.0.0.1:6443"))
    assert config["clusters"][0]["cluster"]["server"] == "https://10.0.0.1:6443"
    assert {"client-certificate-data", "client-key-data"} == set(config["users"][0]["user"])
    assert config["current-context"] == config["contexts"][0]["name"]
