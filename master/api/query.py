"""Query parameters, and the DeleteOptions body, as the door's own option types.

Pure. Owns how text becomes values (Kubernetes' own rules: any value but `false` and `0` is true) and which combinations make no
sense. A wrong value is refused with its parameter's name; an unknown parameter is passed over, as Kubernetes does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from common.errors import BadRequest, FieldCause, Invalid
from master.api import faults
from master.api.contract import DeleteOptions, Selection, WriteOptions

Query = Mapping[str, str]
MAX_TIMEOUT_S = 24 * 3600
_MODES = ("Strict", "Warn", "Ignore")
_MATCH = "resourceVersionMatch"
_INTEGER = re.compile(r"[-+]?[0-9]+")
_POLICIES = ("Foreground", "Background", "Orphan")
MAX_MANAGER = 128


class ListQuery(msgspec.Struct, frozen=True):
    """revision None: the present. exact: as of `revision`, else not older than it."""

    selection: Selection = Selection()
    limit: int = 0
    continue_: str = ""
    revision: int | None = None
    exact: bool = False


class WatchQuery(msgspec.Struct, frozen=True):
    """after None: the present state first. from_now: changes only, from whatever revision is the newest."""

    selection: Selection = Selection()
    after: int | None = None
    from_now: bool = False
    initial: bool = False
    bookmarks: bool = False
    timeout_s: int | None = None


def flag(query: Query, name: str) -> bool:
    value = query.get(name)
    return value is not None and value.lower() not in ("false", "0")


def number(query: Query, name: str) -> int | None:
    """A whole number, or None when absent or empty. Raises BadRequest."""
    text = query.get(name, "")
    if not text:
        return None
    if not (_INTEGER.fullmatch(text) and len(text) < 19):
        raise BadRequest(f"strconv.ParseInt: parsing {msgspec.json.encode(text[:64]).decode()}: invalid syntax")
    return int(text)


def revision(query: Query) -> int | None:
    """`resourceVersion`, or None when absent or empty. Raises Invalid."""
    text = query.get("resourceVersion", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        shown = msgspec.json.encode(text[:64]).decode()
        message = f"Invalid value: {shown}: strconv.ParseUint: parsing {shown}: invalid syntax"
        raise Invalid(f"resourceVersion: {message}", causes=(FieldCause("FieldValueInvalid", message, "resourceVersion"),))
    return int(text)


def selection(query: Query, *, name: str = "") -> Selection:
    """name: the one object that the path names, for a watch of it."""
    fields = query.get("fieldSelector", "")
    if name:
        fields = f"metadata.name={name},{fields}" if fields else f"metadata.name={name}"
    return Selection(query.get("labelSelector", ""), fields)


def _refused(kind: str, problems: Sequence[FieldCause]) -> None:
    """Raises Invalid if there are any. kind: of the options."""
    if problems:
        raise faults.invalid(kind, "meta.k8s.io", "", problems)


def _forbidden(field: str, why: str) -> FieldCause:
    return FieldCause("FieldValueForbidden", f"Forbidden: {why}", field)


def _unsupported(field: str, value: str, supported: Sequence[str]) -> FieldCause:
    """Subtle: in the order given, as Kubernetes' options have them."""
    words = ", ".join(f'"{word}"' for word in supported)
    shown = msgspec.json.encode(value).decode()
    return FieldCause("FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {words}", field)


def _list_problems(query: Query, match: str) -> Iterator[FieldCause]:
    if match:
        if not query.get("resourceVersion"):
            yield _forbidden(_MATCH, f"{_MATCH} is forbidden unless resourceVersion is provided")
        if query.get("continue"):
            yield _forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided")
        if match not in ("Exact", "NotOlderThan"):
            yield _unsupported(_MATCH, match, ("Exact", "NotOlderThan", ""))
        if match == "Exact" and query.get("resourceVersion") == "0":
            yield _forbidden(_MATCH, f'{_MATCH} "exact" is forbidden for resourceVersion "0"')
    if query.get("sendInitialEvents") is not None:
        yield _forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _watch_problems(query: Query, match: str) -> Iterator[FieldCause]:
    asked = query.get("sendInitialEvents") is not None
    if asked and match != "NotOlderThan":
        yield _forbidden(_MATCH, f"sendInitialEvents requires setting {_MATCH} to NotOlderThan")
    if match:
        if not asked:
            yield _forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided")
        if match != "NotOlderThan":
            yield _unsupported(_MATCH, match, ("NotOlderThan",))
        if query.get("continue"):
            yield _forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided")


def for_list(query: Query) -> ListQuery:
    match = query.get(_MATCH, "")
    _refused("ListOptions", list(_list_problems(query, match)))
    number(query, "timeoutSeconds")  # of no use here, and refused all the same when it is none
    limit, token, at = number(query, "limit") or 0, query.get("continue", ""), revision(query)
    if token and at:
        raise BadRequest("specifying resource version is not allowed when using continue")
    # Kubernetes' older rule: a limited list at a revision, with no match said, means exactly that revision.
    exact = match == "Exact" or (not match and bool(at) and limit > 0)
    return ListQuery(selection(query), max(limit, 0), token, at or None, exact)


def for_watch(query: Query, *, name: str = "") -> WatchQuery:
    _refused("ListOptions", list(_watch_problems(query, query.get(_MATCH, ""))))
    at, timeout_s = revision(query), number(query, "timeoutSeconds")
    initial = flag(query, "sendInitialEvents")
    return WatchQuery(
        selection=selection(query, name=name),
        after=None if initial else at or None,
        from_now=query.get("sendInitialEvents") is not None and not initial and not at,
        initial=initial,
        bookmarks=flag(query, "allowWatchBookmarks"),
        timeout_s=min(timeout_s, MAX_TIMEOUT_S) if timeout_s and timeout_s > 0 else None,
    )


def _dry_run_asked(query: Query) -> list[str]:
    getall = getattr(query, "getall", None)
    return getall("dryRun", []) if getall else [query["dryRun"]] if "dryRun" in query else []


def _dry_run_problems(values: Sequence[str]) -> Iterator[FieldCause]:
    if any(value != "All" for value in values):
        shown = ", ".join(msgspec.json.encode(value).decode() for value in values)
        yield FieldCause("FieldValueNotSupported", f'Unsupported value: []string{{{shown}}}: supported values: "All"', "dryRun")


def _write_problems(query: Query, kind: str, *, apply: bool) -> Iterator[FieldCause]:
    manager, mode = query.get("fieldManager", ""), query.get("fieldValidation", "")
    if kind == "PatchOptions" and not apply and "force" in query:
        yield _forbidden("force", "may not be specified for non-apply patch")
    if apply and not manager:
        yield FieldCause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
    yield from _manager_problems(manager)
    yield from _dry_run_problems(_dry_run_asked(query))
    if mode and mode not in _MODES:
        yield _unsupported("fieldValidation", mode, ("", "Ignore", "Strict", "Warn"))


def for_write(query: Query, *, user_agent: str, kind: str, warnings: list[str], apply: bool = False) -> WriteOptions:
    """kind: CreateOptions, UpdateOptions or PatchOptions, for the error's text. apply: names its manager itself, and may take fields by
    force. Raises Invalid."""
    _refused(kind, list(_write_problems(query, kind, apply=apply)))
    return WriteOptions(
        dry_run=bool(_dry_run_asked(query)),
        field_manager=query.get("fieldManager", "") or user_agent.partition("/")[0][:128],
        field_validation=query.get("fieldValidation", "") or "Warn",
        warnings=warnings,
        force=apply and flag(query, "force"),
    )


def _manager_problems(manager: str) -> Iterator[FieldCause]:
    if len(manager.encode()) > MAX_MANAGER:
        yield FieldCause("FieldValueTooLong", f"Too long: may not be more than {MAX_MANAGER} bytes", "fieldManager")
    shown, at = msgspec.json.encode(manager).decode(), 0
    for character in manager:
        if not character.isprintable():
            why = f"invalid character U+{ord(character):04X} (at position {at})"
            yield FieldCause("FieldValueInvalid", f"Invalid value: {shown}: {why}", "fieldManager")
        at += len(character.encode())


class _Preconditions(msgspec.Struct):
    uid: str | None = None
    resource_version: str | None = msgspec.field(default=None, name="resourceVersion")


class _DeleteBody(msgspec.Struct, rename="camel"):
    kind: str = "DeleteOptions"
    grace_period_seconds: int | None = None
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    preconditions: _Preconditions | None = None
    dry_run: list[str] | None = None


def for_delete(query: Query, body: Any = None) -> DeleteOptions:
    """body: the decoded DeleteOptions document, or None: then the query says all, which says nothing beside a body."""
    query = query if body is None else {}
    try:
        asked = msgspec.convert(body or {}, _DeleteBody)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body is not a DeleteOptions: {error}") from None
    if asked.kind != "DeleteOptions":
        raise BadRequest(f"the body of a deletion must be a DeleteOptions, not a {asked.kind}")
    policy = asked.propagation_policy or query.get("propagationPolicy") or None
    orphan = asked.orphan_dependents
    if orphan is None and "orphanDependents" in query:
        orphan = flag(query, "orphanDependents")
    dry_run = asked.dry_run if asked.dry_run is not None else _dry_run_asked(query)
    _refused("DeleteOptions", list(_delete_problems(policy, orphan, dry_run)))
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    grace_s = asked.grace_period_seconds
    if grace_s is None:
        grace_s = number(query, "gracePeriodSeconds")
    preconditions = asked.preconditions or _Preconditions()
    return DeleteOptions(
        propagation=policy, grace_s=grace_s, uid=preconditions.uid, resource_version=preconditions.resource_version, dry_run=bool(dry_run),
        accepted=orphan is False,
    )  # fmt: skip


def _delete_problems(policy: str | None, orphan: bool | None, dry_run: Sequence[str]) -> Iterator[FieldCause]:
    if policy is not None and orphan is not None:
        shown = msgspec.json.encode(policy).decode()
        why = f"Invalid value: {shown}: orphanDependents and deletionPropagation cannot be both set"
        yield FieldCause("FieldValueInvalid", why, "propagationPolicy")
    if policy is not None and policy not in _POLICIES:
        yield _unsupported("propagationPolicy", policy, (*_POLICIES, "nil"))
    yield from _dry_run_problems(dry_run)
