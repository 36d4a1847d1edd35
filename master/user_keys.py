"""Keys for kctl: who has which, for the native front.

    kctl user create NAME --kctl ─► Secret kctl-user-DIGEST in kube-system ─► that key is NAME's, until it ends, the Secret is deleted,
                                                                              or `kctl user revoke NAME`

Owns that Secret: it says whose key it is, from when to when, and holds no secret itself (the key's secret half leaves with the answer
and is not kept). It is sealed with a key derived from the master's, because a Secret can be written by people who may not make
themselves somebody else.

Subtle: the answer to "whose is it" is looked up at every message, so a deleted Secret or a revocation shuts the key out at once. The
administrator's key is a file of the master's (`credentials.py`), so that there is one that the store cannot lose.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

import msgspec

from common.clock import Clock, Rng, parse_rfc3339, rfc3339
from common.errors import Unavailable
from common.objects import meta
from common.wire import keys
from master import credentials, pki
from master.api.access.revocation import Revocations
from master.api.access.tokens import AUTHENTICATED
from master.api.contract import Actor, Document, Door, Ref, Views, WriteOptions
from master.store.contract import Cause

NAMESPACE = "kube-system"
TYPE = "steersman.io/user-key"
PREFIX = "kctl-user-"
ADMIN = Actor(credentials.USER, groups=(pki.MASTERS, AUTHENTICATED))


class _Secret(meta.View):
    metadata: meta.Meta
    type: str = ""
    data: dict[str, str] = {}


class Holder(msgspec.Struct, frozen=True):
    """issued, expires: RFC 3339 times."""

    public_key: str
    user: str
    groups: tuple[str, ...]
    issued: str
    expires: str

    def seal(self, key: bytes) -> bytes:
        return hmac.digest(key, msgspec.json.encode(self), "sha256")


def ref(public_key: str) -> Ref:
    return Ref("secrets", PREFIX + hashlib.sha256(public_key.encode()).hexdigest()[:32], NAMESPACE)


def document(holder: Holder, seal_key: bytes) -> Document:
    data = {
        "public-key": holder.public_key, "user": holder.user, "groups": msgspec.json.encode(holder.groups).decode(),
        "issued": holder.issued, "expires": holder.expires, "seal": holder.seal(seal_key).hex(),
    }  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": ref(holder.public_key).name, "namespace": NAMESPACE}, "type": TYPE,
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items()},
    }  # fmt: skip


def read(secret: _Secret, seal_key: bytes, *, now: float) -> Holder | None:
    """Who holds the key that it is about; None when it is not ours, not whole, or over."""
    if secret.type != TYPE or secret.metadata.deletion_timestamp is not None:
        return None
    try:
        data = {name: base64.b64decode(value, validate=True).decode() for name, value in secret.data.items()}
        groups = msgspec.json.decode(data["groups"], type=tuple[str, ...])
        holder = Holder(data["public-key"], data["user"], groups, data["issued"], data["expires"])
        sealed = hmac.compare_digest(holder.seal(seal_key), bytes.fromhex(data["seal"]))
        over = parse_rfc3339(holder.expires) <= now
    except (binascii.Error, KeyError, ValueError, msgspec.DecodeError):
        return None
    return holder if sealed and not over and secret.metadata.name == ref(holder.public_key).name else None


class UserKeys:
    """What the native front's listener asks for admission, and the front for names. It knows the administrator alone until `views` is
    set, because the sockets are bound before there is an API."""

    def __init__(self, own: credentials.Keys, clock: Clock) -> None:
        self.views: Views | None = None
        self._own = own
        self._clock = clock
        self.seal_key = hmac.digest(own.signing, b"steersman keys of users 1", "sha256")

    def admit(self, public_key: str, address: str) -> str | None:
        """Raises Unavailable while it is too early to say."""
        if public_key == self._own.admin.public:
            return f"user:{ADMIN.name}"
        if self.views is None:
            raise Unavailable("the users' keys have not been read")
        return f"key:{public_key}" if self._holder(public_key) is not None else None

    def caller(self, identity: str) -> Actor | None:
        kind, _, name = identity.partition(":")
        if kind == "user":
            return ADMIN if name == ADMIN.name else None
        holder = self._holder(name) if kind == "key" else None
        return None if holder is None else Actor(holder.user, groups=tuple(dict.fromkeys((*holder.groups, AUTHENTICATED))))

    def _holder(self, public_key: str) -> Holder | None:
        secret = self.views.get(_Secret, ref(public_key)) if self.views is not None else None
        holder = None if secret is None else read(secret, self.seal_key, now=self._clock.now())
        if holder is None or holder.public_key != public_key:
            return None
        return None if Revocations(self.views).covers(holder.user, parse_rfc3339(holder.issued)) else holder


class KeyDesk:
    """Makes keys. configure(pair, user): kctl's configuration with them."""

    def __init__(
        self, door: Door, user_keys: UserKeys, clock: Clock, rng: Rng, *, configure: Callable[[keys.Pair, str], bytes]
    ) -> None:
        self._door = door
        self._keys = user_keys
        self._clock = clock
        self._rng = rng
        self._configure = configure

    async def create(self, actor: Actor, name: str, groups: tuple[str, ...], *, expires: float) -> Document:
        """{"kctl", "expires", "secret"}: a configuration as text, an RFC 3339 time, the Secret that stands for it. Raises Forbidden for
        those who may not make Secrets there."""
        pair = keys.new_pair(self._rng)
        holder = Holder(pair.public, name, groups, rfc3339(self._clock.now()), rfc3339(expires))
        cause = Cause(actor.name, "UserCreate", f"a key for {name}, until {holder.expires}")
        made = document(holder, self._keys.seal_key)
        await self._door.create(actor, "secrets", NAMESPACE, made, WriteOptions(cause=cause))
        return {"kctl": self._configure(pair, name).decode(), "expires": holder.expires, "secret": made["metadata"]["name"]}
