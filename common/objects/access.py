"""Roles and their bindings, as the authorizer reads them: `rbac.authorization.k8s.io/v1`.

Role and ClusterRole share a view, and so do their bindings: what tells them apart is whether they have a namespace. Lists may be
null in what clients send, so each is read as empty then (`rules or ()`).
"""

from __future__ import annotations

import msgspec

from common.objects import meta


class PolicyRule(meta.View):
    """What its verbs may be used on: either resources of API groups (perhaps only some by name), or URLs."""

    verbs: tuple[str, ...] | None = None
    api_groups: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    resource_names: tuple[str, ...] | None = None
    non_resource_urls: tuple[str, ...] | None = msgspec.field(name="nonResourceURLs", default=None)


class AggregationRule(meta.View):
    cluster_role_selectors: tuple[meta.LabelSelector, ...] | None = None


class Role(meta.View):
    metadata: meta.Meta
    rules: tuple[PolicyRule, ...] | None = None
    aggregation_rule: AggregationRule | None = None


class RoleRef(meta.View):
    kind: str = ""
    name: str = ""


class Subject(meta.View):
    """kind: User, Group or ServiceAccount."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class RoleBinding(meta.View):
    metadata: meta.Meta
    role_ref: RoleRef = RoleRef()
    subjects: tuple[Subject, ...] | None = None


class ServiceAccount(meta.View):
    metadata: meta.Meta
    image_pull_secrets: tuple[meta.ObjectReference, ...] | None = None
    automount_service_account_token: bool | None = None
