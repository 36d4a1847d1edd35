"""Deletion through the door: when an object goes, when it waits, and who may say that it is gone."""

from __future__ import annotations

import pytest

from common.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound
from master.api.contract import Actor, DeleteObject, DeleteOptions, PatchType, Ref, Role, Selection
from master.store.contract import Cause
from tests.master.api.doorway import ADMIN, DISPATCH, SHOP, WEB, Doorway, config, deployment, scenario, uid

SETTINGS = Ref("configmaps", "settings", "default")
CAUSE = Cause("test", "Test")


async def release(here: Doorway, ref: Ref):
    return await here.door.patch(ADMIN, ref, PatchType.MERGE, {"metadata": {"finalizers": None}})


@scenario
async def test_what_nothing_holds_goes_at_once(here: Doorway):
    created = await here.door.create(ADMIN, "configmaps", "default", config())
    stored, gone = await here.door.delete(ADMIN, SETTINGS)
    assert gone and uid(stored) == uid(created) and stored.revision > created.revision
    with pytest.raises(NotFound, match='configmaps "settings" not found'):
        await here.door.delete(ADMIN, SETTINGS)


@scenario
async def test_a_bound_pod_stays_until_its_node_confirms(here: Doorway):
    await here.pod(node="n1")
    stored, gone = await here.door.delete(ADMIN, WEB)
    assert not gone and stored.document()["metadata"]["deletionGracePeriodSeconds"] == 30
    again, gone = await here.door.delete(ADMIN, WEB)
    assert not gone and again.revision == stored.revision
    _, gone = await here.door.delete(DISPATCH, WEB, DeleteOptions(confirmed=True, cause=CAUSE))
    assert gone and not here.exists(WEB)


@scenario
async def test_only_dispatch_confirms(here: Doorway):
    await here.pod(node="n1")
    with pytest.raises(Forbidden):
        await here.door.delete(ADMIN, WEB, DeleteOptions(confirmed=True))
    with pytest.raises(Forbidden, match='"system:kube-scheduler" cannot delete resource "pods"'):
        await here.door.delete(Actor("system:kube-scheduler", Role.SCHEDULER), WEB)
    assert here.exists(WEB)


@scenario
async def test_a_user_removes_a_bound_pod_by_force(here: Doorway):
    await here.pod(node="n1")
    assert (await here.door.delete(ADMIN, WEB, DeleteOptions(grace_s=0)))[1]


@scenario
async def test_a_finalizer_holds_an_object_until_it_is_taken_away(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config(finalizers=["a.b/c"]))
    stored, gone = await here.door.delete(ADMIN, SETTINGS)
    assert not gone and stored.document()["metadata"]["deletionTimestamp"] == "2023-11-14T22:13:20Z"
    with pytest.raises(Invalid, match="no new finalizers can be added if the object is being deleted"):
        await here.door.patch(ADMIN, SETTINGS, PatchType.MERGE, {"metadata": {"finalizers": ["a.b/c", "d.e/f"]}})
    await release(here, SETTINGS)
    assert not here.exists(SETTINGS)


@scenario
async def test_a_running_pod_outlives_its_last_finalizer(here: Doorway):
    await here.pod(node="n1", metadata={"finalizers": ["a.b/c"]})
    await here.door.delete(ADMIN, WEB)
    await release(here, WEB)
    assert here.exists(WEB), "its containers still run"


@scenario
async def test_a_confirmed_pod_waits_for_its_finalizer_only(here: Doorway):
    await here.pod(node="n1", metadata={"finalizers": ["a.b/c"]})
    await here.door.delete(ADMIN, WEB)
    assert not (await here.door.delete(DISPATCH, WEB, DeleteOptions(confirmed=True, cause=CAUSE)))[1]
    await release(here, WEB)
    assert not here.exists(WEB)


@scenario
async def test_preconditions(here: Doorway):
    created = await here.door.create(ADMIN, "configmaps", "default", config())
    with pytest.raises(Conflict, match=r"the UID in the precondition \(other\) does not match the UID in record"):
        await here.door.delete(ADMIN, SETTINGS, DeleteOptions(uid="other"))
    with pytest.raises(Conflict, match="the ResourceVersion in the precondition"):
        await here.door.delete(ADMIN, SETTINGS, DeleteOptions(resource_version="1"))
    await here.door.delete(ADMIN, SETTINGS, DeleteOptions(uid=uid(created), resource_version=str(created.revision)))


@scenario
async def test_a_dry_run_deletes_nothing(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    before = here.store.revision
    assert (await here.door.delete(ADMIN, SETTINGS, DeleteOptions(dry_run=True)))[1]
    assert here.store.revision == before and here.exists(SETTINGS)


@scenario
async def test_an_unknown_propagation_is_refused(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    with pytest.raises(Invalid, match='propagationPolicy: Unsupported value: "Sideways"'):
        await here.door.delete(ADMIN, SETTINGS, DeleteOptions(propagation="Sideways"))


@scenario
async def test_foreground_waits_for_the_garbage_collector(here: Doorway):
    await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    stored, gone = await here.door.delete(ADMIN, SHOP, DeleteOptions(propagation="Foreground"))
    assert not gone and stored.document()["metadata"]["finalizers"] == ["foregroundDeletion"]
    garbage = Actor(Role.GARBAGE.user, Role.GARBAGE)
    await here.door.patch(garbage, SHOP, PatchType.MERGE, {"metadata": {"finalizers": None}})
    assert not here.exists(SHOP)


@scenario
async def test_a_namespace_goes_when_it_is_finalized(here: Doorway):
    ref = Ref("namespaces", "shop")
    await here.door.create(ADMIN, "namespaces", "", {"metadata": {"name": "shop"}})
    stored, gone = await here.door.delete(ADMIN, ref)
    assert not gone and stored.document()["status"]["phase"] == "Terminating"
    namespace = stored.document()
    await here.door.update(ADMIN, ref, {**namespace, "spec": {"finalizers": []}})
    assert here.exists(ref), "finalizers of a namespace change through /finalize alone"
    await here.door.update(ADMIN, ref, {**namespace, "spec": {"finalizers": []}}, subresource="finalize")
    assert not here.exists(ref)


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_the_systems_namespaces_stay(name: str):
    @scenario
    async def run(here: Doorway):
        with pytest.raises(Forbidden, match=f'namespaces "{name}" is forbidden: this namespace may not be deleted'):
            await here.door.delete(ADMIN, Ref("namespaces", name))

    run()


@scenario
async def test_a_collection_is_deleted_as_far_as_it_is_selected(here: Doorway):
    for n in range(4):
        await here.door.create(ADMIN, "configmaps", "default", config(f"c{n}", labels={"odd": str(n % 2)}))
    deleted = await here.door.delete_collection(
        ADMIN, "configmaps", "default", DeleteOptions(), selection=Selection(labels="odd=1")
    )
    assert [stored.document()["metadata"]["name"] for stored in deleted] == ["c1", "c3"]
    assert [here.exists(Ref("configmaps", f"c{n}", "default")) for n in range(4)] == [True, False, True, False]
    with pytest.raises(BadRequest, match="name a namespace"):
        await here.door.delete_collection(ADMIN, "configmaps", "", DeleteOptions())


@scenario
async def test_a_deletion_out_of_a_reconcile_is_guarded(here: Doorway):
    created = await here.door.create(ADMIN, "configmaps", "default", config())
    garbage = Actor(Role.GARBAGE.user, Role.GARBAGE)
    with pytest.raises(Conflict):
        await here.door.perform(garbage, DeleteObject(SETTINGS, CAUSE, uid="other"))
    with pytest.raises(Conflict):
        await here.door.perform(garbage, DeleteObject(SETTINGS, CAUSE, expected=1))
    await here.door.perform(garbage, DeleteObject(SETTINGS, CAUSE, uid=uid(created), expected=created.revision))
    assert not here.exists(SETTINGS)
