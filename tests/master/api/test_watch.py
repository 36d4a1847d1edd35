"""Watches through the door: what a client sees, in which order, and how a watch ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from common.errors import Expired, Timeout
from master.api.contract import EventType, PatchType, Ref, Selection
from tests.master.api.doorway import ADMIN, DISPATCH, WEB, Doorway, config, scenario

ADDED, MODIFIED, DELETED, BOOKMARK = EventType.ADDED, EventType.MODIFIED, EventType.DELETED, EventType.BOOKMARK


async def seen(events) -> list[tuple[EventType, str]]:
    """All of a watch that ends by itself: (type, name)."""
    return [(event.type, event.key.rpartition("/")[2]) async for batch in events for event in batch]


async def label(here: Doorway, name: str, **labels: str | None) -> None:
    await here.door.patch(ADMIN, Ref("configmaps", name, "default"), PatchType.MERGE, {"metadata": {"labels": labels}})


@scenario
async def test_the_present_state_comes_first_then_what_happens(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config("a"))
    events = here.door.watch(ADMIN, "configmaps", "default", timeout_s=5)
    await here.door.create(ADMIN, "configmaps", "default", config("b"))
    await label(here, "a", x="y")
    await here.door.delete(ADMIN, Ref("configmaps", "a", "default"))
    await here.door.create(ADMIN, "configmaps", "kube-system", config("elsewhere"))
    assert await seen(events) == [(ADDED, "a"), (ADDED, "b"), (MODIFIED, "a"), (DELETED, "a")]


@scenario
async def test_a_watch_resumes_after_a_revision_and_misses_nothing(here: Doorway):
    first = await here.door.create(ADMIN, "configmaps", "default", config("a"))
    await here.door.create(ADMIN, "configmaps", "default", config("b"))
    await here.door.delete(ADMIN, Ref("configmaps", "b", "default"))
    assert await seen(here.door.watch(ADMIN, "configmaps", after=first.revision, timeout_s=1)) == [(ADDED, "b"), (DELETED, "b")]


@scenario
async def test_a_deleted_event_carries_the_last_state_and_the_revision_of_the_deletion(here: Doorway):
    first = await here.door.create(ADMIN, "configmaps", "default", config("a"))
    events = here.door.watch(ADMIN, "configmaps", after=first.revision, timeout_s=1)
    await here.door.delete(ADMIN, Ref("configmaps", "a", "default"))
    [event] = await anext(events)
    assert event.stored.document()["data"] == {"color": "blue"}
    assert event.stored.document()["metadata"]["resourceVersion"] == str(first.revision + 1)
    await events.aclose()


@scenario
async def test_through_a_selector_objects_come_and_go(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config("a", labels={"app": "web"}))
    await here.door.create(ADMIN, "configmaps", "default", config("b"))
    events = here.door.watch(ADMIN, "configmaps", "default", selection=Selection(labels="app=web"), timeout_s=5)
    await label(here, "b", other="x")
    await label(here, "b", app="web")
    await label(here, "a", app="db")
    await here.door.delete(ADMIN, Ref("configmaps", "a", "default"))
    await label(here, "b", other="y")
    await here.door.delete(ADMIN, Ref("configmaps", "b", "default"))
    assert await seen(events) == [(ADDED, "a"), (ADDED, "b"), (DELETED, "a"), (MODIFIED, "b"), (DELETED, "b")]


@scenario
async def test_field_selectors_follow_the_objects(here: Doorway):
    await here.pod("idle")
    events = here.door.watch(ADMIN, "pods", selection=Selection(fields="spec.nodeName=n1,status.phase!=Succeeded"), timeout_s=5)
    await here.pod("web", node="n1")
    await here.door.patch(DISPATCH, WEB, PatchType.MERGE, {"status": {"phase": "Succeeded"}}, subresource="status")
    assert await seen(events) == [(ADDED, "web"), (DELETED, "web")]


@scenario
async def test_send_initial_events_says_where_the_state_ends(here: Doorway):
    await here.door.create(ADMIN, "configmaps", "default", config("a"))
    revision = here.store.revision
    async with aclosing(here.door.watch(ADMIN, "configmaps", bookmarks=True, initial=True, timeout_s=9)) as events:
        batches = [await anext(events), await anext(events)]
    assert [event.type for event in batches[0]] == [ADDED]
    [end] = batches[1]
    assert (end.type, end.initial_end, end.revision, end.stored) == (BOOKMARK, True, revision, None)


@scenario
async def test_a_large_state_comes_in_batches(here: Doorway):
    for n in range(1100):
        await here.door.create(ADMIN, "configmaps", "default", config(f"c{n}"))
    sizes = [len(batch) async for batch in here.door.watch(ADMIN, "configmaps", timeout_s=1)]
    assert sizes == [500, 500, 100]


@scenario
async def test_bookmarks_tell_how_far_a_quiet_watch_is(here: Doorway):
    events = here.door.watch(ADMIN, "configmaps", after=here.store.revision, bookmarks=True, timeout_s=150)
    await here.door.create(ADMIN, "secrets", "default", {"metadata": {"name": "s"}})
    began, marks = here.clock.monotonic(), []
    async for batch in events:
        marks += [(round(here.clock.monotonic() - began), event.type, event.revision) for event in batch]
    newest = here.store.revision
    assert marks == [(60, BOOKMARK, newest), (120, BOOKMARK, newest), (150, BOOKMARK, newest)]


@scenario
async def test_without_bookmarks_a_quiet_watch_just_ends(here: Doorway):
    began = here.clock.monotonic()
    assert await seen(here.door.watch(ADMIN, "configmaps", timeout_s=30)) == []
    assert here.clock.monotonic() - began == pytest.approx(30)


@scenario
async def test_a_watch_from_a_forgotten_revision_is_refused_at_once(here: Doorway):
    first = await here.door.create(ADMIN, "configmaps", "default", config("a"))
    await label(here, "a", x="y")
    await here.store.compact(here.store.revision)
    with pytest.raises(Expired, match="too old resource version"):
        here.door.watch(ADMIN, "configmaps", after=first.revision)
    with pytest.raises(Timeout, match="Too large resource version"):
        here.door.watch(ADMIN, "configmaps", after=here.store.revision + 1)


@scenario
async def test_a_cancelled_watch_ends_at_once(here: Doorway):
    events = here.door.watch(ADMIN, "configmaps")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await anext(events)
    await events.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(events)
