"""Create, update and patch through the door: what a client gets back, and in which words it is refused."""

from __future__ import annotations

import pytest

from common.aio.tasks import gather
from common.clock import SeededRng
from common.errors import (
    AlreadyExists, BadRequest, Conflict, Forbidden, Invalid, NotFound, SteersmanError, TooLarge,
)  # fmt: skip
from master.api.contract import Actor, PatchObject, PatchType, Ref, Role, WriteOptions
from master.api.settings import DoorSettings
from master.store.contract import Cause
from tests.master.api.doorway import ADMIN, DISPATCH, SCHEDULER, SHOP, WEB, Doorway, config, deployment, pod, scenario, uid

SETTINGS = Ref("configmaps", "settings", "default")
STALE = "the object has been modified; please apply your changes to the latest version and try again"


async def refused(kind: type[SteersmanError], awaitable) -> str:
    with pytest.raises(kind) as caught:
        await awaitable
    assert type(caught.value) is kind
    return caught.value.message


# --------------------------------------------------------------------- create


@scenario
async def test_a_created_object_has_what_the_server_gives(here: Doorway):
    sent = pod(metadata={"uid": "mine", "generation": 9, "creationTimestamp": "2001-01-01T00:00:00Z", "managedFields": [{}],
                         "deletionTimestamp": "2001-01-01T00:00:00Z", "labels": {}})  # fmt: skip
    stored = await here.door.create(ADMIN, "pods", "default", {**sent, "status": {"phase": "Running"}})
    document = stored.document()
    assert stored.json() == here.door.get(ADMIN, WEB).json()
    assert [entry["manager"] for entry in document["metadata"].pop("managedFields")] == ["admin"]
    assert document["metadata"] == {
        "name": "web", "namespace": "default", "uid": document["metadata"]["uid"], "generation": 1,
        "creationTimestamp": "2023-11-14T22:13:20Z", "resourceVersion": str(stored.revision),
    }  # fmt: skip
    assert document["metadata"]["uid"] != "mine"
    assert document["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert document["spec"]["serviceAccountName"] == "default"
    assert sent["metadata"]["uid"] == "mine", "the door does not change what it is given"


@scenario
async def test_generated_names_differ(here: Doorway):
    prefix = {**pod(), "metadata": {"generateName": "web-"}}
    names = {(await here.door.create(ADMIN, "pods", "default", prefix)).document()["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(len(name) == 9 and name.startswith("web-") for name in names)


@scenario
async def test_pods_tolerate_a_silent_node_for_a_while(here: Doorway):
    await here.pod()
    await here.pod("firm", spec={"tolerations": [{"operator": "Exists"}]})
    tolerations = here.door.get(ADMIN, WEB).document()["spec"]["tolerations"]
    assert [(t["key"], t["effect"], t["tolerationSeconds"]) for t in tolerations] == [
        ("node.kubernetes.io/not-ready", "NoExecute", 300), ("node.kubernetes.io/unreachable", "NoExecute", 300)
    ]  # fmt: skip
    assert here.door.get(ADMIN, Ref("pods", "firm", "default")).document()["spec"]["tolerations"] == [{"operator": "Exists"}]


@scenario
async def test_a_pod_born_with_its_node_is_scheduled(here: Doorway):
    await here.pod(spec={"nodeName": "n1"})
    conditions = here.door.get(ADMIN, WEB).document()["status"]["conditions"]
    assert [(c["type"], c["status"]) for c in conditions] == [("PodScheduled", "True")]


REFUSED_CREATES = [
    pytest.param("pods", {**pod(), "metadata": {}}, Invalid, 'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
                 id="without a name"),
    pytest.param("pods", {**pod(), "spec": {}}, Invalid, 'Pod "web" is invalid: spec.containers: Required value', id="without containers"),
    pytest.param("deployments.apps", {"metadata": {"name": "d"}, "spec": {}}, Invalid,
                 'Deployment.apps "d" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: '
                 'map[string]string(nil): `selector` does not match template `labels`, spec.template.spec.containers: Required value]',
                 id="with three faults"),
    pytest.param("pods", pod(metadata={"resourceVersion": "1"}), BadRequest, "resourceVersion should not be set on objects to be created",
                 id="with a resourceVersion"),
    pytest.param("pods", pod(metadata={"namespace": "other"}), BadRequest,
                 "the namespace of the provided object does not match the namespace sent on the request", id="for another namespace"),
    pytest.param("pods", {**pod(), "apiVersion": "apps/v1"}, BadRequest,
                 'Pod in version "v1" cannot be handled as a Pod: no kind "Pod" is registered for version "apps/v1" in scheme '
                 '"pkg/api/legacyscheme/scheme.go:30"', id="of another version"),
    pytest.param("pods", {**pod(), "kind": "Service"}, BadRequest,
                 'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion', id="of another kind"),
    pytest.param("nothings", pod(), NotFound, "the server could not find the requested resource", id="of no kind at all"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "document", "kind", "message"), REFUSED_CREATES)
def test_a_create_is_refused(resource, document, kind, message):
    @scenario
    async def run(here: Doorway):
        assert await refused(kind, here.door.create(ADMIN, resource, "default", document)) == message

    run()


@pytest.mark.parametrize(
    ("resource", "name", "fits"),
    [
        pytest.param("pods", "a.b-c", True, id="a pod may have dots"),
        pytest.param("pods", "A_b", False, id="capitals and underscores"),
        pytest.param("configmaps", "-a", False, id="a hyphen first"),
        pytest.param("configmaps", "a" * 254, False, id="too long"),
        pytest.param("configmaps", "../etc", False, id="a path"),
    ],
)
def test_names(resource, name, fits):
    @scenario
    async def run(here: Doorway):
        document = pod(name) if resource == "pods" else config(name)
        if fits:
            await here.door.create(ADMIN, resource, "default", document)
        else:
            with pytest.raises(Invalid) as caught:
                await here.door.create(ADMIN, resource, "default", document)
            assert caught.value.causes[0].field == "metadata.name"

    run()


@scenario
async def test_what_exists_is_not_made_again(here: Doorway):
    await here.pod()
    assert await refused(AlreadyExists, here.pod()) == 'pods "web" already exists'
    await here.door.patch(ADMIN, WEB, PatchType.MERGE, {"metadata": {"finalizers": ["a.b/c"]}})
    await here.door.delete(ADMIN, WEB)
    assert await refused(AlreadyExists, here.pod()) == 'object is being deleted: pods "web" already exists'


@scenario
async def test_nothing_is_created_where_a_namespace_is_missing_or_going(here: Doorway):
    assert await refused(NotFound, here.door.create(ADMIN, "pods", "shop", pod())) == 'namespaces "shop" not found'
    await here.door.create(ADMIN, "namespaces", "", {"metadata": {"name": "shop"}})
    await here.door.create(ADMIN, "pods", "shop", pod())
    await here.door.delete(ADMIN, Ref("namespaces", "shop"))
    with pytest.raises(Forbidden) as caught:
        await here.door.create(ADMIN, "pods", "shop", pod("late"))
    assert caught.value.message == (
        'pods "late" is forbidden: unable to create new content in namespace shop because it is being terminated'
    )
    assert caught.value.causes[0].reason == "NamespaceTerminating"


@scenario
async def test_a_namespace_that_is_deleted_meanwhile_takes_nothing_more(here: Doorway):
    """Both are under way at once: the pod must not appear behind the deletion."""
    await here.door.create(ADMIN, "namespaces", "", {"metadata": {"name": "shop"}})
    deletion, creation = await gather(
        here.door.delete(ADMIN, Ref("namespaces", "shop")), caught(here.door.create(ADMIN, "pods", "shop", pod()))
    )
    assert not deletion[1]
    assert isinstance(creation, Forbidden)


async def caught(awaitable):
    try:
        return await awaitable
    except SteersmanError as error:
        return error


@scenario
async def test_a_dry_run_leaves_no_trace(here: Doorway):
    before = here.store.revision
    stored = await here.door.create(ADMIN, "pods", "default", pod(), WriteOptions(dry_run=True))
    assert stored.document()["spec"]["restartPolicy"] == "Always"
    assert "resourceVersion" not in stored.document()["metadata"]
    assert here.store.revision == before
    await here.pod()
    assert await refused(AlreadyExists, here.door.create(ADMIN, "pods", "default", pod(), WriteOptions(dry_run=True)))
    changed = await here.door.patch(ADMIN, WEB, PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}}, WriteOptions(dry_run=True))
    assert changed.document()["metadata"]["labels"] == {"a": "b"}
    assert "labels" not in here.meta(WEB)


@scenario
async def test_unknown_fields_are_refused_warned_of_or_dropped(here: Doorway):
    document, warnings = {**config(), "dataa": {}}, []
    strict = here.door.create(ADMIN, "configmaps", "default", document, WriteOptions(field_validation="Strict"))
    assert 'strict decoding error: unknown field "dataa"' in await refused(BadRequest, strict)
    await here.door.create(ADMIN, "configmaps", "default", document, WriteOptions(field_validation="Warn", warnings=warnings))
    assert warnings == ['unknown field "dataa"']
    assert "dataa" not in here.door.get(ADMIN, SETTINGS).document()


@scenario
async def test_the_masters_own_parts_may_not_even_err_in_a_name(here: Doorway):
    await here.pod(node="n1")
    wrong = here.door.patch(DISPATCH, WEB, PatchType.MERGE, {"status": {"fase": "Running"}}, subresource="status")
    assert 'unknown field "status.fase"' in await refused(Invalid, wrong)


@scenario
async def test_what_lives_in_namespaces_needs_one(here: Doorway):
    assert "an empty namespace may not be set" in await refused(BadRequest, here.door.create(ADMIN, "pods", "", pod()))
    await here.door.create(ADMIN, "namespaces", "default", {"metadata": {"name": "shop", "namespace": "default"}})
    assert "namespace" not in here.meta(Ref("namespaces", "shop"))


# --------------------------------------------------------------------- update


@scenario
async def test_an_update_of_what_was_read_meanwhile_is_refused(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    read = here.door.get(ADMIN, SETTINGS).document()
    await here.door.update(ADMIN, SETTINGS, {**read, "data": {"color": "red"}})
    message = await refused(Conflict, here.door.update(ADMIN, SETTINGS, {**read, "data": {"color": "green"}}))
    assert message == f'Operation cannot be fulfilled on configmaps "settings": {STALE}'
    assert here.door.get(ADMIN, SETTINGS).document()["data"] == {"color": "red"}


@scenario
async def test_an_update_without_a_revision_goes_over_whatever_stands_there(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    updates = [here.door.update(ADMIN, SETTINGS, {**config(), "data": {"n": str(n)}}) for n in range(3)]
    assert len({stored.revision for stored in await gather(*updates)}) == 3


@scenario
async def test_a_write_that_changes_nothing_makes_no_revision(here: Doorway):
    first = await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    for again in (
        await here.door.update(ADMIN, SHOP, deployment()),
        await here.door.update(ADMIN, SHOP, first.document()),
        await here.door.patch(ADMIN, SHOP, PatchType.STRATEGIC, {"spec": {"replicas": 1}}),
        await here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"metadata": {"labels": {}}}),
    ):
        assert again == first
    assert here.store.revision == first.revision


@scenario
async def test_system_fields_cannot_be_changed(here: Doorway):
    first = (await here.door.create(ADMIN, "configmaps", "default", config())).document()
    meta = {**first["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 5, "selfLink": "/x"}
    await here.door.update(ADMIN, SETTINGS, {**first, "metadata": {**meta, "labels": {"a": "b"}}})
    now = here.meta(SETTINGS)
    assert now.pop("managedFields")[0]["fieldsV1"]["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    del first["metadata"]["managedFields"]
    assert now == {**first["metadata"], "labels": {"a": "b"}, "resourceVersion": now["resourceVersion"]}


@scenario
async def test_an_update_of_a_namesake_is_refused(here: Doorway):
    first = uid(await here.door.create(ADMIN, "configmaps", "default", config()))
    message = await refused(Conflict, here.door.update(ADMIN, SETTINGS, config(uid="another")))
    assert message == (
        f'Operation cannot be fulfilled on configmaps "settings": Precondition failed: UID in precondition: another, UID in object meta: {first}'
    )


@scenario
async def test_the_name_in_the_document_is_that_of_the_url(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    message = await refused(BadRequest, here.door.update(ADMIN, SETTINGS, config("other")))
    assert message == "the name of the object (other) does not match the name on the URL (settings)"


@scenario
async def test_the_generation_counts_changes_of_the_spec_alone(here: Doorway):
    await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    await here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}})
    assert here.meta(SHOP)["generation"] == 1
    await here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"spec": {"paused": True}})
    assert here.meta(SHOP)["generation"] == 2
    await here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"status": {"replicas": 1}}, subresource="status")
    assert here.meta(SHOP)["generation"] == 2


@scenario
async def test_status_is_written_through_status_and_nothing_else_is(here: Doorway):
    await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    both = {"spec": {"replicas": 7}, "status": {"replicas": 7}, "metadata": {"finalizers": ["a.b/c"], "annotations": {"seen": "yes"}}}
    await here.door.patch(ADMIN, SHOP, PatchType.MERGE, both, subresource="status")
    document = here.door.get(ADMIN, SHOP).document()
    assert (document["spec"]["replicas"], document["status"]["replicas"]) == (1, 7)
    assert document["metadata"]["annotations"] == {"seen": "yes"} and "finalizers" not in document["metadata"]
    await here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"spec": {"replicas": 3}, "status": {"replicas": 3}})
    document = here.door.get(ADMIN, SHOP).document()
    assert (document["spec"]["replicas"], document["status"]["replicas"]) == (3, 7)


@scenario
async def test_what_is_immutable_stays(here: Doorway):
    await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    message = await refused(Invalid, here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"spec": {"selector": {"matchLabels": {"app": "x"}}}}))
    assert "spec.selector" in message and "field is immutable" in message


@scenario
async def test_users_do_not_move_pods(here: Doorway):
    await here.pod()
    message = await refused(Invalid, here.door.patch(ADMIN, WEB, PatchType.MERGE, {"spec": {"nodeName": "n1"}}))
    assert message.startswith('Pod "web" is invalid: spec: Forbidden')


@scenario
async def test_a_part_of_the_master_that_writes_what_is_not_its_own_is_refused_by_name(here: Doorway):
    await here.pod(node="n1")
    message = await refused(
        Forbidden, here.door.patch(SCHEDULER, WEB, PatchType.MERGE, {"status": {"phase": "Running"}}, subresource="status")
    )
    assert message == 'pods "web" is forbidden: the scheduler may not write status.phase'
    eviction = Actor(Role.TAINT_EVICTION.user, Role.TAINT_EVICTION)
    assert 'cannot create resource "pods"' in await refused(Forbidden, here.door.create(eviction, "pods", "default", pod("x")))


# ---------------------------------------------------------------------- patch


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(PatchType.JSON, [{"op": "add", "path": "/data/size", "value": "L"}], id="json patch"),
        pytest.param(PatchType.MERGE, {"data": {"size": "L"}}, id="merge patch"),
        pytest.param(PatchType.STRATEGIC, {"data": {"size": "L"}}, id="strategic merge patch"),
    ],
)
def test_each_kind_of_patch(kind, body):
    @scenario
    async def run(here: Doorway):
        await here.door.create(ADMIN, "configmaps", "default", config())
        stored = await here.door.patch(ADMIN, SETTINGS, kind, body)
        assert stored.document()["data"] == {"color": "blue", "size": "L"}

    run()


@scenario
async def test_patches_at_once_all_take_effect(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    await gather(*(here.door.patch(ADMIN, SETTINGS, PatchType.MERGE, {"data": {f"k{n}": "v"}}) for n in range(4)))
    assert len(here.door.get(ADMIN, SETTINGS).document()["data"]) == 5


@scenario
async def test_of_patches_tied_to_one_revision_one_takes_effect(here: Doorway):
    first = await here.door.create(ADMIN, "configmaps", "default", config())
    tied = {"resourceVersion": str(first.revision)}
    bodies = [{"metadata": tied, "data": {f"k{n}": "v"}} for n in range(4)]
    results = await gather(*(caught(here.door.patch(ADMIN, SETTINGS, PatchType.MERGE, body)) for body in bodies))
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "Conflict", "Stored"]


@scenario
async def test_a_patch_of_nothing_is_not_found(here: Doorway):
    message = await refused(NotFound, here.door.patch(ADMIN, SHOP, PatchType.MERGE, {}))
    assert message == 'deployments.apps "shop" not found'


@scenario
async def test_a_change_out_of_a_reconcile_is_guarded(here: Doorway):
    first = await here.door.create(ADMIN, "configmaps", "default", config())
    api, cause = Actor("system:apiserver", Role.API, ("system:masters",)), Cause("test", "Test")
    await refused(Conflict, here.door.perform(api, PatchObject(SETTINGS, {"data": {"a": "b"}}, cause, uid="another")))
    await here.door.perform(api, PatchObject(SETTINGS, {"data": {"a": "b"}}, cause, uid=uid(first), expected=first.revision))
    await refused(Conflict, here.door.perform(api, PatchObject(SETTINGS, {"data": {"c": "d"}}, cause, expected=first.revision)))


async def grown(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    await refused(TooLarge, here.door.patch(ADMIN, SETTINGS, PatchType.MERGE, {"data": {"big": "x" * 5000}}))


test_an_object_cannot_grow_beyond_its_bound = scenario(grown, DoorSettings(max_object_bytes=4000))


@scenario
async def test_a_write_says_who_asked_for_it(here: Doorway):
    await here.door.create(ADMIN, "deployments.apps", "default", deployment())
    stored = await here.door.patch(ADMIN, SHOP, PatchType.MERGE, {"spec": {"replicas": 2}}, subresource="scale")
    change = await here.store.change(stored.revision)
    assert change.cause == Cause("admin", "Request", "PATCH deployments.apps/scale by admin")


class _Stuttering(SeededRng):
    """Its suffixes come twice, or always the same."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(1)
        self._suffixes = list(suffixes)

    def suffix(self, length: int = 5) -> str:
        return self._suffixes.pop(0) if len(self._suffixes) > 1 else self._suffixes[0]


@scenario
async def test_a_generated_name_that_is_taken_is_made_anew_and_not_for_ever(here: Doorway):
    here.door._writer._rng = _Stuttering("aaaaa", "aaaaa", "bbbbb")
    wanted = {"metadata": {"generateName": "web-"}}
    names = [(await here.door.create(ADMIN, "configmaps", "default", wanted)).document()["metadata"]["name"] for _ in range(2)]
    assert names == ["web-aaaaa", "web-bbbbb"]
    with pytest.raises(AlreadyExists) as caught:
        await here.door.create(ADMIN, "configmaps", "default", wanted)
    assert caught.value.message == (
        'configmaps "web-bbbbb" already exists, the server was not able to generate a unique name for the object'
    )
    assert caught.value.retry_after_s == 1
