"""Who is let in, as whom, and what each refusal says; the reviews that answer the same questions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.master.rest.served import client_tls
from tests.master.semantics.ground import ABSENT, Case, Ground, answered, config, ids, invalid, refused, stranger

ALICE = {"Impersonate-User": "alice"}
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}"
READER = {"metadata": {"name": "reader"}, "rules": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]}]}


def given(*rules: dict[str, Any]) -> list[tuple[Any, ...]]:
    """alice has these rights in the case's namespace."""
    return [
        (f"POST {RBAC}/roles", {"metadata": {"name": "r"}, "rules": list(rules)}),
        (f"POST {RBAC}/rolebindings", {"metadata": {"name": "r"}, "roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "alice"}]}),
    ]  # fmt: skip


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split(), **more}


def forbidden(name: str, ask: str, message: str, body: Any = None, headers: dict | None = None, **more: Any) -> Case:
    return refused(name, ask, body, headers or ALICE, code=403, reason="Forbidden", message=message, **more)


HERE, MAY_NOT = 'in the namespace "{ns}"', 'User "alice" cannot'
REFUSALS = [
    forbidden("a list", "GET {n}/configmaps", f'configmaps is forbidden: {MAY_NOT} list resource "configmaps" in API group "" {HERE}',
              details={"kind": "configmaps", "name": ABSENT}),
    forbidden("an object of a group", "GET {apps}/deployments/d", f'deployments.apps "d" is forbidden: {MAY_NOT} get resource "deployments" in API group "apps" {HERE}',
              details={"kind": "deployments", "group": "apps", "name": "d"}),
    forbidden("what has no namespace", "GET /api/v1/nodes", f'nodes is forbidden: {MAY_NOT} list resource "nodes" in API group "" at the cluster scope'),
    forbidden("a watch", "GET {n}/pods?watch=1", f'pods is forbidden: {MAY_NOT} watch resource "pods" in API group "" {HERE}'),
    forbidden("a create", "POST {n}/configmaps", f'configmaps is forbidden: {MAY_NOT} create resource "configmaps" in API group "" {HERE}', config()),
    forbidden("an update", "PUT {n}/configmaps/c", f'configmaps "c" is forbidden: {MAY_NOT} update resource "configmaps" in API group "" {HERE}', config()),
    forbidden("a deletion of all", "DELETE {n}/configmaps", f'configmaps is forbidden: {MAY_NOT} deletecollection resource "configmaps" in API group "" {HERE}'),
    forbidden("a subresource", "GET {apps}/deployments/d/scale",
              f'deployments.apps "d" is forbidden: {MAY_NOT} get resource "deployments/scale" in API group "apps" {HERE}'),
    forbidden("a proxy", "GET {n}/pods/p/proxy/x", f'pods "p" is forbidden: {MAY_NOT} get resource "pods/proxy" in API group "" {HERE}'),
    forbidden("a binding", "POST {n}/bindings", f'bindings is forbidden: {MAY_NOT} create resource "bindings" in API group "" {HERE}',
              {"metadata": {"name": "p"}, "target": {"name": "n"}}),
    forbidden("a path", "GET /metrics", 'forbidden: User "alice" cannot get path "/metrics"'),
    forbidden("a role with more than one has", f"POST {RBAC}/roles",
              'roles.rbac.authorization.k8s.io "reader" is forbidden: user "alice" (groups=["system:authenticated"]) is attempting to grant RBAC permissions '
              'not currently held:\n{APIGroups:[""], Resources:["configmaps"], Verbs:["get" "list"]}', READER,
              given=given(rule("create", "roles", "rbac.authorization.k8s.io"))),
    answered("a right that was given", "GET {n}/configmaps", None, ALICE, given=given(rule("list", "configmaps")), shows={"items": []}),
    answered("a right to one name", "GET {n}/configmaps/c", None, ALICE, given=[*given(rule("get", "configmaps", resourceNames=["c"])), ("POST {n}/configmaps", config())]),
    forbidden("and no other", "GET {n}/configmaps/d", f'configmaps "d" is forbidden: {MAY_NOT} get resource "configmaps" in API group "" {HERE}',
              given=given(rule("get", "configmaps", resourceNames=["c"]))),
]  # fmt: skip

BOTH = {"Impersonate-User": "bob", "Impersonate-Group": "dev"}
IMPERSONATIONS = [
    answered("somebody else", "POST /apis/authentication.k8s.io/v1/selfsubjectreviews", {}, {**BOTH, "Impersonate-Uid": "7", "Impersonate-Extra-Team": "a"}, code=201,
             shows={"status.userInfo.username": "bob", "status.userInfo.uid": "7", "status.userInfo.extra": {"team": ["a"]},
                    "status.userInfo.groups": ["dev", "system:authenticated"]}),
    forbidden("a group without a user", "GET {n}/pods", "requested impersonation of groups, a uid or extra without impersonating a user…", None, {"Impersonate-Group": "dev"}),
    answered("a ServiceAccount with its groups", "POST /apis/authentication.k8s.io/v1/selfsubjectreviews", {}, {"Impersonate-User": "system:serviceaccount:{ns}:robot"}, code=201,
             shows={"status.userInfo.groups": ["system:serviceaccounts", "system:serviceaccounts:{ns}", "system:authenticated"]}),
]  # fmt: skip

MAY = "/apis/authorization.k8s.io/v1"
ON = {"namespace": "{ns}", "verb": "list", "resource": "configmaps"}
EXACTLY_ONE = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
REVIEWS = [
    answered("he may", f"POST {MAY}/subjectaccessreviews", {"spec": {"user": "alice", "resourceAttributes": ON}}, given=given(rule("list", "configmaps")), code=201,
             shows={"status.allowed": True, "status.reason": 'RBAC: allowed by RoleBinding "r/{ns}" of Role "r" to User "alice"'}),
    answered("he may not", f"POST {MAY}/subjectaccessreviews", {"spec": {"user": "alice", "resourceAttributes": ON}}, code=201, shows={"status": {"allowed": False}}),
    answered("as one of a group he may", f"POST {MAY}/subjectaccessreviews", {"spec": {"groups": ["system:masters"], "resourceAttributes": ON}}, code=201,
             shows={"status.allowed": True}),
    answered("I may", f"POST {MAY}/selfsubjectaccessreviews", {"spec": {"nonResourceAttributes": {"path": "/x", "verb": "get"}}}, code=201, shows={"status.allowed": True}),
    answered("he may here", f"POST {MAY}/namespaces/{{ns}}/localsubjectaccessreviews", {"spec": {"user": "alice", "resourceAttributes": ON}},
             given=given(rule("list", "configmaps")), code=201, shows={"status.allowed": True}),
    invalid("about nobody", f"POST {MAY}/subjectaccessreviews", {"spec": {"resourceAttributes": ON}}, of='SubjectAccessReview.authorization.k8s.io ""', causes=[
        ("FieldValueInvalid", "spec.user", 'Invalid value: "": at least one of user or group must be specified'),
    ]),
    invalid("about nothing", f"POST {MAY}/selfsubjectaccessreviews", {"spec": {}}, of='SelfSubjectAccessReview.authorization.k8s.io ""', causes=[
        ("FieldValueInvalid", "spec.resourceAttributes", f"Invalid value: null: {EXACTLY_ONE}"),
    ]),
    invalid("elsewhere", f"POST {MAY}/namespaces/{{ns}}/localsubjectaccessreviews", {"spec": {"user": "alice", "resourceAttributes": {**ON, "namespace": "other"}}},
            of='LocalSubjectAccessReview.authorization.k8s.io ""', causes=[
        ("FieldValueInvalid", "spec.resourceAttributes.namespace", 'Invalid value: "other": must match metadata.namespace'),
    ]),
    answered("what may I", f"POST {MAY}/selfsubjectrulesreviews", {"spec": {"namespace": "{ns}"}}, ALICE, given=given(rule("list", "configmaps")), code=201,
             shows={"status.incomplete": False, "kind": "SelfSubjectRulesReview"}),
    refused("what may I nowhere", f"POST {MAY}/selfsubjectrulesreviews", {"spec": {}}, code=400, reason="BadRequest", message="no namespace on request"),
    refused("a review of no token", "POST /apis/authentication.k8s.io/v1/tokenreviews", {"spec": {}}, code=400, reason="BadRequest",
            message="token is required for TokenReview in authentication"),
    answered("a token of nobody", "POST /apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}}, code=201, shows={"status.authenticated": False}),
    refused("reviews are not listed", f"GET {MAY}/subjectaccessreviews", code=405, reason="MethodNotAllowed",
            message="the server does not allow this method on the requested resource"),
]  # fmt: skip


@pytest.mark.parametrize("case", [*REFUSALS, *IMPERSONATIONS, *REVIEWS], ids=ids)
def test_access(ground: Ground, case: Case) -> None:
    ground.play(case)


def test_a_token_is_its_account_until_the_account_is_gone(ground: Ground) -> None:
    namespace = ground.namespace()
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    ground.made(f"POST {accounts}", {"metadata": {"name": "robot"}})
    token = ground.made(f"POST {accounts}/robot/token", {"spec": {}})["status"]["token"]

    async def me(headers: dict[str, str] = {}) -> tuple[int, Any]:
        async with stranger(ground.server, client_tls(None)) as session:
            url = ground.server.url("/apis/authentication.k8s.io/v1/selfsubjectreviews")
            async with session.post(url, json={}, headers={"Authorization": f"Bearer {token}", **headers}) as answer:
                return answer.status, await answer.json()

    code, body = ground.run(me())
    assert (code, body["status"]["userInfo"]["username"]) == (201, f"system:serviceaccount:{namespace}:robot")
    reviewed = ground.made("POST /apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})["status"]
    assert reviewed["authenticated"] and reviewed["user"]["username"] == f"system:serviceaccount:{namespace}:robot"
    code, body = ground.run(me({"Impersonate-User": "bob"}))
    assert (code, body["reason"], body["message"]) == (403, "Forbidden", (
        f'users "bob" is forbidden: User "system:serviceaccount:{namespace}:robot" cannot impersonate resource "users" in API group "" at the cluster scope'
    ))
    ground.made(f"DELETE {accounts}/robot")
    code, body = ground.run(me())
    assert (code, body) == (401, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized", "reason": "Unauthorized", "code": 401})
    assert ground.made("POST /apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})["status"]["authenticated"] is False


def test_nobody_is_let_in(ground: Ground) -> None:
    async def codes() -> dict[str, int]:
        found = {}
        async with stranger(ground.server, client_tls(None)) as session:
            for path in ("/livez", "/version", "/api", "/api/v1/pods", "/openapi/v3", "/nowhere"):
                async with session.get(ground.server.url(path)) as answer:
                    found[path] = answer.status
            async with session.get(ground.server.url("/api/v1/pods"), headers={"Authorization": "Bearer nonsense"}) as answer:
                found["with nonsense"] = answer.status
        return found

    assert ground.run(codes()) == {"/livez": 200, "/version": 200, "/api": 401, "/api/v1/pods": 401, "/openapi/v3": 401, "/nowhere": 401, "with nonsense": 401}
