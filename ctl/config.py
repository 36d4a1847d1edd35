"""Where kctl finds its master: a small file that kmaster writes, like a kubeconfig for the native front.

The file holds a secret key: kmaster writes it with mode 0600, and kctl refuses one that others may read. It is looked for at
`--config`, `$KCTL_CONFIG`, `.lab/kctl.json` below the working directory, and `/etc/steersman/kctl.json`, in this order.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click
import msgspec

MAX_BYTES = 64 * 1024
PLACES = (Path(".lab/kctl.json"), Path("/etc/steersman/kctl.json"))


class Config(msgspec.Struct, frozen=True):
    """endpoint: `tcp://HOST:PORT`; server_key, public_key, secret_key: CURVE keys in Z85; user: whose key it is."""

    endpoint: str
    server_key: str
    public_key: str
    secret_key: str
    user: str = ""


def find(given: str | None) -> Path:
    """The file to use. Raises ClickException with the places that were looked at."""
    named = given or os.environ.get("KCTL_CONFIG")
    if named:
        return Path(named)
    for place in PLACES:
        if place.exists():
            return place
    raise click.ClickException(
        f"no cluster is configured: looked for {', '.join(map(str, PLACES))}; name one with --config or KCTL_CONFIG"
    )


def load(given: str | None) -> Config:
    path = find(given)
    try:
        mode = path.stat().st_mode
        body = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise click.ClickException(f"{path} holds a secret key, but others may read it: chmod 600 {path}")
    try:
        return msgspec.json.decode(body, type=Config)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise click.ClickException(f"{path} is not a kctl configuration: {error}") from None
