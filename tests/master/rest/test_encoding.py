"""What is encoded and decoded for a request, counted: the structure behind the speed, which no clock has to measure."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from common.clock import SystemClock
from master.api import contract as api_contract
from master.api import documents, tables, verbs
from master.api.contract import EventType, Stored, WatchEvent
from master.api.forms import Form, Wish
from master.api.lines import Printer, Shape
from master.api.registry import BY_KEY
from master.store import contract as store_contract
from tests.master.rest.served import Served, served

PODS = "/api/v1/namespaces/default/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


def pod(name: str) -> dict[str, Any]:
    text = "something to make it long enough to be packed " * 30
    spec = {"containers": [{"name": "main", "image": "busybox:1.36", "args": [text]}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@contextlib.contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often a stored value is unpacked, spliced or decoded, and a line of a watch made."""
    counts: Counter[str] = Counter()

    def wrap(owner: Any, name: str, said: str) -> None:
        real = getattr(owner, name)

        def called(*args: Any, **more: Any) -> Any:
            counts[said] += 1
            return real(*args, **more)

        patching.setattr(owner, name, called)

    with monkeypatch.context() as patching:
        wrap(store_contract, "unpack", "unpacked")
        wrap(api_contract, "unpack", "unpacked")
        wrap(Stored, "json", "spliced")
        wrap(Stored, "document", "decoded")
        wrap(documents, "decode", "decoded")
        wrap(Shape, "line", "encoded")
        yield counts


def check(test: Any) -> None:
    async def main() -> None:
        async with served() as api:
            await test(api)

    asyncio.run(main())


def test_a_get_unpacks_once_and_decodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(api: Served) -> None:
        await api.seed("pods", "default", pod("web"))
        with counted(monkeypatch) as counts:
            assert (await api.get(f"{PODS}/web"))["metadata"]["name"] == "web"
        assert counts == {"unpacked": 1, "spliced": 1}

    check(test)


def test_a_list_unpacks_each_once_and_decodes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(api: Served) -> None:
        await api.seed("pods", "default", *(pod(f"web-{n}") for n in range(20)))
        with counted(monkeypatch) as counts:
            assert len((await api.get(PODS))["items"]) == 20
        assert counts == {"unpacked": 20, "spliced": 20}

    check(test)


@pytest.mark.parametrize(
    "accept",
    [pytest.param("application/json", id="plain"), pytest.param(METADATA, id="metadata alone"), pytest.param(TABLE, id="as Tables")],
)
def test_an_event_is_encoded_once_for_all_who_watch_in_a_form(accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda self: 1_800_000_000.5)  # the lines of Tables are of one second

    async def test(api: Served) -> None:
        watch = f"{PODS}?watch=1&resourceVersion={api.store.revision}"
        async with contextlib.AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(api.stream(watch, Accept=accept)) for _ in range(25)]
            with counted(monkeypatch) as counts:
                for name in ("first", "second", "third"):
                    await api.seed("pods", "default", pod(name))
                    seen = {json.dumps(await line()) for line in lines}
                    assert len(seen) == 1 and name in seen.pop()
            assert counts["encoded"] == 3

    check(test)


def test_bookmarks_are_encoded_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(api: Served) -> None:
        watch = f"{PODS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with contextlib.AsyncExitStack() as stack:
            with counted(monkeypatch) as counts:
                lines = [await stack.enter_async_context(api.stream(watch)) for _ in range(25)]
                assert {(await line())["type"] for line in lines} == {"BOOKMARK"}
            assert counts["encoded"] == 1

    check(test)


def _event(revision: int) -> WatchEvent:
    return WatchEvent(EventType.ADDED, revision, Stored(documents.encode(pod("web")), revision))


def test_lines_that_are_kept_are_bounded() -> None:
    printer = Printer(SystemClock(), kept_bytes=10_000)
    shape = Shape(BY_KEY["pods"], Wish())
    for revision in range(1, 100):
        printer.line(shape, _event(revision), headers=False)
    assert sum(map(len, printer._lines.values())) <= 10_000


def test_a_definition_that_changed_is_shown_anew() -> None:
    printer, columns = Printer(SystemClock()), BY_KEY["pods"].columns
    few = msgspec.structs.replace(BY_KEY["pods"], columns=columns[:1])
    shapes = [Shape(resource, Wish(Form.TABLE)) for resource in (BY_KEY["pods"], few)]
    shown = [json.loads(printer.line(shape, _event(1), headers=True))["object"]["columnDefinitions"] for shape in shapes]
    assert [len(each) for each in shown] == [len(columns), 1]


@pytest.mark.parametrize("coding", [pytest.param("identity", id="as it is"), pytest.param("gzip", id="with gzip")])
def test_a_large_list_is_sent_in_pieces_and_is_whole(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "WHOLE", 5)
    monkeypatch.setattr(tables, "PIECE", 2)

    async def test(api: Served) -> None:
        await api.seed("pods", "default", *(pod(f"web-{n}") for n in range(9)))
        code, body, headers = await api.ask("GET", PODS, Accept_Encoding=coding)
        assert code == 200 and headers.get("Transfer-Encoding") == "chunked"
        assert headers.get("Content-Encoding", "identity") == coding
        assert [item["metadata"]["name"] for item in body["items"]] == [f"web-{n}" for n in range(9)]
        assert body["kind"] == "PodList" and int(body["metadata"]["resourceVersion"]) == api.store.revision
        partial = await api.get(PODS, Accept=METADATA, Accept_Encoding=coding)
        assert len(partial["items"]) == 9 and partial["kind"] == "PartialObjectMetadataList"
        table = await api.get(PODS, Accept=TABLE, Accept_Encoding=coding)
        assert [row["cells"][0] for row in table["rows"]] == [f"web-{n}" for n in range(9)]

    check(test)
