"""A custom resource in two versions whose webhook is a real one: what clients of each version read, write, list, watch and apply, and what
they are told when the webhook does not do its work. Over HTTPS on both sides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from common.clock import SystemClock, SystemRng
from master.api.crd.publisher import Publisher
from master.webhooks import HttpsCaller
from tests.master.converter import Converter, ca_bundle, converting
from tests.master.rest.served import Served, served

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
V1, V2 = (f"/apis/example.test/{version}/namespaces/default/sites" for version in ("v1", "v2"))


def schema(version: str) -> dict[str, Any]:
    port = {"type": "integer", "minimum": 1, "maximum": 65535}
    spec = {"hostPort": {"type": "string"}} if version == "v1" else {"host": {"type": "string", "default": "nowhere"}, "port": port}
    part = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    spec |= {
        "replicas": {"type": "integer"},
        "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": part},
    }  # fmt: skip
    status = {"type": "object", "properties": {"ready": {"type": "boolean"}, "replicas": {"type": "integer"}}}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}, "status": status}}}


def definition(config: dict[str, Any], *, storage: str = "v2") -> dict[str, Any]:
    def version(name: str, column: str) -> dict[str, Any]:
        return {
            "name": name, "served": True, "storage": name == storage, "schema": schema(name),
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
            "additionalPrinterColumns": [{"name": "Where", "type": "string", "jsonPath": f".spec.{column}"}],
        }  # fmt: skip

    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "sites.example.test"},
        "spec": {
            "group": "example.test", "scope": "Namespaced", "names": {"plural": "sites", "kind": "Site"},
            "versions": [version("v1", "hostPort"), version("v2", "host")],
            "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": config, "conversionReviewVersions": ["v1"]}},
        },
    }  # fmt: skip


def site(version: str, name: str = "a", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"example.test/{version}", "kind": "Site", "metadata": {"name": name}, "spec": spec}


class Place:
    """A front, a converter, and the definition between them."""

    def __init__(self, here: Served, converter: Converter, publisher: Publisher) -> None:
        self.here, self.converter, self.publisher = here, converter, publisher

    async def define(self, config: dict[str, Any] | None = None, *, storage: str = "v2") -> None:
        config = config or {"url": self.converter.url, "caBundle": ca_bundle()}
        await self.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(config, storage=storage), code=201)
        self.publisher.publish()

    async def redefine(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sites.example.test"
        document = await self.here.get(path)
        change(document["spec"])
        await self.ask("PUT", path, document)
        self.publisher.publish()

    async def ask(self, method: str, path: str, body: Any = None, *, code: int = 200, **headers: str) -> Any:
        got, answer, _ = await self.here.ask(method, path, body, **headers)
        assert got == code, answer
        return answer

    async def get(self, path: str, **headers: str) -> Any:
        return await self.here.get(path, **headers)


@contextlib.asynccontextmanager
async def place(*, timeout_s: float = 20.0, max_answer: int = 1_000_000) -> AsyncIterator[Place]:
    caller = HttpsCaller(timeout_s=timeout_s, max_answer=max_answer)
    async with converting() as converter, served() as here:
        yield Place(here, converter, Publisher(here.door, SystemClock(), SystemRng(), caller=caller))
        await caller.close()


def within(test: Callable[[Place], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with place(**settings) as here:
            await test(here)

    asyncio.run(main())


def test_each_version_reads_what_the_other_wrote() -> None:
    async def main(here: Place) -> None:
        await here.define()
        made = await here.ask("POST", V1, site("v1", hostPort="h:80"), code=201)
        assert (made["apiVersion"], made["spec"]) == ("example.test/v1", {"hostPort": "h:80"})
        newer, older = await here.get(f"{V2}/a"), await here.get(f"{V1}/a")
        assert (newer["apiVersion"], newer["spec"]) == ("example.test/v2", {"host": "h", "port": 80})
        assert older == made and newer["metadata"]["uid"] == made["metadata"]["uid"]
        assert newer["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        older["spec"]["hostPort"] = "h:81"
        changed = await here.ask("PUT", f"{V1}/a", older)
        assert (changed["spec"], changed["metadata"]["generation"]) == ({"hostPort": "h:81"}, 2)
        patched = await here.ask("PATCH", f"{V2}/a", {"spec": {"port": 82}}, Content_Type="application/merge-patch+json")
        assert patched["spec"] == {"host": "h", "port": 82}
        assert (await here.get(f"{V1}/a"))["spec"] == {"hostPort": "h:82"}
        await here.ask("PUT", f"{V1}/a", older, code=409)
        assert (await here.ask("DELETE", f"{V1}/a"))["status"] == "Success"

    within(main)


def test_what_is_in_its_own_version_is_not_asked_for() -> None:
    async def main(here: Place) -> None:
        await here.define()
        await here.ask("POST", V2, site("v2", port=1), code=201)
        await here.get(f"{V2}/a")
        await here.get(V2)
        await here.ask("PATCH", f"{V2}/a", {"spec": {"port": 2}}, Content_Type="application/merge-patch+json")
        assert here.converter.asked == []

    within(main)


def test_each_version_has_defaults_validation_columns_and_scale_of_its_own() -> None:
    async def main(here: Place) -> None:
        await here.define()
        assert (await here.ask("POST", V2, site("v2", port=1), code=201))["spec"] == {"host": "nowhere", "port": 1}
        refused = await here.ask("POST", V2, site("v2", "b", port=0), code=422)
        assert "spec.port" in refused["message"]
        assert (await here.ask("POST", V1, site("v1", "c"), code=201))["spec"] == {}
        table = await here.get(V1, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert [row["cells"][:2] for row in table["rows"]] == [["a", "nowhere:1"], ["c", ""]]
        merge = {"Content_Type": "application/merge-patch+json"}
        await here.ask("PATCH", f"{V1}/a/scale", {"spec": {"replicas": 3}}, **merge)
        assert (await here.get(f"{V1}/a/scale"))["spec"] == {"replicas": 3}
        await here.ask("PATCH", f"{V1}/a/status", {"status": {"ready": True}}, **merge)
        assert (await here.get(f"{V2}/a"))["status"] == {"ready": True}

    within(main)


def test_lists_and_watches_convert_what_they_show() -> None:
    async def main(here: Place) -> None:
        await here.define()
        for n in range(7):
            await here.ask("POST", V2, site("v2", f"s{n}", host="h", port=n + 1), code=201)
        listed = await here.get(V1)
        assert (listed["apiVersion"], [item["spec"]["hostPort"] for item in listed["items"]]) == (
            "example.test/v1", [f"h:{n + 1}" for n in range(7)]
        )  # fmt: skip
        assert here.converter.asked == [7], "one question a list"
        page = await here.get(f"{V1}?limit=3")
        assert len(page["items"]) == 3 and here.converter.asked == [7, 3]
        async with here.here.stream(f"{V1}?watch=true&resourceVersion={listed['metadata']['resourceVersion']}") as line:
            await here.ask("POST", V2, site("v2", "new", host="h", port=9), code=201)
            event = await line()
            assert (event["type"], event["object"]["spec"]) == ("ADDED", {"hostPort": "h:9"})
            await here.ask("DELETE", f"{V2}/new")
            event = await line()
            assert (event["type"], event["object"]["apiVersion"]) == ("DELETED", "example.test/v1")
        deleted = await here.ask("DELETE", V1)
        assert {item["apiVersion"] for item in deleted["items"]} == {"example.test/v1"}

    within(main)


def test_a_watch_ends_with_the_webhooks_failure() -> None:
    async def main(here: Place) -> None:
        await here.define()
        async with here.here.stream(f"{V1}?watch=true") as line:
            here.converter.spoil = lambda answer: web.Response(status=500)
            await here.ask("POST", V2, site("v2", port=1), code=201)
            event = await line()
            assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 500, "InternalError")
            assert event["object"]["message"].startswith("conversion webhook for example.test/v2, Kind=Site failed: Post ")
            assert await line() is None

    within(main)


def test_server_side_apply_in_one_version_over_the_other() -> None:
    async def main(here: Place) -> None:
        await here.define()
        apply = {"Content_Type": "application/apply-patch+yaml"}
        parts = [{"name": "x"}]
        await here.ask("PATCH", f"{V2}/a?fieldManager=new", site("v2", host="h", port=80, parts=parts), code=201, **apply)
        other = site("v1", hostPort="h:81", parts=[{"name": "y"}])
        conflict = await here.ask("PATCH", f"{V1}/a?fieldManager=old", other, code=409, **apply)
        assert [(cause["field"], cause["message"]) for cause in conflict["details"]["causes"]] == [(".spec.port", 'conflict with "new"')]
        forced = await here.ask("PATCH", f"{V1}/a?fieldManager=old&force=true", other, **apply)
        assert forced["spec"] == {"hostPort": "h:81", "parts": [{"name": "x"}, {"name": "y"}]}
        owners = {entry["manager"]: (entry["apiVersion"], entry["fieldsV1"]["f:spec"]) for entry in forced["metadata"]["managedFields"]}
        part = {".": {}, "f:name": {}}
        assert owners == {
            "new": ("example.test/v2", {"f:host": {}, "f:parts": {'k:{"name":"x"}': part}}),
            "old": ("example.test/v1", {"f:hostPort": {}, "f:parts": {'k:{"name":"y"}': part}}),
        }, "the port was taken, the host is still the same"
        again = await here.ask("PATCH", f"{V1}/a?fieldManager=old", site("v1", hostPort="h:82"), **apply)
        assert again["spec"] == {"hostPort": "h:82", "parts": [{"name": "x"}]}
        assert (await here.get(f"{V2}/a"))["spec"] == {"host": "h", "port": 82, "parts": [{"name": "x"}]}

    within(main)


def test_another_storage_version_leaves_what_stands_readable() -> None:
    async def main(here: Place) -> None:
        await here.define(storage="v1")
        await here.ask("POST", V1, site("v1", hostPort="h:80"), code=201)

        def turn(spec: dict[str, Any]) -> None:
            for version in spec["versions"]:
                version["storage"] = version["name"] == "v2"

        await here.redefine(turn)
        assert (await here.get(f"{V2}/a"))["spec"] == {"host": "h", "port": 80}
        assert (await here.get(V1))["items"][0]["spec"] == {"hostPort": "h:80"}
        before = len(here.converter.asked)
        await here.ask("PUT", f"{V2}/a", await here.get(f"{V2}/a"))
        assert b'"apiVersion":"example.test/v2"' in here.here.store.get("sites.example.test/default/a").value  # type: ignore[union-attr]
        assert len(here.converter.asked) > before
        here.converter.spoil = lambda answer: web.Response(status=500)
        assert (await here.get(f"{V2}/a"))["spec"] == {"host": "h", "port": 80}, "it is stored as it is asked for"

    within(main)


def test_storage_versions_without_a_webhook_differ_by_name_alone() -> None:
    async def main(here: Place) -> None:
        await here.define(storage="v1")

        def plain(spec: dict[str, Any]) -> None:
            spec["conversion"] = {"strategy": "None"}

        await here.redefine(plain)
        await here.ask("POST", V1, site("v1", replicas=1), code=201)

        def turn(spec: dict[str, Any]) -> None:
            for version in spec["versions"]:
                version["storage"] = version["name"] == "v2"

        await here.redefine(turn)
        assert (await here.get(f"{V2}/a"))["apiVersion"] == "example.test/v2"
        assert (await here.get(V2))["items"][0]["apiVersion"] == "example.test/v2"
        assert here.converter.asked == []

    within(main)


def _spoilt(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def spoil(answer: dict[str, Any]) -> Any:
        change(answer["response"])
        return answer

    return spoil


FAILURES = [
    pytest.param(lambda answer: web.Response(status=503, text="busy"), " failed: Post \"{url}\": the webhook answered 503: busy",
                 id="it is busy"),
    pytest.param(lambda answer: web.Response(status=307, headers={"Location": "https://127.0.0.1:1/"}),
                 " failed: Post \"{url}\": the webhook answered 307", id="it sends the master elsewhere"),
    pytest.param(lambda answer: web.Response(text="hello"), " failed: the answer cannot be read: ", id="it speaks no JSON"),
    pytest.param(lambda answer: web.Response(text="x" * 1_000_001), " failed: Post \"{url}\": the answer has more than 1000000 bytes",
                 id="its answer has no end"),
    pytest.param(_spoilt(lambda r: r.update(uid="other")), " failed: expected response.uid=", id="it answers another question"),
    pytest.param(_spoilt(lambda r: r.update(result={"status": "Failure", "message": "no such host"})), " failed: no such host",
                 id="it says why it cannot"),
    pytest.param(_spoilt(lambda r: r["convertedObjects"].clear()), " returned 0 objects, expected 1", id="it loses an object"),
    pytest.param(_spoilt(lambda r: r["convertedObjects"].append({})), " returned 2 objects, expected 1", id="it finds another object"),
    pytest.param(_spoilt(lambda r: r["convertedObjects"][0]["metadata"].update(name="b")),
                 " returned invalid converted object at index 0: must have the same name: a != b", id="it renames the object"),
    pytest.param(_spoilt(lambda r: r["convertedObjects"][0].update(apiVersion="example.test/v3")),
                 " returned invalid converted object at index 0: invalid groupVersion (expected example.test/v1, received example.test/v3)",
                 id="it converts to something else"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), FAILURES)
def test_when_the_webhook_fails(spoil: Any, said: str) -> None:
    async def main(here: Place) -> None:
        await here.define()
        await here.ask("POST", V2, site("v2", port=1), code=201)
        here.converter.spoil = spoil
        failed = await here.ask("GET", f"{V1}/a", code=500)
        wanted = "conversion webhook for example.test/v2, Kind=Site" + said.format(url=here.converter.url)
        assert failed["reason"] == "InternalError" and wanted in failed["message"], failed["message"]
        assert wanted in (await here.ask("GET", V1, code=500))["message"]
        assert (await here.get(f"{V2}/a"))["spec"]["port"] == 1
        await here.ask("POST", V1, site("v1", "other", hostPort="h:1"), code=500)
        here.converter.spoil = None
        assert [item["metadata"]["name"] for item in (await here.get(V1))["items"]] == ["a"]

    within(main)


def test_a_webhook_that_does_not_answer() -> None:
    async def main(here: Place) -> None:
        await here.define()
        await here.ask("POST", V2, site("v2", port=1), code=201)
        here.converter.delay.clear()
        failed = await here.ask("GET", f"{V1}/a", code=500)
        assert failed["message"].endswith(f'failed: Post "{here.converter.url}": no answer within 0.3 s')

    within(main, timeout_s=0.3)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        pytest.param({"url": "https://127.0.0.1:1/convert"}, 'Post "https://127.0.0.1:1/convert": dial 127.0.0.1:1: ', id="nobody listens"),
        pytest.param({"url": "{url}"}, "tls: failed to verify certificate: unable to get local issuer", id="its CA is not known"),
        pytest.param({"url": "{url}", "caBundle": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCng="}, "its CA cannot be used", id="its CA is none"),
        pytest.param({"service": {"namespace": "hooks", "name": "sites", "path": "/convert"}},
                     'service "sites" not found in namespace "hooks"', id="its service is not there"),
    ],
)  # fmt: skip
def test_a_webhook_that_cannot_be_reached(config: dict[str, Any], said: str) -> None:
    async def main(here: Place) -> None:
        await here.define({key: here.converter.url if value == "{url}" else value for key, value in config.items()})
        await here.ask("POST", V2, site("v2", port=1), code=201)
        failed = await here.ask("GET", f"{V1}/a", code=500)
        assert said in failed["message"], failed["message"]
        assert (await here.ask("DELETE", f"{V2}/a"))["status"] == "Success", "deleting asks nobody"

    within(main)


def test_a_service_is_asked_by_its_own_name() -> None:
    async def main(here: Place) -> None:
        await here.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "hooks"}}, code=201)
        ports = [{"port": here.converter.port}]
        document = {"metadata": {"name": "sites"}, "spec": {"type": "ExternalName", "externalName": "localhost", "ports": ports}}
        await here.ask("POST", "/api/v1/namespaces/hooks/services", document, code=201)
        reference = {"namespace": "hooks", "name": "sites", "path": "/convert", "port": here.converter.port}
        await here.define({"service": reference, "caBundle": ca_bundle()})
        await here.ask("POST", V2, site("v2", host="h", port=1), code=201)
        assert (await here.get(f"{V1}/a"))["spec"] == {"hostPort": "h:1"}

    within(main)


REFUSED = [
    pytest.param({"strategy": "Webhook"}, "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
                 id="no webhook"),
    pytest.param({"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}},
                 "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook", id="an idle webhook"),
    pytest.param({"strategy": "Sometimes"}, 'spec.conversion.strategy: Unsupported value: "Sometimes"', id="another strategy"),
    pytest.param({"strategy": "Webhook", "webhook": {"clientConfig": {}, "conversionReviewVersions": ["v1"]}},
                 "exactly one of url or service is required", id="neither URL nor service"),
    pytest.param({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "http://h/"}, "conversionReviewVersions": ["v1"]}},
                 "'https' is the only allowed URL scheme; desired format: https://host[/path]", id="no TLS"),
    pytest.param({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://h/?a=b"}, "conversionReviewVersions": ["v1"]}},
                 "query parameters are not permitted in the URL", id="a query"),
    pytest.param({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://h/", "caBundle": "WA=="},
                                                     "conversionReviewVersions": ["v1"]}},
                 "caBundle: Invalid value: \"<omitted>\": unable to load root certificates", id="a CA that is none"),
    pytest.param({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://h/"}, "conversionReviewVersions": ["v9"]}},
                 "must include at least one of v1, v1beta1", id="only unknown reviews"),
    pytest.param({"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"namespace": "n", "name": "s", "path": "x"}},
                                                     "conversionReviewVersions": ["v1"]}},
                 "service.path: Invalid value: \"x\": must start with a '/'", id="a path that is none"),
]  # fmt: skip


@pytest.mark.parametrize(("conversion", "said"), REFUSED)
def test_conversions_that_a_definition_may_not_ask_for(conversion: dict[str, Any], said: str) -> None:
    async def main(here: Place) -> None:
        document = definition({})
        document["spec"]["conversion"] = conversion
        refused = await here.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", document, code=422)
        assert said in refused["message"], refused["message"]

    within(main)


def test_a_version_in_which_objects_stand_may_not_go() -> None:
    async def main(here: Place) -> None:
        await here.define()
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sites.example.test"
        document = await here.get(path)
        document["status"] = {"storedVersions": ["v1", "v2"], "conditions": [], "acceptedNames": {"plural": "sites", "kind": "Site"}}
        await here.ask("PUT", f"{path}/status", document)
        document = await here.get(path)
        del document["spec"]["versions"][0]
        refused = await here.ask("PUT", path, document, code=422)
        assert 'status.storedVersions[0]: Invalid value: "v1": must appear in spec.versions' in refused["message"]

    within(main)
