"""The calls of the native front: each method's arguments, as typed structs.

Arguments arrive as maps and are checked against these structs, so that a wrong call is a BadRequest that names the field.
"""

from __future__ import annotations

import msgspec

from master.api.forms import Form


class Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The root: unknown fields are refused."""


class About(Arguments):
    """A request about objects, as HTTPS would say it with a path, parameters and headers.

    resource: by any of its names. namespace, name, subresource as in a path. query: Kubernetes' parameters. body, media: an encoded
    document, and its type (JSON when empty; of a patch, which). form: "plain", "table" or "partial"."""

    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: dict[str, str] = {}
    body: bytes = b""
    media: str = ""
    form: Form = Form.PLAIN


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
    """ttl_s: how long the certificate is good, or with kctl the key."""

    name: str
    groups: list[str] = []
    ttl_s: int = 365 * 24 * 3600
    kctl: bool = False


class UserRevoke(Arguments):
    name: str


class Images(Arguments):
    """action: ls, pull, load, rm. image: a name or an id, of all but ls and load."""

    node: str
    action: str
    image: str = ""


class Nothing(Arguments):
    pass
