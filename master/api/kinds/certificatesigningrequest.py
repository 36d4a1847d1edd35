"""CertificateSigningRequest: who wants which certificate, and what became of it. `controllers/certificates.py` signs, or somebody else.

Who asks is the server's to say (`admission.admit_request`). The spec never changes; an approval, a denial and a failure stay once
they are there; approvals come through /approval and the certificate through /status.
"""

from __future__ import annotations

import base64
import binascii

from cryptography import x509
from cryptography.x509.oid import NameOID

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, at, human_duration, plain

PEM = b"-----BEGIN CERTIFICATE REQUEST-----"
DECISIONS = ("Approved", "Denied")
LASTING = (*DECISIONS, "Failed")
SHORTEST_S = 600


def _condition(document: Document, now: float) -> str:
    words = {c.get("type") for c in at(document, "status.conditions") or ()}
    text = "Denied" if "Denied" in words else "Approved" if "Approved" in words else "Pending"
    if "Failed" in words:
        text += ",Failed"
    return text + (",Issued" if at(document, "status.certificate") else "")


def _duration(document: Document, now: float) -> str:
    seconds = at(document, "spec.expirationSeconds")
    return "<none>" if seconds is None else human_duration(seconds)


COLUMNS = (
    NAME,
    AGE,
    plain("SignerName", "spec.signerName", "Who is to sign."),
    plain("Requestor", "spec.username", "Who asks."),
    Column("RequestedDuration", _duration, description="For how long it is to be valid."),
    Column("Condition", _condition, description="Whether it was approved, denied, issued."),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {}
    else:
        new["spec"] = old["spec"]


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    if old is not None:
        return found + _conditions(new, old)
    spec = new.get("spec") or {}
    found += _request(spec.get("request") or "")
    signer, seconds = spec.get("signerName", ""), spec.get("expirationSeconds")
    if not signer:
        found.append(rules.required("spec.signerName"))
    elif not all(signer.partition("/")[::2]) or rules.subdomain_name("", signer.partition("/")[0]):
        why = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
        found.append(rules.invalid("spec.signerName", signer, why))
    if not spec.get("usages"):
        found.append(rules.required("spec.usages"))
    if seconds is not None and seconds < SHORTEST_S:
        found.append(rules.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"))
    return found


def _request(text: str) -> list[FieldCause]:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return [rules.invalid("spec.request", "", "must be base64 encoded")]
    if not raw.lstrip().startswith(PEM):
        return [rules.invalid("spec.request", text[:64], "PEM block type must be CERTIFICATE REQUEST")]
    try:
        x509.load_pem_x509_csr(raw)
    except ValueError as error:
        return [rules.invalid("spec.request", text[:64], f"it cannot be read: {str(error).splitlines()[0]}")]
    return []


def organizations(request: Document) -> list[str]:
    """The groups that the certificate would be of. The request has been validated."""
    asked = x509.load_pem_x509_csr(base64.b64decode((request.get("spec") or {}).get("request") or ""))
    return [str(part.value) for part in asked.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def _conditions(new: Document, old: Document) -> list[FieldCause]:
    now, before = (list(at(each, "status.conditions") or ()) for each in (new, old))
    found: list[FieldCause] = []
    for word in LASTING:
        kept = [c for c in before if c.get("type") == word]
        if kept and not any(c.get("type") == word for c in now):
            found.append(rules.forbidden("status.conditions", f"updates may not remove a condition of type \"{word}\""))
    words = [c.get("type") for c in now]
    if all(word in words for word in DECISIONS):
        found.append(rules.invalid("status.conditions", "Approved", "Approved and Denied conditions are mutually exclusive"))
    for i, condition in enumerate(now):
        if condition.get("type") in LASTING and condition.get("status") != "True":
            found.append(rules.unsupported(f"status.conditions[{i}].status", condition.get("status", ""), ("True",)))
    return found


def fields(document: Document) -> dict[str, str]:
    return {"spec.signerName": at(document, "spec.signerName") or ""}
