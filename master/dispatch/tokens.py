"""Join tokens as Secrets: how one is written down, and what a Secret says about the token in it.

Pure. The document is Kubernetes' own (type `bootstrap.kubernetes.io/token`, as kubeadm makes them), so that `kubectl get secrets
-n kube-system` lists them, and deleting the Secret revokes the token. The token's form and its CURVE key are `common.wire.keys`'.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from common.clock import parse_rfc3339, rfc3339
from common.errors import BadRequest
from common.objects import meta
from common.wire import keys
from master.api.contract import Document, Ref

NAMESPACE = "kube-system"
TYPE = "bootstrap.kubernetes.io/token"
PREFIX = "bootstrap-token-"


class Token(msgspec.Struct, frozen=True):
    """expires: wall-clock seconds, None for never. public_key: what the handshake will show."""

    id: str
    public_key: str
    expires: float | None = None

    def expired(self, now: float) -> bool:
        return self.expires is not None and now >= self.expires


class _Secret(meta.View):
    metadata: meta.Meta
    type: str = ""
    data: dict[str, str] = {}


def ref(identifier: str) -> Ref:
    return Ref("secrets", PREFIX + identifier, NAMESPACE)


def document(token: str, *, expires: float | None, description: str = "") -> Document:
    """The Secret that holds `token`. Raises BadRequest when it has not a token's form."""
    identifier, secret = keys.parse_token(token)
    data = {"token-id": identifier, "token-secret": secret, "usage-bootstrap-authentication": "true"}
    if expires is not None:
        data["expiration"] = rfc3339(expires)
    if description:
        data["description"] = description
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": PREFIX + identifier, "namespace": NAMESPACE},
        "type": TYPE,
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items()},
    }


def read(secret: bytes) -> Token | None:
    """The token in an encoded Secret; None when there is no usable one in it. Whether it expired is for the caller to ask."""
    view = msgspec.json.decode(secret, type=_Secret)
    if view.type != TYPE or view.metadata.namespace != NAMESPACE or view.metadata.deletion_timestamp is not None:
        return None
    try:
        data = {name: base64.b64decode(value, validate=True).decode() for name, value in view.data.items()}
        pair = keys.token_pair(f"{data.get('token-id', '')}.{data.get('token-secret', '')}")
        expires = parse_rfc3339(data["expiration"]) if data.get("expiration") else None
    except (binascii.Error, ValueError, BadRequest):
        return None
    if data.get("usage-bootstrap-authentication") != "true" or view.metadata.name != PREFIX + data["token-id"]:
        return None
    return Token(data["token-id"], pair.public, expires)
