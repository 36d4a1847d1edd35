"""Requests written down as tables, and a fresh master on a real TLS socket to play them against.

A case reads: after `given`, ask for `ask`; the answer has this code, reason, sentence and causes, or shows these values. Each case has a
namespace of its own, so that one master serves a whole module. In any text `{ns}` stands for that namespace, `{n}` for its path in
core/v1, `{apps}` and `{batch}` for those groups' paths.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import aiohttp
import msgspec

from tests.master.rest.served import Served, served

Json = dict[str, Any]
ABSENT = "(absent)"
MERGE, STRATEGIC, JSON_PATCH = (f"application/{kind}+json" for kind in ("merge-patch", "strategic-merge-patch", "json-patch"))
APPLY = "application/apply-patch+yaml"
DEADLINE_S = 20.0

Ask = tuple[Any, ...]
"""("GET /path",), or with a body, and with headers."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """message: exact; one that ends in `…` is a beginning. causes: (reason, field, message). shows: paths to values, ABSENT for what
    must not be there. after: what can be read then, each a path and what it shows. warnings: the texts of the Warning headers."""

    name: str
    given: tuple[Ask, ...] = ()
    ask: Ask
    code: int = 200
    reason: str = ""
    message: str | None = None
    causes: tuple[tuple[str, str, str], ...] | None = None
    details: Json | None = None
    shows: Json = {}
    after: tuple[tuple[str, Json], ...] = ()
    warnings: tuple[str, ...] | None = None
    headers: Json = {}


def refused(name: str, *ask: Any, code: int, reason: str, message: str, causes: Any = None, given: Any = (), **more: Any) -> Case:
    """A refusal; without causes it must have none."""
    return Case(name=name, ask=ask, code=code, reason=reason, message=message, causes=tuple(causes or ()), given=tuple(given), **more)


def answered(name: str, *ask: Any, given: Any = (), **more: Any) -> Case:
    return Case(name=name, ask=ask, given=tuple(given), **more)


def invalid(name: str, *ask: Any, of: str, causes: Any, **more: Any) -> Case:
    """A 422 whose sentence is made of its causes, as Kubernetes makes it. of: `Pod "x"`."""
    texts = list(dict.fromkeys(f"{field}: {message}" for _, field, message in causes))
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return refused(name, *ask, code=422, reason="Invalid", message=f"{of} is invalid: {said}", causes=causes, **more)


def config(name: str = "c", **more: Any) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"color": "blue"}, **more}


def pod(name: str = "p", **spec: Any) -> Json:
    containers = [{"name": "main", "image": "web:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def deployment(name: str = "d", **spec: Any) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }  # fmt: skip


def with_meta(document: Json, **metadata: Any) -> Json:
    return {**document, "metadata": {**document["metadata"], **metadata}}


def value_at(document: Any, path: str) -> Any:
    """`spec.containers.0.image`; a `/` in place of the dots for keys that have dots in them."""
    for word in path.split("/" if "/" in path else "."):
        if isinstance(document, list) and word.isdigit() and int(word) < len(document):
            document = document[int(word)]
        elif isinstance(document, dict) and word in document:
            document = document[word]
        else:
            return ABSENT
    return document


def placed(value: Any, namespace: str) -> Any:
    """With the case's namespace in all its texts."""
    if isinstance(value, str):
        for mark, text in (
            ("{ns}", namespace), ("{n}", f"/api/v1/namespaces/{namespace}"), ("{apps}", f"/apis/apps/v1/namespaces/{namespace}"),
            ("{batch}", f"/apis/batch/v1/namespaces/{namespace}"),
        ):  # fmt: skip
            value = value.replace(mark, text)
        return value
    if isinstance(value, dict):
        return {placed(key, namespace): placed(part, namespace) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(placed(part, namespace) for part in value)
    return value


class Ground:
    """One master for a module. Tests are plain functions; the loop runs only while they wait."""

    server: Served

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._count = 0

    def __enter__(self) -> Ground:
        self._runner.__enter__()
        self._runner.run(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._end())
        self._runner.__exit__(None, None, None)

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Served] = loop.create_future()
        self._over = asyncio.Event()
        self._hosting = loop.create_task(self._host(ready))
        self.server = await ready

    async def _host(self, ready: asyncio.Future[Served]) -> None:
        try:
            async with served(tokens=True) as server:
                ready.set_result(server)
                await self._over.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    async def _end(self) -> None:
        self._over.set()
        await self._hosting

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(DEADLINE_S):
                return await coroutine

        return self._runner.run(bounded())

    def namespace(self) -> str:
        self._count += 1
        name = f"t{self._count}"
        code, body, _ = self.ask("POST /api/v1/namespaces", {"metadata": {"name": name}})
        assert code == 201, body
        return name

    def ask(self, what: str, body: Any = None, headers: Json | None = None) -> tuple[int, Any, Any]:
        method, path = what.split(" ", 1)
        return self.run(self.server.ask(method, path, body, **{key.replace("-", "_"): value for key, value in (headers or {}).items()}))

    def get(self, path: str, **headers: str) -> Any:
        code, body, _ = self.ask(f"GET {path}", None, headers)
        assert code == 200, body
        return body

    def made(self, what: str, body: Any = None, headers: Json | None = None) -> Any:
        code, answer, _ = self.ask(what, body, headers)
        assert 200 <= code < 300, (what, answer)
        return answer

    def play(self, case: Case) -> None:
        namespace = self.namespace()
        for given in placed(case.given, namespace):
            self.made(*given)
        code, body, headers = self.ask(*placed(case.ask, namespace))
        assert code == case.code, body
        if case.reason:
            check_refusal(placed(msgspec.structs.asdict(case), namespace), body)
        for path, value in placed(case.shows, namespace).items():
            assert value_at(body, path) == value, (path, body)
        for name, value in placed(case.headers, namespace).items():
            assert headers.get(name, ABSENT) == value, (name, headers)
        if case.warnings is not None:
            said = [json.loads(each.split(" ", 2)[2]) for each in headers.getall("Warning", [])]
            assert said == list(placed(case.warnings, namespace))
        for path, shows in placed(case.after, namespace):
            code, body, _ = self.ask(f"GET {path}")
            for place, value in shows.items():
                assert (code if place == "code" else value_at(body, place)) == value, (path, place, body)


def check_refusal(case: Json, body: Any) -> None:
    assert isinstance(body, dict) and (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure"), body
    assert (body["code"], body["reason"]) == (case["code"], case["reason"]), body
    message = case["message"]
    if message is not None:
        assert body["message"].startswith(message[:-1]) if message.endswith("…") else body["message"] == message, body["message"]
    details = body.get("details") or {}
    if case["causes"] is not None:
        found = [(cause["reason"], cause["field"], cause["message"]) for cause in details.get("causes", [])]
        assert found == list(case["causes"]), found
    for name, value in (case["details"] or {}).items():
        assert details.get(name, ABSENT) == value, details


def ids(case: Case) -> str:
    return case.name


@contextlib.asynccontextmanager
async def stranger(server: Served, tls: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        yield session


def standing() -> Iterator[Ground]:
    """For fixtures."""
    with Ground() as ground:
        yield ground


Scenario = Callable[[Served], Coroutine[Any, Any, None]]
