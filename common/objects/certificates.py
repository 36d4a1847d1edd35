"""CertificateSigningRequest, as its signer and its gatekeepers read it."""

from __future__ import annotations

from common.objects import meta


class RequestSpec(meta.View):
    """request: a PEM request, in base64 once more, as JSON carries bytes."""

    request: str = ""
    signer_name: str = ""
    expiration_seconds: int | None = None
    usages: tuple[str, ...] = ()
    username: str = ""


class RequestStatus(meta.View):
    conditions: tuple[meta.Condition, ...] = ()
    certificate: str = ""


class SigningRequest(meta.View):
    metadata: meta.Meta
    spec: RequestSpec = RequestSpec()
    status: RequestStatus = RequestStatus()

    def says(self, condition: str) -> bool:
        return any(one.type == condition and one.status == "True" for one in self.status.conditions)
