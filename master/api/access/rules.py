"""Whether a rule covers a request, and whether some rules cover others: the meaning of RBAC, as plain functions.

Nothing here knows who has which rule (`index.py`) or where the rules are kept (`authorizer.py`). The semantics are Kubernetes'
(`pkg/apis/rbac/v1/evaluation_helpers.go`, `component-helpers/auth/rbac/validation`):

    verbs, groups, resources    `*` is all of them; `*/scale` is the subresource scale of all resources; `pods` is not `pods/log`
    resourceNames               none: every object, also those without a name yet; some: those objects alone, so never a create
    nonResourceURLs             `/healthz`, or everything below with a final `*`

Subtle: a rule about resources never covers a URL and the other way round, whatever wildcards it has.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

import msgspec

from common.objects.access import PolicyRule

ALL = "*"


class Access(msgspec.Struct, frozen=True):
    """One request: verb as Kubernetes has it (get, list, watch, create, update, patch, delete, deletecollection, impersonate, bind…),
    on a resource, or on a path that is no resource's. fields: the field selector of a list or a watch."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    fields: str = ""

    @property
    def combined(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rule(msgspec.Struct, frozen=True):
    """A PolicyRule made ready to be asked; `*` stands in a set as it is."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    urls: tuple[str, ...]


def ready(rule: PolicyRule) -> Rule:
    return Rule(
        frozenset(rule.verbs or ()), frozenset(rule.api_groups or ()), frozenset(rule.resources or ()),
        frozenset(rule.resource_names or ()), tuple(rule.non_resource_urls or ()),
    )  # fmt: skip


def allows(rule: Rule, access: Access) -> bool:
    if access.verb not in rule.verbs and ALL not in rule.verbs:
        return False
    if access.path:
        return any(_url_covers(url, access.path) for url in rule.urls)
    if access.group not in rule.groups and ALL not in rule.groups:
        return False
    if access.combined not in rule.resources and ALL not in rule.resources:
        if not access.subresource or f"*/{access.subresource}" not in rule.resources:
            return False
    return not rule.names or access.name in rule.names


def _url_covers(url: str, path: str) -> bool:
    return url in (ALL, path) or (url.endswith(ALL) and path.startswith(url[:-1]))


# Whether rules cover rules: nobody may grant what he does not have.


def missing(owned: Iterable[PolicyRule], wanted: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The parts of `wanted` that no single rule of `owned` covers, each with one verb, one group, one resource, one name."""
    have = [ready(rule) for rule in owned]
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(own, part) for own in have)]


def _parts(rule: PolicyRule) -> list[PolicyRule]:
    verbs, groups, resources = rule.verbs or (), rule.api_groups or (), rule.resources or ()
    found = []
    for group, resource, verb in itertools.product(groups, resources, verbs):
        for name in rule.resource_names or (None,):
            found.append(PolicyRule((verb,), (group,), (resource,), (name,) if name is not None else None))
    return found + [PolicyRule((verb,), non_resource_urls=(url,)) for url in rule.non_resource_urls or () for verb in verbs]


def _covers(own: Rule, part: PolicyRule) -> bool:
    (verb,) = part.verbs or ("",)
    if verb not in own.verbs and ALL not in own.verbs:
        return False
    if part.non_resource_urls:
        return any(_url_covers(url, part.non_resource_urls[0]) for url in own.urls)
    (group,), (resource,) = part.api_groups or ("",), part.resources or ("",)
    if group not in own.groups and ALL not in own.groups:
        return False
    if resource not in own.resources and ALL not in own.resources:
        _, slash, subresource = resource.partition("/")
        if not slash or f"*/{subresource}" not in own.resources:
            return False
    return not own.names or (part.resource_names is not None and part.resource_names[0] in own.names)


def compact(rules: Sequence[PolicyRule]) -> list[PolicyRule]:
    """Rules of one resource and name made one, with all their verbs; the others as they are."""
    merged: dict[tuple[object, ...], list[str]] = {}
    rest = []
    for rule in rules:
        groups, resources, names = rule.api_groups or (), rule.resources or (), rule.resource_names or ()
        if len(groups) == len(resources) == 1 and len(names) < 2 and not rule.non_resource_urls:
            verbs = merged.setdefault((groups, resources, names), [])
            verbs.extend(verb for verb in rule.verbs or () if verb not in verbs)
        else:
            rest.append(rule)
    simple = [
        PolicyRule(tuple(verbs), groups, resources, names or None)  # type: ignore[arg-type]
        for (groups, resources, names), verbs in merged.items()
    ]
    return simple + rest


def text(rule: PolicyRule) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`."""
    parts = (
        ("APIGroups", rule.api_groups), ("Resources", rule.resources), ("NonResourceURLs", rule.non_resource_urls),
        ("ResourceNames", rule.resource_names), ("Verbs", rule.verbs),
    )  # fmt: skip
    return "{" + ", ".join(f"{name}:{words(values)}" for name, values in parts if values) + "}"


def words(values: Iterable[str]) -> str:
    """As Go prints a list of strings, quoted: `["a" "b"]`."""
    return "[" + " ".join(json.dumps(value, ensure_ascii=False) for value in values) + "]"
