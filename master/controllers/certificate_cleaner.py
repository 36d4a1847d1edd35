"""Removes old certificate requests, after the deadlines of Kubernetes' own cleaner. Without it, what is asked for by machines only grows.

    nobody has said anything                         → a day after it was made
    denied, or failed at its signer                  → an hour after that was said
    approved, with its certificate                   → an hour after the approval, or when the certificate ends, if that is sooner
    approved, without one (another signer's work)    → kept

Kubernetes looks once an hour, so there a request may live up to an hour longer; here each goes at its time.
"""

from __future__ import annotations

import base64

from cryptography import x509

from common.clock import parse_rfc3339
from common.objects.certificates import SigningRequest
from master.api.contract import Actor, DeleteObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, cause, itself
from master.controllers.view import ReadView

KEY = "certificatesigningrequests.certificates.k8s.io"
PENDING_S = 24 * 3600.0
ANSWERED_S = 3600.0
ACTOR = Actor(Role.CERTIFICATES.user, Role.CERTIFICATES)


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    request = view.get(SigningRequest, key)
    if request is None or request.metadata.deletion_timestamp is not None:
        return NOTHING
    ends = deadlines(request)
    if not ends:
        return NOTHING
    at, rule, why = min(ends)
    if now < at:
        return Outcome((), at - now)
    return Outcome((DeleteObject(key, cause(ACTOR, rule, why, request), uid=request.metadata.uid),))


def deadlines(request: SigningRequest) -> list[tuple[float, str, str]]:
    """When it is to go, in seconds since the epoch, by which rule, and why; the first of them counts."""
    status = request.status
    if not status.conditions:
        made = request.metadata.creation_timestamp
        return [(parse_rfc3339(made) + PENDING_S, "Pending", "nobody has approved or denied it for a day")] if made else []
    found = []
    for condition in status.conditions:
        said = parse_rfc3339(condition.last_update_time) + ANSWERED_S if condition.last_update_time else None
        if condition.type in ("Denied", "Failed") and said is not None:
            found.append((said, condition.type, f"an hour has passed since it {'was denied' if condition.type == 'Denied' else 'failed'}"))
        if condition.type == "Approved" and status.certificate:
            if said is not None:
                found.append((said, "Issued", "an hour has passed since it was approved, and its certificate is there"))
            end = _end(status.certificate)
            if end is not None:
                found.append((end, "Expired", "its certificate has ended"))
    return found


def _end(certificate: str) -> float | None:
    """The end of the first one (PEM, in base64). None: it is none, and no reason to act."""
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(certificate)).not_valid_after_utc.timestamp()
    except ValueError:
        return None


CONTROLLER = Controller("csrcleaner-controller", ACTOR, {KEY: itself}, reconcile, workers=1)
