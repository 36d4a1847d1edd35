"""The calls of the native front: each method's arguments, as typed structs.

The same API as HTTPS, as messages: kctl names a resource by its registry key, its plural, its singular, its short name or its
kind. Arguments arrive as maps and are checked against these structs, so that a wrong call is a BadRequest that names the
field. Results are Kubernetes documents, or Tables where `table` asks for them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The root: unknown fields are refused."""


class Get(Arguments):
    resource: str
    name: str
    namespace: str = ""
    table: bool = False


class List(Arguments):
    resource: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    limit: int = 0
    continue_: str = msgspec.field(name="continue", default="")
    table: bool = False


class Watch(Arguments):
    resource: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    after: int | None = None
    timeout_s: float | None = None


class Create(Arguments):
    resource: str
    document: dict[str, Any]
    namespace: str = ""
    dry_run: bool = False


class Update(Arguments):
    resource: str
    name: str
    document: dict[str, Any]
    namespace: str = ""
    subresource: str = ""
    dry_run: bool = False


class Patch(Arguments):
    """type: "merge", "strategic" or "json"."""

    resource: str
    name: str
    patch: dict[str, Any] | list[Any]
    namespace: str = ""
    subresource: str = ""
    type: str = "merge"
    dry_run: bool = False


class Delete(Arguments):
    resource: str
    name: str
    namespace: str = ""
    grace_s: int | None = None
    propagation: str | None = None
    uid: str | None = None
    dry_run: bool = False


class Evict(Arguments):
    name: str
    namespace: str
    grace_s: int | None = None


class Why(Arguments):
    """limit: at most so many steps back."""

    resource: str
    name: str
    namespace: str = ""
    limit: int = 50


class TokenCreate(Arguments):
    """ttl_s: how long the token admits hosts; 0: for ever. description: for people."""

    ttl_s: int = 24 * 3600
    description: str = ""


class TokenDelete(Arguments):
    id: str


class UserCreate(Arguments):
    """ttl_s: how long the certificate is good."""

    name: str
    groups: list[str] = []
    ttl_s: int = 365 * 24 * 3600


class UserRevoke(Arguments):
    name: str


class Nothing(Arguments):
    pass
