"""What a node's own credentials open, and what they may write: through the door, over the memory store."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import Forbidden, NotFound
from master.api.access.default_roles import PEOPLE
from master.api.access.rules import Access
from master.api.contract import Actor, PatchType, Ref, Selection
from tests.master.api.access.test_access import ROLE_BINDINGS, ROLES, binding, on, role
from tests.master.api.doorway import ADMIN, Doorway, scenario

N1 = Actor("system:node:n1", groups=("system:nodes", "system:authenticated"))
IMPOSTOR = Actor("system:node:n1", groups=("system:authenticated",))
LEASES = "leases.coordination.k8s.io"
UNRELATED = "no relationship found between node 'n1' and this object"

SPEC: dict[str, Any] = {
    "serviceAccountName": "default",
    "volumes": [
        {"name": "v", "configMap": {"name": "in-volume"}}, {"name": "c", "persistentVolumeClaim": {"claimName": "claim"}},
        {"name": "p", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
    ],
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [{
        "name": "main", "image": "x", "envFrom": [{"secretRef": {"name": "all"}}],
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}}],
    }],
}  # fmt: skip


async def world(here: Doorway) -> None:
    """n1 runs `mine`, n2 runs `theirs`; each names things."""
    for node in ("n1", "n2"):
        await here.door.create(ADMIN, "nodes", "", {"metadata": {"name": node}})
    await here.door.create(ADMIN, "serviceaccounts", "default", {"metadata": {"name": "default"}})
    await here.pod("mine", node="n1", spec=SPEC)
    other = {"containers": [{"name": "main", "image": "x", "envFrom": [{"secretRef": {"name": "other"}}]}]}
    await here.pod("theirs", node="n2", spec=other)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    for name, claims in (("volume", "claim"), ("foreign", "not-mine")):
        volume = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"},
                  "claimRef": {"namespace": "default", "name": claims}}  # fmt: skip
        await here.door.create(ADMIN, "persistentvolumes", "", {"metadata": {"name": name}, "spec": volume})
    await here.door.create(ADMIN, "persistentvolumeclaims", "default", {"metadata": {"name": "claim"}, "spec": claim})


def asks(verb: str, resource: str, name: str = "", *, group: str = "", sub: str = "", namespace: str = "default", fields: str = "") -> Access:
    return Access(verb, group, resource, sub, namespace, name, fields=fields)


COORDINATION = {"group": "coordination.k8s.io"}
ALLOWED = [
    *(asks("get", "secrets", name) for name in ("one", "all", "projected", "pull")), asks("get", "configmaps", "in-volume"),
    asks("watch", "secrets", "one"), asks("list", "secrets", "one"), asks("get", "persistentvolumeclaims", "claim"),
    asks("get", "persistentvolumes", "volume", namespace=""), asks("get", "nodes", "n1", namespace=""),
    asks("patch", "nodes", "n1", sub="status", namespace=""), asks("create", "nodes", namespace=""),
    asks("get", "pods", "mine"), asks("patch", "pods", "mine", sub="status"), asks("delete", "pods", "mine"),
    asks("create", "pods", "mine", sub="eviction"), asks("get", "pods", "none"),
    asks("list", "pods", namespace="", fields="spec.nodeName=n1"), asks("watch", "pods", fields="spec.nodeName=n1"),
    asks("create", "serviceaccounts", "default", sub="token"), asks("list", "services", namespace=""),
    asks("get", "leases", "n1", namespace="kube-node-lease", **COORDINATION), asks("create", "events"),
]  # fmt: skip
REFUSED = [
    (asks("get", "secrets", "other"), UNRELATED), (asks("get", "configmaps", "one"), UNRELATED), (asks("list", "secrets"), "No Object name found"),
    (asks("get", "secrets", "one", namespace="kube-system"), UNRELATED), (asks("delete", "secrets", "one"), ""),
    (asks("get", "persistentvolumeclaims", "other"), UNRELATED), (asks("get", "persistentvolumes", "foreign", namespace=""), UNRELATED),
    (asks("get", "nodes", "n2", namespace=""), "node 'n1' cannot read 'n2', only its own Node object"),
    (asks("list", "nodes", namespace=""), "node 'n1' cannot read '', only its own Node object"),
    (asks("patch", "nodes", "n2", sub="status", namespace=""), "node 'n1' is not allowed to modify node 'n2'"),
    (asks("delete", "nodes", "n1", namespace=""), ""), (asks("get", "pods", "theirs"), UNRELATED),
    (asks("patch", "pods", "theirs", sub="status"), UNRELATED), (asks("delete", "pods", "theirs"), UNRELATED), (asks("create", "pods"), ""),
    (asks("list", "pods"), "can only list/watch pods with spec.nodeName field selector"),
    (asks("list", "pods", fields="spec.nodeName=n2"), "can only list/watch pods with spec.nodeName field selector"),
    (asks("create", "pods", "mine", sub="exec"), ""), (asks("create", "serviceaccounts", "robot", sub="token"), UNRELATED),
    (asks("get", "leases", "n2", namespace="kube-node-lease", **COORDINATION), "can only access node lease with the same name"),
    (asks("get", "leases", "n1", **COORDINATION), 'can only access leases in the "kube-node-lease" system namespace'),
    (asks("list", "deployments", group="apps"), ""),
]  # fmt: skip


def word(access: Access) -> str:
    return f"{access.verb} {access.combined} {access.name or access.fields} in {access.namespace or 'the cluster'}"


@pytest.mark.parametrize("access", [pytest.param(one, id=word(one)) for one in ALLOWED])
def test_a_node_reaches(access: Access) -> None:
    async def main(here: Doorway) -> None:
        await world(here)
        here.door.authorize(N1, access)
        with pytest.raises(Forbidden):
            here.door.authorize(IMPOSTOR, access)

    scenario(main)()


@pytest.mark.parametrize(("access", "why"), [pytest.param(one, why, id=word(one)) for one, why in REFUSED])
def test_a_node_does_not_reach(access: Access, why: str) -> None:
    async def main(here: Doorway) -> None:
        await world(here)
        with pytest.raises(Forbidden) as refused:
            here.door.authorize(N1, access)
        assert why in refused.value.message

    scenario(main)()


def test_its_role_is_bound_to_nobody() -> None:
    assert next(default for default in PEOPLE if default.name == "system:node").binding() is None


@scenario
async def test_a_node_reads_and_writes_its_own_through_the_door(here: Doorway) -> None:
    await world(here)
    await here.door.create(ADMIN, "secrets", "default", {"metadata": {"name": "one"}, "stringData": {"k": "v"}})
    assert here.door.get(N1, Ref("secrets", "one", "default")).document()["data"] == {"k": "dg=="}
    page = await here.door.list(N1, "pods", "", selection=Selection(fields="spec.nodeName=n1"))
    assert [stored.document()["metadata"]["name"] for stored in page.items] == ["mine"]
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await here.door.patch(N1, Ref("pods", "mine", "default"), PatchType.MERGE, ready, subresource="status")
    await here.door.patch(N1, Ref("nodes", "n1"), PatchType.MERGE, ready, subresource="status")
    with pytest.raises(NotFound):
        here.door.get(N1, Ref("pods", "none", "default"))


async def change(here: Doorway, name: str, patch: dict[str, Any], *, resource: str = "nodes", sub: str = "") -> str:
    """What is said against it, or ""."""
    try:
        await here.door.patch(N1, Ref(resource, name, "" if resource == "nodes" else "default"), PatchType.MERGE, patch, subresource=sub)
    except Forbidden as refused:
        return refused.message
    return ""


@scenario
async def test_a_node_does_not_choose_what_keeps_workloads_apart(here: Doorway) -> None:
    await world(here)
    for label in ("example.test/x", "plain", "kubernetes.io/hostname", "node.kubernetes.io/speed", "topology.kubernetes.io/zone"):
        assert await change(here, "n1", {"metadata": {"labels": {label: "x"}}}) == ""
    for label in ("node-restriction.kubernetes.io/x", "sub.node-restriction.kubernetes.io/x", "node-role.kubernetes.io/master", "x.k8s.io/y"):
        assert f"is not allowed to modify labels: {label}" in await change(here, "n1", {"metadata": {"labels": {label: "x"}}})
    taint = [{"key": "a", "effect": "NoSchedule"}]
    assert "is not allowed to modify taints" in await change(here, "n1", {"spec": {"taints": taint}})
    assert "annotations: steersman.io/agent-key" in await change(here, "n1", {"metadata": {"annotations": {"steersman.io/agent-key": "x"}}})
    said = await change(here, "mine", {"metadata": {"labels": {"a": "b"}}}, resource="pods", sub="status")
    assert 'node "n1" cannot update labels through pod status' in said


@scenario
async def test_a_node_makes_no_node_but_itself(here: Doorway) -> None:
    with pytest.raises(Forbidden, match='node "n1" is not allowed to modify node "n9"'):
        await here.door.create(N1, "nodes", "", {"metadata": {"name": "n9"}})
    with pytest.raises(Forbidden, match="is not allowed to set the following labels: node-restriction.kubernetes.io/x"):
        await here.door.create(N1, "nodes", "", {"metadata": {"name": "n1", "labels": {"node-restriction.kubernetes.io/x": "y"}}})
    await here.door.create(N1, "nodes", "", {"metadata": {"name": "n1"}})


@scenario
async def test_what_is_bound_to_one_node_is_its_besides(here: Doorway) -> None:
    await world(here)
    await here.door.create(ADMIN, ROLES, "default", role("more", on("list", "", "configmaps")))
    await here.door.create(ADMIN, ROLE_BINDINGS, "default", binding("more", "Role", "more", ("User", "system:node:n1")))
    assert (await here.door.list(N1, "configmaps", "default")).items == []


@scenario
async def test_tokens_are_for_pods_on_the_node(here: Doorway) -> None:
    from master.api.access import node_restriction

    await world(here)
    account = Ref("serviceaccounts", "default", "default")

    def said(bound: dict[str, Any] | None) -> str:
        try:
            node_restriction.check_token(N1, account, {"spec": {"boundObjectRef": bound} if bound else {}}, here.door.views)
        except Forbidden as refused:
            return refused.message
        return ""

    assert said({"kind": "Pod", "name": "mine", "uid": "u"}) == ""
    assert "token not bound to a pod" in said(None) and "token not bound to a pod" in said({"kind": "Secret", "name": "x"})
    assert "without a uid" in said({"kind": "Pod", "name": "mine"})
    assert "scheduled on a different node" in said({"kind": "Pod", "name": "theirs", "uid": "u"})
