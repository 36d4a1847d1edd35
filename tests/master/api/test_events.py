"""The recorder of Events: repeats are counted, Events expire, and none ever stands in the way."""

from __future__ import annotations

import asyncio

import pytest

from common.aio.tasks import gather
from common.objects.cluster import Event
from master.api.contract import Actor, EmitEvent, Ref, Role, Selection
from tests.master.api.doorway import ADMIN, WEB, Doorway, scenario

SCHEDULER = Actor("system:kube-scheduler", Role.SCHEDULER)


def failed(regarding: Ref = WEB, *, kind: str = "Pod", message: str = "0/2 nodes are available") -> EmitEvent:
    return EmitEvent(regarding, kind, "uid-1", "Warning", "FailedScheduling", message, "default-scheduler")


def events(here: Doorway) -> list[Event]:
    return here.door.views.list(Event, "events")


@scenario
async def test_an_event_names_its_object_and_can_be_found_by_it(here: Doorway):
    await here.door.perform(SCHEDULER, failed())
    selection = Selection(fields="involvedObject.name=web,involvedObject.uid=uid-1,reason=FailedScheduling")
    [stored] = (await here.door.list(ADMIN, "events", "default", selection=selection)).items
    document = stored.document()
    assert document["involvedObject"] == {"kind": "Pod", "namespace": "default", "name": "web", "uid": "uid-1", "apiVersion": "v1"}
    assert document["metadata"]["name"].startswith("web.")
    assert (document["type"], document["source"], document["count"]) == ("Warning", {"component": "default-scheduler"}, 1)


@scenario
async def test_repeats_are_one_event_with_a_count(here: Doorway):
    for _ in range(3):
        await here.door.perform(SCHEDULER, failed())
        await asyncio.sleep(2)
    await here.door.perform(SCHEDULER, failed(message="0/3 nodes are available"))
    assert sorted((event.count, event.message) for event in events(here)) == [
        (1, "0/3 nodes are available"), (3, "0/2 nodes are available")
    ]  # fmt: skip
    repeated = next(event for event in events(here) if event.count == 3)
    assert (repeated.first_timestamp, repeated.last_timestamp) == ("2023-11-14T22:13:20Z", "2023-11-14T22:13:24Z")


@scenario
async def test_a_storm_of_repeats_is_written_once_a_minute(here: Doorway):
    before = here.store.revision
    for _ in range(1000):
        await here.door.perform(SCHEDULER, failed())
    assert here.store.revision - before == 10
    await asyncio.sleep(60)
    await here.door.perform(SCHEDULER, failed())
    assert [event.count for event in events(here)] == [1001]


@scenario
async def test_repeats_at_once_are_one_event(here: Doorway):
    await gather(*(here.door.perform(SCHEDULER, failed()) for _ in range(5)))
    await here.door.perform(SCHEDULER, failed())
    assert [event.count for event in events(here)] == [6]


@scenario
async def test_events_expire_after_an_hour(here: Doorway):
    await here.door.perform(SCHEDULER, failed())
    mine = {"metadata": {"name": "mine"}, "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"}}
    await here.door.create(ADMIN, "events", "default", mine)
    await asyncio.sleep(3500)
    assert len(events(here)) == 2
    await asyncio.sleep(200)
    assert events(here) == []
    await here.door.perform(SCHEDULER, failed())
    assert [event.count for event in events(here)] == [1]


@scenario
async def test_a_deleted_event_begins_anew(here: Doorway):
    await here.door.perform(SCHEDULER, failed())
    await here.door.delete(ADMIN, Ref("events", events(here)[0].metadata.name, "default"))
    await here.door.perform(SCHEDULER, failed())
    assert [event.count for event in events(here)] == [1]


@pytest.mark.parametrize("terminating", [False, True])
def test_an_event_about_what_is_in_no_namespace_is_dropped(terminating: bool):
    @scenario
    async def run(here: Doorway):
        if terminating:
            await here.door.create(ADMIN, "namespaces", "", {"metadata": {"name": "shop"}})
            await here.door.delete(ADMIN, Ref("namespaces", "shop"))
        assert await here.door.perform(SCHEDULER, failed(Ref("pods", "web", "shop"))) is None
        assert events(here) == []

    run()


@scenario
async def test_events_about_nodes_are_in_the_default_namespace(here: Doorway):
    await here.door.perform(SCHEDULER, failed(Ref("nodes", "n1"), kind="Node"))
    assert [event.metadata.namespace for event in events(here)] == ["default"]
