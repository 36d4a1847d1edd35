"""ConfigMap and Secret: keys, sizes, immutability, `stringData`.

`stringData` is write-only: it is encoded into `data` before anything is stored, and never read back.
"""

from __future__ import annotations

import base64
import binascii
import re

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column

MAX_BYTES = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)

CONFIG_MAP_COLUMNS = (
    NAME,
    Column("Data", lambda d, now: len(d.get("data") or ()) + len(d.get("binaryData") or ()), type="integer",
           description="How many keys it has."),
    AGE,
)  # fmt: skip
SECRET_COLUMNS = (
    NAME,
    Column("Type", lambda d, now: d.get("type", ""), description="What it is used for."),
    Column("Data", lambda d, now: len(d.get("data") or ()), type="integer", description="How many keys it has."),
    AGE,
)


def _keys(field: str, data: Document | None) -> list[FieldCause]:
    found = []
    for key in data or {}:
        if len(key) > 253:
            found.append(rules.invalid(f"{field}[{key}]", key, "must be no more than 253 bytes"))
        elif not _KEY.fullmatch(key):
            found.append(rules.invalid(f"{field}[{key}]", key, _KEY_TEXT))
        elif key in (".", ".."):
            found.append(rules.invalid(f"{field}[{key}]", key, f"must not be '{key}'"))
        elif key.startswith(".."):
            found.append(rules.invalid(f"{field}[{key}]", key, "must not start with '..'"))
    return found


def _encoded(field: str, data: Document | None) -> tuple[list[FieldCause], int]:
    """What is not base64, and the decoded size in bytes."""
    found, size = [], 0
    for key, value in (data or {}).items():
        try:
            size += len(base64.b64decode(value or "", validate=True))
        except (binascii.Error, ValueError):
            found.append(rules.invalid(f"{field}[{key}]", "", "must be base64 encoded"))
    return found, size


def _immutable(new: Document, old: Document | None, names: tuple[str, ...]) -> list[FieldCause]:
    if not (old or {}).get("immutable"):
        return []
    assert old is not None
    found = []
    if not new.get("immutable"):
        found.append(rules.forbidden("immutable", "field is immutable when `immutable` is set"))
    changed = [name for name in names if (new.get(name) or {}) != (old.get(name) or {})]
    return found + [rules.forbidden(name, "field is immutable when `immutable` is set") for name in changed]


def validate_config_map(new: Document, old: Document | None) -> list[FieldCause]:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    found = rules.metadata(new) + _keys("data", data) + _keys("binaryData", binary)
    found += [rules.invalid(f"data[{key}]", key, "duplicate of key present in binaryData") for key in data if key in binary]
    bad, size = _encoded("binaryData", binary)
    size += sum(len(value.encode()) for value in data.values())
    if size > MAX_BYTES:
        found.append(rules.too_long("", MAX_BYTES))
    return found + bad + _immutable(new, old, ("data", "binaryData"))


def prepare_secret(new: Document, old: Document | None) -> None:
    strings = new.pop("stringData", None)
    if strings:
        data = dict(new.get("data") or {})
        data.update({key: base64.b64encode(value.encode()).decode() for key, value in strings.items()})
        new["data"] = data


def default_secret(document: Document) -> None:
    if not document.get("type"):
        document["type"] = "Opaque"


REQUIRED_KEYS = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def validate_secret(new: Document, old: Document | None) -> list[FieldCause]:
    data = new.get("data") or {}
    found = rules.metadata(new) + _keys("data", data)
    bad, size = _encoded("data", data)
    if size > MAX_BYTES:
        found.append(rules.too_long("data", MAX_BYTES))
    found += [rules.required(f"data[{key}]") for key in REQUIRED_KEYS.get(new.get("type", ""), ()) if key not in data]
    if old is not None and new.get("type") != old.get("type"):
        found.append(rules.invalid("type", new.get("type"), rules.IMMUTABLE))
    return found + bad + _immutable(new, old, ("data",))


def secret_fields(document: Document) -> dict[str, str]:
    return {"type": document.get("type", "")}
