"""Query parameters, and the DeleteOptions body, as the door's own option types.

Pure. Owns how text becomes values (Kubernetes' own rules: any value but `false` and `0` is true) and which combinations make no
sense. A wrong value is refused with its parameter's name; an unknown parameter is passed over, as Kubernetes does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from common.errors import BadRequest, FieldCause, Invalid
from master.api.contract import DeleteOptions, Selection, WriteOptions

Query = Mapping[str, str]
MAX_TIMEOUT_S = 24 * 3600
_MODES = ("Strict", "Warn", "Ignore")
_MATCHES = ("", "Exact", "NotOlderThan")
_POLICIES = ("Background", "Foreground", "Orphan")


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
    """A whole number >= 0, or None when absent or empty."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f'invalid {name} "{text}": must be a whole number, 0 or more')
    return int(text)


def selection(query: Query, *, name: str = "") -> Selection:
    """name: the one object that the path names, for a watch of it."""
    fields = query.get("fieldSelector", "")
    if name:
        fields = f"metadata.name={name},{fields}" if fields else f"metadata.name={name}"
    return Selection(query.get("labelSelector", ""), fields)


def _refuse(field: str, message: str, reason: str = "FieldValueForbidden") -> Invalid:
    return Invalid(
        f'ListOptions.meta.k8s.io "" is invalid: {field}: {message}',
        causes=(FieldCause(reason, message, field),), group="meta.k8s.io", kind="ListOptions",
    )  # fmt: skip


def _match(query: Query) -> str:
    match = query.get("resourceVersionMatch", "")
    if match not in _MATCHES:
        raise _refuse(
            "resourceVersionMatch", f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"', "FieldValueNotSupported"
        )
    return match


def for_list(query: Query) -> ListQuery:
    match, revision = _match(query), number(query, "resourceVersion")
    limit, token = number(query, "limit") or 0, query.get("continue", "")
    if query.get("sendInitialEvents") is not None:
        raise _refuse("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")
    if match and revision is None:
        raise _refuse("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match and token:
        raise _refuse("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden when continue is provided")
    if match == "Exact" and revision == 0:
        raise _refuse("resourceVersionMatch", 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if token and revision:
        raise BadRequest("specifying resource version is not allowed when using continue")
    # Kubernetes' older rule: a limited list at a revision, with no match said, means exactly that revision.
    exact = match == "Exact" or (not match and bool(revision) and limit > 0)
    return ListQuery(selection(query), limit, token, revision or None, exact)


def for_watch(query: Query, *, name: str = "") -> WatchQuery:
    match, revision = _match(query), number(query, "resourceVersion")
    timeout_s = number(query, "timeoutSeconds")
    asked = query.get("sendInitialEvents") is not None
    if match and not asked:
        raise _refuse("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    if asked and match != "NotOlderThan":
        raise _refuse("resourceVersionMatch", "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    initial = flag(query, "sendInitialEvents")
    return WatchQuery(
        selection=selection(query, name=name),
        after=None if initial else revision or None,
        from_now=asked and not initial and not revision,
        initial=initial,
        bookmarks=flag(query, "allowWatchBookmarks"),
        timeout_s=min(timeout_s, MAX_TIMEOUT_S) if timeout_s else None,
    )


def _dry_run(values: list[str], kind: str) -> bool:
    for value in values:
        if value != "All":
            message = f'Unsupported value: "{value}": supported values: "All"'
            raise Invalid(
                f'{kind}.meta.k8s.io "" is invalid: dryRun: {message}',
                causes=(FieldCause("FieldValueNotSupported", message, "dryRun"),), group="meta.k8s.io", kind=kind,
            )  # fmt: skip
    return bool(values)


def _dry_run_asked(query: Query) -> list[str]:
    getall = getattr(query, "getall", None)
    return getall("dryRun", []) if getall else [query["dryRun"]] if "dryRun" in query else []


def for_write(query: Query, *, user_agent: str, kind: str, warnings: list[str]) -> WriteOptions:
    """kind: CreateOptions, UpdateOptions or PatchOptions, for the error's text."""
    mode = query.get("fieldValidation", "") or "Warn"
    if mode not in _MODES:
        message = f'Unsupported value: "{mode}": supported values: "Ignore", "Strict", "Warn"'
        raise Invalid(
            f'{kind}.meta.k8s.io "" is invalid: fieldValidation: {message}',
            causes=(FieldCause("FieldValueNotSupported", message, "fieldValidation"),), group="meta.k8s.io", kind=kind,
        )  # fmt: skip
    manager = query.get("fieldManager", "")
    if problem := _manager_problem(manager):
        raise Invalid(
            f'{kind}.meta.k8s.io "" is invalid: fieldManager: {problem.message}',
            causes=(problem,), group="meta.k8s.io", kind=kind,
        )  # fmt: skip
    return WriteOptions(
        dry_run=_dry_run(_dry_run_asked(query), kind),
        field_manager=manager or user_agent.partition("/")[0][:128],
        field_validation=mode,
        warnings=warnings,
    )


def for_apply(query: Query, options: WriteOptions) -> WriteOptions:
    """An apply names its manager itself, and may take fields by force."""
    return msgspec.structs.replace(options, field_manager=query.get("fieldManager", ""), force=flag(query, "force"))


def check_no_force(query: Query) -> None:
    """Only an apply has a force. Raises Invalid."""
    if "force" in query:
        cause = FieldCause("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force")
        raise Invalid(
            f'PatchOptions.meta.k8s.io "" is invalid: force: {cause.message}', causes=(cause,), group="meta.k8s.io", kind="PatchOptions"
        )


def _manager_problem(manager: str) -> FieldCause | None:
    if len(manager) > 128:
        return FieldCause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager")
    if not manager.isprintable():
        shown = msgspec.json.encode(manager).decode()
        return FieldCause("FieldValueInvalid", f"Invalid value: {shown}: should only contain printable characters", "fieldManager")
    return None


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
    """body: the decoded DeleteOptions document, or None. What the body does not say, the query may."""
    try:
        asked = msgspec.convert(body or {}, _DeleteBody)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body is not a DeleteOptions: {error}") from None
    if asked.kind != "DeleteOptions":
        raise BadRequest(f"the body of a deletion must be a DeleteOptions, not a {asked.kind}")
    grace_s = asked.grace_period_seconds
    if grace_s is None:
        grace_s = number(query, "gracePeriodSeconds")
    policy = asked.propagation_policy or query.get("propagationPolicy") or None
    orphan = asked.orphan_dependents
    if orphan is None and "orphanDependents" in query:
        orphan = flag(query, "orphanDependents")
    if policy is not None and orphan is not None:
        raise BadRequest("orphanDependents and deletionPropagation cannot be both set")
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    if policy is not None and policy not in _POLICIES:
        message = f'Unsupported value: "{policy}": supported values: "Background", "Foreground", "Orphan"'
        raise Invalid(
            f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: {message}',
            causes=(FieldCause("FieldValueNotSupported", message, "propagationPolicy"),), group="meta.k8s.io", kind="DeleteOptions",
        )  # fmt: skip
    preconditions = asked.preconditions or _Preconditions()
    return DeleteOptions(
        propagation=policy,
        grace_s=grace_s,
        uid=preconditions.uid,
        resource_version=preconditions.resource_version,
        dry_run=_dry_run(asked.dry_run if asked.dry_run is not None else _dry_run_asked(query), "DeleteOptions"),
    )
