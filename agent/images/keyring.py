"""Credentials for registries: what Secrets and helpers hold of them, and which of them fit an image. Pure.

Owns the forms `kubernetes.io/dockerconfigjson` and `kubernetes.io/dockercfg`, and Kubernetes' rules of its DockerKeyring: a key is a
host, with globs in its parts (`*.example.com`), a port and a path if it likes; the host must have as many parts, the port must be the
same, and the path is a prefix. The most specific key comes first; all that fit are tried. Docker Hub's `index.docker.io` is for whatever
else is of the Hub.

No credential is ever shown: neither by `repr` nor in an error.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from agent.images.reference import DEFAULT_HOST, Reference

FORMS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
"""A Secret's type to the key of its data."""
HUB = "index.docker.io"


class Credential(msgspec.Struct, frozen=True):
    """server: the one host (`https://HOST`) that may be given it, "" for whichever asks; identity_token: in place of a password."""

    username: str = ""
    password: str = ""
    server: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return "Credential(…)"

    __str__ = __repr__


class Keyring(msgspec.Struct, frozen=True):
    """entries: key and credential, in the order in which they were given."""

    entries: tuple[tuple[str, Credential], ...] = ()

    def of(self, image: Reference) -> tuple[Credential, ...]:
        """Those that fit, the most specific first."""
        found = [entry for entry in self.entries if matches(entry[0], image.repository)]
        if not found and image.host == DEFAULT_HOST:
            found = [entry for entry in self.entries if entry[0] == HUB]
        # Subtle: sorting is stable, so that of one key the first given stays first.
        return tuple(dict.fromkeys(credential for _, credential in sorted(found, key=lambda entry: entry[0], reverse=True)))


def key(location: str) -> str:
    """A location of a docker config as a key: without its scheme, and `/v1/` and `/v2/` mean the whole host. "" if it is none."""
    try:
        parsed = urlsplit(location if location.startswith(("https://", "http://")) else f"https://{location}")
    except ValueError:
        return ""
    host, path = parsed.netloc.rpartition("@")[2], parsed.path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    return host + path if path != "/" else host


def matches(wanted: str, repository: str) -> bool:
    """Whether a key fits `HOST/PATH`."""
    (globs, port, path), (parts, real_port, real_path) = _apart(wanted), _apart(repository)
    if port != real_port or len(globs) != len(parts) or not real_path.startswith(path):
        return False
    return all(fnmatch.fnmatchcase(part, glob.replace("[^", "[!")) for part, glob in zip(parts, globs, strict=True))


def _apart(location: str) -> tuple[list[str], str, str]:
    host, slash, path = location.partition("/")
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host, ""
    return name.split("."), port, slash + path


def from_config(auths: object) -> list[tuple[str, Credential]]:
    """The `auths` of a docker config. Raises ValueError with words that quote nothing of it."""
    if auths is None:
        return []
    if not isinstance(auths, Mapping):
        raise ValueError("its entries are no map")
    found = []
    for location, entry in auths.items():
        if not isinstance(entry, Mapping):
            raise ValueError("an entry is no map")
        username, password = entry.get("username", ""), entry.get("password", "")
        if entry.get("auth"):
            username, password = from_auth(entry["auth"])
        if not isinstance(username, str) or not isinstance(password, str):
            raise ValueError("a username or password is no text")
        if key(location):
            found.append((key(location), Credential(username, password)))
    return found


def from_auth(encoded: object) -> tuple[str, str]:
    """User and password of a field `auth`. Raises ValueError."""
    try:
        text = str(encoded).strip().rstrip("=")
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise ValueError("an auth field is not base64") from None
    username, colon, password = decoded.partition(":")
    if not colon:
        raise ValueError("unable to parse auth field, must be formatted as base64 encoded username:password")
    return username, password


def from_secrets(secrets: Iterable[Mapping]) -> Keyring:
    """Of Secrets as they are in the API; those of another type have nothing. Raises ValueError that names the Secret."""
    entries: list[tuple[str, Credential]] = []
    for secret in secrets:
        form = str(secret.get("type", ""))
        encoded = (secret.get("data") or {}).get(FORMS.get(form, ""))
        if not encoded:
            continue
        try:
            entries += from_config(_decoded(encoded, form))
        except ValueError as error:
            name = (secret.get("metadata") or {}).get("name", "")
            raise ValueError(f'image pull secret "{name}" cannot be used: {FORMS[form]}: {error}') from None
    return Keyring(tuple(entries))


def _decoded(encoded: object, form: str) -> object:
    try:
        config = msgspec.json.decode(base64.b64decode(str(encoded)), type=dict)
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("it is no JSON object") from None
    return config.get("auths") if FORMS[form] == ".dockerconfigjson" else config
