"""Nobody grants what he does not have: the check on every write of a role or a binding.

    Role, ClusterRole            the writer has every rule in it, or the verb `escalate` on it
    …with an aggregationRule     the writer has every right there is, since the rules come from roles that others write
    RoleBinding, …               the writer has every rule of the role that it names, or the verb `bind` on that role

A write that leaves rules, selectors, subjects and role as they are is free: labels and finalizers grant nothing. Texts are those of
Kubernetes (`pkg/registry/rbac`). Masters have all rights, by their group.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from common.errors import NotFound
from common.objects.access import PolicyRule, Role, RoleBinding
from master.api import faults
from master.api.access import index, rules
from master.api.access.authorizer import MASTERS, Authorizer
from master.api.access.rules import Access
from master.api.contract import Actor, Document
from master.api.registry import Resource

EVERYTHING = (
    PolicyRule(("*",), ("*",), ("*",)),
    PolicyRule(("*",), non_resource_urls=("*",)),
)


class Escalation:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, actor: Actor, resource: Resource, new: Document, old: Document | None) -> None:
        """new and old as they are stored. Raises Forbidden; NotFound for a role that is to be bound and does not exist."""
        if resource.key not in index.RESOURCES or MASTERS in actor.groups:
            return
        if resource.key in (index.ROLES, index.CLUSTER_ROLES):
            self._check_role(actor, resource, new, old)
        else:
            self._check_binding(actor, resource, new, old)

    def _check_role(self, actor: Actor, resource: Resource, new: Document, old: Document | None) -> None:
        if old is not None and all((new.get(field) or None) == (old.get(field) or None) for field in ("rules", "aggregationRule")):
            return
        role = msgspec.convert(new, Role)
        meta = role.metadata
        if self._authorizer.decide(actor, _on(resource, "escalate", meta.namespace, meta.name))[0]:
            return
        if role.aggregation_rule is not None and (why := self._ungrantable(actor, meta.namespace, EVERYTHING)):
            why = f"must have cluster-admin privileges to use an aggregationRule: {why}"
            raise faults.forbidden(resource, meta.name, why)
        if why := self._ungrantable(actor, meta.namespace, role.rules or ()):
            raise faults.forbidden(resource, meta.name, why)

    def _check_binding(self, actor: Actor, resource: Resource, new: Document, old: Document | None) -> None:
        if old is not None and all((new.get(field) or None) == (old.get(field) or None) for field in ("subjects", "roleRef")):
            return
        binding = msgspec.convert(new, RoleBinding)
        meta, key = binding.metadata, index.role_key(binding)
        bound = "roles" if binding.role_ref.kind == "Role" else "clusterroles"
        if self._authorizer.decide(actor, Access("bind", index.GROUP, bound, "", meta.namespace, binding.role_ref.name))[0]:
            return
        granted = self._authorizer.rules_of_role(key)
        if granted is None:
            name = binding.role_ref.name
            raise NotFound(f'{bound}.{index.GROUP} "{name}" not found', group=index.GROUP, kind=bound, name=name)
        if why := self._ungrantable(actor, meta.namespace, granted):
            raise faults.forbidden(resource, meta.name, why)

    def _ungrantable(self, actor: Actor, namespace: str, wanted: Iterable[PolicyRule]) -> str:
        """What the actor lacks of `wanted`, as a sentence; "" when it lacks nothing."""
        owned, problems = self._authorizer.rules_of(actor, namespace)
        lacking = rules.missing(owned, wanted)
        if not lacking:
            return ""
        lines = "\n".join(sorted({rules.text(rule) for rule in rules.compact(lacking)}))
        text = (
            f'user "{actor.name}" (groups={rules.words(actor.groups)}) is attempting to grant RBAC permissions not currently held:\n{lines}'
        )
        return f"{text}; resolution errors: {problems.removeprefix('RBAC: ')}" if problems else text


def _on(resource: Resource, verb: str, namespace: str, name: str) -> Access:
    return Access(verb, resource.group, resource.plural, "", namespace, name)
