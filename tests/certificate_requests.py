"""Requests for certificates, as a CertificateSigningRequest's `spec.request` takes them."""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID


def asked(user: str, *groups: str, key: CertificateIssuerPrivateKeyTypes | None = None) -> str:
    """In PEM, in base64. key None: one that nobody keeps."""
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups] + [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    request = x509.CertificateSigningRequestBuilder(x509.Name(names)).sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
