"""The authorizer's pure part: which rule allows which request, who has which rules, what covers what."""

from __future__ import annotations

import json

import msgspec
import pytest

from common.objects.access import PolicyRule
from master.api.access import index, rules
from master.api.access.index import RuleIndex
from master.api.access.rules import Access


def rule(verbs: str, groups: str = "core", resources: str = "", *, names: str = "", urls: str = "") -> PolicyRule:
    """Words by spaces; `core` is the group without a name."""
    return PolicyRule(
        tuple(verbs.split()), tuple(g.replace("core", "") for g in groups.split()) if resources else None,
        tuple(resources.split()) or None, tuple(names.split()) or None, tuple(urls.split()) or None,
    )  # fmt: skip


GET_POD = Access("get", resource="pods", namespace="a", name="web")
GET_LOG = Access("get", resource="pods", subresource="log", namespace="a", name="web")
LIST_PODS = Access("list", resource="pods", namespace="a")
SCALE = Access("update", "apps", "deployments", "scale", "a", "shop")
CREATE = Access("create", resource="pods", namespace="a")
HEALTH = Access("get", path="/healthz/etcd")


@pytest.mark.parametrize(
    ("given", "access", "allowed"),
    [
        pytest.param(rule("get", resources="pods"), GET_POD, True, id="its verb and resource"),
        pytest.param(rule("list", resources="pods"), GET_POD, False, id="another verb"),
        pytest.param(rule("*", resources="pods"), GET_POD, True, id="every verb"),
        pytest.param(rule("get", "apps", "pods"), GET_POD, False, id="another group"),
        pytest.param(rule("get", "*", "pods"), GET_POD, True, id="every group"),
        pytest.param(rule("get", resources="pods"), GET_LOG, False, id="a resource is not its subresources"),
        pytest.param(rule("get", resources="pods/log"), GET_LOG, True, id="a subresource by name"),
        pytest.param(rule("get", resources="pods/log"), GET_POD, False, id="a subresource is not its resource"),
        pytest.param(rule("get", resources="*"), GET_LOG, True, id="every resource has its subresources"),
        pytest.param(rule("update", "apps", "*/scale"), SCALE, True, id="a subresource of every resource"),
        pytest.param(rule("update", "apps", "*/status"), SCALE, False, id="another subresource of every resource"),
        pytest.param(rule("get", resources="pods", names="web db"), GET_POD, True, id="a name that is listed"),
        pytest.param(rule("get", resources="pods", names="db"), GET_POD, False, id="a name that is not"),
        pytest.param(rule("*", resources="pods", names="web"), LIST_PODS, False, id="a list names nothing"),
        pytest.param(rule("*", resources="pods", names="web"), CREATE, False, id="a create names nothing"),
        pytest.param(rule("get", urls="/healthz/*"), HEALTH, True, id="everything below a path"),
        pytest.param(rule("get", urls="/healthz"), HEALTH, False, id="one path alone"),
        pytest.param(rule("get", urls="*"), HEALTH, True, id="every path"),
        pytest.param(rule("*", "*", "*"), HEALTH, False, id="all resources are no path"),
        pytest.param(rule("*", urls="*"), GET_POD, False, id="all paths are no resource"),
        pytest.param(PolicyRule(), GET_POD, False, id="an empty rule"),
    ],
)
def test_what_a_rule_allows(given: PolicyRule, access: Access, allowed: bool) -> None:
    assert rules.allows(rules.ready(given), access) is allowed


@pytest.mark.parametrize(
    ("owned", "wanted", "lacking"),
    [
        pytest.param([rule("get list", resources="pods")], [rule("get", resources="pods")], [], id="a part of a rule"),
        pytest.param([rule("get", resources="pods"), rule("list", resources="pods")], [rule("get list", resources="pods")], [], id="two rules together"),
        pytest.param([rule("*", "*", "*")], [rule("get", "apps", "deployments/scale")], [], id="everything covers a subresource"),
        pytest.param([rule("get", resources="pods")], [rule("*", resources="pods")], ['{APIGroups:[""], Resources:["pods"], Verbs:["*"]}'],
                     id="all verbs are more than one"),
        pytest.param([rule("get", resources="pods", names="a")], [rule("get", resources="pods")],
                     ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'], id="a named object is less than all"),
        pytest.param([rule("get", resources="pods")], [rule("get", resources="pods", names="a")], [], id="all are more than a named object"),
        pytest.param([], [rule("get list", "core apps", "pods")],
                     ['{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}', '{APIGroups:["apps"], Resources:["pods"], Verbs:["get" "list"]}'],
                     id="verbs of one resource are said together"),
        pytest.param([rule("get", urls="/api/*")], [rule("get", urls="/api/v1 /metrics")], ['{NonResourceURLs:["/metrics"], Verbs:["get"]}'],
                     id="paths"),
        pytest.param([rule("*", "*", "*")], [rule("get", urls="/metrics")], ['{NonResourceURLs:["/metrics"], Verbs:["get"]}'],
                     id="resources cover no path"),
    ],
)  # fmt: skip
def test_what_rules_lack_of_others(owned: list[PolicyRule], wanted: list[PolicyRule], lacking: list[str]) -> None:
    assert [rules.text(part) for part in rules.compact(rules.missing(owned, wanted))] == lacking


def filled() -> RuleIndex:
    found = RuleIndex()
    for resource, namespace, name, body in (
        (index.CLUSTER_ROLES, "", "view", {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        (index.ROLES, "a", "own", {"rules": None}),
        (index.CLUSTER_ROLE_BINDINGS, "", "all", _bind("ClusterRole", "view", ("User", "root"), ("ServiceAccount", "x"))),
        (index.ROLE_BINDINGS, "a", "some", _bind("ClusterRole", "view", ("Group", "dev"), ("ServiceAccount", "robot"))),
        (index.ROLE_BINDINGS, "a", "lost", _bind("Role", "gone", ("User", "bob"))),
        (index.ROLE_BINDINGS, "a", "twice", _bind("Role", "own", ("User", "bob"), ("User", "bob"))),
    ):
        value = {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **body}
        found.put(f"{resource}/{namespace}/{name}", json.dumps(value).encode())
    return found


def _bind(kind: str, role: str, *subjects: tuple[str, str]) -> dict:
    return {"roleRef": {"kind": kind, "name": role}, "subjects": [{"kind": k, "name": n} for k, n in subjects]}


@pytest.mark.parametrize(
    ("name", "groups", "namespace", "sources"),
    [
        pytest.param("root", (), "", ['ClusterRoleBinding "all" of ClusterRole "view" to User "root"'], id="at cluster scope"),
        pytest.param("root", (), "b", ['ClusterRoleBinding "all" of ClusterRole "view" to User "root"'], id="everywhere"),
        pytest.param("alice", ("dev",), "a", ['RoleBinding "some/a" of ClusterRole "view" to Group "dev"'], id="by a group, in the namespace"),
        pytest.param("alice", ("dev",), "b", [], id="not in another namespace"),
        pytest.param("alice", ("dev",), "", [], id="not at cluster scope"),
        pytest.param("dev", (), "a", [], id="a user is not a group of that name"),
        pytest.param("system:serviceaccount:a:robot", (), "a", ['RoleBinding "some/a" of ClusterRole "view" to ServiceAccount "robot/a"'],
                     id="a ServiceAccount of the binding's namespace"),
        pytest.param("system:serviceaccount:b:robot", (), "a", [], id="its namesake elsewhere"),
        pytest.param("system:serviceaccount::x", (), "", ['ClusterRoleBinding "all" of ClusterRole "view" to ServiceAccount "x/"'],
                     id="an account without a namespace is nobody that can log in"),
    ],
)  # fmt: skip
def test_who_holds_what(name: str, groups: tuple[str, ...], namespace: str, sources: list[str]) -> None:
    assert [granted.source for granted in filled().holding(name, groups, namespace).granted] == sources


def test_a_missing_role_is_a_problem_and_grants_nothing() -> None:
    holding = filled().holding("bob", (), "a")
    assert holding.problems == ('role.rbac.authorization.k8s.io "gone" not found',)
    assert [granted.rules for granted in holding.granted] == [()]


def test_what_is_taken_away_is_forgotten_at_once() -> None:
    found = filled()
    assert found.holding("alice", ("dev",), "a").granted
    found.remove(f"{index.ROLE_BINDINGS}/a/some")
    assert not found.holding("alice", ("dev",), "a").granted
    found.put(f"{index.CLUSTER_ROLES}//view", msgspec.json.encode({"metadata": {"name": "view"}}))
    assert found.holding("root", (), "").granted[0].rules == ()
