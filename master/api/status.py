"""An error as Kubernetes' `Status` document: what every front answers with.

Clients switch on `reason`; `details` names the object and the offending fields. Internals of a bug never get out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from common.errors import Expired, SteersmanError
from master.api.contract import Document


def of(error: SteersmanError) -> Document:
    """The Status of an error of ours."""
    details: Document = {}
    for field in ("name", "group", "kind"):
        if getattr(error, field):
            details[field] = getattr(error, field)
    if error.causes:
        details["causes"] = [
            {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in error.causes
        ]
    if error.retry_after_s is not None:
        details["retryAfterSeconds"] = error.retry_after_s
    document: Document = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {"continue": error.continue_} if isinstance(error, Expired) and error.continue_ else {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.code,
    }
    if details:
        document["details"] = details
    return document


def success(message: str = "", *, code: int = 200, **details: Any) -> bytes:
    """The encoded Status of a success; empty details are left out."""
    document: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if message:
        document["message"] = message
    details = {key: value for key, value in details.items() if value}
    if details:
        document["details"] = details
    if code != 200:
        document["code"] = code
    return msgspec.json.encode(document)
