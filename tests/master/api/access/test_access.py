"""Access through the door: codes, reasons, sentences; tokens; reviews; defaults. Under virtual time, over the memory store."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest

from common.clock import SeededRng
from common.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, SteersmanError
from common.objects.access import Role as RoleView
from master import pki
from master.api import bootstrap
from master.api.access import defaults, impersonation, tokens
from master.api.access.default_roles import parts
from master.api.access.index import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from master.api.access.rules import Access
from master.api.access.tokens import TokenAuthority
from master.api.contract import Actor, PatchType, Ref, Role, Selection, WriteOptions
from master.api.door import ApiDoor
from master.api.writers import GRANTS
from master.controllers import registry as controllers
from master.controllers.settings import ControllerSettings
from tests.master.api.doorway import ADMIN, WEB, Doorway, pod, scenario

ALICE = Actor("alice", groups=("dev", "system:authenticated"))
ROBOT = Ref("serviceaccounts", "robot", "default")
KEY = pki._key_pem(pki.ec.generate_private_key(pki.ec.SECP256R1()))


def role(name: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules), **more}


def on(verbs: str, group: str, resources: str) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}


def binding(name: str, kind: str, to: str, *subjects: tuple[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "roleRef": {"kind": kind, "name": to}, "subjects": [{"kind": k, "name": n} for k, n in subjects]}


async def give(here: Doorway, *rules: dict[str, Any], to: str = "alice", name: str = "given") -> None:
    await here.door.create(ADMIN, ROLES, "default", role(name, *rules))
    await here.door.create(ADMIN, ROLE_BINDINGS, "default", binding(name, "Role", name, ("User", to)))


async def refused(kind: type[SteersmanError], awaitable: Any) -> str:
    with pytest.raises(kind) as caught:
        await awaitable
    return caught.value.message


async def ask(here: Doorway, actor: Actor, kind: str, spec: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    resource = next(r for r in here.door.catalog.resources if r.kind == kind)
    stored = await here.door.create(actor, resource.key, namespace, {"spec": spec})
    return stored.document()["status"]


@scenario
async def test_a_right_holds_from_the_next_request_and_ends_with_its_binding(here: Doorway) -> None:
    assert await refused(Forbidden, here.door.list(ALICE, "pods", "default")) == (
        'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    await give(here, on("list", "", "pods"))
    assert (await here.door.list(ALICE, "pods", "default")).items == []
    await refused(Forbidden, here.door.list(ALICE, "pods"))
    await here.door.delete(ADMIN, Ref(ROLE_BINDINGS, "given", "default"))
    await refused(Forbidden, here.door.list(ALICE, "pods", "default"))


@scenario
async def test_a_name_is_enough_for_a_list_of_that_one(here: Doorway) -> None:
    await give(here, {**on("get list watch", "", "configmaps"), "resourceNames": ["c"]})
    await here.door.list(ALICE, "configmaps", "default", selection=Selection(fields="metadata.name=c"))
    await refused(Forbidden, here.door.list(ALICE, "configmaps", "default", selection=Selection(fields="metadata.name=d")))
    await refused(Forbidden, here.door.list(ALICE, "configmaps", "default"))


@scenario
async def test_rights_in_a_namespace_cover_the_namespace_itself(here: Doorway) -> None:
    await give(here, on("get", "", "namespaces"))
    assert here.door.get(ALICE, Ref("namespaces", "default"))
    with pytest.raises(Forbidden, match='cannot get resource "namespaces" in API group "" in the namespace "kube-system"'):
        here.door.get(ALICE, Ref("namespaces", "kube-system"))


@scenario
async def test_a_missing_role_is_named_in_the_refusal(here: Doorway) -> None:
    await here.door.create(ADMIN, ROLE_BINDINGS, "default", binding("b", "Role", "gone", ("User", "alice")))
    message = await refused(Forbidden, here.door.list(ALICE, "pods", "default"))
    assert message.endswith('in the namespace "default": RBAC: role.rbac.authorization.k8s.io "gone" not found')


# Nobody grants what he does not have.


@scenario
async def test_roles_and_bindings_do_not_escalate(here: Doorway) -> None:
    door = here.door
    await give(here, on("create patch", "rbac.authorization.k8s.io", "roles rolebindings"), on("get list", "", "pods"))
    message = await refused(Forbidden, door.create(ALICE, ROLES, "default", role("r", on("get delete", "", "pods secrets"))))
    assert message == (
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "alice" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC '
        'permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
    )  # fmt: skip
    await door.create(ALICE, ROLES, "default", role("r", on("get", "", "pods")))
    more = [{"op": "add", "path": "/rules/-", "value": on("delete", "", "pods")}]
    await refused(Forbidden, door.patch(ALICE, Ref(ROLES, "r", "default"), PatchType.JSON, more))
    await door.patch(ALICE, Ref(ROLES, "r", "default"), PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}})
    message = await refused(Forbidden, door.create(ALICE, ROLE_BINDINGS, "default", binding("b", "ClusterRole", "cluster-admin", ("User", "alice"))))
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}' in message
    message = await refused(NotFound, door.create(ALICE, ROLE_BINDINGS, "default", binding("b", "Role", "gone", ("User", "alice"))))
    assert message == 'roles.rbac.authorization.k8s.io "gone" not found'
    await door.create(ALICE, ROLE_BINDINGS, "default", binding("b", "Role", "r", ("User", "bob")))


@scenario
async def test_the_verbs_bind_and_escalate_are_the_way_around(here: Doorway) -> None:
    await give(
        here, on("create", "rbac.authorization.k8s.io", "rolebindings"), on("create escalate", "rbac.authorization.k8s.io", "roles"),
        {**on("bind", "rbac.authorization.k8s.io", "clusterroles"), "resourceNames": ["view"]},
    )  # fmt: skip
    await here.door.create(ALICE, ROLES, "default", role("r", on("*", "", "secrets")))
    await here.door.create(ALICE, ROLE_BINDINGS, "default", binding("b", "ClusterRole", "view", ("User", "bob")))
    await refused(Forbidden, here.door.create(ALICE, ROLE_BINDINGS, "default", binding("c", "ClusterRole", "cluster-admin", ("User", "bob"))))


@scenario
async def test_an_aggregated_role_takes_every_right(here: Doorway) -> None:
    await here.door.create(ADMIN, CLUSTER_ROLES, "", role("maker", on("create", "rbac.authorization.k8s.io", "clusterroles")))
    await here.door.create(ADMIN, CLUSTER_ROLE_BINDINGS, "", binding("maker", "ClusterRole", "maker", ("User", "alice")))
    asked = role("r", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]})
    assert "must have cluster-admin privileges to use an aggregationRule" in await refused(Forbidden, here.door.create(ALICE, CLUSTER_ROLES, "", asked))


@pytest.mark.parametrize(
    ("resource", "document", "field", "words"),
    [
        pytest.param(ROLES, role("r", {"verbs": [], "apiGroups": [""], "resources": ["pods"]}), "rules[0].verbs",
                     "Required value", id="no verbs"),
        pytest.param(ROLES, role("r", {"verbs": ["get"], "nonResourceURLs": ["/x"]}), "rules[0].nonResourceURLs",
                     "namespaced rules cannot apply to non-resource URLs", id="paths in a namespace"),
        pytest.param(CLUSTER_ROLES, role("r", {"verbs": ["get"], "resources": ["pods"]}), "rules[0].apiGroups",
                     "resource rules must supply at least one api group", id="no group"),
        pytest.param(CLUSTER_ROLES, role("a/b"), "metadata.name", "may not contain '/'", id="a name that fits in no path"),
        pytest.param(CLUSTER_ROLE_BINDINGS, binding("b", "Role", "r"), "roleRef.kind", "Unsupported value", id="a Role for the cluster"),
        pytest.param(CLUSTER_ROLE_BINDINGS, binding("b", "ClusterRole", "r", ("ServiceAccount", "x")), "subjects[0].namespace", "Required value",
                     id="an account without a namespace"),
        pytest.param(ROLE_BINDINGS, binding("b", "Role", "r", ("Robot", "x")), "subjects[0].kind", "Unsupported value", id="an unknown kind"),
    ],
)  # fmt: skip
def test_what_is_invalid(resource: str, document: dict[str, Any], field: str, words: str) -> None:
    @scenario
    async def run(here: Doorway) -> None:
        with pytest.raises(Invalid) as caught:
            await here.door.create(ADMIN, resource, "default" if resource in (ROLES, ROLE_BINDINGS) else "", document)
        assert [cause.field for cause in caught.value.causes] == [field] and words in caught.value.message

    run()


@scenario
async def test_a_binding_keeps_its_role(here: Doorway) -> None:
    await here.door.create(ADMIN, ROLE_BINDINGS, "default", binding("b", "Role", "r", ("User", "x")))
    ref = Ref(ROLE_BINDINGS, "b", "default")
    assert here.door.get(ADMIN, ref).document()["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    message = await refused(Invalid, here.door.patch(ADMIN, ref, PatchType.MERGE, {"roleRef": {"name": "s"}}))
    assert "cannot change roleRef" in message


# The defaults, and the master's own parts.


@scenario
async def test_defaults_are_completed_and_never_cut(here: Doorway) -> None:
    ref, off = Ref(CLUSTER_ROLES, "system:basic-user"), Ref(CLUSTER_ROLES, "system:discovery")
    await here.door.patch(ADMIN, ref, PatchType.MERGE, {"rules": [on("get", "", "pods")], "metadata": {"labels": None}})
    await here.door.patch(ADMIN, off, PatchType.MERGE, {"rules": [], "metadata": {"annotations": {defaults.AUTOUPDATE: "false"}}})
    await here.door.delete(ADMIN, Ref(CLUSTER_ROLE_BINDINGS, "system:discovery"))
    await bootstrap.ensure(here.door)
    document = here.door.get(ADMIN, ref).document()
    assert [rule["resources"][0] for rule in document["rules"]] == ["pods", "selfsubjectaccessreviews", "selfsubjectreviews"]
    assert document["metadata"]["labels"] == {"kubernetes.io/bootstrapping": "rbac-defaults"}
    assert "rules" not in (kept := here.door.get(ADMIN, off).document()) or kept["rules"] == []
    assert here.exists(Ref(CLUSTER_ROLE_BINDINGS, "system:discovery"))
    before = here.store.revision
    await bootstrap.ensure(here.door)
    assert here.store.revision == before, "what is complete is not written"


def test_every_part_of_the_master_acts_as_the_user_that_its_role_is_bound_to() -> None:
    bound = {name for default in parts() for name in default.users}
    acting = {c.actor.role: c.actor.name for c in controllers.controllers(ControllerSettings())}
    assert acting == {role: role.user for role in acting}
    assert set(acting.values()) <= bound
    assert {grant.role.user for grant in GRANTS if grant.role not in (Role.USER, Role.API)} == bound


@scenario
async def test_a_part_s_role_says_what_the_writers_table_says(here: Doorway) -> None:
    scheduler, replicaset = Actor(Role.SCHEDULER.user, Role.SCHEDULER), Actor(Role.REPLICASET.user, Role.REPLICASET)
    for actor, access, allowed in (
        (scheduler, Access("create", resource="pods", subresource="binding", namespace="a"), True),
        (scheduler, Access("patch", resource="pods", subresource="status", namespace="a"), True),
        (scheduler, Access("delete", resource="pods", namespace="a"), False),
        (scheduler, Access("get", resource="secrets", namespace="a"), False),
        (replicaset, Access("create", resource="pods", namespace="a"), True),
        (replicaset, Access("patch", "apps", "replicasets", "status", "a"), True),
        (replicaset, Access("patch", "apps", "deployments", "status", "a"), False),
        (Actor("system:node:n1", groups=("system:nodes",)), Access("patch", resource="nodes", subresource="status", name="n1"), True),
        (Actor("system:node:n1", groups=("system:nodes",)), Access("list", resource="secrets"), False),
    ):
        try:
            here.door.authorize(actor, access)
            assert allowed, (actor.name, access)
        except Forbidden:
            assert not allowed, (actor.name, access)


# Questions.


@scenario
async def test_reviews_answer_and_are_not_stored(here: Doorway) -> None:
    await give(here, on("get", "", "pods"))
    get = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}
    before = here.store.revision
    assert await ask(here, ALICE, "SelfSubjectAccessReview", get) == {
        "allowed": True, "reason": 'RBAC: allowed by RoleBinding "given/default" of Role "given" to User "alice"'
    }  # fmt: skip
    assert await ask(here, ADMIN, "SubjectAccessReview", {"user": "bob", **get}) == {"allowed": False}
    assert (await ask(here, ADMIN, "SubjectAccessReview", {"groups": ["system:masters"], **get}))["allowed"]
    assert (await ask(here, ADMIN, "LocalSubjectAccessReview", {"user": "alice", **get}, "default"))["allowed"]
    path = {"nonResourceAttributes": {"verb": "get", "path": "/api"}}
    assert (await ask(here, ALICE, "SelfSubjectAccessReview", path))["allowed"]
    rules = await ask(here, ALICE, "SelfSubjectRulesReview", {"namespace": "default"})
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]} in rules["resourceRules"] and not rules["incomplete"]
    who = (await here.door.create(ALICE, "selfsubjectreviews.authentication.k8s.io", "", {})).document()
    assert who["status"]["userInfo"] == {"username": "alice", "groups": ["dev", "system:authenticated"]}
    assert here.store.revision == before
    await refused(Forbidden, ask(here, ALICE, "SubjectAccessReview", {"user": "bob", **get}))
    assert "at least one of user or group" in await refused(Invalid, ask(here, ADMIN, "SubjectAccessReview", get))
    assert "exactly one of" in await refused(Invalid, ask(here, ALICE, "SelfSubjectAccessReview", {}))
    assert "must match metadata.namespace" in await refused(
        Invalid, ask(here, ADMIN, "LocalSubjectAccessReview", {"user": "a", **get}, "kube-system")
    )


@pytest.mark.parametrize(
    ("headers", "name", "groups", "needed"),
    [
        pytest.param([("Impersonate-User", "bob")], "bob", ("system:authenticated",), ["users/bob"], id="a user"),
        pytest.param([("impersonate-user", "bob"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")], "bob",
                     ("dev", "ops", "system:authenticated"), ["users/bob", "groups/dev", "groups/ops"], id="and groups"),
        pytest.param([("Impersonate-User", "system:serviceaccount:a:robot")], "system:serviceaccount:a:robot",
                     ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"), ["serviceaccounts/robot"], id="an account"),
        pytest.param([("Impersonate-User", "system:anonymous")], "system:anonymous", ("system:unauthenticated",), ["users/system:anonymous"],
                     id="nobody"),
        pytest.param([("Impersonate-User", "bob"), ("Impersonate-Uid", "7"), ("Impersonate-Extra-Team%2FA", "x")], "bob",
                     ("system:authenticated",), ["users/bob", "uids/7", "userextras/team/a/x"], id="uid and extra"),
    ],
)  # fmt: skip
def test_impersonation(headers: list[tuple[str, str]], name: str, groups: tuple[str, ...], needed: list[str]) -> None:
    wanted = impersonation.asked(headers)
    assert wanted is not None
    acting = impersonation.completed(wanted)
    assert (acting.name, acting.groups) == (name, groups)
    assert [f"{access.combined}/{access.name}" for access in impersonation.needed(wanted)] == needed


# Tokens.


def with_tokens(here: Doorway) -> ApiDoor:
    def authority(views: Any) -> TokenAuthority:
        return TokenAuthority(KEY, issuer="https://issuer", views=views, clock=here.clock, rng=SeededRng(3))

    return ApiDoor(here.store, here.clock, SeededRng(1), leases=here.leases, authority=authority)


async def token(door: ApiDoor, **spec: Any) -> str:
    return door.create_token(ADMIN, ROBOT, {"spec": spec}).document()["status"]["token"]


def believed(door: ApiDoor, shown: str, *audiences: str) -> str:
    """The user, or why not."""
    assert door.authority is not None
    try:
        return door.authority.check(shown, audiences)[0].name
    except tokens.Invalid as error:
        return str(error)


USER = "system:serviceaccount:default:robot"


@scenario
async def test_a_token_says_who_for_how_long_and_for_whom(here: Doorway) -> None:
    door = with_tokens(here)
    await door.create(ADMIN, "serviceaccounts", "default", {"metadata": {"name": "robot"}})
    shown = await token(door, expirationSeconds=600)
    claims = jwt.decode(shown, options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["aud"], claims["exp"] - claims["iat"]) == ("https://issuer", USER, ["https://issuer"], 600)
    actor, audiences = door.authority.check(shown)  # type: ignore[union-attr]
    assert actor.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated") and actor.uid
    assert audiences == ("https://issuer",)
    other = await token(door, audiences=["vault"])
    assert "is for vault" in believed(door, other) and believed(door, other, "vault", "x") == USER
    status = await ask_token(door, other, "vault")
    assert (status["authenticated"], status["user"]["username"], status["audiences"]) == (True, USER, ["vault"])
    assert not (await ask_token(door, other))["authenticated"]
    assert "not one of this cluster" in believed(door, shown[:-4] + "AAAA") and "not one of this cluster" in believed(door, "x")
    forged = jwt.encode(claims, pki.ec.generate_private_key(pki.ec.SECP256R1()), algorithm="ES256")
    assert "not one of this cluster" in believed(door, forged)
    assert "not one of this cluster" in believed(door, jwt.encode(claims, "", algorithm="none"))
    public = jwt.PyJWKSet.from_dict(door.authority.keys()).keys[0]  # type: ignore[union-attr]
    assert jwt.decode(shown, public.key, ["ES256"], options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False})["sub"] == USER
    await asyncio.sleep(601)
    assert believed(door, shown) == "the token has expired" and believed(door, other, "vault") == USER


async def ask_token(door: ApiDoor, shown: str, *audiences: str) -> dict[str, Any]:
    document = {"spec": {"token": shown, "audiences": list(audiences)}}
    return (await door.create(ADMIN, "tokenreviews.authentication.k8s.io", "", document, WriteOptions())).document()["status"]


@scenario
async def test_a_token_ends_with_what_it_names(here: Doorway) -> None:
    door = with_tokens(here)
    await door.create(ADMIN, "serviceaccounts", "default", {"metadata": {"name": "robot"}})
    await door.create(ADMIN, "pods", "default", pod("web", spec={"serviceAccountName": "robot"}))
    await door.create(ADMIN, "pods", "default", pod("other"))
    bound = await token(door, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "web"})
    free = await token(door)
    assert believed(door, bound) == believed(door, free) == USER
    with pytest.raises(BadRequest, match="to pod running with different serviceaccount name"):
        await token(door, boundObjectRef={"kind": "Pod", "name": "other"})
    with pytest.raises(Conflict, match="does not match the UID in record"):
        await token(door, boundObjectRef={"kind": "Pod", "name": "web", "uid": "x"})
    with pytest.raises(NotFound):
        await token(door, boundObjectRef={"kind": "Secret", "name": "none"})
    with pytest.raises(BadRequest, match="cannot bind token to object of type"):
        await token(door, boundObjectRef={"kind": "ConfigMap", "name": "c"})
    with pytest.raises(Invalid, match="spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"):
        await token(door, expirationSeconds=60)
    await door.delete(ADMIN, WEB)
    assert believed(door, bound) == "Pod web has been deleted" and believed(door, free) == USER
    await door.delete(ADMIN, ROBOT)
    assert believed(door, free) == "service account default/robot has been deleted"
    await door.create(ADMIN, "serviceaccounts", "default", {"metadata": {"name": "robot"}})
    assert believed(door, free) == "service account default/robot is another one than when the token was made"


@scenario
async def test_a_pod_gets_its_account_and_the_account_s_secrets(here: Doorway) -> None:
    message = await refused(Forbidden, here.door.create(ADMIN, "pods", "default", pod("x", spec={"serviceAccountName": "robot"})))
    assert message == 'pods "x" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found'
    account = {"metadata": {"name": "robot"}, "imagePullSecrets": [{"name": "pull"}]}
    await here.door.create(ADMIN, "serviceaccounts", "default", account)
    stored = await here.door.create(ADMIN, "pods", "default", pod("x", spec={"serviceAccountName": "robot"}))
    assert stored.document()["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert here.door.views.get(RoleView, Ref(CLUSTER_ROLES, "cluster-admin")) is not None
