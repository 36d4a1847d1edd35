"""The door's refusals, in Kubernetes' words.

Each function makes one error with its text and its details (`Status.details`), for a resource of the registry. Clients
switch on the reason and people search for the sentence, so both are those of apimachinery's `api/errors`. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import AlreadyExists, BadRequest, Conflict, FieldCause, Forbidden, Invalid, MethodNotAllowed, NotFound, TooLarge
from master.api.registry import Resource

STALE = "the object has been modified; please apply your changes to the latest version and try again"


def not_found(resource: Resource, name: str) -> NotFound:
    return NotFound(f'{resource.stored_key} "{name}" not found', group=resource.group, kind=resource.plural, name=name)


def no_resource() -> NotFound:
    return NotFound("the server could not find the requested resource")


def not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource")


def already_exists(resource: Resource, name: str, *, terminating: bool = False) -> AlreadyExists:
    text = f'{resource.stored_key} "{name}" already exists'
    if terminating:
        text = f"object is being deleted: {text}"
    return AlreadyExists(text, group=resource.group, kind=resource.plural, name=name)


def no_unique_name(resource: Resource, name: str) -> AlreadyExists:
    return AlreadyExists(
        f'{resource.stored_key} "{name}" already exists, the server was not able to generate a unique name for the object',
        group=resource.group, kind=resource.plural, name=name, retry_after_s=1,
    )  # fmt: skip


def conflict(resource: Resource, name: str, why: str = STALE, *, subresource: str = "") -> Conflict:
    what = f"{resource.stored_key}/{subresource}" if subresource else resource.stored_key
    return Conflict(
        f'Operation cannot be fulfilled on {what} "{name}": {why}', group=resource.group, kind=resource.plural, name=name
    )


def unconditional(resource: Resource, name: str) -> Invalid:
    """An update that does not say which revision it changes, of a kind where it must."""
    cause = FieldCause("FieldValueInvalid", "Invalid value: 0x0: must be specified for an update", "metadata.resourceVersion")
    return invalid(resource.plural, resource.group, name, [cause])


def forbidden(resource: Resource, name: str, why: str, *, causes: tuple[FieldCause, ...] = ()) -> Forbidden:
    what = f'{resource.stored_key} "{name}"' if name else resource.stored_key
    return Forbidden(f"{what} is forbidden: {why}", group=resource.group, kind=resource.plural, name=name, causes=causes)


def invalid(kind: str, group: str, name: str, causes: Sequence[FieldCause]) -> Invalid:
    """One sentence for one offending field, a list for several; each field is named once for each message."""
    found = tuple(dict.fromkeys(causes))
    texts = [f"{cause.field}: {cause.message}" for cause in found]
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    what = f"{kind}.{group}" if group else kind
    return Invalid(f'{what} "{name}" is invalid: {said}', group=group, kind=kind, name=name, causes=found)


def too_large(resource: Resource, name: str, *, size: int, limit: int) -> TooLarge:
    return TooLarge(
        f'{resource.stored_key} "{name}" would be too large: {size} bytes, and the limit is {limit}',
        group=resource.group, kind=resource.plural, name=name,
    )  # fmt: skip


def wrong_version(given: str, expected: str) -> BadRequest:
    return BadRequest(f"the API version in the data ({given}) does not match the expected API version ({expected})")


def wrong_kind(version: str, kind: str, expected: Resource) -> BadRequest:
    """Kubernetes converts all that it is sent to its inner types, which are named after their groups."""
    number, inner = version.rpartition("/")[2], expected.group.partition(".")[0] or "core"
    return BadRequest(
        f'{kind} in version "{number}" cannot be handled as a {expected.kind}: '
        f"converting ({number}.{kind}) to ({inner}.{expected.kind}): unknown conversion"
    )


def unregistered(version: str, kind: str, expected: Resource) -> BadRequest:
    return BadRequest(
        f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {expected.kind}: '
        f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
    )
