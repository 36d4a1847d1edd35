"""The master's own CURVE and signing keys, and what the administrator is handed: kubeconfig and kctl's configuration.

    DATA_DIR/keys/master.curve      the master's CURVE secret; agents and kctl know its public half
    DATA_DIR/keys/signing.ed25519   signs the masters' keys of this cluster; agents pin it when they join
    DATA_DIR/keys/admin.curve       kctl's key, user kubernetes-admin
    DATA_DIR/admin.kubeconfig       for kubectl; also at --kubeconfig-out
    DATA_DIR/kctl.json              for kctl; also beside --kubeconfig-out

Owns these files: 32 bytes in hexadecimal each key, mode 0600, made at the first start, never replaced by itself, since hosts
out there trust them. Formats of keys and their mathematics are `common.wire.keys`'; certificates are `pki.py`'s.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from common.clock import Rng
from common.errors import Unavailable
from common.wire import keys
from master import pki

log = logging.getLogger(__name__)

USER = pki.ADMIN


class Keys(msgspec.Struct, frozen=True):
    """signing: the secret half."""

    master: keys.Pair
    admin: keys.Pair
    signing: bytes


def _secret(folder: Path, name: str, rng: Rng) -> bytes:
    """Read, or made and written. Raises Unavailable for a damaged file."""
    path = folder / name
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except FileNotFoundError:
        secret = rng.token_bytes(32)
        keys.write_secret(path, secret.hex().encode() + b"\n")
        log.info("key-made path=%s", path)
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise Unavailable(f"the key {path} is damaged: put it back from a backup; a new one would lock out every host that joined")
    return secret


def ensure(data_dir: Path, rng: Rng) -> Keys:
    folder = data_dir / "keys"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Keys(
            keys.pair_of(_secret(folder, "master.curve", rng)),
            keys.pair_of(_secret(folder, "admin.curve", rng)),
            _secret(folder, "signing.ed25519", rng),
        )
    except OSError as error:
        raise Unavailable(f"the keys cannot be kept in {folder}: {error.strerror or error}") from None


def kctl_config(own: Keys, *, address: str, pair: keys.Pair, user: str) -> bytes:
    """kctl's configuration for the holder of `pair`. address: `HOST:PORT` of the native front."""
    document = {
        "endpoint": f"tcp://{address}", "server_key": own.master.public, "public_key": pair.public, "secret_key": pair.secret,
        "user": user,
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def hand_out(data_dir: Path, *, kubeconfig: bytes, kctl: bytes, also: str) -> None:
    """Write both files, in the data folder and where the operator wants them. Raises Unavailable."""
    files = {data_dir / "kctl.json": kctl, data_dir / "admin.kubeconfig": kubeconfig}
    if also:
        # The kubeconfig last: who waits for it finds the other one too.
        wanted = Path(also).absolute()
        files |= {wanted.parent / "kctl.json": kctl, wanted: kubeconfig}
    for path, content in files.items():
        try:
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                keys.write_secret(path, content)
                log.info("credentials-written path=%s", path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written: {error.strerror or error}") from None
