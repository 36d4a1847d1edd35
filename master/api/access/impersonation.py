"""Acting as somebody else (`kubectl --as`): whom the headers name, and which rights that takes. Pure.

    Impersonate-User: bob                     `impersonate` on users bob; for system:serviceaccount:NS:NAME on the ServiceAccount
    Impersonate-Group: dev (repeatable)       on groups dev
    Impersonate-Uid: 1                        on uids 1 (authentication.k8s.io)
    Impersonate-Extra-KEY: value              on userextras/KEY value (authentication.k8s.io)

All that is named must be allowed to the caller. The same list of rights is asked of those who have credentials for others made
(`kctl user create`), since credentials are a way of acting as somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from common.errors import Forbidden
from master.api.access import tokens
from master.api.access.index import SERVICE_ACCOUNT
from master.api.access.rules import Access
from master.api.contract import Actor

ANONYMOUS, UNAUTHENTICATED = "system:anonymous", "system:unauthenticated"
_GROUP = "authentication.k8s.io"
_EXTRA = "impersonate-extra-"


def asked(headers: Iterable[tuple[str, str]]) -> Actor | None:
    """Whom the request wants to act as, with the groups, uid and extra that it names; None for the caller itself. headers: pairs, names in
    any case. Raises Forbidden for a group, uid or extra without a user."""
    user, uid, groups, extra = "", "", [], dict[str, list[str]]()
    for name, value in headers:
        lower = name.lower()
        if lower == "impersonate-user":
            user = value
        elif lower == "impersonate-uid":
            uid = value
        elif lower == "impersonate-group":
            groups.append(value)
        elif lower.startswith(_EXTRA):
            extra.setdefault(unquote(lower.removeprefix(_EXTRA)), []).append(value)
    if not user and (uid or groups or extra):
        raise Forbidden("requested impersonation of groups, a uid or extra without impersonating a user")
    return Actor(user, groups=tuple(groups), uid=uid, extra=tuple((k, tuple(v)) for k, v in extra.items())) if user else None


def needed(wanted: Actor) -> list[Access]:
    """The rights that acting as `wanted` takes."""
    account = service_account(wanted.name)
    if account is None:
        found = [Access("impersonate", resource="users", name=wanted.name)]
    else:
        found = [Access("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])]
    found += [Access("impersonate", resource="groups", name=group) for group in wanted.groups]
    if wanted.uid:
        found.append(Access("impersonate", _GROUP, "uids", name=wanted.uid))
    return found + [
        Access("impersonate", _GROUP, "userextras", subresource=key, name=value) for key, values in wanted.extra for value in values
    ]


def completed(wanted: Actor) -> Actor:
    """With the groups that every such user has: a ServiceAccount its own unless others are named, all who are somebody
    `system:authenticated`."""
    groups, account = wanted.groups, service_account(wanted.name)
    if account is not None and not groups:
        groups = tokens.groups(account[0])
    mark = UNAUTHENTICATED if wanted.name == ANONYMOUS else tokens.AUTHENTICATED
    if UNAUTHENTICATED not in groups:
        groups = tuple(dict.fromkeys((*groups, mark)))
    return Actor(wanted.name, groups=groups, uid=wanted.uid, extra=wanted.extra)


def service_account(user: str) -> tuple[str, str] | None:
    """Namespace and name, for a user that is a ServiceAccount."""
    namespace, colon, name = user.removeprefix(SERVICE_ACCOUNT).partition(":")
    return (namespace, name) if user.startswith(SERVICE_ACCOUNT) and colon and namespace and name else None


def user_info(actor: Actor) -> Mapping[str, object]:
    """authentication.k8s.io/v1 UserInfo."""
    info: dict[str, object] = {"username": actor.name}
    if actor.uid:
        info["uid"] = actor.uid
    if actor.groups:
        info["groups"] = list(actor.groups)
    if actor.extra:
        info["extra"] = {key: list(values) for key, values in actor.extra}
    return info
