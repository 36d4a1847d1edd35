"""`/metrics` and the health checks, as Prometheus and probes meet them. Read back with Prometheus' own parser."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from master.api import metrics
from master.api.contract import WriteOptions
from master.api.metrics import Family, Spread, single
from master.rest.app import FrontSettings
from tests.master.rest.served import ADMIN, Served, client_tls, served

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def run(scenario: Callable[[Served], Awaitable[None]], settings: FrontSettings = FrontSettings()) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), served(settings) as server:
            await scenario(server)

    asyncio.run(main())


def samples(text: str) -> Samples:
    return {(s.name, frozenset(s.labels.items())): s.value for family in text_string_to_metric_families(text) for s in family.samples}


def those(found: Samples, name: str, **wanted: str) -> list[float]:
    return [value for (given, labels), value in found.items() if given == name and frozenset(wanted.items()) <= labels]


# The text.


@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        pytest.param(single("up", "gauge", "Is.", 1), {("up", frozenset()): 1}, id="a number"),
        pytest.param(
            Family("a_total", "counter", 'x "y" \\ \n z', ("k",), [(('q"\\\n',), 3), (("é",), 0.25)]),
            {("a_total", frozenset({("k", 'q"\\\n')})): 3, ("a_total", frozenset({("k", "é")})): 0.25}, id="labels with all that is special",
        ),
        pytest.param(single("big_total", "counter", "", 1764060000.1234567), {("big_total", frozenset()): 1764060000.1234567}, id="no digit is lost"),
        pytest.param(
            Family("t", "histogram", "", (), [((), Spread((0.5, 2.0), (3, 0, 1), 9.5))]),
            {
                ("t_bucket", frozenset({("le", "0.5")})): 3, ("t_bucket", frozenset({("le", "2")})): 3,
                ("t_bucket", frozenset({("le", "+Inf")})): 4, ("t_sum", frozenset()): 9.5, ("t_count", frozenset()): 4,
            }, id="a histogram adds up",
        ),
    ],
)  # fmt: skip
def test_prometheus_reads(family: Family, wanted: Samples) -> None:
    assert samples(metrics.text([family]).decode()) == wanted


# The front.


def test_requests_are_counted_by_what_they_asked_for_and_how_they_ended() -> None:
    async def scenario(server: Served) -> None:
        place = "/api/v1/namespaces/default/configmaps"
        for name in ("a", "b"):
            assert (await server.ask("POST", place, {"metadata": {"name": name}}))[0] == 201
        assert (await server.ask("POST", place, {"metadata": {"name": "a"}}))[0] == 409
        await server.get(f"{place}/a")
        await server.get(place)
        await server.ask("GET", f"{place}/none")
        await server.ask("GET", "/nowhere/at/all")
        text = await server.get("/metrics")
        found = samples(text)
        of = {"group": "", "version": "v1", "resource": "configmaps", "component": "apiserver"}

        def count(**labels: str) -> list[float]:
            return those(found, "apiserver_request_total", **of, **labels)

        assert count(verb="POST", code="201", scope="namespace") == [2]
        assert count(verb="POST", code="409") == [1]
        assert count(verb="GET", code="200", scope="resource") == count(verb="GET", code="404") == count(verb="LIST", code="200") == [1]
        assert those(found, "apiserver_request_duration_seconds_count", **of, verb="POST") == [3]
        assert those(found, "apiserver_request_total", resource="", subresource="/other", code="404") == [1]
        assert those(found, "apiserver_current_inflight_requests", request_kind="readOnly") == [1]  # this one
        assert "nowhere" not in text

    run(scenario)


def test_an_open_watch_is_seen_and_takes_no_part_in_the_times() -> None:
    async def scenario(server: Served) -> None:
        watch = {"verb": "WATCH", "resource": "configmaps"}
        async with server.stream("/api/v1/configmaps?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan") as line:
            await line()
            found = samples(await server.get("/metrics"))
            assert those(found, "apiserver_longrunning_requests", **watch) == [1]
            assert those(found, "apiserver_current_inflight_requests", request_kind="readOnly") == [1]
        async with asyncio.timeout(5):
            while those(found, "apiserver_longrunning_requests", **watch) != [0]:
                found = samples(await server.get("/metrics"))
        assert those(found, "apiserver_request_total", **watch, code="200") == [1]
        assert those(found, "apiserver_request_duration_seconds_count", **watch) == []

    run(scenario)


def test_others_tell_beside_the_front() -> None:
    async def scenario(server: Served) -> None:
        async with server.client.get(server.url("/metrics"), headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert answer.headers["Content-Encoding"] == "gzip"
            assert "up 1\n" in await answer.text()
        assert (await server.ask("POST", "/metrics"))[0] == 405

    def told() -> Iterable[Family]:
        yield single("up", "gauge", "", 1)

    run(scenario, FrontSettings(metrics=(told,)))


def test_who_may_read_them_is_a_matter_of_roles() -> None:
    async def scenario(server: Served) -> None:
        await server.door.create(ADMIN, "serviceaccounts", "default", {"metadata": {"name": "prometheus"}}, WriteOptions())
        as_account = {"Impersonate_User": "system:serviceaccount:default:prometheus"}
        code, body, _ = await server.ask("GET", "/metrics", **as_account)
        assert (code, body["reason"]) == (403, "Forbidden")
        assert "cannot get path \"/metrics\"" in body["message"]
        assert (await server.ask("GET", "/metrics", **as_account, Impersonate_Group="system:monitoring"))[0] == 200
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls(None))) as nobody:
            async with nobody.get(server.url("/metrics")) as answer:
                assert answer.status == 401

    run(scenario)


# Health.


def test_a_single_check_is_for_monitors() -> None:
    async def scenario(server: Served) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls(None))) as nobody:
            for path, code in (("/readyz", 200), ("/version", 200), ("/readyz/ping", 401), ("/livez/ping", 401)):
                async with nobody.get(server.url(path)) as answer:
                    assert (path, answer.status) == (path, code)
        someone = {"Impersonate_User": "alice"}
        assert (await server.ask("GET", "/readyz/ping", **someone))[0] == 403
        assert (await server.ask("GET", "/readyz/ping", **someone, Impersonate_Group="system:monitoring"))[0] == 200

    run(scenario)


CHECKS = FrontSettings(alive={"etcd": lambda: ""}, checks={"informer-sync": lambda: "a secret reason"})


@pytest.mark.parametrize(
    ("path", "code", "text"),
    [
        ("/livez", 200, "ok"),
        ("/healthz", 200, "ok"),
        ("/livez?verbose", 200, "[+]ping ok\n[+]etcd ok\nlivez check passed\n"),
        ("/healthz?verbose=true", 200, "[+]ping ok\n[+]etcd ok\nhealthz check passed\n"),
        ("/livez/etcd", 200, "ok"),
        ("/livez/informer-sync", 404, "404 page not found\n"),
        ("/readyz", 500, "[+]ping ok\n[+]etcd ok\n[-]informer-sync failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n"),
        ("/readyz/etcd", 200, "ok"),
        ("/readyz/informer-sync", 500, "internal server error: reason withheld\n"),
        ("/readyz?exclude=informer-sync", 200, "ok"),
        (
            "/readyz?verbose&exclude=informer-sync&exclude=moon", 200,
            "[+]ping ok\n[+]etcd ok\n[+]informer-sync excluded: ok\n[+]shutdown ok\n"
            'warn: some health checks cannot be excluded: no matches for "moon"\nreadyz check passed\n',
        ),
    ],
)  # fmt: skip
def test_health_is_told_as_kubernetes_tells_it(path: str, code: int, text: str) -> None:
    async def scenario(server: Served) -> None:
        assert (await server.ask("GET", path))[:2] == (code, text)

    run(scenario, CHECKS)
