"""Signs approved requests for client certificates: the signer `kubernetes.io/kube-apiserver-client`, and no other.

    approved, without a certificate ─► usages fit? ─► status.certificate
                                          └─ no ────► condition Failed, with the reason

Approving is people's: nothing is approved by itself. Requests for any other signer are let be; whoever runs it finds them as Kubernetes
has them. The CA's key is not here: `sign` comes from the composition, and is the one thing here that is no plain function of values.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from common.errors import Invalid
from common.objects.certificates import SigningRequest
from master.api.contract import Actor, Document, PatchObject, Ref, Role
from master.controllers.controller import NOTHING, Controller, Outcome, cause, condition_document, itself, revision, timestamp
from master.controllers.view import ReadView

Sign = Callable[[bytes, float, float], bytes]
"""The certificate (PEM) of a request (PEM), from now until then at the latest. Raises Invalid."""

KEY = "certificatesigningrequests.certificates.k8s.io"
SIGNER = "kubernetes.io/kube-apiserver-client"
USAGES = frozenset(("digital signature", "key encipherment", "client auth"))
LONGEST_S = 365 * 24 * 3600
"""For a request that asks for no time, and what it can have at most."""
ACTOR = Actor(Role.CERTIFICATES.user, Role.CERTIFICATES)


def reconcile(view: ReadView, key: Ref, now: float, sign: Sign) -> Outcome:
    request = view.get(SigningRequest, key)
    if request is None or request.spec.signer_name != SIGNER or request.status.certificate or not request.says("Approved"):
        return NOTHING
    if request.says("Denied") or request.says("Failed") or request.metadata.deletion_timestamp is not None:
        return NOTHING
    asked = set(request.spec.usages)
    if "client auth" not in asked or not asked <= USAGES:
        wrong = "must have the usage \"client auth\", and none but \"digital signature\", \"key encipherment\" and \"client auth\""
        return _failed(request, key, wrong, now)
    lifetime_s = min(request.spec.expiration_seconds or LONGEST_S, LONGEST_S)
    try:
        certificate = sign(base64.b64decode(request.spec.request), now, now + lifetime_s)
    except Invalid as error:
        return _failed(request, key, error.message, now)
    why = f"{request.spec.username} asked, and it was approved"
    return _written(request, key, {"certificate": base64.b64encode(certificate).decode()}, rule="Issue", why=why)


def _failed(request: SigningRequest, key: Ref, why: str, now: float) -> Outcome:
    condition = {
        "type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": why, "lastUpdateTime": timestamp(now),
        "lastTransitionTime": timestamp(now),
    }  # fmt: skip
    standing = [condition_document(one) for one in request.status.conditions]
    return _written(request, key, {"conditions": [*standing, condition]}, rule="SignerValidationFailure", why=why)


def _written(request: SigningRequest, key: Ref, status: Document, *, rule: str, why: str) -> Outcome:
    told = cause(ACTOR, rule, why, request)
    change = PatchObject(
        key, {"status": status}, told, subresource="status", uid=request.metadata.uid, expected=revision(request)
    )  # fmt: skip
    return Outcome((change,))


def controller(sign: Sign) -> Controller:
    return Controller(
        "csrsigning-controller", ACTOR, {KEY: itself}, lambda view, key, now: reconcile(view, key, now, sign), workers=1
    )
