"""Aggregated ClusterRoles: the rules of `admin`, `edit`, `view` and the like are those of all ClusterRoles that they select.

Whoever adds a kind adds a ClusterRole with the right label, and those three give the kind's rights too. Rules are taken in order of the
roles' names, each once; a role never selects itself. An aggregated role that another one selects (`view` in `edit`) is taken with the
rules that it has, and its change wakes the other.
"""

from __future__ import annotations

import msgspec

from common.objects import selectors
from common.objects.access import PolicyRule, Role
from master.api.contract import Actor, PatchObject, Ref
from master.api.contract import Role as Writer
from master.controllers.controller import NOTHING, Controller, Outcome, Seen, cause, counted, revision
from master.controllers.view import ReadView

ACTOR = Actor(Writer.CLUSTER_ROLE_AGGREGATION.user, Writer.CLUSTER_ROLE_AGGREGATION)
RESOURCE = "clusterroles.rbac.authorization.k8s.io"


def gathered(role: Role, others: list[Role]) -> tuple[list[PolicyRule], int]:
    """The rules, and from how many roles they come."""
    assert role.aggregation_rule is not None
    wanted = [selectors.of(selector) for selector in role.aggregation_rule.cluster_role_selectors or ()]
    chosen = [
        other
        for other in others
        if other.metadata.name != role.metadata.name and any(selector.matches(other.metadata.labels) for selector in wanted)
    ]
    return list(dict.fromkeys(rule for other in chosen for rule in other.rules or ())), len(chosen)


def reconcile(view: ReadView, key: Ref, now: float) -> Outcome:
    role = view.get(Role, key)
    if role is None or role.aggregation_rule is None or role.metadata.deletion_timestamp is not None:
        return NOTHING
    rules, count = gathered(role, view.list(Role, RESOURCE))
    if rules == list(role.rules or ()):
        return NOTHING
    why = f"it has {counted(len(role.rules or ()), 'rule')}, and the {counted(count, 'role')} that it selects have {len(rules)}"
    patch = {"rules": msgspec.json.decode(msgspec.json.encode(rules))}
    change = PatchObject(key, patch, cause(ACTOR, "Aggregate", why, role), uid=role.metadata.uid, expected=revision(role))
    return Outcome((change,))


def of_role(view: ReadView, seen: Seen) -> list[Ref]:
    """Every aggregated role, when the rules or labels of any changed: there are few, and each asks for all others anyway."""
    old, new = seen.old, seen.new
    if isinstance(old, Role) and isinstance(new, Role) and (old.rules, old.metadata.labels, old.aggregation_rule) == (
        new.rules, new.metadata.labels, new.aggregation_rule,
    ):  # fmt: skip
        return []
    return [Ref(RESOURCE, role.metadata.name) for role in view.list(Role, RESOURCE) if role.aggregation_rule is not None]


CONTROLLER = Controller("clusterrole-aggregation-controller", ACTOR, {RESOURCE: of_role}, reconcile, workers=1)
