"""What a bundle must not say, and how it is taken out: pure functions on documents and text.

Secrets lose their values and keep their keys. The values themselves, and all that has the shape of a credential, are then taken out of
everything else too: a program may have printed its password, and an event may quote it.

    shapes: PEM private keys, bootstrap tokens (id.secret), join strings, signed JSON web tokens, Authorization headers

Subtle: values shorter than SHORTEST are not looked for elsewhere, or words such as "true" would vanish from the logs.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from common.wire.keys import INVITATION_PREFIX

GONE = "<redacted>"
SHORTEST = 6
PUBLIC = {"ca.crt", "tls.crt", "namespace", "expiration", "description", "token-id", "auth-extra-groups"}
"""Keys of Kubernetes' own Secret types whose values are no secrets, and may stand elsewhere for good reason."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SHAPES = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    re.compile(re.escape(INVITATION_PREFIX) + r"[\w=-]{20,}"),
    re.compile(r"(?i)(?<=authorization: )(?:bearer|basic) \S+"),
    re.compile(r"(?<=client-key-data: )\S+"),
)


def secret(document: dict[str, Any]) -> dict[str, Any]:
    """A Secret as it may be shown: its keys, not its values, nor a copy of them in annotations."""
    meta = dict(document["metadata"])
    meta["annotations"] = {key: value for key, value in (meta.get("annotations") or {}).items() if key != LAST_APPLIED}
    shown = {key: value for key, value in document.items() if key not in ("data", "stringData")}
    return {**shown, "metadata": meta, "data": {key: GONE for key in document.get("data") or {}}}


def values(secrets: Iterable[dict[str, Any]]) -> list[str]:
    """What to look for elsewhere: the values, plain and encoded, whole and by line; longest first."""
    found: set[str] = set()
    for document in secrets:
        for key, encoded in (document.get("data") or {}).items():
            if key in PUBLIC:
                continue
            found.add(encoded)
            try:
                plain = base64.b64decode(encoded).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue
            found.update((plain, *(line.strip() for line in plain.splitlines())))
    return sorted((each for each in found if len(each) >= SHORTEST), key=len, reverse=True)


def text(body: str, known: list[str]) -> str:
    """Without the known values, and without what looks like a credential."""
    for each in known:
        body = body.replace(each, GONE)
    for shape in SHAPES:
        body = shape.sub(GONE, body)
    return body


def tree(value: Any, known: list[str]) -> Any:
    """A document with `text` applied to each of its strings, before YAML breaks or escapes them."""
    if isinstance(value, str):
        return text(value, known)
    if isinstance(value, dict):
        return {tree(key, known): tree(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [tree(each, known) for each in value]
    return value
