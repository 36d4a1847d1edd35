"""Keys and what carries them: CURVE pairs, the cluster's signing key, join tokens, key files.

    signing key (Ed25519)  one per cluster; signs each master's CURVE public key with its address. Agents pin it when they join,
                           so that masters can be added, restored and re-keyed without touching the agents.
    master's key (CURVE)   proves the master to its agents, and encrypts.
    agent's key (CURVE)    made on the host, never leaves it; its public half is an annotation of the Node.
    token `ID.SECRET`      its CURVE pair is derived from it, so the secret itself never travels, and what
                           the master's handshake accepts is a public key like any other.

`Invitation` is the one string that `kctl token create` prints and `kagent join` reads: where the master is, its signed key, the
signing key and the token. It is a secret, and expires with its token.

Owns formats and files (mode 0600, replaced atomically); who is admitted is decided elsewhere. The `cryptography` package is
imported where it is used: an agent needs it once, when it joins, and should not carry 8 MB for it ever after.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from pathlib import Path

import msgspec

from common.clock import Rng
from common.errors import BadRequest, Unauthorized

TOKEN = re.compile(r"^([a-z0-9]{6})\.([a-z0-9]{16})$")
TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
INVITATION_PREFIX = "steersman1."
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_MAX_INVITATION = 4096


class Pair(msgspec.Struct, frozen=True):
    """A CURVE key pair, both halves in Z85 (40 characters)."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"Pair(public={self.public!r})"


class MasterKey(msgspec.Struct, frozen=True):
    """A master as its agents know it: address, both ports, CURVE public key, and the cluster's signature over these."""

    host: str
    control_port: int
    stream_port: int
    public_key: str
    signature: bytes = b""

    def statement(self) -> bytes:
        """What is signed."""
        return f"steersman master 1\n{self.host}\n{self.control_port}\n{self.stream_port}\n{self.public_key}\n".encode()

    @property
    def endpoints(self) -> dict[str, str]:
        """As the transport's dialer takes them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return {"control": f"tcp://{host}:{self.control_port}", "stream": f"tcp://{host}:{self.stream_port}"}


class Invitation(msgspec.Struct, frozen=True):
    """What a host needs to join. signing_key: the raw 32 bytes of the public half."""

    cluster: str
    master: MasterKey
    signing_key: bytes
    token: str

    def __repr__(self) -> str:
        return f"Invitation(cluster={self.cluster!r}, master={self.master.host!r})"

    def text(self) -> str:
        return INVITATION_PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def invitation(text: str) -> Invitation:
    """Read and check. Raises BadRequest; the message never repeats the text."""
    text = text.strip()
    if not text.startswith(INVITATION_PREFIX) or len(text) > _MAX_INVITATION:
        raise BadRequest("this is not a join string; copy the whole output of `kctl token create`")
    body = text[len(INVITATION_PREFIX) :]
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        read = msgspec.json.decode(raw, type=Invitation)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise BadRequest("this join string is damaged; copy the whole output of `kctl token create`") from None
    parse_token(read.token)
    verify(read.signing_key, read.master)
    return read


# -- CURVE


def z85_encode(data: bytes) -> str:
    """ZeroMQ RFC 32; the length must be a multiple of 4."""
    out = []
    for start in range(0, len(data), 4):
        value = int.from_bytes(data[start : start + 4], "big")
        out.append("".join(_Z85[value // 85**power % 85] for power in (4, 3, 2, 1, 0)))
    return "".join(out)


def valid_public(key: str) -> bool:
    """Whether this is a CURVE key in Z85: 40 characters that stand for 32 bytes."""
    if len(key) != 40 or any(character not in _Z85 for character in key):
        return False
    groups = (key[start : start + 5] for start in range(0, 40, 5))
    return all(sum(_Z85.index(c) * 85 ** (4 - i) for i, c in enumerate(group)) < 2**32 for group in groups)


def pair_of(secret: bytes) -> Pair:
    """The pair of 32 secret bytes. CURVE keys are X25519 keys, as in libsodium's `crypto_box`."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    public = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return Pair(z85_encode(public), z85_encode(secret))


def new_pair(rng: Rng) -> Pair:
    return pair_of(rng.token_bytes(32))


# -- the cluster's signing key


def new_signing_key(rng: Rng) -> bytes:
    """The raw 32 secret bytes of an Ed25519 key."""
    return rng.token_bytes(32)


def signing_public(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def fingerprint(public: bytes) -> str:
    """For people to compare: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(public).hexdigest()


def sign(secret: bytes, master: MasterKey) -> MasterKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signature = Ed25519PrivateKey.from_private_bytes(secret).sign(master.statement())
    return msgspec.structs.replace(master, signature=signature)


def verify(public: bytes, master: MasterKey) -> None:
    """Raise Unauthorized unless the cluster's key signed this master's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(master.signature, master.statement())
    except (InvalidSignature, ValueError):
        raise Unauthorized(f"the key of master {master.host} is not signed by this cluster's signing key") from None


# -- tokens


def new_token(rng: Rng) -> str:
    """`ID.SECRET`, as Kubernetes' bootstrap tokens: 6 and 16 of [a-z0-9]."""
    return f"{_characters(rng, 6)}.{_characters(rng, 16)}"


def _characters(rng: Rng, count: int) -> str:
    out = ""
    while len(out) < count:
        # Bytes beyond the last whole multiple of 36 are thrown away: else some characters would be likelier than others.
        out += "".join(TOKEN_ALPHABET[byte % 36] for byte in rng.token_bytes(count * 2) if byte < 252)
    return out[:count]


def parse_token(token: str) -> tuple[str, str]:
    """(id, secret). Raises BadRequest; the message never repeats the token."""
    match = TOKEN.match(token)
    if match is None:
        raise BadRequest("a token has the form ID.SECRET, with 6 and 16 characters of a-z and 0-9")
    return match[1], match[2]


def token_pair(token: str) -> Pair:
    """The CURVE pair of a token: HKDF-SHA256 (RFC 5869) over its secret, with its id as context."""
    identifier, secret = parse_token(token)
    extracted = hmac.digest(b"\0" * 32, secret.encode(), "sha256")
    return pair_of(hmac.digest(extracted, b"steersman join token 1 " + identifier.encode() + b"\x01", "sha256"))


# -- files


def write_secret(path: Path, data: bytes) -> None:
    """Mode 0600 from the first moment, replaced whole or not at all, durable on return. The folder must exist."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
