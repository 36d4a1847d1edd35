"""The cluster's certificates: a CA of its own, the server's certificate, the administrator's, and the kubeconfig.

    DATA_DIR/pki/ca.crt, ca.key           10 years; made at the first start, never replaced by itself
    DATA_DIR/pki/server.crt, .key         1 year; renewed 30 days before its end, or when a name of the server is missing in it
    DATA_DIR/pki/admin.crt, .key          1 year; O=system:masters, CN=kubernetes-admin
    DATA_DIR/pki/sa.key                   signs ServiceAccounts' tokens; made at the first start, never replaced by itself
    DATA_DIR/admin.kubeconfig             embeds the CA and the administrator's key; rewritten when either changed

Owns these files. Keys are ECDSA P-256, as kubeadm can make them; every file with a key in it has mode 0600 and is replaced
atomically, so that a crash leaves the old or the new one. Who may do what is not decided here: a certificate says a name
and groups, the API's door does the rest. Subtle: a damaged CA key is an error, never a reason to make a new CA, because
every certificate out there would stop working.
"""

from __future__ import annotations

import base64
import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from common.errors import Invalid, Unavailable
from common.wire import keys

CA_DAYS = 3650
LEAF_DAYS = 365
DAY_S = 86400.0
RENEW_DAYS = 30
SKEW = timedelta(minutes=5)
"""Certificates begin this long before now: clocks of hosts differ."""

ADMIN = "kubernetes-admin"
MASTERS = "system:masters"


class Pair(msgspec.Struct, frozen=True):
    """One certificate and its key, PEM."""

    certificate: bytes
    key: bytes


class Pki(msgspec.Struct, frozen=True):
    """What a start of the master found or made. tokens: the key of ServiceAccounts' tokens, PEM."""

    ca: Pair
    server: Pair
    admin: Pair
    tokens: bytes
    folder: str


def server_names(addresses: Sequence[str], host_name: str, domain: str) -> tuple[str, ...]:
    """Every name and address a client may reach the server by."""
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}")
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", host_name, *addresses, *service)))


def _read(folder: Path, name: str) -> Pair | None:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    if not key.exists() and not certificate.exists():
        return None
    try:
        pair = Pair(certificate.read_bytes(), key.read_bytes())
        _check_matching(pair)
        return pair
    except (OSError, ValueError, TypeError) as error:
        raise Unavailable(
            f"{folder}/{name}.crt and {name}.key cannot be used ({error}); put both back from a backup"
            + ("" if name == "ca" else ", or remove both: new ones are made at the next start")
        ) from None


def _check_matching(pair: Pair) -> None:
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    if _private(pair).public_key() != certificate.public_key():
        raise ValueError("the key does not belong to the certificate")


def _private(pair: Pair) -> ec.EllipticCurvePrivateKey:
    return _load_key(pair.key)


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic curve key")
    return key


def _write(folder: Path, name: str, pair: Pair) -> None:
    """The key first: a certificate without its key would look damaged, a key without its certificate too; both are
    written before anything else refers to them."""
    keys.write_secret(folder / f"{name}.key", pair.key)
    keys.write_secret(folder / f"{name}.crt", pair.certificate)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common: str, organizations: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begun(subject: x509.Name, issuer: x509.Name, public: CertificatePublicKeyTypes, *, now: float, ends: float) -> x509.CertificateBuilder:
    start = datetime.fromtimestamp(now, UTC) - SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(datetime.fromtimestamp(ends, UTC))
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def make_ca(cluster: str, *, now: float) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{cluster}-ca")
    certificate = (
        _begun(name, name, key.public_key(), now=now, ends=now + CA_DAYS * DAY_S)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def _certified(ca: Pair, begun: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    """With what every leaf has."""
    return (
        begun.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(_private(ca).public_key()), critical=False)
    )


def _issue(
    ca: Pair, subject: x509.Name, *, now: float, purpose: x509.ObjectIdentifier, names: Sequence[str] = (), ends: float = 0.0
) -> Pair:
    """ends: wall-clock seconds; 0: after LEAF_DAYS."""
    authority = x509.load_pem_x509_certificate(ca.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    begun = _certified(
        ca, _begun(subject, authority.subject, key.public_key(), now=now, ends=ends or now + LEAF_DAYS * DAY_S), purpose
    )  # fmt: skip
    if names:
        begun = begun.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    certificate = begun.sign(_private(ca), hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def make_server(ca: Pair, names: Sequence[str], *, now: float) -> Pair:
    return _issue(ca, _name("kmaster"), now=now, purpose=ExtendedKeyUsageOID.SERVER_AUTH, names=names)


def make_client(ca: Pair, name: str, groups: Sequence[str], *, now: float, ends: float = 0.0) -> Pair:
    """A client certificate: `name` is the user, `groups` its groups. ends: wall-clock seconds; 0: after LEAF_DAYS."""
    return _issue(ca, _name(name, groups), now=now, purpose=ExtendedKeyUsageOID.CLIENT_AUTH, ends=ends)


def sign_client(ca: Pair, request: bytes, now: float, ends: float) -> bytes:
    """The client certificate (PEM) that a request (PEM) asks for, until `ends` or the CA's own end. Subject and alternative names are the
    request's, all else is ours. Raises Invalid."""
    try:
        asked = x509.load_pem_x509_csr(request)
        if not asked.is_signature_valid:
            raise ValueError("its signature is not by its key")
        authority = x509.load_pem_x509_certificate(ca.certificate)
        last = min(ends, authority.not_valid_after_utc.timestamp())
        begun = _begun(asked.subject, authority.subject, asked.public_key(), now=now, ends=last)
        begun = _certified(ca, begun, ExtendedKeyUsageOID.CLIENT_AUTH)
        for extension in asked.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                begun = begun.add_extension(extension.value, critical=extension.critical)
        return begun.sign(_private(ca), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise Invalid(f"the certificate request cannot be signed: {error}") from None


def needs_renewal(pair: Pair, ca: Pair, *, now: float, names: Sequence[str] = ()) -> str:
    """Why this leaf must be made anew, or ""."""
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    if certificate.not_valid_after_utc - datetime.fromtimestamp(now, UTC) < timedelta(days=RENEW_DAYS):
        return f"it ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate))
    except (ValueError, TypeError, InvalidSignature):
        return "it is not of this cluster's CA"
    if names:
        try:
            has = set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except x509.ExtensionNotFound:
            has = set()
        missing = [name for name in names if _general(name) not in has]
        if missing:
            return f"it does not name {', '.join(missing)}"
    return ""


def ensure(data_dir: Path, *, cluster: str, names: Sequence[str], now: float) -> tuple[Pki, dict[str, str]]:
    """Read what is there, make what is missing or about to end. Also says what was made, and why.

    Raises Unavailable with the path and the remedy when a file is damaged or the folder cannot be written.
    """
    folder = data_dir / "pki"
    made: dict[str, str] = {}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ca = _read(folder, "ca")
        if ca is None:
            ca, made["ca"] = make_ca(cluster, now=now), "first start"
            _write(folder, "ca", ca)
        server = _ensure_leaf(folder, "server", ca, now=now, names=names, made=made)
        admin = _ensure_leaf(folder, "admin", ca, now=now, names=(), made=made)
        tokens = _ensure_token_key(folder, made)
    except OSError as error:
        raise Unavailable(f"the certificates cannot be kept in {folder}: {error.strerror or error}") from None
    return Pki(ca, server, admin, tokens, str(folder)), made


def _ensure_token_key(folder: Path, made: dict[str, str]) -> bytes:
    path = folder / "sa.key"
    if not path.exists():
        keys.write_secret(path, _key_pem(ec.generate_private_key(ec.SECP256R1())))
        made["sa"] = "first start"
    content = path.read_bytes()
    try:
        _load_key(content)
    except (ValueError, TypeError) as error:
        raise Unavailable(
            f"{path} cannot be used ({error}); put it back from a backup, or remove it: a new one is made at the next start, and all"
            " tokens of ServiceAccounts must be made anew"
        ) from None
    return content


def _ensure_leaf(folder: Path, name: str, ca: Pair, *, now: float, names: Sequence[str], made: dict[str, str]) -> Pair:
    pair = _read(folder, name)
    why = "first start" if pair is None else needs_renewal(pair, ca, now=now, names=names)
    if pair is not None and not why:
        return pair
    pair = make_server(ca, names, now=now) if name == "server" else make_client(ca, ADMIN, (MASTERS,), now=now)
    _write(folder, name, pair)
    made[name] = why
    return pair


def context(pki: Pki) -> ssl.SSLContext:
    """TLS for the HTTPS front: 1.2 or newer; a client certificate is optional, but must be of this CA when there is one."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.verify_mode = ssl.CERT_OPTIONAL
    tls.load_verify_locations(cadata=pki.ca.certificate.decode())
    tls.set_alpn_protocols(["http/1.1"])
    load(tls, pki)
    return tls


def load(tls: ssl.SSLContext, pki: Pki) -> None:
    """Use the server's certificate for new connections: at the start, and after a renewal."""
    tls.load_cert_chain(Path(pki.folder, "server.crt"), Path(pki.folder, "server.key"))


def kubeconfig(pki: Pki, *, cluster: str, address: str, user: str = ADMIN, pair: Pair | None = None) -> bytes:
    """A kubeconfig, everything embedded: the administrator's, or of the `user` that `pair` certifies. address: `HOST:PORT`."""
    client = pair or pki.admin

    def data(content: bytes) -> str:
        return base64.b64encode(content).decode()

    context_name = f"{user}@{cluster}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": cluster, "cluster": {"server": f"https://{address}", "certificate-authority-data": data(pki.ca.certificate)}}
        ],
        "users": [{"name": user, "user": {"client-certificate-data": data(client.certificate), "client-key-data": data(client.key)}}],
        "contexts": [{"name": context_name, "context": {"cluster": cluster, "user": user}}],
        "current-context": context_name,
        "preferences": {},
    }
    return yaml.safe_dump(document, sort_keys=False).encode()
