"""ServiceAccount tokens: signed statements of who a pod is, and what makes them void.

A token is a JWT (ES256) by the master's own key, with Kubernetes' claims: it names a ServiceAccount with its uid, the audiences it is
for, when it ends, and perhaps one object that it is bound to. Signed once, it is never stored; what can be taken back is what it
names. So every use asks the store anew:

    signature, issuer, times ─► right? ─► ServiceAccount there, same uid? ─► bound Pod, Secret or Node there, same uid? ─► the user

Signatures are checked once per token and remembered, since that is the slow part and cannot change; times and objects are looked at
each time. A Pod that is ending keeps its tokens for a while, so that it can finish its work.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from common.clock import Clock, Rng, parse_rfc3339
from common.objects import meta
from common.objects.access import ServiceAccount
from master.api.access.index import SERVICE_ACCOUNT
from master.api.contract import Actor, Ref, Views

ALGORITHM = "ES256"
LEEWAY_S = 60.0
"""How long an object that is being deleted still vouches for the tokens that are bound to it."""
MAX_TOKEN = 16 * 1024
MAX_KEPT = 1024
BINDABLE = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}

AUTHENTICATED = "system:authenticated"
ACCOUNTS = "system:serviceaccounts"
_EXTRA = "authentication.kubernetes.io"


class Named(msgspec.Struct, frozen=True):
    name: str
    uid: str = ""


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """The claim `kubernetes.io`."""

    namespace: str
    serviceaccount: Named
    pod: Named | None = None
    secret: Named | None = None
    node: Named | None = None


class Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: list[str]
    exp: float
    nbf: float
    jti: str
    about: About = msgspec.field(name="kubernetes.io")


class Invalid(Exception):
    """Why a token is not believed: for the log and for TokenReview, not for whoever showed it."""


def username(namespace: str, name: str) -> str:
    return f"{SERVICE_ACCOUNT}{namespace}:{name}"


def groups(namespace: str) -> tuple[str, ...]:
    return (ACCOUNTS, f"{ACCOUNTS}:{namespace}", AUTHENTICATED)


def actor(claims: Claims) -> Actor:
    about = claims.about
    extra = {f"{_EXTRA}/credential-id": (f"JTI={claims.jti}",)}
    for kind, bound in (("pod", about.pod), ("node", about.node)):
        if bound is not None:
            extra |= {f"{_EXTRA}/{kind}-name": (bound.name,), f"{_EXTRA}/{kind}-uid": (bound.uid,)}
    return Actor(claims.sub, groups=groups(about.namespace), uid=about.serviceaccount.uid, extra=tuple(extra.items()))


class TokenAuthority:
    """Issues and checks the tokens of one cluster. key: PEM of an EC P-256 private key. issuer: a URL, which is the API's own audience."""

    def __init__(self, key: bytes, *, issuer: str, views: Views, clock: Clock, rng: Rng) -> None:
        private = serialization.load_pem_private_key(key, None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError("the key of ServiceAccount tokens must be an elliptic curve key")
        self._private, self._public = private, private.public_key()
        self.issuer = issuer
        self._views = views
        self._clock = clock
        self._rng = rng
        self._key_id = _key_id(self._public)
        self._checked: dict[str, Claims] = {}

    def issue(self, about: About, *, audiences: tuple[str, ...], lifetime_s: int) -> tuple[str, float]:
        """The token and when it ends, in wall-clock seconds. audiences: empty for the API alone."""
        now = int(self._clock.now())
        ends = now + lifetime_s
        claims: dict[str, Any] = {
            "iss": self.issuer, "sub": username(about.namespace, about.serviceaccount.name), "aud": list(audiences or (self.issuer,)),
            "exp": ends, "iat": now, "nbf": now, "jti": self._rng.uuid(), "kubernetes.io": msgspec.to_builtins(about),
        }  # fmt: skip
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers={"kid": self._key_id}), float(ends)

    def check(self, token: str, audiences: tuple[str, ...] = ()) -> tuple[Actor, tuple[str, ...]]:
        """Who it is, and which of the audiences it is for (of none: the API's own). Raises Invalid."""
        claims = self._checked.get(token) or self._verified(token)
        now = self._clock.now()
        if now >= claims.exp or now < claims.nbf:
            raise Invalid("the token has expired" if now >= claims.exp else "the token is not valid yet")
        meant = tuple(audience for audience in audiences or (self.issuer,) if audience in claims.aud)
        if not meant:
            raise Invalid(f"the token is for {', '.join(claims.aud)}, not for {', '.join(audiences or (self.issuer,))}")
        self._check_standing(claims.about, now)
        return actor(claims), meant

    def _verified(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN:
            raise Invalid("the token is too long")
        # Times are asked of our own clock, audiences by the caller.
        unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        try:
            decoded = jwt.decode(token, self._public, [ALGORITHM], issuer=self.issuer, options=unchecked)  # type: ignore[arg-type]
            claims = msgspec.convert(decoded, Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
            raise Invalid(f"the token is not one of this cluster: {error}") from None
        if claims.sub != username(claims.about.namespace, claims.about.serviceaccount.name):
            raise Invalid("the token names two subjects")
        if len(self._checked) >= MAX_KEPT:
            self._checked.clear()
        self._checked[token] = claims
        return claims

    def _check_standing(self, about: About, now: float) -> None:
        """What the token names must be there. Raises Invalid."""
        named = about.serviceaccount
        account = self._views.get(ServiceAccount, Ref("serviceaccounts", named.name, about.namespace))
        _check_same(f"service account {about.namespace}/{named.name}", account.metadata if account else None, named, now=now)
        for kind, bound in (("Pod", about.pod), ("Secret", about.secret), ("Node", None if about.pod else about.node)):
            if bound is not None:
                ref = Ref(BINDABLE[kind], bound.name, "" if kind == "Node" else about.namespace)
                found = self._views.get(meta.Object, ref)
                _check_same(f"{kind} {bound.name}", found.metadata if found else None, bound, now=now)

    # What others need to check tokens by themselves.

    def configuration(self, server: str) -> dict[str, Any]:
        """`/.well-known/openid-configuration`. server: the URL at which this API is reached."""
        return {
            "issuer": self.issuer, "jwks_uri": f"{server}/openid/v1/jwks", "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": [ALGORITHM],
        }  # fmt: skip

    def keys(self) -> dict[str, Any]:
        """`/openid/v1/jwks`: the public key."""
        numbers = self._public.public_numbers()
        place = {name: _base64url(value.to_bytes(32, "big")) for name, value in (("x", numbers.x), ("y", numbers.y))}
        return {"keys": [{"use": "sig", "kty": "EC", "kid": self._key_id, "crv": "P-256", "alg": ALGORITHM, **place}]}


def _check_same(what: str, found: meta.Meta | None, named: Named, *, now: float) -> None:
    if found is None:
        raise Invalid(f"{what} has been deleted")
    if found.uid != named.uid:
        raise Invalid(f"{what} is another one than when the token was made")
    if found.deletion_timestamp is not None and now > parse_rfc3339(found.deletion_timestamp) + LEEWAY_S:
        raise Invalid(f"{what} is being deleted")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _key_id(public: ec.EllipticCurvePublicKey) -> str:
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _base64url(hashlib.sha256(der).digest())
