"""Server-side apply at the door: what is stored, who owns it, and how it is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from common.errors import BadRequest, Conflict, FieldCause, Invalid, NotFound, SteersmanError
from master.api.contract import Actor, Document, PatchType, Ref, Role, WriteOptions
from tests.master.api.doorway import ADMIN, DISPATCH, SHOP, WEB, Doorway, config, deployment, pod, scenario

SETTINGS = Ref("configmaps", "settings", "default")
REPLICASETS = Actor(Role.REPLICASET.user, Role.REPLICASET)


def by(manager: str, **options: Any) -> WriteOptions:
    return WriteOptions(field_manager=manager, **options)


def entries(document: Document) -> list[tuple[str, str, str]]:
    return [(e["manager"], e["operation"], e.get("subresource", "")) for e in document["metadata"].get("managedFields", ())]


def fields(document: Document, manager: str) -> Document:
    return next(e["fieldsV1"] for e in document["metadata"]["managedFields"] if e["manager"] == manager)


async def refused(kind: type[SteersmanError], doing: Any) -> SteersmanError:
    with pytest.raises(kind) as found:
        await doing
    return found.value


@scenario
async def test_what_is_missing_is_made(here: Doorway):
    stored, made = await here.door.apply(ADMIN, SETTINGS, config(), by("me"))
    assert made and stored == here.door.get(ADMIN, SETTINGS)
    assert stored.document()["metadata"]["managedFields"] == [
        {"manager": "me", "operation": "Apply", "apiVersion": "v1", "time": "2023-11-14T22:13:20Z", "fieldsType": "FieldsV1",
         "fieldsV1": {"f:data": {"f:color": {}}}},
    ]  # fmt: skip


@scenario
async def test_applying_the_same_again_writes_nothing(here: Doorway):
    first, _ = await here.door.apply(ADMIN, SETTINGS, config(), by("me"))
    await asyncio.sleep(5)
    assert await here.door.apply(ADMIN, SETTINGS, config(), by("me")) == (first, False)


@scenario
async def test_a_dry_run_stores_nothing(here: Doorway):
    stored, made = await here.door.apply(ADMIN, SETTINGS, config(), by("me", dry_run=True))
    assert made and stored.revision == 0 and not here.exists(SETTINGS)


@scenario
async def test_a_conflict_names_each_field_and_force_takes_it(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config(), by("kubectl-create"))
    wanted = {**config(), "data": {"color": "red"}}
    error = await refused(Conflict, here.door.apply(ADMIN, SETTINGS, wanted, by("me")))
    assert error.message == 'Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data.color'
    assert error.causes == (FieldCause("FieldManagerConflict", 'conflict with "kubectl-create" using v1', ".data.color"),)
    stored, _ = await here.door.apply(ADMIN, SETTINGS, wanted, by("me", force=True))
    assert stored.document()["data"] == {"color": "red"}
    assert fields(stored.document(), "kubectl-create") == {"f:data": {}}


@scenario
async def test_status_is_owned_through_status_alone(here: Doorway):
    applied = {**deployment(), "status": {"replicas": 7}}
    stored, _ = await here.door.apply(ADMIN, SHOP, applied, by("me"))
    assert "f:status" not in fields(stored.document(), "me") and stored.document()["status"] == {}
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"replicas": 9}, "status": {"replicas": 7}}
    stored, _ = await here.door.apply(ADMIN, SHOP, status, by("you"), subresource="status")
    document = stored.document()
    assert document["status"]["replicas"] == 7 and document["spec"]["replicas"] == 1
    assert entries(document) == [("me", "Apply", ""), ("you", "Apply", "status")]
    assert fields(document, "you") == {"f:status": {"f:replicas": {}}}


@scenario
async def test_scaling_takes_the_replicas_from_their_owner(here: Doorway):
    await here.door.apply(ADMIN, SHOP, deployment(replicas=2), by("me"))
    await here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"spec": {"replicas": 5}}, by("kubectl"), subresource="scale")
    document = here.door.get(ADMIN, SHOP).document()
    assert ("kubectl", "Update", "scale") in entries(document)
    assert fields(document, "kubectl") == {"f:spec": {"f:replicas": {}}}
    error = await refused(Conflict, here.door.apply(ADMIN, SHOP, deployment(replicas=2), by("me")))
    assert error.message.endswith('conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas')


@scenario
async def test_a_scale_is_applied(here: Doorway):
    await here.door.create(ADMIN, "deployments.apps", "default", deployment(), by("me"))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "shop"}, "spec": {"replicas": 4}}
    stored, made = await here.door.apply(ADMIN, SHOP, scale, by("hpa", force=True), subresource="scale")
    assert (stored.document()["kind"], stored.document()["spec"], made) == ("Scale", {"replicas": 4}, False)
    document = here.door.get(ADMIN, SHOP).document()
    assert document["spec"]["replicas"] == 4 and ("hpa", "Apply", "scale") in entries(document)
    await refused(NotFound, here.door.apply(ADMIN, Ref("deployments.apps", "no", "default"),
                                            {**scale, "metadata": {"name": "no"}}, by("hpa"), subresource="scale"))  # fmt: skip


@scenario
async def test_what_the_masters_own_parts_make_is_not_tracked_until_it_is_applied_to(here: Doorway):
    await here.door.create(REPLICASETS, "pods", "default", pod())
    assert entries(here.door.get(ADMIN, WEB).document()) == []
    await here.door.patch(ADMIN, WEB, PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}}, by("kubectl-label"))
    assert entries(here.door.get(ADMIN, WEB).document()) == []
    label = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"a": "c"}}}
    error = await refused(Conflict, here.door.apply(ADMIN, WEB, label, by("me")))
    assert error.message == 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .metadata.labels.a'


@scenario
async def test_binding_is_nobodys_and_a_reported_status_is_its_reporters(here: Doorway):
    ref = await here.pod(node="n1")
    assert entries(here.door.get(ADMIN, ref).document()) == [("admin", "Update", "")]
    await here.door.patch(DISPATCH, ref, PatchType.MERGE, {"status": {"phase": "Running"}}, subresource="status")
    document = here.door.get(ADMIN, ref).document()
    assert ("dispatch", "Update", "status") in entries(document)
    assert fields(document, "dispatch") == {"f:status": {"f:phase": {}}}


@pytest.mark.parametrize("reset", [[], [{}]], ids=["an empty list", "one empty entry"])
def test_a_client_takes_all_owners_away(reset: list[Any]) -> None:
    @scenario
    async def run(here: Doorway):
        first, _ = await here.door.apply(ADMIN, SETTINGS, config(), by("me"))
        document = first.document()
        document["metadata"]["managedFields"] = reset
        stored = await here.door.update(ADMIN, SETTINGS, document, by("me"))
        assert entries(stored.document()) == []

    run()


@scenario
async def test_who_does_not_send_managed_fields_does_not_lose_them(here: Doorway):
    first, _ = await here.door.apply(ADMIN, SETTINGS, config(), by("me"))
    for sent in (None, "nonsense", [{"manager": "x"}], [{"operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"x": 1}}]):
        document = {**first.document(), "data": {"color": "blue", "n": str(sent)}}
        document["metadata"].pop("resourceVersion")
        document["metadata"]["managedFields"] = sent
        if sent == "nonsense":
            await refused(BadRequest, here.door.update(ADMIN, SETTINGS, document, by("you")))
            continue
        stored = await here.door.update(ADMIN, SETTINGS, document, by("you"))
        assert entries(stored.document()) == [("me", "Apply", ""), ("you", "Update", "")]


@scenario
async def test_a_client_rewrites_the_owners(here: Doorway):
    """As kubectl does when it turns an updater of client-side apply into an applier."""
    await here.door.create(ADMIN, "configmaps", "default", config(), by("kubectl-client-side-apply"))
    entry = here.meta(SETTINGS)["managedFields"][0]
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [{**entry, "manager": "kubectl", "operation": "Apply"}]}]
    stored = await here.door.patch(ADMIN, SETTINGS, PatchType.JSON, patch, by("kubectl"))
    assert entries(stored.document()) == [("kubectl", "Apply", "")]


REFUSALS = [
    pytest.param(config(), WriteOptions(), Invalid, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
                 id="no manager"),
    pytest.param({"kind": "ConfigMap", "metadata": {}}, by("me"), BadRequest,
                 "Incorrect version specified in apply patch. Specified patch version: , expected: v1", id="no version"),
    pytest.param({**config(), "apiVersion": "v2"}, by("me"), BadRequest,
                 "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1", id="another version"),
    pytest.param({**config(), "dataa": {}}, by("me"), BadRequest,
                 "failed to create typed patch object (/settings; /v1, Kind=ConfigMap): .dataa: field not declared in schema", id="an unknown field"),
    pytest.param(config(managedFields=[]), by("me"), BadRequest, "metadata.managedFields must be nil", id="managed fields"),
    pytest.param(config("other"), by("me"), BadRequest, "the name of the object (other) does not match the name on the URL (settings)", id="a name"),
    pytest.param(config(uid="u"), by("me"), Conflict,
                 'Operation cannot be fulfilled on configmaps "settings": uid mismatch: the provided object specified uid u, '
                 "and no existing object was found", id="of another that is gone"),
    pytest.param([], by("me"), BadRequest, "an apply patch must be one object, with apiVersion, kind and metadata", id="no object"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "options", "kind", "message"), REFUSALS)
def test_it_is_refused(document: Any, options: WriteOptions, kind: type[SteersmanError], message: str) -> None:
    @scenario
    async def run(here: Doorway):
        assert (await refused(kind, here.door.apply(ADMIN, SETTINGS, document, options))).message == message
        assert not here.exists(SETTINGS)

    run()


@scenario
async def test_a_stale_revision_is_a_conflict(here: Doorway):
    await here.door.apply(ADMIN, SETTINGS, config(), by("me"))
    error = await refused(Conflict, here.door.apply(ADMIN, SETTINGS, {**config(resourceVersion="1"), "data": {}}, by("me")))
    assert "the object has been modified" in error.message
