"""Role, ClusterRole, RoleBinding, ClusterRoleBinding: defaults, validation, columns.

Names are almost free here (`system:node`): they need only fit into a path. What a binding binds never changes; whoever wants another
role makes another binding. Whether the writer may grant what it writes is not a matter of the kind: `access/escalation.py`.
"""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column

GROUP = "rbac.authorization.k8s.io"
_SUBJECT_GROUPS = {"User": GROUP, "Group": GROUP, "ServiceAccount": ""}

ROLE_COLUMNS = (
    NAME,
    Column("Created At", lambda d, now: d["metadata"].get("creationTimestamp") or "", description="When the role was made."),
)


def _subjects(kind: str) -> Column:
    def cell(document: Document, now: float) -> str:
        found = [subject for subject in document.get("subjects") or [] if subject.get("kind") == kind]
        shown = [f"{s['namespace']}/{s.get('name')}" if s.get("namespace") else s.get("name", "") for s in found]
        return ", ".join(shown)

    return Column(f"{kind}s", cell, priority=1, description=f"The {kind}s that are given the role.")


def _bound(reference: Document) -> str:
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


BINDING_COLUMNS = (
    NAME,
    Column("Role", lambda d, now: _bound(d.get("roleRef") or {}), description="The role that is given."),
    AGE,
    _subjects("User"), _subjects("Group"), _subjects("ServiceAccount"),
)  # fmt: skip


def validate_role(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    for i, rule in enumerate(new.get("rules") or []):
        found += _rule(f"rules[{i}]", rule, namespaced=True)
    return found


def validate_cluster_role(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    for i, rule in enumerate(new.get("rules") or []):
        found += _rule(f"rules[{i}]", rule, namespaced=False)
    if "aggregationRule" in new:
        selectors = (new["aggregationRule"] or {}).get("clusterRoleSelectors")
        if not selectors:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            found.append(rules.required("aggregationRule.clusterRoleSelectors", why))
        for i, selector in enumerate(selectors or []):
            field = f"aggregationRule.clusterRoleSelectors[{i}]"
            found += rules.labels(f"{field}.matchLabels", selector.get("matchLabels"))
    return found


def _rule(field: str, rule: Document, *, namespaced: bool) -> list[FieldCause]:
    found = []
    if not rule.get("verbs"):
        found.append(rules.required(f"{field}.verbs", "verbs must contain at least one value"))
    resources = [name for name in ("apiGroups", "resources", "resourceNames") if rule.get(name)]
    if urls := rule.get("nonResourceURLs"):
        if namespaced:
            found.append(rules.invalid(f"{field}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs"))
        if resources:
            why = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(rules.invalid(f"{field}.nonResourceURLs", urls, why))
        return found
    if not rule.get("apiGroups"):
        found.append(rules.required(f"{field}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        found.append(rules.required(f"{field}.resources", "resource rules must supply at least one resource"))
    return found


def default_binding(document: Document) -> None:
    """The API groups of the role and of the subjects, which are always the same."""
    reference = document.get("roleRef")
    if isinstance(reference, dict) and not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in document.get("subjects") or []:
        group = _SUBJECT_GROUPS.get(subject.get("kind", ""))
        if group and not subject.get("apiGroup"):
            subject["apiGroup"] = group


def validate_role_binding(new: Document, old: Document | None) -> list[FieldCause]:
    return _binding(new, old, kinds=("ClusterRole", "Role"))


def validate_cluster_role_binding(new: Document, old: Document | None) -> list[FieldCause]:
    return _binding(new, old, kinds=("ClusterRole",))


def _binding(new: Document, old: Document | None, *, kinds: tuple[str, ...]) -> list[FieldCause]:
    found, reference = rules.metadata(new), new.get("roleRef") or {}
    found += rules.one_of("roleRef.apiGroup", reference.get("apiGroup", ""), (GROUP,))
    found += rules.one_of("roleRef.kind", reference.get("kind", ""), kinds)
    if not reference.get("name"):
        found.append(rules.required("roleRef.name"))
    else:
        found += rules.path_segment("roleRef.name", reference["name"])
    for i, subject in enumerate(new.get("subjects") or []):
        found += _subject(f"subjects[{i}]", subject, namespaced="Role" in kinds)
    if old is not None and old.get("roleRef") != new.get("roleRef"):
        group, kind, name = (rules.shown(reference.get(key, "")) for key in ("apiGroup", "kind", "name"))
        shown = f"rbac.RoleRef{{APIGroup:{group}, Kind:{kind}, Name:{name}}}"  # as Go prints it; people search for this sentence
        found.append(FieldCause("FieldValueInvalid", f"Invalid value: {shown}: cannot change roleRef", "roleRef"))
    return found


def _subject(field: str, subject: Document, *, namespaced: bool) -> list[FieldCause]:
    kind, found = subject.get("kind", ""), []
    if not subject.get("name"):
        found.append(rules.required(f"{field}.name"))
    if kind not in _SUBJECT_GROUPS:
        return [*found, rules.unsupported(f"{field}.kind", kind, _SUBJECT_GROUPS)]
    found += rules.one_of(f"{field}.apiGroup", subject.get("apiGroup", ""), (_SUBJECT_GROUPS[kind],))
    if kind == "ServiceAccount":
        if subject.get("name"):
            found += rules.subdomain_name(f"{field}.name", subject["name"])
        if not namespaced and not subject.get("namespace"):
            found.append(rules.required(f"{field}.namespace"))
    elif subject.get("namespace"):
        found.append(rules.forbidden(f"{field}.namespace", f"{kind}s have no namespace"))
    return found
