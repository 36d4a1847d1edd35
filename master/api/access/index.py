"""Who has which rules: roles and bindings, indexed by subject. No I/O: it is fed with stored documents.

    subject ("User" or "Group", name) ─► bindings ─► role ─► rules

A ServiceAccount is the user `system:serviceaccount:NAMESPACE:NAME`. A ClusterRoleBinding counts everywhere, a RoleBinding in its
namespace. A binding whose role is missing grants nothing and says so, because the role may come later.
Answers are kept per (user, groups, namespace) and all forgotten when any role or binding changes: those change rarely, and
requests of the same few callers come all the time.
"""

from __future__ import annotations

import msgspec

from common.objects.access import PolicyRule, Role, RoleBinding, Subject
from master.api.access import rules
from master.api.access.rules import Rule

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
RESOURCES = (ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)

SERVICE_ACCOUNT = "system:serviceaccount:"
MAX_KEPT = 4096

_role = msgspec.json.Decoder(Role)
_binding = msgspec.json.Decoder(RoleBinding)


class Granted(msgspec.Struct, frozen=True):
    """Rules that one binding gives. source: `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`."""

    rules: tuple[Rule, ...]
    plain: tuple[PolicyRule, ...]
    source: str


class Holding(msgspec.Struct, frozen=True):
    """All that somebody has somewhere. problems: roles that are bound and missing."""

    granted: tuple[Granted, ...] = ()
    problems: tuple[str, ...] = ()

    def plain(self) -> list[PolicyRule]:
        return [rule for granted in self.granted for rule in granted.plain]


class _Kept(msgspec.Struct, frozen=True):
    plain: tuple[PolicyRule, ...]
    rules: tuple[Rule, ...]


class RuleIndex:
    """`put` what is stored, `remove` what is gone, ask `holding`."""

    def __init__(self) -> None:
        self._roles: dict[str, _Kept] = {}
        self._bindings: dict[str, RoleBinding] = {}
        self._of_subject: dict[tuple[str, str], dict[str, Subject]] = {}
        self._holdings: dict[tuple[str, tuple[str, ...], str], Holding] = {}

    def put(self, key: str, value: bytes) -> None:
        self.remove(key)
        resource = key.partition("/")[0]
        if resource in (ROLES, CLUSTER_ROLES):
            plain = tuple(_role.decode(value).rules or ())
            self._roles[key] = _Kept(plain, tuple(rules.ready(rule) for rule in plain))
            return
        binding = self._bindings[key] = _binding.decode(value)
        for subject in binding.subjects or ():
            self._of_subject.setdefault(_subject_key(subject, binding.metadata.namespace), {}).setdefault(key, subject)

    def remove(self, key: str) -> None:
        self._holdings.clear()
        self._roles.pop(key, None)
        binding = self._bindings.pop(key, None)
        for subject in (binding.subjects if binding is not None else None) or ():
            place = _subject_key(subject, binding.metadata.namespace)  # type: ignore[union-attr]
            bound = self._of_subject.get(place, {})
            bound.pop(key, None)
            if not bound:
                self._of_subject.pop(place, None)

    def clear(self) -> None:
        self._roles.clear()
        self._bindings.clear()
        self._of_subject.clear()
        self._holdings.clear()

    def holding(self, name: str, groups: tuple[str, ...], namespace: str) -> Holding:
        """What the user has in `namespace` (""; at the scope of the cluster alone)."""
        place = (name, groups, namespace)
        found = self._holdings.get(place)
        if found is None:
            if len(self._holdings) >= MAX_KEPT:
                self._holdings.clear()
            found = self._holdings[place] = self._gathered(name, groups, namespace)
        return found

    def _gathered(self, name: str, groups: tuple[str, ...], namespace: str) -> Holding:
        bound: dict[str, Subject] = {}
        for place in (("User", name), *(("Group", group) for group in groups)):
            for key, subject in self._of_subject.get(place, {}).items():
                bound.setdefault(key, subject)
        here = (f"{CLUSTER_ROLE_BINDINGS}/", *((f"{ROLE_BINDINGS}/{namespace}/",) if namespace else ()))
        granted, problems = [], []
        for key in sorted(bound):
            if not key.startswith(here):
                continue
            binding = self._bindings[key]
            kept = self._roles.get(role_key(binding))
            if kept is None:
                resource, kind = (ROLES, "role") if binding.role_ref.kind == "Role" else (CLUSTER_ROLES, "clusterrole")
                problems.append(f'{kind}.{resource.partition(".")[2]} "{binding.role_ref.name}" not found')
            else:
                granted.append(Granted(kept.rules, kept.plain, _source(binding, bound[key])))
        return Holding(tuple(granted), tuple(problems))

    def role(self, key: str) -> tuple[PolicyRule, ...] | None:
        """The rules of one role; None when there is no such role."""
        kept = self._roles.get(key)
        return kept.plain if kept is not None else None


def role_key(binding: RoleBinding) -> str:
    """The store's key of the role that it binds."""
    if binding.role_ref.kind == "Role":
        return f"{ROLES}/{binding.metadata.namespace}/{binding.role_ref.name}"
    return f"{CLUSTER_ROLES}//{binding.role_ref.name}"


def _subject_key(subject: Subject, namespace: str) -> tuple[str, str]:
    if subject.kind == "ServiceAccount":
        return "User", f"{SERVICE_ACCOUNT}{subject.namespace or namespace}:{subject.name}"
    return subject.kind, subject.name


def _source(binding: RoleBinding, subject: Subject) -> str:
    """As Kubernetes words it, with names before namespaces."""
    namespace = binding.metadata.namespace
    kind, name = ("RoleBinding", f"{binding.metadata.name}/{namespace}") if namespace else ("ClusterRoleBinding", binding.metadata.name)
    whom = f"{subject.name}/{subject.namespace or namespace}" if subject.kind == "ServiceAccount" else subject.name
    return f'{kind} "{name}" of {binding.role_ref.kind} "{binding.role_ref.name}" to {subject.kind} "{whom}"'
