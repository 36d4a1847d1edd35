"""The HTTPS front as a client meets it: on a real TLS socket, over a real door."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from common.aio.tasks import TaskGroup
from common.clock import SystemClock
from common.errors import BadRequest, Unavailable
from master import pki
from master.api.contract import Ref
from master.rest.app import FrontSettings
from master.rest.gate import Bounds
from tests.master.rest.served import ADMIN, Served, certificates, client_tls, served

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def run(scenario: Callable[[Served], Awaitable[None]], settings: FrontSettings = FrontSettings()) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), served(settings) as server:
            await scenario(server)

    asyncio.run(main())


def config(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def pod(name: str, *containers: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": c, "image": "i"} for c in containers or ("main",)], **spec},
    }


# Who is let in.


def test_without_a_certificate_there_is_health_and_version_and_nothing_else() -> None:
    async def scenario(server: Served) -> None:
        connector = aiohttp.TCPConnector(ssl=client_tls(None))
        async with aiohttp.ClientSession(connector=connector) as stranger:
            for path, code in {
                "/livez": 200, "/readyz": 200, "/healthz": 200, "/version": 200, "/version/": 200, "/livez?verbose": 200,
                "/": 401, "/api": 401, "/apis": 401, "/api/v1/pods": 401, "/openapi/v3": 401, "/metrics": 401, "/nowhere": 401,
            }.items():  # fmt: skip
                async with stranger.get(server.url(path)) as answer:
                    assert answer.status == code, path
                    if code == 401:
                        assert (await answer.json())["reason"] == "Unauthorized"
            async with stranger.post(server.url("/livez")) as answer:
                assert answer.status == 401

    run(scenario)


def test_a_certificate_of_another_authority_is_refused() -> None:
    async def scenario(server: Served) -> None:
        with tempfile.TemporaryDirectory() as folder:
            other, _ = pki.ensure(Path(folder), cluster="other", names=("x",), now=SystemClock().now())
            connector = aiohttp.TCPConnector(ssl=client_tls(other))
            async with aiohttp.ClientSession(connector=connector) as stranger:
                with pytest.raises(aiohttp.ClientError):
                    await stranger.get(server.url("/livez"))
        assert await server.get("/livez") == "ok"

    run(scenario)


def test_old_tls_is_refused() -> None:
    async def scenario(server: Served) -> None:
        old = client_tls(certificates())
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError)):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=old)

    with pytest.warns(DeprecationWarning):
        run(scenario)


def test_a_master_may_act_as_another() -> None:
    async def scenario(server: Served) -> None:
        code, body, _ = await server.ask("GET", "/api/v1/pods", Impersonate_User="system:anonymous")
        assert (code, body["reason"]) == (403, "Forbidden")
        code, body, _ = await server.ask("GET", "/api/v1/pods", Impersonate_Group="system:masters")
        assert (code, body["reason"]) == (403, "Forbidden")

    run(scenario)


# What is not there, not allowed, not said.


@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", "/api/v1/gadgets", 404, "NotFound"),
        ("GET", "/apis/nowhere/v1/things", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/pods/missing", 404, "NotFound"),
        ("POST", "/api/v1/pods", 405, "MethodNotAllowed"),
        ("PUT", "/api/v1/namespaces/default/pods", 405, "MethodNotAllowed"),
        ("POST", "/api/v1/nodes/n", 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/namespaces/default/pods/p/log", 405, "MethodNotAllowed"),
        ("GET", "/api/v1/namespaces/default/pods?limit=x", 400, "BadRequest"),
        ("GET", "/api/v1/namespaces/default/pods?labelSelector=%3D%3D", 400, "BadRequest"),
        ("GET", "/api/v1/pods?watch=1&labelSelector=%3D%3D", 400, "BadRequest"),
        ("GET", "/api/v1/pods?watch=1&resourceVersionMatch=Exact", 422, "Invalid"),
        ("GET", "/api/v1/pods?continue=nonsense", 400, "BadRequest"),
    ],
)
def test_a_refusal_is_a_status(method: str, path: str, code: int, reason: str) -> None:
    async def scenario(server: Served) -> None:
        answered, body, _ = await server.ask(method, path)
        assert (answered, body["kind"], body["reason"], body["code"]) == (code, "Status", reason, code)

    run(scenario)


def test_unknown_paths_are_plain_text() -> None:
    async def scenario(server: Served) -> None:
        for path in ("/", "/nowhere", "/openapi/v1", "/livez/unheard-of", "/livez/ping/more"):
            code, body, _ = await server.ask("GET", path)
            assert code == 404, path
            assert body == "404 page not found\n" or body["kind"] == "Status"

    run(scenario)


def test_what_cannot_be_said_is_not_acceptable() -> None:
    async def scenario(server: Served) -> None:
        code, body, _ = await server.ask("GET", "/api/v1/pods", Accept="text/html")
        assert (code, body["reason"]) == (406, "NotAcceptable")

    run(scenario)


def test_readiness_says_what_fails_and_not_why() -> None:
    async def scenario(server: Served) -> None:
        code, body, _ = await server.ask("GET", "/readyz")
        assert code == 500
        assert "[-]disk failed: reason withheld" in body and "secret" not in body and "readyz check failed" in body
        assert await server.get("/livez?verbose") == "[+]ping ok\nlivez check passed\n"
        assert (await server.ask("GET", "/readyz/ping"))[0] == 200

    run(scenario, FrontSettings(checks={"disk": lambda: "a secret reason"}))


def test_openapi_is_cached_by_its_content() -> None:
    async def scenario(server: Served) -> None:
        paths = (await server.get("/openapi/v3"))["paths"]
        assert {"api/v1", "apis/apps/v1"} <= set(paths)
        where = paths["apis/apps/v1"]["serverRelativeURL"]
        code, document, headers = await server.ask("GET", where, Accept_Encoding="gzip")
        assert (code, headers["Content-Encoding"]) == (200, "gzip")
        assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
        assert (await server.ask("GET", where, Accept_Encoding="identity"))[1] == document
        assert (await server.ask("GET", where, If_None_Match=headers["ETag"]))[0] == 304
        assert (await server.ask("GET", "/openapi/v3/apis/nowhere/v1"))[0] == 404

    run(scenario)


def test_openapi_of_version_2_comes_in_two_forms() -> None:
    async def scenario(server: Served) -> None:
        code, document, json_headers = await server.ask("GET", "/openapi/v2", Accept_Encoding="gzip")
        assert (code, json_headers["Content-Encoding"], json_headers["Content-Type"]) == (200, "gzip", "application/json")
        assert document["swagger"] == "2.0" and "io.k8s.api.apps.v1.Deployment" in document["definitions"]
        assert await server.get("/swagger.json", Accept_Encoding="identity") == document
        wish = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        bodies = []
        for path, accept in (("/openapi/v2", wish), ("/openapi/v2", f"{wish},application/json"), ("/swagger-2.0.0.pb-v1", "*/*")):
            async with server.client.get(server.url(path), headers={"Accept": accept}) as answer:
                assert answer.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
                assert answer.headers["ETag"] != json_headers["ETag"]
                bodies.append(await answer.read())
        assert bodies[0] == bodies[1] == bodies[2] and bodies[0].startswith(b"\x0a\x032.0")
        again = await server.ask("GET", "/openapi/v2", If_None_Match=json_headers["ETag"])
        assert (again[0], again[1]) == (304, "")
        assert (await server.ask("GET", "/openapi/v2", Accept="text/html"))[0] == 406
        assert (await server.ask("POST", "/openapi/v2"))[0] == 405

    run(scenario)


def test_others_have_their_turn_while_openapi_is_made() -> None:
    async def scenario(server: Served) -> None:
        async with TaskGroup() as group:
            making = group.start(server.ask("GET", "/openapi/v2"))
            answered = 0
            while not making.done():
                assert (await server.ask("GET", "/livez"))[0] == 200
                answered += 1
        assert answered > 3

    run(scenario)


def test_discovery_in_both_forms() -> None:
    async def scenario(server: Served) -> None:
        assert (await server.get("/api"))["versions"] == ["v1"]
        assert {group["name"] for group in (await server.get("/apis"))["groups"]} >= {"apps", "coordination.k8s.io"}
        assert (await server.get("/apis/apps"))["kind"] == "APIGroup"
        assert "deployments/scale" in {r["name"] for r in (await server.get("/apis/apps/v1"))["resources"]}
        wish = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        _, document, headers = await server.ask("GET", "/apis", Accept=f"{wish},application/json")
        assert (document["kind"], headers["Content-Type"]) == ("APIGroupDiscoveryList", wish)
        assert (await server.ask("GET", "/apis/nowhere"))[0] == 404

    run(scenario)


# Reading.


def test_an_object_in_its_forms() -> None:
    async def scenario(server: Served) -> None:
        [made] = await server.seed("configmaps", "default", config("c", a="1"))
        path = "/api/v1/namespaces/default/configmaps/c"
        whole = await server.get(path)
        assert (whole["kind"], whole["data"], whole["metadata"]["resourceVersion"]) == ("ConfigMap", {"a": "1"}, str(made.revision))
        assert await server.get(path + "/") == whole
        table = await server.get(path, Accept=TABLE)
        assert (table["kind"], table["rows"][0]["cells"][:2]) == ("Table", ["c", 1])
        partial = await server.get(path, Accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
        assert (partial["kind"], set(partial)) == ("PartialObjectMetadata", {"kind", "apiVersion", "metadata"})

    run(scenario)


def test_an_object_as_it_was() -> None:
    async def scenario(server: Served) -> None:
        [made] = await server.seed("configmaps", "default", config("c", a="1"))
        path = "/api/v1/namespaces/default/configmaps/c"
        await server.ask("PUT", path, {**config("c", a="2")})
        assert (await server.get(path))["data"] == {"a": "2"}
        assert (await server.get(f"{path}?resourceVersion={made.revision}&resourceVersionMatch=Exact"))["data"] == {"a": "1"}

    run(scenario)


def test_a_list_in_pages_shows_one_state() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", *[config(f"c{number}") for number in range(5)])
        path = "/api/v1/namespaces/default/configmaps?limit=2"
        first = await server.get(path)
        assert first["metadata"]["remainingItemCount"] == 3
        await server.seed("configmaps", "default", config("c4x"))
        rest = await server.get(f"{path}0&continue={first['metadata']['continue']}")
        names = [item["metadata"]["name"] for item in first["items"] + rest["items"]]
        assert names == [f"c{number}" for number in range(5)] and "continue" not in rest["metadata"]
        assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    run(scenario)


def test_a_large_list_is_compressed_for_those_who_can_read_it() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", *[config(f"c{number}", text="x" * 10_000) for number in range(20)])
        path = "/api/v1/namespaces/default/configmaps"
        _, packed, headers = await server.ask("GET", path, Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip"
        _, plain, headers = await server.ask("GET", path, Accept_Encoding="identity")
        assert "Content-Encoding" not in headers and plain == packed

    run(scenario)


# Watching.


def test_a_watch_tells_what_happens_in_order() -> None:
    async def scenario(server: Served) -> None:
        [first] = await server.seed("configmaps", "default", config("a", x="1"))
        path = "/api/v1/namespaces/default/configmaps?watch=1"
        async with server.stream(path) as events, server.stream(f"{path}&resourceVersion={first.revision}") as later:
            assert (await events())["type"] == "ADDED"
            await server.ask("PUT", "/api/v1/namespaces/default/configmaps/a", config("a", x="2"))
            await server.ask("DELETE", "/api/v1/namespaces/default/configmaps/a")
            for stream in (events, later):
                seen = [await stream(), await stream()]
                assert [event["type"] for event in seen] == ["MODIFIED", "DELETED"]
                assert seen[0]["object"]["data"] == {"x": "2"}
                assert int(seen[1]["object"]["metadata"]["resourceVersion"]) > int(seen[0]["object"]["metadata"]["resourceVersion"])

    run(scenario)


def test_a_watch_of_one_name_sees_no_other() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", config("a"), config("b"))
        async with server.stream("/api/v1/namespaces/default/configmaps/b?watch=true&timeoutSeconds=1") as events:
            assert (await events())["object"]["metadata"]["name"] == "b"
            assert await events() is None

    run(scenario)


def test_the_state_first_then_a_mark_then_changes() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", config("a"))
        path = (
            "/api/v1/namespaces/default/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
            "&allowWatchBookmarks=true"
        )
        async with server.stream(path) as events:
            assert (await events())["object"]["metadata"]["name"] == "a"
            mark = await events()
            assert (mark["type"], mark["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
            assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            await server.seed("configmaps", "default", config("b"))
            assert (await events())["object"]["metadata"]["name"] == "b"

    run(scenario)


def test_a_watch_as_tables_says_its_columns_once() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", config("a"))
        async with server.stream("/api/v1/namespaces/default/configmaps?watch=1", Accept=TABLE) as events:
            first = (await events())["object"]
            await server.seed("configmaps", "default", config("b"))
            second = (await events())["object"]
        assert first["kind"] == second["kind"] == "Table"
        assert first["columnDefinitions"] and not second["columnDefinitions"]
        assert second["rows"][0]["cells"][0] == "b"

    run(scenario)


def test_metadata_alone_is_listed_and_watched() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", config("a", secret="x"))
        path = "/api/v1/namespaces/default/configmaps"
        wish = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        listed = await server.get(path, Accept=wish)
        assert listed["kind"] == "PartialObjectMetadataList" and [item["metadata"]["name"] for item in listed["items"]] == ["a"]
        async with server.stream(f"{path}?watch=1", Accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io") as events:
            seen = (await events())["object"]
        assert (seen["kind"], "data" in seen, "data" in listed["items"][0]) == ("PartialObjectMetadata", False, False)

    run(scenario)


def test_a_watch_ends_when_its_time_is_over() -> None:
    async def scenario(server: Served) -> None:
        async with server.stream("/api/v1/pods?watch=1&timeoutSeconds=1") as events:
            assert await events() is None

    run(scenario)


def test_a_revision_that_is_forgotten_is_gone() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", config("a"), config("b"))
        await server.store.compact(server.store.revision - 1)
        code, body, _ = await server.ask("GET", "/api/v1/configmaps?watch=1&resourceVersion=1")
        assert (code, body["reason"]) == (410, "Expired")
        code, body, _ = await server.ask("GET", "/api/v1/configmaps?resourceVersion=1&resourceVersionMatch=Exact")
        assert (code, body["reason"]) == (410, "Expired")

    run(scenario)


def test_a_watch_ends_with_the_server_and_the_server_soon() -> None:
    async def scenario(server: Served) -> None:
        async with server.stream("/api/v1/pods?watch=1") as events:
            async with asyncio.timeout(2):
                await server.front.stop()
            assert await events() is None

    run(scenario)


def test_a_client_that_goes_takes_its_watch_along() -> None:
    async def scenario(server: Served) -> None:
        tasks = len(asyncio.all_tasks())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls(certificates()))) as client:
            answer = await client.get(server.url("/api/v1/pods?watch=1"))
            assert answer.status == 200 and len(asyncio.all_tasks()) > tasks
            answer.close()
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0.01)

    run(scenario)


# Logs.


async def bound_pod(server: Served, **status: Any) -> None:
    await server.seed("nodes", "", {"metadata": {"name": "n1"}})
    await server.seed("pods", "default", pod("p", nodeName="n1"))
    state = {"containerStatuses": [{"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0, **status}]}
    code, body, _ = await server.ask(
        "PATCH", "/api/v1/namespaces/default/pods/p/status", {"status": state}, Content_Type="application/merge-patch+json"
    )
    assert code == 200, body


LOG = "/api/v1/namespaces/default/pods/p/log"


def test_a_log_comes_as_text() -> None:
    async def scenario(server: Served) -> None:
        await bound_pod(server, state={"running": {}})
        server.node.chunks = [b"one\n", b"two\n"]
        code, text, headers = await server.ask("GET", f"{LOG}?tailLines=2", Accept="application/json, */*")
        assert (code, text, headers["Content-Type"]) == (200, "one\ntwo\n", "text/plain")
        assert [(node, request.container, request.tail_lines) for node, request in server.node.asked] == [("n1", "main", 2)]

    run(scenario)


def test_a_log_that_cannot_be_had_is_a_status() -> None:
    async def scenario(server: Served) -> None:
        await bound_pod(server, state={"running": {}})
        server.node.chunks = [Unavailable("node n1 is not connected")]
        code, body, _ = await server.ask("GET", LOG)
        assert (code, body["message"]) == (503, "node n1 is not connected")
        server.node.chunks = [BadRequest("no such log")]
        assert (await server.ask("GET", LOG))[0] == 400

    run(scenario)


def test_half_a_log_does_not_look_whole() -> None:
    async def scenario(server: Served) -> None:
        await bound_pod(server, state={"running": {}})
        server.node.chunks = [b"one\n", Unavailable("the node is gone")]
        with pytest.raises(aiohttp.ClientError):
            await server.ask("GET", LOG)

    run(scenario)


def test_a_container_that_waits_has_no_log() -> None:
    async def scenario(server: Served) -> None:
        await bound_pod(server, state={"waiting": {"reason": "ContainerCreating"}})
        code, body, _ = await server.ask("GET", LOG)
        assert (code, body["message"]) == (400, 'container "main" in pod "p" is waiting to start: ContainerCreating')

    run(scenario)


def test_who_follows_a_log_and_goes_is_noticed() -> None:
    async def scenario(server: Served) -> None:
        await bound_pod(server, state={"running": {}})
        server.node.chunks, server.node.goes_on = [b"one\n"], True
        async with server.client.get(server.url(f"{LOG}?follow=true")) as answer:
            assert await answer.content.readline() == b"one\n"
            answer.close()
        async with asyncio.timeout(5):
            await server.node.closed.wait()

    run(scenario)


# Writing.


def test_a_create_answers_201_and_warns_of_unknown_fields() -> None:
    async def scenario(server: Served) -> None:
        path = "/api/v1/namespaces/default/configmaps"
        code, body, headers = await server.ask("POST", path, {**config("c"), "dataa": {}})
        assert (code, body["metadata"]["name"], headers["Warning"]) == (201, "c", '299 - "unknown field \\"dataa\\""')
        code, body, _ = await server.ask("POST", f"{path}?fieldValidation=Strict", {**config("d"), "dataa": {}})
        assert (code, body["reason"]) == (400, "BadRequest") and 'unknown field "dataa"' in body["message"]
        code, body, _ = await server.ask("POST", path, config("c"))
        assert (code, body["reason"], body["details"]["name"]) == (409, "AlreadyExists", "c")

    run(scenario)


def test_an_apply_makes_changes_and_refuses() -> None:
    async def scenario(server: Served) -> None:
        path = "/api/v1/namespaces/default/configmaps/c"

        async def apply(asked: str, body: Any) -> tuple[int, Any]:
            code, answer, _ = await server.ask("PATCH", path + asked, body, Content_Type="application/apply-patch+yaml")
            return code, answer

        code, made = await apply("?fieldManager=me", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {color: blue}\n")
        assert (code, made["data"]) == (201, {"color": "blue"})
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"color": "red"}}
        code, changed = await apply("?fieldManager=me", document)
        assert (code, changed["data"], [e["manager"] for e in changed["metadata"]["managedFields"]]) == (200, {"color": "red"}, ["me"])
        code, refused = await apply("?fieldManager=you", {**document, "data": {"color": "green"}})
        assert (code, refused["reason"]) == (409, "Conflict")
        cause = {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.color"}
        assert refused["details"]["causes"] == [cause]
        assert (await apply("?fieldManager=you&force=true", {**document, "data": {"color": "green"}}))[0] == 200
        code, refused = await apply("", document)
        assert (code, refused["details"]["causes"][0]["field"]) == (422, "fieldManager")
        code, refused, _ = await server.ask("PATCH", f"{path}?force=true", {}, Content_Type="application/merge-patch+json")
        assert (code, refused["details"]["causes"][0]["field"]) == (422, "force")
        code, refused, _ = await server.ask("PATCH", f"{path}?fieldManager={'x' * 129}", {}, Content_Type="application/merge-patch+json")
        assert (code, refused["details"]["causes"][0]["field"]) == (422, "fieldManager")

    run(scenario)


def test_a_deletion_says_what_went() -> None:
    async def scenario(server: Served) -> None:
        [made] = await server.seed("configmaps", "default", config("c"))
        code, body, _ = await server.ask("DELETE", "/api/v1/namespaces/default/configmaps/c", {"propagationPolicy": "Background"})
        assert (code, body["status"]) == (200, "Success")
        assert body["details"] == {"name": "c", "kind": "configmaps", "uid": made.document()["metadata"]["uid"]}
        code, body, _ = await server.ask("DELETE", "/api/v1/namespaces/default/configmaps/c")
        assert (code, body["reason"]) == (404, "NotFound")

    run(scenario)


def test_what_waits_for_its_finalizers_is_answered_with_itself() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", {"metadata": {"name": "c", "finalizers": ["example.com/hold"]}})
        code, body, _ = await server.ask("DELETE", "/api/v1/namespaces/default/configmaps/c")
        assert (code, body["kind"]) == (200, "ConfigMap") and body["metadata"]["deletionTimestamp"]

    run(scenario)


def test_a_collection_is_deleted_by_selector() -> None:
    async def scenario(server: Served) -> None:
        await server.seed("configmaps", "default", {"metadata": {"name": "a", "labels": {"x": "y"}}}, config("b"))
        code, body, _ = await server.ask("DELETE", "/api/v1/namespaces/default/configmaps?labelSelector=x%3Dy")
        assert (code, [item["metadata"]["name"] for item in body["items"]]) == (200, ["a"])
        left = await server.get("/api/v1/namespaces/default/configmaps")
        assert [item["metadata"]["name"] for item in left["items"]] == ["b"]

    run(scenario)


def test_scale_bind_evict() -> None:
    async def scenario(server: Served) -> None:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x")["spec"]}
        spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        await server.seed("deployments.apps", "default", {"metadata": {"name": "d"}, "spec": spec})
        path = "/apis/apps/v1/namespaces/default/deployments/d/scale"
        code, scale, _ = await server.ask("PATCH", path, {"spec": {"replicas": 4}}, Content_Type="application/merge-patch+json")
        assert (code, scale["kind"], scale["spec"]) == (200, "Scale", {"replicas": 4})
        scale["spec"]["replicas"] = 2
        assert (await server.ask("PUT", path, scale))[1]["spec"] == {"replicas": 2}
        assert (await server.get(path))["spec"] == {"replicas": 2}
        await server.seed("nodes", "", {"metadata": {"name": "n1"}})
        await server.seed("pods", "default", pod("p"), pod("q"))
        path = "/api/v1/namespaces/default/pods/p"
        code, body, _ = await server.ask("POST", f"{path}/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}})
        assert (code, body["status"]) == (201, "Success")
        assert (await server.get(path))["spec"]["nodeName"] == "n1"
        eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "q"}}
        code, body, _ = await server.ask("POST", "/api/v1/namespaces/default/pods/q/eviction", eviction)
        assert (code, body["status"]) == (201, "Success")
        assert (await server.ask("GET", "/api/v1/namespaces/default/pods/q"))[0] == 404

    run(scenario)


# Bad input on the wire.


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"x" * (3 * 1024 * 1024 + 1), {}, 413),
        (b"{", {}, 400),
        (b"", {}, 400),
        (b"[1]", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b"{}", {"Content_Type": "text/csv"}, 415),
        (b"{}", {"Content_Encoding": "gzip"}, 415),
    ],
    ids=["too large", "half a document", "nothing", "a list", "too deep", "another media type", "compressed"],
)
def test_a_bad_body_is_refused(body: bytes, headers: dict[str, str], code: int) -> None:
    async def scenario(server: Served) -> None:
        answered, said, _ = await server.ask("POST", "/api/v1/namespaces/default/configmaps", body, **headers)
        assert (answered, said["kind"], said["code"]) == (code, "Status", code)
        assert await server.get("/livez") == "ok"

    run(scenario)


async def exchange(server: Served, *parts: bytes) -> list[bytes]:
    """Send the parts one after the other, reading something after each, over one connection of the administrator."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_tls(certificates()))
    read = []
    for part in parts:
        writer.write(part)
        async with asyncio.timeout(5):
            read.append(await reader.read(65536))
    writer.close()
    return read


def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async def scenario(server: Served) -> None:
        body = b'{"metadata":{"name":"c"}}'
        head = b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        first, second = await exchange(server, head, body)
        assert first == b"HTTP/1.1 100 Continue\r\n\r\n" and second.startswith(b"HTTP/1.1 201 ")

    run(scenario)


def test_an_old_http_gets_lists_but_no_watches() -> None:
    async def scenario(server: Served) -> None:
        [answer] = await exchange(server, b"GET /api/v1/pods HTTP/1.0\r\n\r\n")
        assert b" 200 OK" in answer.splitlines()[0]
        [answer] = await exchange(server, b"GET /api/v1/pods?watch=1 HTTP/1.0\r\n\r\n")
        assert b" 400 " in answer.splitlines()[0] and b"needs HTTP/1.1" in answer

    run(scenario)


def test_a_broken_chunk_is_a_bad_request() -> None:
    async def scenario(server: Served) -> None:
        head = b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        [answer] = await exchange(server, head + b"zz\r\nnonsense\r\n")
        assert b" 400 " in answer.splitlines()[0]
        assert await server.get("/livez") == "ok"

    run(scenario)


@pytest.mark.parametrize(
    "garbage",
    [b"\0garbage\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /livez HTTP/1.1\r\nA: " + b"x" * 200_000 + b"\r\n\r\n",
     b"GET /livez HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n"],
    ids=["no HTTP", "an unknown version", "a huge header", "a thousand headers"],
)  # fmt: skip
def test_what_is_not_http_is_refused_and_disturbs_nobody(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: Served) -> None:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_tls(None))
            writer.write(garbage)
            answer = await reader.read()
            assert b" 400 " in answer.split(b"\r\n")[0] and b'"kind":"Status"' in answer
            writer.close()
        assert await server.get("/livez") == "ok"

    run(scenario)
    assert sum("https-malformed" in record.message for record in caplog.records) == 1


def test_what_is_not_tls_is_refused_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: Served) -> None:
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises((ConnectionError, AssertionError)):
                assert await reader.read() != b""
            writer.close()
        assert await server.get("/livez") == "ok"

    run(scenario)
    assert sum("https-handshake-failed" in record.message for record in caplog.records) == 1


def test_half_open_connections_are_closed_in_time_and_hold_up_no_other_address() -> None:
    async def scenario(server: Served) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(8)]
        elsewhere = aiohttp.TCPConnector(ssl=client_tls(None), local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=elsewhere) as other, asyncio.timeout(0.4):
            async with other.get(server.url("/livez")) as answer:
                assert await answer.text() == "ok"
        for reader, writer in silent:
            try:
                assert await reader.read() == b""  # never said anything
            except ConnectionError:
                pass
            writer.close()
        assert await server.get("/livez") == "ok"

    run(scenario, FrontSettings(bounds=Bounds(handshakes=4, handshake_s=0.5)))


def test_a_burst_of_clients_waits_in_line() -> None:
    async def scenario(server: Served) -> None:
        async def one() -> str:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls(None))) as client:
                async with client.get(server.url("/livez")) as answer:
                    return await answer.text()

        assert await asyncio.gather(*(one() for _ in range(30))) == ["ok"] * 30

    run(scenario, FrontSettings(bounds=Bounds(handshakes=2)))


def test_too_many_connections_are_refused_and_those_that_are_open_stay() -> None:
    async def scenario(server: Served) -> None:
        assert await server.get("/livez") == "ok"
        others = [await asyncio.open_connection("127.0.0.1", server.port, ssl=client_tls(None)) for _ in range(2)]
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=client_tls(None))
        assert await server.get("/livez") == "ok"
        for _, writer in others:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_tls(None))
                    break
                except OSError:
                    await asyncio.sleep(0.01)
        writer.close()

    run(scenario, FrontSettings(bounds=Bounds(connections=3)))


def test_a_bug_of_ours_tells_callers_nothing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(server: Served) -> None:
        def broken(*_: Any) -> None:
            raise RuntimeError("the secret is 42")

        monkeypatch.setattr(server.door, "get", broken)
        code, body, _ = await server.ask("GET", "/api/v1/namespaces/default/pods/p")
        assert (code, body["reason"]) == (500, "InternalError") and "42" not in body["message"]
        assert await server.get("/livez") == "ok"

    run(scenario)
    assert any("request-died" in record.message for record in caplog.records)


def test_two_fronts_cannot_have_one_port() -> None:
    async def scenario(server: Served) -> None:
        with pytest.raises(Unavailable, match=rf"cannot listen on 127\.0\.0\.1:{server.port}"):
            await server.front._gate.listen("127.0.0.1", server.port)  # type: ignore[union-attr]

    run(scenario)


def test_the_caller_is_named_in_the_cause_of_what_it_wrote() -> None:
    async def scenario(server: Served) -> None:
        await server.ask("POST", "/api/v1/namespaces/default/configmaps", config("c"))
        [step] = await server.door.history(ADMIN, Ref("configmaps", "c", "default"))
        assert "kubernetes-admin" in str(step)

    run(scenario)
