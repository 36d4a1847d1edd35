"""Custom resources, as people use them: the real kubectl defines, makes, changes, lists and removes them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import threading
from collections.abc import Iterator
from typing import Any

from tests.e2e.kmaster import Kubectl
from tests.e2e.test_kubectl import home, kubectl, master, text, version  # noqa: F401  (fixtures)
from tests.master.converter import Converter, ca_bundle, converting
from tests.master.rest.test_conversion import definition as sites


def definition(kind: str, **changes: Any) -> dict[str, Any]:
    """One definition a test, so that tests share a master: gadgets of `KIND.example.test`."""
    plural = f"{kind.lower()}s"
    spec = {
        "type": "object", "required": ["size"], "x-kubernetes-validations": [{"rule": "self.size <= 10", "message": "too big"}],
        "properties": {
            "size": {"type": "integer", "minimum": 1}, "colour": {"type": "string", "enum": ["red", "green"], "default": "red"},
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}},
            },
        },
    }  # fmt: skip
    status = {"type": "object", "properties": {"size": {"type": "integer"}, "ready": {"type": "boolean"}}}
    served = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "description": f"A {kind}.", "properties": {"spec": spec, "status": status}}},
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        "selectableFields": [{"jsonPath": ".spec.colour"}],
    }  # fmt: skip
    older = {**copy.deepcopy(served), "name": "v1beta1", "storage": False}
    names = {"plural": plural, "kind": kind, "shortNames": [f"x{kind.lower()}"], "categories": ["all"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.example.test"},
        "spec": {"group": "example.test", "names": names, "scope": "Namespaced", "versions": [served, older]}, **changes,
    }  # fmt: skip


def instance(kind: str, name: str, *, version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"example.test/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}


def define(kubectl: Kubectl, kind: str) -> str:  # noqa: F811
    """A definition of this kubectl's own; the kind."""
    kind = f"{kind}{kubectl.namespace.rpartition('-')[2]}"
    kubectl("apply", "-f", "-", stdin=text(definition(kind)))
    kubectl("wait", "--for=condition=Established", f"crd/{kind.lower()}s.example.test", "--timeout=10s")
    return kind


def test_what_is_defined_is_served_at_once(kubectl: Kubectl) -> None:  # noqa: F811
    kind = define(kubectl, "Gadget")
    plural = f"{kind.lower()}s"
    assert kubectl("apply", "-f", "-", stdin=text(instance(kind, "a", size=3))) == f"{kind.lower()}.example.test/a created\n"
    assert kubectl("get", plural).splitlines()[0].split() == ["NAME", "SIZE", "AGE"]
    assert kubectl("get", plural).splitlines()[1].split()[:2] == ["a", "3"]
    stands = kubectl.json("get", kind.lower(), "a")
    assert (stands["spec"], stands["metadata"]["generation"]) == ({"size": 3, "colour": "red"}, 1)
    assert "A Gadget" in kubectl("explain", plural)
    assert "size" in kubectl("explain", f"{plural}.spec")
    assert f"{kind.lower()}.example.test/a" in kubectl("get", "all", "-o", "name")
    assert any(line.split()[0] == plural for line in kubectl("api-resources", "--api-group=example.test", "--no-headers").splitlines())
    assert kubectl("get", plural, "--field-selector", "spec.colour=green", "-o", "name") == ""


def test_instances_are_judged_by_their_schema(kubectl: Kubectl) -> None:  # noqa: F811
    kind = define(kubectl, "Judged")

    def refused(**spec: Any) -> str:
        return kubectl.fails("create", "-f", "-", stdin=text(instance(kind, "x", **spec)))

    assert 'unknown field "spec.colr"' in refused(size=1, colr="red")
    assert "spec.size: Required value" in refused()
    assert "spec.size in body should be greater than or equal to 1" in refused(size=0)
    assert 'Unsupported value: "blue": supported values: "green", "red"' in refused(size=1, colour="blue")
    assert 'spec.size in body must be of type integer: "string"' in refused(size="big")
    assert "too big" in refused(size=11)
    assert "spec.parts[1]: Duplicate value" in refused(size=1, parts=[{"name": "a"}, {"name": "a"}])


def test_instances_change_as_others_do(kubectl: Kubectl) -> None:  # noqa: F811
    kind = define(kubectl, "Changing")
    plural = f"{kind.lower()}s"
    kubectl("apply", "-f", "-", stdin=text(instance(kind, "a", size=3, colour="green")))
    kubectl("apply", "-f", "-", stdin=text(instance(kind, "a", size=4)))
    assert kubectl.json("get", plural, "a")["spec"] == {"size": 4, "colour": "red"}
    kubectl("patch", plural, "a", "--type=merge", "-p", '{"spec":{"size":5}}')
    kubectl("patch", plural, "a", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":6}]')
    assert "415" in kubectl.run("patch", plural, "a", "-p", '{"spec":{"size":7}}', "-v=8").stderr
    kubectl("scale", f"{kind.lower()}/a", "--replicas=7")
    kubectl("patch", plural, "a", "--subresource=status", "--type=merge", "-p", '{"status":{"ready":true},"spec":{"size":1}}')
    kubectl("label", plural, "a", "x=y")
    stands = kubectl.json("get", plural, "a")
    assert (stands["spec"]["size"], stands["status"], stands["metadata"]["labels"]) == (7, {"ready": True}, {"x": "y"})
    assert stands["metadata"]["generation"] == 5


def test_an_object_is_the_same_in_all_versions(kubectl: Kubectl) -> None:  # noqa: F811
    kind = define(kubectl, "Versioned")
    plural = f"{kind.lower()}s"
    kubectl("apply", "-f", "-", stdin=text(instance(kind, "a", version="v1beta1", size=3)))
    new = kubectl.json("get", f"{plural}.v1.example.test", "a")
    old = kubectl.json("get", f"{plural}.v1beta1.example.test", "a")
    assert (new["apiVersion"], old["apiVersion"]) == ("example.test/v1", "example.test/v1beta1")
    assert new["spec"] == old["spec"] and new["metadata"]["uid"] == old["metadata"]["uid"]


def test_a_definition_takes_its_instances_along(kubectl: Kubectl) -> None:  # noqa: F811
    kind = define(kubectl, "Leaving")
    name = f"{kind.lower()}s.example.test"
    kubectl("apply", "-f", "-", stdin=text(instance(kind, "a", size=1), instance(kind, "b", size=2)))
    kubectl("delete", "crd", name, "--timeout=20s")
    assert "could not find the requested resource" in kubectl.fails("get", "--raw", f"/apis/example.test/v1/{kind.lower()}s")
    kubectl("apply", "-f", "-", stdin=text(definition(kind)))
    kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=10s")
    assert json.loads(kubectl("get", "--raw", f"/apis/example.test/v1/{kind.lower()}s"))["items"] == []


def test_a_namespace_takes_its_instances_along(kubectl: Kubectl) -> None:  # noqa: F811
    kind = define(kubectl, "Housed")
    kubectl("create", "-f", "-", stdin=text({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": f"{kind.lower()}-home"}}))
    kubectl("create", "-n", f"{kind.lower()}-home", "-f", "-", stdin=text(instance(kind, "a", size=1)))
    kubectl("delete", "namespace", f"{kind.lower()}-home", "--timeout=20s")
    assert kubectl("get", f"{kind.lower()}s", "-A", "-o", "name") == ""


@contextlib.contextmanager
def in_a_thread() -> Iterator[Converter]:
    """The converting webhook, beside the master."""
    began, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[Converter] = []

    async def main() -> None:
        async with converting() as converter:
            found.append(converter)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=began.run_until_complete, args=(main(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield found[0]
    finally:
        began.call_soon_threadsafe(over.set)
        thread.join(10)
        began.close()


def test_a_webhook_converts_between_versions(kubectl: Kubectl) -> None:  # noqa: F811
    suffix = kubectl.namespace.rpartition("-")[2]
    with in_a_thread() as converter:
        document = sites({"url": converter.url, "caBundle": ca_bundle()})
        names = {"plural": f"sites{suffix}", "kind": f"Site{suffix}"}
        document["metadata"]["name"] = f"sites{suffix}.example.test"
        document["spec"]["names"] = names
        kubectl("apply", "-f", "-", stdin=text(document))
        kubectl("wait", "--for=condition=Established", f"crd/sites{suffix}.example.test", "--timeout=10s")
        kubectl("apply", "-f", "-", stdin=text(instance(f"Site{suffix}", "a", hostPort="h:80")))
        kubectl("apply", "-f", "-", stdin=text(instance(f"Site{suffix}", "a", hostPort="h:81")))
        old, new = f"sites{suffix}.v1.example.test", f"sites{suffix}.v2.example.test"
        assert kubectl.json("get", new, "a")["spec"] == {"host": "h", "port": 81}
        assert [line.split() for line in kubectl("get", old).splitlines()] == [["NAME", "WHERE"], ["a", "h:81"]]
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text(instance(f"Site{suffix}", "a", version="v2", port=82)))
        assert kubectl.json("get", old, "a")["spec"] == {"hostPort": "h:82"}
    said = kubectl.fails("get", old)
    assert f"conversion webhook for example.test/v2, Kind=Site{suffix} failed: Post" in said
    kubectl("delete", "crd", f"sites{suffix}.example.test", "--timeout=20s")


def test_what_a_definition_may_not_be_is_said(kubectl: Kubectl) -> None:  # noqa: F811
    broken = definition("Broken")
    version = broken["spec"]["versions"][0]  # noqa: F811
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"] = {}
    said = kubectl.fails("create", "-f", "-", stdin=text(broken))
    assert "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[size].type: Required value" in said
    misnamed = definition("Broken", metadata={"name": "wrong"})
    assert "must be spec.names.plural" in kubectl.fails("create", "-f", "-", stdin=text(misnamed))
