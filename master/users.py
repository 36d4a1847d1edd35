"""Credentials for people: `kctl user create NAME` has a certificate made, and gets a kubeconfig with it.

Owns nothing: the master's CA signs (`pki.py`), and nothing is kept, as there is no list of users; a name and groups mean what roles make
of them. Who has credentials made for somebody could as well act as him, so it takes the same rights (`impersonate`), which the caller of
`create` has checked. How a certificate is taken back is `access/revocation.py`'s business. For kctl it is a key instead (`user_keys.py`).
"""

from __future__ import annotations

from common.clock import Clock, rfc3339
from common.errors import BadRequest, FieldCause, Invalid
from master import pki
from master.api.contract import Actor, Document
from master.user_keys import KeyDesk

MAX_NAME = 64
"""What X.509 allows a common name and an organisation."""
LONGEST_S = int(pki.CA_DAYS * pki.DAY_S)


class UserDesk:
    """address: `HOST:PORT` of the HTTPS front."""

    def __init__(self, certificates: pki.Pki, key_desk: KeyDesk, clock: Clock, *, cluster: str, address: str) -> None:
        self._certificates = certificates
        self._key_desk = key_desk
        self._clock = clock
        self._cluster = cluster
        self._address = address

    async def create(self, actor: Actor, name: str, groups: tuple[str, ...], *, ttl_s: int, kctl: bool) -> Document:
        """{"kubeconfig", "expires"}: text, and an RFC 3339 time; with kctl, as `KeyDesk.create`. Raises Invalid, BadRequest."""
        for field, value in (("name", name), *(("groups", group) for group in groups)):
            if not 0 < len(value.encode()) <= MAX_NAME or not value.isprintable():
                cause = FieldCause("FieldValueInvalid", f'Invalid value: "{value}": must be of 1 to {MAX_NAME} printable bytes', field)
                raise Invalid(f'user "{name}" is invalid: {cause.field}: {cause.message}', kind="User", name=name, causes=(cause,))
        if not 0 < ttl_s <= LONGEST_S:
            raise BadRequest(f"a certificate must end after 1 to {LONGEST_S} s, as the cluster's own CA does")
        now = self._clock.now()
        if kctl:
            return await self._key_desk.create(actor, name, groups, expires=now + ttl_s)
        pair = pki.make_client(self._certificates.ca, name, groups, now=now, ends=now + ttl_s)
        made = pki.kubeconfig(self._certificates, cluster=self._cluster, address=self._address, user=name, pair=pair)
        return {"kubeconfig": made.decode(), "expires": rfc3339(now + ttl_s)}
