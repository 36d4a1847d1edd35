"""Methods, headers, compression, connections, and the documents by which clients find their way."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from master.api import registry
from tests.master.rest.served import certificates, client_tls
from tests.master.semantics.ground import ABSENT, Case, Ground, answered, config, ids, refused

NOT_ALLOWED = "the server does not allow this method on the requested resource"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


def method(ask: str, **more: object) -> Case:
    return refused(f"{ask.split(' ')[0]} of {ask.split('/')[-1]}", ask, code=405, reason="MethodNotAllowed", message=NOT_ALLOWED, **more)


CASES = [
    method("OPTIONS {n}/configmaps"), method("OPTIONS {n}/configmaps/c"), method("TRACE {n}/configmaps"), method("PROPFIND {n}/configmaps"),
    method("POST {n}/configmaps/c"), method("PUT {n}/configmaps"), method("PATCH {n}/configmaps"), method("POST /version"), method("DELETE /api"),
    method("PUT /apis/apps/v1"), method("POST {n}/pods/p/status"), method("DELETE {n}/pods/p/log"), method("GET {n}/pods/p/binding"),
    method("GET {n}/pods/p/eviction"), method("GET /apis/authentication.k8s.io/v1/tokenreviews"),
    method("POST /api/v1/componentstatuses"),
    answered("a slash at the end", "GET {n}/configmaps/", shows={"kind": "ConfigMapList"}),
    refused("a slash in the middle", "GET /api/v1//configmaps", code=404, reason="NotFound", message="the server could not find the requested resource"),
    answered("answers are not kept by anybody", "GET {n}/configmaps", headers={"Cache-Control": "no-cache, private", "Content-Type": "application/json"}),
    answered("made", "POST {n}/configmaps", config(), code=201, headers={"Content-Type": "application/json"}),
    answered("discovery of the core", "GET /api", shows={"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs.0.clientCIDR": "0.0.0.0/0"}),
    answered("discovery of groups", "GET /apis", shows={"kind": "APIGroupList", "apiVersion": "v1", "groups.0.preferredVersion.version": "v1"}),
    answered("discovery of a group", "GET /apis/autoscaling", shows={"kind": "APIGroup", "preferredVersion.groupVersion": "autoscaling/v2", "versions.1.version": "v1"}),
    answered("discovery of a version", "GET /apis/apps/v1", shows={"kind": "APIResourceList", "groupVersion": "apps/v1"}),
    refused("discovery of no group", "GET /apis/nowhere", code=404, reason="NotFound", message="the server could not find the requested resource"),
    *(answered(f"discovery at once, {version}", "GET /apis", None, {"Accept": f"{AGGREGATED.format(version)},application/json"}, headers={"Content-Type": AGGREGATED.format(version)},
               shows={"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "items.0.versions.0.freshness": "Current"}) for version in ("v2", "v2beta1")),
    answered("discovery the old way for those who do not know the new one", "GET /apis", None, {"Accept": f"{AGGREGATED.format('v9')},application/json"}, shows={"kind": "APIGroupList"}),
    answered("who we are", "GET /version", shows={"major": "1", "minor": "33"}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_http(ground: Ground, case: Case) -> None:
    ground.play(case)


KUBERNETES = {
    "nodes/proxy": ("NodeProxyOptions", "create delete get patch update"), "pods/proxy": ("PodProxyOptions", "create delete get patch update"),
    "services/proxy": ("ServiceProxyOptions", "create delete get patch update"), "pods/resize": ("Pod", "get patch update"),
    "pods/binding": ("Binding", "create"), "bindings": ("Binding", "create"), "pods/eviction": ("Eviction", "create"), "pods/exec": ("PodExecOptions", "create get"),
    "pods/ephemeralcontainers": ("Pod", "get patch update"), "pods/log": ("Pod", "get"), "pods/status": ("Pod", "get patch update"),
    "namespaces/finalize": ("Namespace", "update"), "serviceaccounts/token": ("TokenRequest", "create"), "replicationcontrollers/scale": ("Scale", "get patch update"),
}  # fmt: skip
"""As Kubernetes has them in core/v1."""


def test_core_subresources_are_those_of_kubernetes(ground: Ground) -> None:
    found = {r["name"]: (r["kind"], " ".join(sorted(r["verbs"]))) for r in ground.get("/api/v1")["resources"]}
    assert {name: found.get(name) for name in KUBERNETES} == KUBERNETES


def test_both_forms_of_discovery_say_the_same(ground: Ground) -> None:
    whole = {}
    for root in ("/api", "/apis"):
        for group in ground.get(root, Accept=AGGREGATED.format("v2"))["items"]:
            for version in group["versions"]:
                for resource in version["resources"]:
                    key = (group["metadata"].get("name", ""), version["version"], resource["resource"])
                    whole[key] = (resource["scope"] == "Namespaced", resource["responseKind"]["kind"], resource["verbs"], resource.get("shortNames", []))
                    for part in resource.get("subresources", ()):
                        whole[(*key[:2], f"{key[2]}/{part['subresource']}")] = (whole[key][0], part["responseKind"]["kind"], part["verbs"], [])
    plain = {}
    for group, version in {(r.group, r.version) for r in registry.RESOURCES}:
        for resource in ground.get(f"/apis/{group}/{version}" if group else f"/api/{version}")["resources"]:
            plain[(group, version, resource["name"])] = (resource["namespaced"], resource["kind"], resource["verbs"], resource.get("shortNames", []))
    assert whole == plain


def exchange(ground: Ground, *requests: bytes) -> list[bytes]:
    """One connection; the answer to each request, headers and body."""

    async def talk() -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", ground.server.port, ssl=client_tls(certificates()))
        found = []
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")), 0)
            found.append(head + (b"" if request.startswith(b"HEAD") else await reader.readexactly(length)))
        writer.close()
        return found

    return ground.run(talk())


def test_one_connection_serves_many_requests_also_after_a_refusal(ground: Ground) -> None:
    get = b"GET /api/v1/namespaces/default HTTP/1.1\r\nHost: x\r\n\r\n"
    missing, body = get.replace(b"default", b"nowhere"), b'{"metadata":{"name":"Bad"}}'
    post = b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    head = get.replace(b"GET", b"HEAD")
    codes = [answer.split(b" ")[1] for answer in exchange(ground, get, missing, post, head, get)]
    assert codes == [b"200", b"404", b"422", b"405", b"200"]


def test_a_body_in_chunks_is_read(ground: Ground) -> None:
    namespace = ground.namespace()
    head = f"POST /api/v1/namespaces/{namespace}/configmaps HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    [answer] = exchange(ground, head + b'f\r\n{"metadata":{"n\r\na\r\name":"c"}}\r\n0\r\n\r\n')
    assert answer.split(b" ")[1] == b"201"


def test_large_answers_are_compressed_for_those_who_say_so(ground: Ground) -> None:
    path = f"/api/v1/namespaces/{ground.namespace()}/configmaps"
    ground.made(f"POST {path}", config(data={"text": "x" * 200_000}))
    get = f"GET {path}/c HTTP/1.1\r\nHost: x\r\n".encode()
    packed, plain = exchange(ground, get + b"Accept-Encoding: gzip\r\n\r\n", get + b"\r\n")
    head, _, body = packed.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head and b"Vary: Accept-Encoding" in head and len(body) < 10_000
    assert json.loads(gzip.decompress(body)) == json.loads(plain.partition(b"\r\n\r\n")[2])
    assert b"Content-Encoding" not in plain.partition(b"\r\n\r\n")[0]


def test_small_answers_are_not_compressed(ground: Ground) -> None:
    [answer] = exchange(ground, b"GET /version HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
    assert b"Content-Encoding" not in answer.partition(b"\r\n\r\n")[0]


def test_those_who_read_with_their_eyes_get_lines(ground: Ground) -> None:
    assert ABSENT not in json.dumps(ground.get("/version?pretty=true"))
    [plain] = exchange(ground, b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
    [pretty] = exchange(ground, b"GET /version?pretty=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert plain.count(b"\n  ") == 0 and pretty.count(b"\n  ") > 5
