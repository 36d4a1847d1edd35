"""May this caller do that? The one place where every request, of people and of the master's own parts, is decided.

Roles and bindings are read from the store's watch into a `RuleIndex`, and caught up with whenever somebody asks: without waiting,
in memory, so that a right that was given or taken holds from the very next request, and nothing has to be started first.

    actor ─► group system:masters? ─► yes
         ├─► a node, and what is its own? ─► yes (`nodes.py`)
         └─► its rules, everywhere and in the namespace ─► the first that allows the request

There are no denying rules: what no rule allows is refused.
"""

from __future__ import annotations

from common.errors import Expired, Forbidden
from common.objects.access import PolicyRule
from master.api.access import index, rules
from master.api.access.index import Holding, RuleIndex
from master.api.access.nodes import NodeAuthorizer
from master.api.access.rules import Access
from master.api.contract import Actor, Views
from master.store.contract import Store, Watch

MASTERS = "system:masters"


class Authorizer:
    """Over an open store. Plain calls; used from the loop's thread only."""

    def __init__(self, store: Store, views: Views) -> None:
        self._store = store
        self._nodes = NodeAuthorizer(views)
        self._index = RuleIndex()
        self._watches: list[Watch] = []
        self._seen = -1

    def check(self, actor: Actor, access: Access) -> None:
        """Raises Forbidden with Kubernetes' text."""
        if MASTERS in actor.groups:
            return
        allowed, why = self._decide(actor, access)
        if not allowed:
            raise refusal(actor, access, why)

    def decide(self, actor: Actor, access: Access) -> tuple[bool, str]:
        """Whether it is allowed, and by what; or which problems there were with the caller's roles."""
        return (True, "") if MASTERS in actor.groups else self._decide(actor, access)

    def _decide(self, actor: Actor, access: Access) -> tuple[bool, str]:
        is_own, stranger = self._nodes.decide(actor, access)
        if is_own:
            return True, ""
        holding = self._holding(actor, access.namespace)
        for granted in holding.granted:
            for rule in granted.rules:
                if rules.allows(rule, access):
                    return True, f"RBAC: allowed by {granted.source}"
        return False, stranger or _problems(holding)

    def rules_of(self, actor: Actor, namespace: str) -> tuple[list[PolicyRule], str]:
        """All rules of the caller in a namespace, and the problems with its roles. Masters have the rules that they are bound to."""
        holding = self._holding(actor, namespace)
        return holding.plain(), _problems(holding)

    def rules_of_role(self, key: str) -> tuple[PolicyRule, ...] | None:
        """key: the store's, of a Role or ClusterRole. None when there is no such role."""
        self._catch_up()
        return self._index.role(key)

    def _holding(self, actor: Actor, namespace: str) -> Holding:
        self._catch_up()
        return self._index.holding(actor.name, actor.groups, namespace)

    def _catch_up(self) -> None:
        if self._store.revision == self._seen and self._watches:
            return
        try:
            for watch in self._watches:
                while changes := watch.ready():
                    for change in changes:
                        if change.value is None:
                            self._index.remove(change.key)
                        else:
                            self._index.put(change.key, change.value)
        except Expired:
            self._watches.clear()
        if not self._watches:
            self._read_all()
        self._seen = self._store.revision

    def _read_all(self) -> None:
        """The store is new to us, or was replaced by a snapshot of itself."""
        self._index.clear()
        for resource in index.RESOURCES:
            for record in self._store.list(f"{resource}/"):
                self._index.put(record.key, record.value)
            self._watches.append(self._store.watch(f"{resource}/", after=self._store.revision))


def _problems(holding: Holding) -> str:
    if not holding.problems:
        return ""
    found = holding.problems
    return f"RBAC: {found[0] if len(found) == 1 else '[' + ', '.join(found) + ']'}"


def refusal(actor: Actor, access: Access, why: str = "") -> Forbidden:
    """`pods "web" is forbidden: User "x" cannot get resource "pods" in API group "" in the namespace "y"`."""
    because = f": {why}" if why else ""
    if access.path:
        return Forbidden(f'forbidden: User "{actor.name}" cannot {access.verb} path "{access.path}"{because}')
    scope = f'in the namespace "{access.namespace}"' if access.namespace else "at the cluster scope"
    what = f"{access.resource}.{access.group}" if access.group else access.resource
    named = f' "{access.name}"' if access.name else ""
    return Forbidden(
        f'{what}{named} is forbidden: User "{actor.name}" cannot {access.verb} resource "{access.combined}" '
        f'in API group "{access.group}" {scope}{because}',
        group=access.group, kind=access.resource, name=access.name,
    )  # fmt: skip
