"""When a certificate request is removed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from common.clock import rfc3339
from master.api.contract import DeleteObject, Ref
from master.controllers import certificate_cleaner
from tests.master.controllers.cluster import Cluster

KEY = Ref(certificate_cleaner.KEY, "asked")
HOUR_S, DAY_S = 3600.0, 24 * 3600.0
NOW = Cluster().now


def certificate(ends: float) -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    end = datetime.fromtimestamp(ends, UTC)
    signed = builder.not_valid_before(end - timedelta(days=1)).not_valid_after(end).sign(key, hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def request(*conditions: str, age_s: float = 60.0, said_s: float = 30.0, issued: str = "") -> dict[str, Any]:
    """Made and answered so long ago."""
    status = {"conditions": [{"type": one, "status": "True", "lastUpdateTime": rfc3339(NOW - said_s)} for one in conditions]}
    return {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": "asked", "creationTimestamp": rfc3339(NOW - age_s)},
        "spec": {"request": "", "signerName": "example.test/any", "usages": ["client auth"]},
        "status": {**status, **({"certificate": issued} if issued else {})},
    }  # fmt: skip


LONG = certificate(NOW + 100 * DAY_S)


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        pytest.param(request(age_s=DAY_S), "Pending", id="nobody answered for a day"),
        pytest.param(request("Denied", said_s=HOUR_S), "Denied", id="denied an hour ago"),
        pytest.param(request("Approved", "Failed", said_s=HOUR_S), "Failed", id="failed an hour ago"),
        pytest.param(request("Approved", said_s=HOUR_S, issued=LONG), "Issued", id="issued an hour ago"),
        pytest.param(request("Approved", issued=certificate(NOW - 1)), "Expired", id="its certificate has ended"),
    ],
)
def test_what_is_old_is_removed(document: dict[str, Any], rule: str) -> None:
    [gone] = certificate_cleaner.reconcile(Cluster(document).view, KEY, NOW).changes
    assert isinstance(gone, DeleteObject) and (gone.ref, gone.cause.rule) == (KEY, rule)


@pytest.mark.parametrize(
    ("document", "again_s"),
    [
        pytest.param(request(age_s=HOUR_S), DAY_S - HOUR_S, id="nobody answered yet"),
        pytest.param(request("Denied", said_s=60.0), HOUR_S - 60, id="just denied"),
        pytest.param(request("Approved", said_s=60.0, issued=LONG), HOUR_S - 60, id="just issued"),
        pytest.param(request("Approved", said_s=60.0, issued=certificate(NOW + 600)), 600.0, id="issued, and ends soon"),
        pytest.param(request("Approved", said_s=60.0, issued=base64.b64encode(b"-").decode()), HOUR_S - 60, id="what was issued is no certificate"),
        pytest.param(request("Approved", age_s=9 * DAY_S, said_s=8 * DAY_S), None, id="approved, and its signer has not answered"),
        pytest.param(request("Mine", age_s=9 * DAY_S, said_s=8 * DAY_S), None, id="a condition of somebody's own"),
    ],
)
def test_what_is_not_old_is_looked_at_again_in_time(document: dict[str, Any], again_s: float | None) -> None:
    outcome = certificate_cleaner.reconcile(Cluster(document).view, KEY, NOW)
    assert (outcome.changes, outcome.requeue_after_s) == ((), again_s)


def test_it_is_not_removed_twice() -> None:
    leaving = request(age_s=DAY_S)
    leaving["metadata"] |= {"deletionTimestamp": rfc3339(NOW), "finalizers": ["example.test/hold"]}
    assert certificate_cleaner.reconcile(Cluster(leaving).view, KEY, NOW).changes == ()
