"""The exception tree. Every error that crosses a boundary is one of these.

    SteersmanError
    ├── CallerFault                what was asked is wrong: never retried
    │   ├── BadRequest        400  malformed body, unknown field, bad selector
    │   ├── Unauthorized      401
    │   ├── Forbidden         403
    │   ├── NotFound          404
    │   ├── MethodNotAllowed  405
    │   ├── NotAcceptable     406
    │   ├── AlreadyExists     409
    │   ├── Conflict          409  stale resourceVersion, guard or precondition failed
    │   ├── Expired           410  a revision older than the history that is kept
    │   ├── TooLarge          413
    │   ├── UnsupportedMediaType 415
    │   └── Invalid           422  well-formed, but breaks a rule of its kind; carries the field paths
    └── NotNow                     retried with back-off
        ├── TooManyRequests   429
        ├── Unavailable       503
        └── Timeout           504

Everything else that is raised is a bug: it is logged with its traceback, the task dies, and the supervisor decides.

`code` is the HTTP code, `reason` is Kubernetes' `Status.reason`; `reason` is also the code on our own wire.
A message names the object, what was wrong, and the remedy.
"""

from __future__ import annotations

import msgspec


class FieldCause(msgspec.Struct, frozen=True):
    """One offending field, as in Kubernetes' `Status.details.causes[]`.

    reason: FieldValueInvalid, FieldValueRequired, FieldValueDuplicate, FieldValueNotSupported, FieldValueForbidden,
    FieldValueTooLong, FieldValueNotFound, FieldValueTypeInvalid, FieldManagerConflict.
    """

    reason: str
    message: str
    field: str = ""


class SteersmanError(Exception):
    """The root. `causes` lists offending fields; `group`, `kind`, `name` name the object for `Status.details`."""

    code = 500
    reason = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        causes: tuple[FieldCause, ...] = (),
        group: str = "",
        kind: str = "",
        name: str = "",
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.causes = causes
        self.group = group
        self.kind = kind
        self.name = name
        self.retry_after_s = retry_after_s


class CallerFault(SteersmanError):
    code = 400
    reason = "BadRequest"


class BadRequest(CallerFault):
    pass


class Unauthorized(CallerFault):
    code, reason = 401, "Unauthorized"


class Forbidden(CallerFault):
    code, reason = 403, "Forbidden"


class NotFound(CallerFault):
    code, reason = 404, "NotFound"


class MethodNotAllowed(CallerFault):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(CallerFault):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(CallerFault):
    code, reason = 409, "AlreadyExists"


class Conflict(CallerFault):
    code, reason = 409, "Conflict"


class Expired(CallerFault):
    """continue_: a token with which a client may go on, with what stands there now."""

    code, reason = 410, "Expired"

    def __init__(self, message: str, *, continue_: str = "") -> None:
        super().__init__(message)
        self.continue_ = continue_


class TooLarge(CallerFault):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(CallerFault):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(CallerFault):
    code, reason = 422, "Invalid"


class NotNow(SteersmanError):
    code, reason = 503, "ServiceUnavailable"


class TooManyRequests(NotNow):
    code, reason = 429, "TooManyRequests"


class Unavailable(NotNow):
    code, reason = 503, "ServiceUnavailable"


class Timeout(NotNow):
    code, reason = 504, "Timeout"


BY_REASON: dict[str, type[SteersmanError]] = {
    cls.reason: cls
    for cls in (
        BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, AlreadyExists, Conflict,
        Expired, TooLarge, UnsupportedMediaType, Invalid, TooManyRequests, Unavailable, Timeout,
    )
}  # fmt: skip
"""`Status.reason` to class, to raise on this side of a wire what was raised on the other."""
