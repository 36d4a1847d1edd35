"""Watches as raw streams: where they begin, what they tell, in which form, how they end and how they are refused."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.master.rest.served import Served
from tests.master.semantics.ground import MERGE, Case, Ground, config, ids, invalid, refused, with_meta

WHAT, MATCH = 'ListOptions.meta.k8s.io ""', "resourceVersionMatch"
WATCH = "GET {n}/configmaps?watch=1"
FIRST = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
Line = Callable[[], Awaitable[Any]]


def forbidden(why: str, field: str = MATCH) -> tuple[str, str, str]:
    return ("FieldValueForbidden", field, f"Forbidden: {why}")


ONLY = ("FieldValueNotSupported", MATCH, 'Unsupported value: "Exact": supported values: "NotOlderThan"')
REFUSALS = [
    invalid("a match unasked", f"{WATCH}&{MATCH}=NotOlderThan&resourceVersion=1", of=WHAT, causes=[
        forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
    ]),
    invalid("an exact match unasked", f"{WATCH}&{MATCH}=Exact", of=WHAT, causes=[
        forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"), ONLY,
    ]),
    invalid("the state first without a match", f"{WATCH}&sendInitialEvents=true", of=WHAT, causes=[
        forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
    ]),
    invalid("the state first, exactly", f"{WATCH}&sendInitialEvents=true&{MATCH}=Exact", of=WHAT, causes=[
        forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"), ONLY,
    ]),
    invalid("the state first, going on", f"{WATCH}{FIRST}&continue=x", of=WHAT, causes=[forbidden("resourceVersionMatch is forbidden when continue is provided")]),
    refused("a time that is no number", f"{WATCH}&timeoutSeconds=soon", code=400, reason="BadRequest", message='strconv.ParseInt: parsing "soon": invalid syntax'),
    refused("a revision that is no number", f"{WATCH}&resourceVersion=x", code=422, reason="Invalid",
            message='resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
            causes=[("FieldValueInvalid", "resourceVersion", 'Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax')]),
    refused("a revision of the future", f"{WATCH}&resourceVersion=999999999", code=504, reason="Timeout",
            message="Timeout: Too large resource version: 999999999, current:…", causes=[("ResourceVersionTooLarge", "", "Too large resource version")]),
    refused("a selector that is none", f"{WATCH}&labelSelector=%3D", code=400, reason="BadRequest", message="found '=', expected: !, identifier, or 'end of string'"),
    refused("a field that is unknown", f"{WATCH}&fieldSelector=data%3Dx", code=400, reason="BadRequest",
            message='"data" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    refused("of what cannot be watched", "GET {n}/bindings?watch=1", code=405, reason="MethodNotAllowed",
            message="the server does not allow this method on the requested resource"),
    refused("a table with an unknown inclusion", f"{WATCH}&includeObject=x", None, {"Accept": TABLE}, code=400, reason="BadRequest",
            message="includeObject: Invalid value: \"x\": must be 'Metadata', 'Object', 'None', or empty"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=ids)
def test_a_watch_is_refused(ground: Ground, case: Case) -> None:
    ground.play(case)


def told(event: Any) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


def scenario(play: Callable[[Served, str], Awaitable[None]]) -> Callable[[Ground], None]:
    """With the path of a namespace's config maps, empty."""

    def test(ground: Ground) -> None:
        ground.run(play(ground.server, f"/api/v1/namespaces/{ground.namespace()}/configmaps"))

    return test


async def put(server: Served, path: str, name: str = "c", **more: Any) -> Any:
    code, body, _ = await server.ask("POST", path, config(name, **more))
    assert code == 201, body
    return body


async def patched(server: Served, path: str, patch: Any) -> Any:
    code, body, _ = await server.ask("PATCH", path, patch, Content_Type=MERGE)
    assert code == 200, body
    return body


@scenario
async def test_without_a_revision_the_state_comes_first(server: Served, path: str) -> None:
    await put(server, path, "a")
    await put(server, path, "b")
    for begin in ("", "&resourceVersion=0"):
        async with server.stream(f"{path}?watch=true{begin}") as line:
            assert [told(await line()), told(await line())] == [("ADDED", "a"), ("ADDED", "b")]


@scenario
async def test_after_a_revision_only_what_happens_then(server: Served, path: str) -> None:
    await put(server, path, "a")
    then = (await server.get(path))["metadata"]["resourceVersion"]
    await put(server, path, "b")
    await patched(server, f"{path}/a", {"data": {"x": "y"}})
    await server.ask("DELETE", f"{path}/b")
    async with server.stream(f"{path}?watch=true&resourceVersion={then}") as line:
        events = [await line() for _ in range(3)]
    assert [told(event) for event in events] == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert revisions == sorted(set(revisions)) and revisions[0] > int(then)
    assert events[2]["object"]["data"] == {"color": "blue"}


@scenario
async def test_the_state_first_ends_with_a_mark(server: Served, path: str) -> None:
    await put(server, path, "a")
    async with server.stream(f"{path}?watch=true{FIRST}") as line:
        first, mark = await line(), await line()
        await put(server, path, "b")
        after = await line()
    assert (told(first), told(after)) == (("ADDED", "a"), ("ADDED", "b"))
    assert mark["type"] == "BOOKMARK" and mark["object"]["kind"] == "ConfigMap"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(first["object"]["metadata"]["resourceVersion"]) <= int(mark["object"]["metadata"]["resourceVersion"])


@scenario
async def test_the_state_is_not_told_to_those_who_do_not_want_it(server: Served, path: str) -> None:
    await put(server, path, "a")
    async with server.stream(f"{path}?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan") as line:
        await put(server, path, "b")
        assert told(await line()) == ("ADDED", "b")


@scenario
async def test_a_selector_shows_objects_come_and_go(server: Served, path: str) -> None:
    await put(server, path, "a")
    async with server.stream(f"{path}?watch=true&labelSelector=x%3Dy&resourceVersion={(await server.get(path))['metadata']['resourceVersion']}") as line:
        await patched(server, f"{path}/a", {"metadata": {"labels": {"x": "y"}}})
        await patched(server, f"{path}/a", {"data": {"more": "1"}})
        await patched(server, f"{path}/a", {"metadata": {"labels": {"x": "z"}}})
        await server.ask("DELETE", f"{path}/a")
        await server.ask("POST", path, with_meta(config("b"), labels={"x": "y"}))
        events = [await line() for _ in range(4)]
    assert [told(event) for event in events] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b")]


@scenario
async def test_one_object_by_its_name(server: Served, path: str) -> None:
    for where in (f"{path}/a?watch=true", f"{path}?watch=true&fieldSelector=metadata.name%3Da"):
        async with server.stream(where) as line:
            await put(server, path, "b")
            await put(server, path, "a")
            assert told(await line()) == ("ADDED", "a")
        for name in ("a", "b"):
            await server.ask("DELETE", f"{path}/{name}")


@scenario
async def test_the_old_paths_of_watches(server: Served, path: str) -> None:
    await put(server, path, "a")
    await put(server, path, "b")
    old = path.replace("/api/v1/", "/api/v1/watch/")
    async with server.stream(f"{old}/b") as one, server.stream(old) as all_of_them:
        assert told(await one()) == ("ADDED", "b")
        assert told(await all_of_them()) == ("ADDED", "a")
    code, body, _ = await server.ask("POST", old, config("c"))
    assert (code, body["reason"]) == (405, "MethodNotAllowed")


@scenario
async def test_tables_tell_their_columns_once_and_deletions_too(server: Served, path: str) -> None:
    await put(server, path, "a")
    async with server.stream(f"{path}?watch=true&includeObject=Object", Accept=TABLE) as line:
        first = await line()
        await server.ask("DELETE", f"{path}/a")
        second = await line()
    assert (first["type"], second["type"]) == ("ADDED", "DELETED")
    assert first["object"]["columnDefinitions"][0]["name"] == "Name" and second["object"]["columnDefinitions"] == []
    assert first["object"]["rows"][0]["object"]["data"] == {"color": "blue"} and second["object"]["rows"][0]["cells"][0] == "a"


@scenario
async def test_metadata_alone(server: Served, path: str) -> None:
    await put(server, path, "a")
    async with server.stream(f"{path}?watch=true", Accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io") as line:
        seen = (await line())["object"]
    assert set(seen) == {"kind", "apiVersion", "metadata"} and seen["kind"] == "PartialObjectMetadata"


@scenario
async def test_a_time_that_is_over_ends_it_with_a_bookmark(server: Served, path: str) -> None:
    await put(server, path, "a")
    async with server.stream(f"{path}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true") as line:
        assert told(await line()) == ("ADDED", "a")
        mark = await line()
        assert mark["type"] == "BOOKMARK" and set(mark["object"]["metadata"]) == {"resourceVersion", "creationTimestamp"}
        assert await line() is None
    async with server.stream(f"{path}?watch=true&resourceVersion={mark['object']['metadata']['resourceVersion']}") as line:
        await put(server, path, "b")
        assert told(await line()) == ("ADDED", "b")


@scenario
async def test_a_bookmark_is_for_those_who_asked(server: Served, path: str) -> None:
    async with server.stream(f"{path}?watch=true&timeoutSeconds=1") as line:
        assert await line() is None


@scenario
async def test_what_is_forgotten_is_expired(server: Served, path: str) -> None:
    await put(server, path, "a")
    await put(server, path, "b")
    await server.store.compact(server.store.revision)
    code, body, _ = await server.ask("GET", f"{path}?watch=true&resourceVersion=1")
    assert (code, body["reason"], body["code"]) == (410, "Expired", 410)
    assert body["message"] == f"too old resource version: 1 ({server.store.compacted})"


@scenario
async def test_a_list_and_a_watch_from_it_miss_nothing_while_others_write(server: Served, path: str) -> None:
    async def write() -> None:
        for number in range(20):
            await put(server, path, f"c{number:02}")

    writing = asyncio.ensure_future(write())
    await put(server, path, "first")
    listed = await server.get(path)
    names = [item["metadata"]["name"] for item in listed["items"]]
    async with server.stream(f"{path}?watch=true&resourceVersion={listed['metadata']['resourceVersion']}") as line:
        while len(names) < 21:
            names.append((await line())["object"]["metadata"]["name"])
    await writing
    assert sorted(names) == sorted(["first", *(f"c{number:02}" for number in range(20))])


def test_each_event_is_one_line_of_json(ground: Ground) -> None:
    async def play(server: Served, path: str) -> None:
        await put(server, path, "a", data={"text": "one\ntwo"})
        async with server.client.get(server.url(f"{path}?watch=true&timeoutSeconds=1")) as answer:
            assert answer.headers["Content-Type"] == "application/json" and answer.headers["Transfer-Encoding"] == "chunked"
            lines = (await answer.content.read()).splitlines()
        assert [json.loads(line)["type"] for line in lines] == ["ADDED"]

    scenario(play)(ground)


@scenario
async def test_a_watch_whose_past_is_gone_is_told_so_and_ends(server: Served, path: str) -> None:
    """Here because the store was replaced by a snapshot of itself; one that falls too far behind is told the same."""
    await put(server, path, "a")
    async with server.stream(f"{path}?watch=true") as line:
        assert told(await line()) == ("ADDED", "a")
        with tempfile.TemporaryDirectory() as folder:
            await server.store.snapshot(f"{folder}/snapshot")
            await server.store.restore(f"{folder}/snapshot")
        await put(server, path, "b")
        event = await line()
        assert (event["type"], event["object"]["kind"], event["object"]["reason"], event["object"]["code"]) == ("ERROR", "Status", "Expired", 410)
        assert event["object"]["message"].startswith("too old resource version: ")
        assert await line() is None
