"""Scale, binding, approval and ephemeral containers, and the leases of nodes."""

from __future__ import annotations

import pytest

from common.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound
from master.api.contract import DeleteOptions, PatchType, Ref, WriteOptions
from master.store.contract import Cause
from tests.master.api.doorway import ADMIN, DISPATCH, SCHEDULER, SHOP, WEB, Doorway, deployment, scenario, uid
from tests.master.api.kinds.cases import CASES

BIND = Cause("system:kube-scheduler", "Bind")
LEASES = "leases.coordination.k8s.io"


def scale_to(replicas: int, **metadata):
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "shop", **metadata}, "spec": {"replicas": replicas}}


@scenario
async def test_the_scale_of_a_deployment(here: Doorway):
    created = await here.door.create(ADMIN, "deployments.apps", "default", deployment(replicas=2))
    scale = await here.door.scale(ADMIN, SHOP)
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["metadata"]["resourceVersion"] == str(created.revision)
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "app=shop"})


@scenario
async def test_scaling_changes_replicas_and_nothing_else(here: Doorway):
    created = await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    answer = await here.door.update(ADMIN, SHOP, scale_to(3), subresource="scale")
    assert (answer.document()["kind"], answer.document()["spec"]) == ("Scale", {"replicas": 3})
    patch = {"spec": {"replicas": 4}, "metadata": {"labels": {"a": "b"}}}
    for kind in (PatchType.MERGE, PatchType.STRATEGIC):
        await here.door.patch(ADMIN, SHOP, kind, patch, subresource="scale")
    now = here.door.get(ADMIN, SHOP).document()
    before = created.document()
    assert now["spec"] == {**before["spec"], "replicas": 4}
    assert now["metadata"]["generation"] == 3 and "labels" not in now["metadata"]


@scenario
async def test_scaling_is_refused(here: Doorway):
    created = await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    with pytest.raises(Invalid, match='Scale.autoscaling "shop" is invalid: spec.replicas: Invalid value: -1'):
        await here.door.update(ADMIN, SHOP, scale_to(-1), subresource="scale")
    with pytest.raises(Conflict):
        await here.door.update(ADMIN, SHOP, scale_to(2, resourceVersion=str(created.revision - 1)), subresource="scale")
    with pytest.raises(BadRequest):
        await here.door.update(ADMIN, SHOP, deployment(), subresource="scale")
    with pytest.raises(BadRequest, match="unknown field"):
        strict = WriteOptions(field_validation="Strict")
        await here.door.update(ADMIN, SHOP, {**scale_to(2), "spex": {}}, strict, subresource="scale")
    with pytest.raises(NotFound, match="the server could not find the requested resource"):
        await here.door.update(ADMIN, WEB, scale_to(2), subresource="scale")


@scenario
async def test_binding_is_one_write(here: Doorway):
    ref = await here.pod()
    created = here.door.get(ADMIN, ref)
    bound = await here.door.bind(SCHEDULER, ref, "n1", uid=uid(created), cause=BIND)
    assert bound.revision == created.revision + 1
    document = bound.document()
    assert document["spec"]["nodeName"] == "n1"
    assert [(c["type"], c["status"]) for c in document["status"]["conditions"]] == [("PodScheduled", "True")]
    assert document["metadata"]["generation"] == 1, "placement is not a wish of the user"


@scenario
async def test_binding_replaces_an_earlier_verdict(here: Doorway):
    ref = await here.pod()
    failed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/0 nodes"}
    await here.door.patch(SCHEDULER, ref, PatchType.MERGE, {"status": {"conditions": [failed]}}, subresource="status")
    bound = await here.door.bind(SCHEDULER, ref, "n1", uid="", cause=BIND)
    assert [(c["type"], c["status"], c.get("reason")) for c in bound.document()["status"]["conditions"]] == [("PodScheduled", "True", None)]


@scenario
async def test_a_pod_is_bound_once_and_while_it_is_wanted(here: Doorway):
    ref = await here.pod()
    with pytest.raises(Conflict, match="Precondition failed: UID in precondition: other"):
        await here.door.bind(SCHEDULER, ref, "n1", uid="other", cause=BIND)
    await here.door.bind(SCHEDULER, ref, "n1", uid="", cause=BIND)
    with pytest.raises(Conflict, match='pod web is already assigned to node "n1"'):
        await here.door.bind(SCHEDULER, ref, "n2", uid="", cause=BIND)
    await here.pod("old", metadata={"finalizers": ["a.b/c"]})
    old = Ref("pods", "old", "default")
    await here.door.delete(ADMIN, old)
    with pytest.raises(Conflict, match="pod old is being deleted, cannot be assigned to a host"):
        await here.door.bind(SCHEDULER, old, "n1", uid="", cause=BIND)
    with pytest.raises(NotFound):
        await here.door.bind(SCHEDULER, Ref("pods", "none", "default"), "n1", uid="", cause=BIND)


@scenario
async def test_dispatch_binds_nothing(here: Doorway):
    ref = await here.pod()
    with pytest.raises(Forbidden, match='cannot create resource "pods/binding"'):
        await here.door.bind(DISPATCH, ref, "n1", uid="", cause=BIND)


@scenario
async def test_leases_of_nodes_are_read_from_memory(here: Doorway):
    before = here.store.revision
    here.leases.renew("n2", here.clock.now())
    here.leases.renew("n1", here.clock.now())
    ref = Ref(LEASES, "n1", "kube-node-lease")
    lease = here.door.get(ADMIN, ref).document()
    assert lease["spec"]["renewTime"] == "2023-11-14T22:13:20.000000Z"
    here.leases.renew("n1", here.clock.now() + 10)
    again = here.door.get(ADMIN, ref).document()
    assert again["spec"]["renewTime"] == "2023-11-14T22:13:30.000000Z"
    assert again["metadata"]["uid"] == lease["metadata"]["uid"]
    for namespace in ("", "kube-node-lease"):
        page = await here.door.list(ADMIN, LEASES, namespace)
        assert [item.document()["metadata"]["name"] for item in page.items] == ["n1", "n2"]
    assert here.store.revision == before, "heartbeats never touch the disk"
    here.leases.drop("n1")
    with pytest.raises(NotFound):
        here.door.get(ADMIN, ref)


@scenario
async def test_leases_of_nodes_are_the_masters_and_all_others_are_ordinary(here: Doorway):
    lease = {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "me"}}
    await here.door.create(ADMIN, LEASES, "default", lease)
    assert here.exists(Ref(LEASES, "leader", "default"))
    with pytest.raises(Forbidden, match="leases of nodes are kept by the master itself"):
        await here.door.create(ADMIN, LEASES, "kube-node-lease", lease)
    with pytest.raises(Forbidden):
        await here.door.delete(ADMIN, Ref(LEASES, "n1", "kube-node-lease"), DeleteOptions())


CSR = Ref("certificatesigningrequests.certificates.k8s.io", "x")


async def a_request(here: Doorway) -> None:
    request = next(case for case in CASES if case.key == CSR.resource)
    await here.door.create(ADMIN, CSR.resource, "", {"metadata": {"name": "x"}, **request.document})


@scenario
async def test_an_approval_changes_the_conditions_alone_and_cannot_be_taken_back(here: Doorway) -> None:
    await a_request(here)
    before = here.door.get(ADMIN, CSR).document()
    approved = {"type": "Approved", "status": "True", "reason": "Known", "message": "I know them"}
    wanted = {**before, "spec": {**before["spec"], "signerName": "other.io/ca"}, "status": {"conditions": [approved], "certificate": "YQ=="}}
    after = (await here.door.update(ADMIN, CSR, wanted, subresource="approval")).document()
    assert after["spec"] == before["spec"] and after["status"] == {"conditions": [approved]}
    with pytest.raises(Invalid) as caught:
        await here.door.update(ADMIN, CSR, {**after, "status": {}}, subresource="approval")
    assert 'may not remove a condition of type "Approved"' in caught.value.message
    denied = {"type": "Denied", "status": "True"}
    with pytest.raises(Invalid, match="mutually exclusive"):
        await here.door.update(ADMIN, CSR, {**after, "status": {"conditions": [approved, denied]}}, subresource="approval")
    issued = (await here.door.patch(ADMIN, CSR, PatchType.MERGE, {"status": {"certificate": "YQ=="}}, subresource="status")).document()
    assert issued["status"] == {"conditions": [approved], "certificate": "YQ=="}


@scenario
async def test_containers_for_debugging_are_added_through_their_subresource_alone(here: Doorway) -> None:
    ref = await here.pod("web", node="n1")
    added = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox:1"}]}}
    await here.door.patch(ADMIN, ref, PatchType.STRATEGIC, added)
    assert "ephemeralContainers" not in here.door.get(ADMIN, ref).document()["spec"]
    spec = (await here.door.patch(ADMIN, ref, PatchType.STRATEGIC, added, subresource="ephemeralcontainers")).document()["spec"]
    assert spec["ephemeralContainers"][0]["terminationMessagePath"] == "/dev/termination-log" and spec["nodeName"] == "n1"
    for change in ({"spec": {"ephemeralContainers": []}}, {"spec": {"ephemeralContainers": [{"name": "debug", "image": "other:1"}]}}):
        with pytest.raises(Invalid, match="may not be removed or changed"):
            await here.door.patch(ADMIN, ref, PatchType.MERGE, change, subresource="ephemeralcontainers")
    twice = {"spec": {"ephemeralContainers": [*spec["ephemeralContainers"], {"name": "main", "image": "a:1"}]}}
    with pytest.raises(Invalid) as caught:
        await here.door.patch(ADMIN, ref, PatchType.MERGE, twice, subresource="ephemeralcontainers")
    assert (caught.value.causes[0].field, caught.value.causes[0].message) == ("spec.ephemeralContainers[1].name", 'Duplicate value: "main"')


@scenario
async def test_the_scale_of_a_replicationcontroller_has_its_plain_selector(here: Doorway) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    await here.door.create(ADMIN, "replicationcontrollers", "default", {"metadata": {"name": "rc"}, "spec": {"template": template}})
    ref = Ref("replicationcontrollers", "rc", "default")
    assert (await here.door.scale(ADMIN, ref))["status"] == {"replicas": 0, "selector": "app=web"}
    await here.door.patch(ADMIN, ref, PatchType.MERGE, {"spec": {"replicas": 3}}, subresource="scale")
    assert here.door.get(ADMIN, ref).document()["spec"]["replicas"] == 3
