"""The same operations through both fronts: code, reason, message, details and document must be the same.

Each front serves a store of its own, seeded alike, and is asked the whole table in its order.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from common.errors import SteersmanError
from ctl.client import Client
from master.api import status
from master.api.door import ApiDoor
from tests.master.native.native import Native, native
from tests.master.rest.served import ADMIN, Served, served

APPLY, MERGE, STRATEGIC, JSON_PATCH = (
    "application/apply-patch+yaml", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json"
)


class Op(msgspec.Struct, frozen=True):
    verb: str
    resource: str
    name: str = ""
    namespace: str = "shop"
    sub: str = ""
    query: dict[str, str] = {}
    body: Any = None
    media: str = ""
    form: str = "plain"
    user: str = ""


def config(name: str = "c", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(replicas: int = 1, **spec: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "busybox:1.36"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }  # fmt: skip


POD = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "a", "image": "busybox:1.36"}, {"name": "b", "image": "busybox:1.36"}]},
}  # fmt: skip

OPS = {
    "create": Op("create", "configmaps", body=config(a="1")),
    "create what exists": Op("create", "configmaps", body=config()),
    "create with a misspelt field": Op("create", "configmaps", query={"fieldValidation": "Strict"}, body={**config("d"), "dataa": {}}),
    "create with a misspelt field and a warning": Op("create", "configmaps", body={**config("d"), "dataa": {}}),
    "create with a field twice": Op(
        "create", "configmaps", query={"fieldValidation": "Strict"},
        body=b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"e"},"data":{"a":"1","a":"2"}}',
    ),
    "create in a mode that is none": Op("create", "configmaps", query={"fieldValidation": "Loud"}, body=config("e")),
    "create with a bad name": Op("create", "configmaps", body=config("A B")),
    "create a Pod that breaks rules": Op("create", "pods", body={**POD, "spec": {"containers": [{"name": "A", "image": ""}]}}),
    "create the wrong kind": Op("create", "pods", body=config()),
    "create without a body": Op("create", "pods"),
    "create with a broken body": Op("create", "pods", body=b"{"),
    "create in no namespace": Op("create", "pods", namespace="", body=POD),
    "create in a namespace that is not there": Op("create", "pods", namespace="nowhere", body=POD),
    "create for nothing": Op("create", "configmaps", query={"dryRun": "All"}, body=config("f")),
    "create for half nothing": Op("create", "configmaps", query={"dryRun": "Some"}, body=config("f")),
    "create a Pod": Op("create", "pods", body=POD),
    "create a Deployment": Op("create", "deployments", body=deployment()),
    "create in YAML": Op("create", "configmaps", media="application/yaml", body=b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n"),
    "create in a form that is none": Op("create", "configmaps", media="text/html", body=b"<p>"),
    "a review": Op(
        "create", "selfsubjectaccessreviews", namespace="", user="alice",
        body={"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
              "spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "shop"}}},
    ),
    "get": Op("get", "configmaps", "c"),
    "get as a Table": Op("get", "configmaps", "c", form="table"),
    "get metadata alone": Op("get", "configmaps", "c", form="partial"),
    "get what is not there": Op("get", "configmaps", "none"),
    "get as of a revision of the future": Op("get", "configmaps", "c", query={"resourceVersion": "99999", "resourceVersionMatch": "Exact"}),
    "get a scale": Op("get", "deployments", "web", sub="scale"),
    "get a status": Op("get", "deployments", "web", sub="status"),
    "get a part that is not there": Op("get", "configmaps", "c", sub="status"),
    "get a log that is not there yet": Op("get", "pods", "p", sub="log", query={"container": "a"}),
    "get a log of one of two": Op("get", "pods", "p", sub="log"),
    "get a log of no container": Op("get", "pods", "p", sub="log", query={"container": "z"}),
    "get a log with a bad number": Op("get", "pods", "p", sub="log", query={"container": "a", "tailLines": "-4"}),
    "get a log without the right to": Op("get", "pods", "p", sub="log", user="alice"),
    "list": Op("list", "configmaps"),
    "list as a Table": Op("list", "pods", form="table"),
    "list as a Table with objects": Op("list", "pods", form="table", query={"includeObject": "Object"}),
    "list as a Table with what is none": Op("list", "pods", form="table", query={"includeObject": "Some"}),
    "list everywhere": Op("list", "pods", namespace=""),
    "list a page": Op("list", "configmaps", query={"limit": "1"}),
    "list from a token that is none": Op("list", "configmaps", query={"continue": "x"}),
    "list by labels": Op("list", "pods", query={"labelSelector": "app in (web)"}),
    "list by a selector that is none": Op("list", "pods", query={"labelSelector": "app in web"}),
    "list by a field that is none": Op("list", "pods", query={"fieldSelector": "spec.colour=red"}),
    "list at a revision that is too large": Op("list", "pods", query={"resourceVersion": "99999", "resourceVersionMatch": "Exact"}),
    "list at a revision with a token": Op("list", "pods", query={"resourceVersion": "3", "resourceVersionMatch": "Exact", "continue": "x"}),
    "list with a limit in words": Op("list", "pods", query={"limit": "many"}),
    "watch with a match alone": Op("watch", "pods", query={"resourceVersionMatch": "Exact"}),
    "watch from the future": Op("watch", "pods", query={"resourceVersion": "99999"}),
    "watch without the right to": Op("watch", "pods", user="alice"),
    "update without its version": Op("update", "configmaps", "c", body=config(a="2")),
    "update at an old version": Op("update", "configmaps", "c", body={**config(a="3"), "metadata": {"name": "c", "resourceVersion": "1"}}),
    "update under another name": Op("update", "configmaps", "c", body=config("d")),
    "update what is not there": Op("update", "configmaps", "none", body=config("none")),
    "update what cannot change": Op("update", "deployments", "web", body=deployment(selector={"matchLabels": {"app": "x"}})),
    "update a status": Op("update", "deployments", "web", sub="status", body={**deployment(), "status": {"replicas": 1}}),
    "update a scale": Op(
        "update", "deployments", "web", sub="scale",
        body={"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 2}},
    ),
    "patch by merge": Op("patch", "configmaps", "c", body={"data": {"b": "2"}}, media=MERGE),
    "patch strategically": Op("patch", "deployments", "web", body={"spec": {"replicas": 4}}, media=STRATEGIC),
    "patch by steps": Op("patch", "configmaps", "c", body=[{"op": "add", "path": "/data/z", "value": "9"}], media=JSON_PATCH),
    "patch by a step that fails": Op("patch", "configmaps", "c", body=[{"op": "test", "path": "/data/z", "value": "8"}], media=JSON_PATCH),
    "patch a scale": Op("patch", "deployments", "web", sub="scale", body={"spec": {"replicas": 3}}, media=MERGE),
    "patch a scale below nothing": Op("patch", "deployments", "web", sub="scale", body={"spec": {"replicas": -3}}, media=MERGE),
    "patch by a way that is none": Op("patch", "configmaps", "c", body={}, media="application/json"),
    "patch by force": Op("patch", "configmaps", "c", body={}, media=MERGE, query={"force": "true"}),
    "patch what is not there": Op("patch", "configmaps", "none", body={}, media=MERGE),
    "apply something new": Op("patch", "configmaps", "new", body=config("new", a="1"), media=APPLY, query={"fieldManager": "me"}),
    "apply against another": Op("patch", "configmaps", "new", body=config("new", a="2"), media=APPLY, query={"fieldManager": "you"}),
    "apply by force": Op("patch", "configmaps", "new", body=config("new", a="2"), media=APPLY, query={"fieldManager": "you", "force": "true"}),
    "apply as nobody": Op("patch", "configmaps", "new", body=config("new"), media=APPLY),
    "apply in a namespace that is not there": Op(
        "patch", "configmaps", "new", "nowhere", body=config("new"), media=APPLY, query={"fieldManager": "me"}
    ),
    "evict": Op("create", "pods", "p", sub="eviction", body={"metadata": {"name": "p"}, "deleteOptions": {"dryRun": ["All"]}}),
    "evict another": Op("create", "pods", "p", sub="eviction", body={"metadata": {"name": "q"}}),
    "a token of an account that is not there": Op("create", "serviceaccounts", "none", sub="token", body={"spec": {}}),
    "delete with a wrong uid": Op("delete", "configmaps", "c", body={"preconditions": {"uid": "x"}}),
    "delete by a policy that is none": Op("delete", "configmaps", "c", query={"propagationPolicy": "Wild"}),
    "delete with a body that is none": Op("delete", "configmaps", "c", body={"kind": "Pod"}),
    "delete for nothing": Op("delete", "configmaps", "c", query={"dryRun": "All"}),
    "delete": Op("delete", "configmaps", "c"),
    "delete what is not there": Op("delete", "configmaps", "c"),
    "delete a Pod": Op("delete", "pods", "p", query={"gracePeriodSeconds": "0"}),
    "delete many": Op("deletecollection", "configmaps", query={"fieldSelector": "metadata.name=new"}),
    "delete many everywhere": Op("deletecollection", "configmaps", namespace=""),
    "delete many of what cannot be": Op("deletecollection", "namespaces", namespace=""),
    "change what has no such verb": Op("get", "selfsubjectaccessreviews", "x", namespace=""),
    **{
        f"{verb} without the right to": Op(verb, "secrets", "" if verb in ("list", "create", "deletecollection") else "s", body=body, media=media, user="alice")
        for verb, body, media in (
            ("get", None, ""), ("list", None, ""), ("create", {"metadata": {"name": "s"}}, ""), ("update", {"metadata": {"name": "s"}}, ""),
            ("patch", {}, MERGE), ("delete", None, ""), ("deletecollection", None, ""),
        )
    },
    "get in a namespace where one may": Op("get", "namespaces", "shop", namespace="", user="victor"),
    "list where one may": Op("list", "deployments", form="table", user="victor"),
    "change where one may only look": Op("patch", "deployments", "web", body={"spec": {"replicas": 1}}, media=MERGE, user="victor"),
}  # fmt: skip

FORMS = {"table": "application/json;as=Table;v=v1;g=meta.k8s.io", "partial": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}  # fmt: skip
SEEDS = (
    ("namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
    ("serviceaccounts", "shop", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}),
    ("rolebindings.rbac.authorization.k8s.io", "shop", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "viewers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "victor"}],
    }),
)  # fmt: skip

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Outcome = tuple[int, Any, list[str]]


def encoded(body: Any) -> bytes:
    return b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()


def same(value: Any) -> Any:
    """Without what differs from one store to the next."""
    if isinstance(value, dict):
        return {k: same(v) for k, v in value.items() if k not in ("uid", "creationTimestamp", "time", "resourceVersion")}
    if isinstance(value, list):
        return [same(one) for one in value]
    return re.sub(r"^\d+s$", "AGE", UUID.sub("UID", value)) if isinstance(value, str) else value


async def over_rest(here: Served, op: Op) -> Outcome:
    resource = here.door.catalog.named(op.resource)
    path = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    parts = [*(("namespaces", op.namespace) if op.namespace else ()), resource.plural, *filter(None, (op.name, op.sub))]
    query = {**op.query, **({"watch": "true"} if op.verb == "watch" else {})}
    headers = {"Content-Type": op.media or "application/json", "User-Agent": "kctl"}
    if op.form in FORMS:
        headers["Accept"] = FORMS[op.form]
    if op.user:
        headers["Impersonate-User"] = op.user
    url = here.url("/".join((path, *parts))) + (f"?{urlencode(query)}" if query else "")
    async with here.client.request(METHODS[op.verb], url, data=encoded(op.body) or None, headers=headers) as answer:
        text = await answer.text()
        warnings = [value.split('"', 1)[1][:-1].replace('\\"', '"') for value in answer.headers.getall("Warning", [])]
        return answer.status, json.loads(text) if text.startswith("{") else text, warnings


async def over_native(client: Client, op: Op) -> Outcome:
    about = {"namespace": op.namespace, "name": op.name, "subresource": op.sub, "query": op.query, "media": op.media, "form": op.form}
    try:
        async with client.asking(op.verb, resource=op.resource, body=encoded(op.body), **about) as answer:
            head, text = answer.head.result().result, (await answer.body()).decode()
            return head["code"], json.loads(text) if text.startswith("{") else text, head["warnings"]
    except SteersmanError as error:
        return error.code, status.of(error), []


async def seed(door: ApiDoor) -> None:
    for resource, namespace, document in SEEDS:
        await door.create(ADMIN, resource, namespace, document)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[Outcome, Outcome]]:
    async def rest() -> dict[str, Outcome]:
        async with served() as here:
            await seed(here.door)
            return {name: await over_rest(here, op) for name, op in OPS.items()}

    async def messages() -> dict[str, Outcome]:
        async with served() as other, native(other.door) as here:
            await seed(here.door)
            return {name: await asked(here, op) for name, op in OPS.items()}

    async def asked(here: Native, op: Op) -> Outcome:
        async with here.as_user("user:kubernetes-admin", user=op.user) as client:
            return await over_native(client, op)

    one, other = asyncio.run(asyncio.wait_for(rest(), 60)), asyncio.run(asyncio.wait_for(messages(), 60))
    return {name: (one[name], other[name]) for name in OPS}


@pytest.mark.parametrize("name", OPS)
def test_both_fronts_answer_alike(outcomes: dict[str, tuple[Outcome, Outcome]], name: str) -> None:
    one, other = outcomes[name]
    assert other[0] == one[0], (one, other)
    assert same(other[1]) == same(one[1])
    assert other[2] == one[2]


def test_the_table_has_refusals_of_every_kind(outcomes: dict[str, tuple[Outcome, Outcome]]) -> None:
    reasons = {body["reason"] for _, (code, body, _) in outcomes.values() if code >= 400}
    assert reasons >= {
        "AlreadyExists", "BadRequest", "Conflict", "Forbidden", "Invalid", "MethodNotAllowed", "NotFound", "Timeout", "UnsupportedMediaType",
    }  # fmt: skip
    assert sum(code < 300 for _, (code, _, _) in outcomes.values()) > 25
