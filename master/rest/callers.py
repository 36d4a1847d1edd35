"""Who calls: from a client certificate, and from the impersonation headers, to an Actor.

Owns authentication on the HTTPS front; what an actor may do is the door's business. The TLS layer has checked the certificate
against the cluster's CA before anything here runs: CN is the user, each O a group, as in Kubernetes.
Without a certificate the caller is `system:anonymous`, who may read health and version and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import Forbidden, Unauthorized
from master.api.contract import Actor

AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"
ANONYMOUS = Actor("system:anonymous", groups=("system:unauthenticated",))


def of_certificate(certificate: Mapping[str, Any] | None) -> Actor | None:
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
    return Actor(name, groups=(*groups, AUTHENTICATED)) if name else None


def acting(caller: Actor | None, headers: Mapping[str, str]) -> Actor:
    """The caller, or whom it impersonates (`kubectl --as`), which only masters may. Raises Unauthorized, Forbidden."""
    if caller is None:
        raise Unauthorized("Unauthorized")
    user = headers.get("Impersonate-User")
    if user is None:
        if "Impersonate-Group" in headers or "Impersonate-Uid" in headers:
            raise Forbidden("requested impersonation of a group or uid without impersonating a user")
        return caller
    if MASTERS not in caller.groups:
        raise Forbidden(f'users "{user}" is forbidden: User "{caller.name}" cannot impersonate resource "users" in API group ""')
    getall = getattr(headers, "getall", None)
    groups = getall("Impersonate-Group", []) if getall else [headers["Impersonate-Group"]] if "Impersonate-Group" in headers else []
    return Actor(user, groups=tuple(dict.fromkeys((*groups, AUTHENTICATED))))
