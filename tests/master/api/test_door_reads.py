"""Get and list: pages of one state, the past, selectors; views; who may look."""

from __future__ import annotations

import pytest

from common.errors import BadRequest, Expired, Forbidden, NotFound, Timeout
from common.objects import meta
from common.objects.pod import Pod
from master.api import bootstrap, views
from master.api.contract import Actor, PatchType, Ref, Selection
from master.store.contract import Cause
from tests.master.api.doorway import ADMIN, DISPATCH, WEB, Doorway, config, scenario

CAUSE = Cause("test", "Test")
SETTINGS = Ref("configmaps", "settings", "default")


def names(page) -> list[str]:
    return [item.document()["metadata"]["name"] for item in page.items]


async def seven(here: Doorway) -> None:
    for n in range(7):
        await here.door.create(ADMIN, "configmaps", "default", config(f"c{n}", labels={"odd": str(n % 2)}))


@scenario
async def test_a_list_in_pages_shows_one_state(here: Doorway):
    await seven(here)
    first = await here.door.list(ADMIN, "configmaps", "default", limit=3)
    assert (names(first), first.remaining) == (["c0", "c1", "c2"], 4)
    await here.door.delete(ADMIN, Ref("configmaps", "c4", "default"))
    await here.door.create(ADMIN, "configmaps", "default", config("c3a"))
    second = await here.door.list(ADMIN, "configmaps", "default", limit=3, continue_=first.continue_)
    third = await here.door.list(ADMIN, "configmaps", "default", limit=3, continue_=second.continue_)
    assert (names(second), names(third)) == (["c3", "c4", "c5"], ["c6"])
    assert second.revision == third.revision == first.revision
    assert (third.continue_, third.remaining) == ("", None)


@scenario
async def test_pages_with_a_selector_are_full(here: Doorway):
    await seven(here)
    chosen = Selection(labels="odd=0")
    first = await here.door.list(ADMIN, "configmaps", "default", selection=chosen, limit=3)
    rest = await here.door.list(ADMIN, "configmaps", "default", selection=chosen, limit=3, continue_=first.continue_)
    assert (names(first), first.remaining, names(rest)) == (["c0", "c2", "c4"], None, ["c6"])


@scenario
async def test_a_continue_token_outlives_neither_its_state_nor_its_list(here: Doorway):
    await seven(here)
    page = await here.door.list(ADMIN, "configmaps", "default", limit=3)
    for bad in ("!", "e30", page.continue_[:-4], "x" * 5000):
        with pytest.raises(BadRequest):
            await here.door.list(ADMIN, "configmaps", "default", limit=3, continue_=bad)
    with pytest.raises(BadRequest):
        await here.door.list(ADMIN, "pods", "default", limit=3, continue_=page.continue_)
    with pytest.raises(BadRequest, match="specifying resource version is not allowed when using continue"):
        await here.door.list(ADMIN, "configmaps", "default", continue_=page.continue_, revision=3)
    await here.pod()
    await here.store.compact(here.store.revision)
    with pytest.raises(Expired, match="The provided continue parameter is too old"):
        await here.door.list(ADMIN, "configmaps", "default", limit=3, continue_=page.continue_)


@scenario
async def test_the_past_can_be_read(here: Doorway):
    created = await here.door.create(ADMIN, "configmaps", "default", config())
    await here.door.patch(ADMIN, SETTINGS, PatchType.MERGE, {"data": {"color": "red"}})
    await here.door.delete(ADMIN, SETTINGS)
    assert (await here.door.get_at(ADMIN, SETTINGS, created.revision)).document()["data"] == {"color": "blue"}
    page = await here.door.list(ADMIN, "configmaps", "default", revision=created.revision + 1, exact=True)
    assert (page.revision, page.items[0].document()["data"]) == (created.revision + 1, {"color": "red"})
    with pytest.raises(NotFound):
        await here.door.get_at(ADMIN, SETTINGS, here.store.revision)
    with pytest.raises(Timeout, match="Too large resource version: 999, current: "):
        await here.door.list(ADMIN, "configmaps", "default", revision=999)
    await here.store.compact(here.store.revision)
    with pytest.raises(Expired):
        await here.door.get_at(ADMIN, SETTINGS, created.revision)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param(Selection(labels="app=web"), ["web"], id="labels"),
        pytest.param(Selection(labels="app!=web"), ["db", "idle"], id="labels that differ or are missing"),
        pytest.param(Selection(fields="metadata.name=db"), ["db"], id="one name"),
        pytest.param(Selection(fields="metadata.name=d"), [], id="not the beginning of a name"),
        pytest.param(Selection(fields="spec.nodeName=n1"), ["db", "web"], id="a node"),
        pytest.param(Selection(fields="spec.nodeName=n1,status.phase!=Running"), ["db"], id="two fields"),
        pytest.param(Selection(labels="app", fields="spec.nodeName=n1"), ["web"], id="labels and fields"),
    ],
)
def test_selectors(selection: Selection, expected: list[str]):
    @scenario
    async def run(here: Doorway):
        await here.pod("web", node="n1", metadata={"labels": {"app": "web"}})
        await here.pod("db", node="n1")
        await here.pod("idle")
        await here.door.patch(DISPATCH, WEB, PatchType.MERGE, {"status": {"phase": "Running"}}, subresource="status")
        assert names(await here.door.list(ADMIN, "pods", "default", selection=selection)) == expected
        assert names(await here.door.list(ADMIN, "pods", selection=selection)) == expected

    run()


@pytest.mark.parametrize(
    ("resource", "selection", "message"),
    [
        pytest.param("pods", Selection(fields="spec.foo=1"), "field label not supported: spec.foo", id="an unknown field of pods"),
        pytest.param("configmaps", Selection(fields="data=1"), '"data" is not a known field selector: only "metadata.name", "metadata.namespace"',
                     id="an unknown field of a kind that has none"),
        pytest.param("pods", Selection(labels="a=b=c"), "found '=', expected: ',' or 'end of string'", id="a label selector that cannot be read"),
    ],
)  # fmt: skip
def test_bad_selectors(resource: str, selection: Selection, message: str):
    @scenario
    async def run(here: Doorway):
        with pytest.raises(BadRequest) as caught:
            await here.door.list(ADMIN, resource, "default", selection=selection)
        assert caught.value.message.startswith(message)
        with pytest.raises(BadRequest):
            here.door.watch(ADMIN, resource, "default", selection=selection)

    run()


@scenario
async def test_namespaces_are_kept_apart(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config())
    await here.door.create(ADMIN, "configmaps", "kube-system", config())
    assert len((await here.door.list(ADMIN, "configmaps")).items) == 2
    assert len((await here.door.list(ADMIN, "configmaps", "default")).items) == 1
    assert len((await here.door.list(ADMIN, "configmaps", "defaul")).items) == 0
    assert names(await here.door.list(ADMIN, "namespaces")) == sorted(bootstrap.NAMESPACES)


@scenario
async def test_who_is_not_authenticated_sees_nothing(here: Doorway):
    anonymous = Actor("system:anonymous", groups=("system:unauthenticated",))
    with pytest.raises(Forbidden) as caught:
        await here.door.list(anonymous, "pods", "default")
    assert caught.value.message == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    with pytest.raises(Forbidden, match='nodes "n1" is forbidden: .* cannot get resource "nodes" in API group "" at the cluster scope'):
        here.door.get(anonymous, Ref("nodes", "n1"))
    with pytest.raises(Forbidden, match='cannot patch resource "deployments/scale" in API group "apps"'):
        await here.door.patch(anonymous, Ref("deployments.apps", "a", "default"), PatchType.MERGE, {}, subresource="scale")
    with pytest.raises(Forbidden, match="cannot watch"):
        here.door.watch(anonymous, "pods")


@scenario
async def test_views_are_decoded_once_for_each_revision_and_shared(here: Doorway):
    await here.pod()
    first = here.door.views.get(Pod, WEB)
    assert first is here.door.views.get(Pod, WEB) is here.door.views.list(Pod, "pods", "default")[0]
    assert first.metadata.resource_version == str(here.door.get(ADMIN, WEB).revision)
    assert isinstance(here.door.views.get(meta.Object, WEB), meta.Object)
    await here.door.patch(ADMIN, WEB, PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}})
    second = here.door.views.get(Pod, WEB)
    assert (first.metadata.labels, second.metadata.labels) == ({}, {"a": "b"})
    await here.door.delete(ADMIN, WEB)
    assert here.door.views.get(Pod, WEB) is None and here.door.views.list(Pod, "pods") == []


@scenario
async def test_only_views_that_are_in_use_are_kept(here: Doorway):
    refs = [Ref("configmaps", f"c{n}", "default") for n in range(20)]
    for ref in refs:
        await here.store.create(ref.key, b'{"metadata":{"name":"%s"}}' % ref.name.encode(), CAUSE)
    few = views.StoreViews(here.store, half=4)
    first, second = few.get(meta.Object, refs[0]), few.get(meta.Object, refs[1])
    for ref in refs[2:]:
        few.get(meta.Object, ref)
        assert few.get(meta.Object, refs[0]) is first, "asked for again and again"
    assert few.get(meta.Object, refs[1]) is not second and few.get(meta.Object, refs[1]) == second
    assert len(few._young) + len(few._old) <= 8
    assert [item.metadata.name for item in few.each(meta.Object, "configmaps", "default")] == sorted(ref.name for ref in refs)


@scenario
async def test_a_view_of_an_earlier_state_is_of_that_state(here: Doorway):
    await here.pod()
    before = here.door.views.stored(WEB)
    await here.door.patch(ADMIN, WEB, PatchType.MERGE, {"metadata": {"labels": {"a": "b"}}})
    then, now = here.door.views.of(Pod, WEB, before), here.door.views.get(Pod, WEB)
    assert (then.metadata.labels, then.metadata.resource_version) == ({}, str(before.revision))
    assert here.door.views.of(Pod, WEB, here.door.views.stored(WEB)) is now
    assert here.door.views.stored(Ref("pods", "none", "default")) is None


@scenario
async def test_bootstrap_leaves_what_stands(here: Doorway):
    await here.door.patch(ADMIN, Ref("namespaces", "default"), PatchType.MERGE, {"metadata": {"labels": {"mine": "yes"}}})
    before = here.store.revision
    await bootstrap.ensure(here.door)
    assert here.store.revision == before
    service = here.door.get(ADMIN, Ref("services", "kubernetes", "default")).document()
    assert [port["port"] for port in service["spec"]["ports"]] == [443]
