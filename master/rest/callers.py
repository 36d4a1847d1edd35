"""Who calls: from a client certificate or a bearer token, and from the impersonation headers, to an Actor.

Owns authentication on the HTTPS front; what an actor may do is the door's business, also whether it may act as somebody else. The
TLS layer has checked the certificate against the cluster's CA before anything here runs: CN is the user, each O a group, as in
Kubernetes. That it was not taken back is asked with each request, since a connection may be older than that. A certificate goes before
a token; a token is a ServiceAccount's. Who shows neither may read health and version and nothing else.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import hdrs

from common.errors import Unauthorized
from master import pki
from master.api.access import impersonation, tokens
from master.api.access.revocation import Revocations
from master.api.access.rules import Access
from master.api.contract import Actor, Door
from master.rest.complaints import Complaints

BEARER = "bearer "


class Certified(msgspec.Struct, frozen=True):
    """Whom a certificate names. issued: when it was made, wall-clock seconds."""

    actor: Actor
    issued: float = 0.0


def of_certificate(certificate: Mapping[str, Any] | None) -> Certified | None:
    """certificate: as `SSLSocket.getpeercert()` gives it. None without one, or without a common name in it."""
    if not certificate:
        return None
    name, groups = "", []
    for relative in certificate.get("subject", ()):
        for key, value in relative:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    if not name:
        return None
    issued = ssl.cert_time_to_seconds(certificate["notBefore"]) + pki.SKEW.total_seconds() if "notBefore" in certificate else 0.0
    return Certified(Actor(name, groups=tuple(dict.fromkeys((*groups, tokens.AUTHENTICATED)))), issued)


class Callers:
    """One per front."""

    def __init__(self, door: Door, complaints: Complaints) -> None:
        self._door = door
        self._complaints = complaints
        self._revocations = Revocations(door.views)

    def acting(self, certified: Certified | None, headers: Mapping[str, str], address: str) -> Actor:
        """The caller, or whom it acts as (`kubectl --as`). certified: of the connection's certificate. Raises Unauthorized, Forbidden."""
        if certified is None:
            caller = self._of_token(headers.get(hdrs.AUTHORIZATION, ""), address)
        elif self._revocations.covers(certified.actor.name, certified.issued):
            self._complaints.about(address, "certificate-refused", f"that of {certified.actor.name} was revoked")
            raise Unauthorized("Unauthorized")
        else:
            caller = certified.actor
        if not any(name[:12].lower() == "impersonate-" for name in headers):
            return caller
        wanted = impersonation.asked(headers.items())
        if wanted is None:
            return caller
        for access in impersonation.needed(wanted):
            self._door.authorize(caller, access)
        return impersonation.completed(wanted)

    def _of_token(self, header: str, address: str) -> Actor:
        authority = self._door.authority
        if authority is not None and header[: len(BEARER)].lower() == BEARER:
            try:
                return authority.check(header[len(BEARER) :].strip())[0]
            except tokens.Invalid as error:
                self._complaints.about(address, "token-refused", error)
        raise Unauthorized("Unauthorized")

    def check_path(self, actor: Actor, method: str, path: str) -> None:
        """For what is no resource. Raises Forbidden."""
        self._door.authorize(actor, Access("get" if method == "HEAD" else method.lower(), path=path))
