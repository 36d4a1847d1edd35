"""Server-side apply of custom resources, through the door: the schema says what is one field, and whose it is.

A definition without a webhook; how versions with one are applied is in `tests/master/rest/test_conversion.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from common.clock import SeededRng
from common.errors import BadRequest, Conflict, Invalid
from master.api.contract import Document, PatchType, Ref, WriteOptions
from master.api.crd.publisher import Publisher
from tests.master.api.doorway import ADMIN, Doorway, scenario

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
TOYS = "toys.example.test"
STR, INT = {"type": "string"}, {"type": "integer"}
OPEN = "x-kubernetes-preserve-unknown-fields"


def ports(**changes: Any) -> Document:
    fields = {"port": INT, "protocol": {**STR, "default": "TCP"}, "name": STR}
    item = {"type": "object", "required": ["port"], "properties": fields}
    return {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"], "items": item, **changes}


SPEC: dict[str, Document] = {
    "size": INT, "ports": ports(), "plain": {"type": "array", "items": STR},
    "set": {"type": "array", "items": STR, "x-kubernetes-list-type": "set"},
    "map": {"type": "object", "additionalProperties": STR},
    "atom": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": INT, "b": INT}},
    "part": {"type": "object", "properties": {"a": INT, "b": INT}}, "open": {"type": "object", OPEN: True},
    "half": {"type": "object", OPEN: True, "properties": {"known": INT}}, "any": {OPEN: True},
    "either": {"x-kubernetes-int-or-string": True}, "colour": {**STR, "default": "red"},
    "embedded": {"type": "object", "x-kubernetes-embedded-resource": True, OPEN: True},
}  # fmt: skip


def definition(*, storage: str = "v1") -> Document:
    status = {"type": "object", "properties": {"ready": INT, "notes": {"type": "object", "additionalProperties": STR}}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": SPEC}, "status": status}}
    versions = [
        {"name": name, "served": True, "storage": name == storage, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
        for name in ("v1", "v1beta1")
    ]
    names = {"plural": "toys", "kind": "Toy"}
    return {"metadata": {"name": TOYS}, "spec": {"group": "example.test", "scope": "Namespaced", "names": names, "versions": versions}}


Test = Callable[["Toys"], Awaitable[None]]


class Toys:
    def __init__(self, here: Doorway) -> None:
        self.here, self.door = here, here.door
        self.publisher = Publisher(here.door, here.clock, SeededRng(7))

    async def apply(self, who: str, spec: Document | None = None, *, version: str = "v1", force: bool = False, **more: Any) -> Document:
        sub = "status" if "status" in more else ""
        document = {"apiVersion": f"example.test/{version}", "kind": "Toy", "metadata": {"name": "t", **more.pop("metadata", {})}, **more}
        if spec is not None:
            document["spec"] = spec
        resource = self.door.catalog.by_kind(f"example.test/{version}", "Toy")
        assert resource is not None
        ref = Ref(resource.key, "t", "default")
        stored, _ = await self.door.apply(ADMIN, ref, document, WriteOptions(field_manager=who, force=force), subresource=sub)
        return stored.document()

    async def patch(self, who: str, body: Document, *, sub: str = "") -> Document:
        options = WriteOptions(field_manager=who)
        return (await self.door.patch(ADMIN, Ref(TOYS, "t", "default"), PatchType.MERGE, body, options, subresource=sub)).document()


def toys(test: Test) -> Callable[[], None]:
    async def main(here: Doorway) -> None:
        await here.door.create(ADMIN, CRDS, "", definition())
        made = Toys(here)
        made.publisher.publish()
        await test(made)

    run = scenario(main)
    run.__doc__ = test.__doc__
    return run


def owned(document: Document, who: str, sub: str = "") -> Document:
    return next(e["fieldsV1"] for e in document["metadata"]["managedFields"] if (e["manager"], e.get("subresource", "")) == (who, sub))


def conflict(error: pytest.ExceptionInfo[Conflict]) -> list[str]:
    return [cause.field for cause in error.value.causes]


@toys
async def test_items_with_keys_are_owned_one_by_one(t: Toys) -> None:
    await t.apply("a", {"ports": [{"port": 80, "protocol": "TCP", "name": "web"}]})
    both = await t.apply("b", {"ports": [{"port": 80, "protocol": "UDP"}, {"port": 443, "protocol": "TCP"}]})
    assert [(p["port"], p["protocol"]) for p in both["spec"]["ports"]] == [(80, "TCP"), (80, "UDP"), (443, "TCP")]
    key = 'k:{"port":80,"protocol":"TCP"}'
    assert owned(both, "a") == {"f:spec": {"f:ports": {key: {".": {}, "f:port": {}, "f:protocol": {}, "f:name": {}}}}}
    with pytest.raises(Conflict) as found:
        await t.apply("b", {"ports": [{"port": 80, "protocol": "TCP", "name": "other"}]})
    assert conflict(found) == ['.spec.ports[port=80,protocol="TCP"].name']
    left = await t.apply("b", {"ports": [{"port": 443, "protocol": "TCP"}]})
    assert [(p["port"], p["protocol"]) for p in left["spec"]["ports"]] == [(80, "TCP"), (443, "TCP")]


@toys
async def test_a_key_that_is_left_out_is_its_default(t: Toys) -> None:
    made = await t.apply("a", {"ports": [{"port": 80}]})
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP"}]
    with pytest.raises(BadRequest, match="duplicate entries for key"):
        await t.apply("a", {"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]})
    with pytest.raises((BadRequest, Invalid)):
        await t.apply("a", {"ports": [{"name": "without its key"}]})


@toys
async def test_members_of_sets_and_maps_are_owned_one_by_one(t: Toys) -> None:
    await t.apply("a", {"set": ["x", "y"], "map": {"k": "1"}})
    both = await t.apply("b", {"set": ["y", "z"], "map": {"l": "2"}})
    assert (both["spec"]["set"], both["spec"]["map"]) == (["x", "y", "z"], {"k": "1", "l": "2"})
    left = await t.apply("a", {"set": ["x"]})
    assert (left["spec"]["set"], left["spec"]["map"]) == (["x", "y", "z"], {"l": "2"}), "y is b's too"


@toys
async def test_what_is_atomic_is_one_field(t: Toys) -> None:
    await t.apply("a", {"plain": ["x"], "atom": {"a": 1}, "part": {"a": 1}})
    with pytest.raises(Conflict) as found:
        await t.apply("b", {"plain": ["y"], "atom": {"b": 2}, "part": {"b": 2}})
    assert conflict(found) == [".spec.atom", ".spec.plain"]
    taken = await t.apply("b", {"plain": ["y"], "atom": {"b": 2}, "part": {"b": 2}}, force=True)
    assert taken["spec"] == {"plain": ["y"], "atom": {"b": 2}, "part": {"a": 1, "b": 2}, "colour": "red"}
    assert owned(taken, "a") == {"f:spec": {"f:part": {"f:a": {}}}}


@toys
async def test_fields_that_no_schema_knows_are_owned_one_by_one(t: Toys) -> None:
    await t.apply("a", {"open": {"x": {"y": 1}, "list": [1]}, "half": {"known": 1, "more": {"p": 1}}, "any": {"z": 1}})
    both = await t.apply("b", {"open": {"x": {"w": 2}}, "half": {"more": {"q": 2}}, "any": {"v": {"u": 3}}})
    assert both["spec"]["open"] == {"x": {"y": 1, "w": 2}, "list": [1]}
    assert both["spec"]["half"] == {"known": 1, "more": {"p": 1, "q": 2}} and both["spec"]["any"] == {"z": 1, "v": {"u": 3}}
    with pytest.raises(Conflict) as found:
        await t.apply("b", {"open": {"x": {"y": 9}, "list": [2]}, "half": {"known": 2}})
    assert conflict(found) == [".spec.half.known", ".spec.open.list", ".spec.open.x.y"]
    left = await t.apply("a", {"half": {"known": 1}})
    assert left["spec"]["open"] == {"x": {"w": 2}} and left["spec"]["half"] == {"known": 1, "more": {"q": 2}}
    assert left["spec"]["any"] == {"v": {"u": 3}}


@toys
async def test_an_embedded_object_has_its_own_metadata(t: Toys) -> None:
    inner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"a": "1"}}}
    await t.apply("a", {"embedded": inner})
    labelled = {**inner, "metadata": {"name": "c", "labels": {"b": "2"}}}
    both = await t.apply("b", {"embedded": labelled})
    assert both["spec"]["embedded"]["metadata"]["labels"] == {"a": "1", "b": "2"}


@toys
async def test_what_the_schema_fills_in_is_nobodys(t: Toys) -> None:
    made = await t.apply("a", {"size": 1})
    assert made["spec"] == {"size": 1, "colour": "red"} and owned(made, "a") == {"f:spec": {"f:size": {}}}
    changed = await t.apply("b", {"colour": "green"})
    assert changed["spec"]["colour"] == "green"
    assert (await t.apply("b", {}))["spec"]["colour"] == "red", "the default comes back when nobody names it"


@toys
async def test_what_an_update_changes_is_a_conflict_for_an_apply(t: Toys) -> None:
    await t.apply("a", {"size": 1, "either": 5})
    await t.patch("scaler", {"spec": {"size": 3}})
    with pytest.raises(Conflict) as found:
        await t.apply("a", {"size": 2, "either": "50%"})
    assert 'conflict with "scaler" using example.test/v1' in found.value.message and conflict(found) == [".spec.size"]
    assert (await t.apply("a", {"either": "50%"}))["spec"] == {"size": 3, "either": "50%", "colour": "red"}


@toys
async def test_the_status_has_owners_of_its_own(t: Toys) -> None:
    await t.apply("user", {"size": 1})
    said = await t.apply("robot", status={"ready": 1, "notes": {"a": "b"}})
    assert (said["spec"]["size"], said["status"]) == (1, {"ready": 1, "notes": {"a": "b"}})
    assert owned(said, "robot", "status") == {"f:status": {"f:ready": {}, "f:notes": {"f:a": {}}}}
    assert said["metadata"]["generation"] == 1
    less = await t.apply("robot", status={"ready": 2})
    assert less["status"] == {"ready": 2}
    with pytest.raises(Conflict) as found:
        await t.apply("other", status={"ready": 3})
    assert conflict(found) == [".status.ready"]
    again = await t.apply("user", {"size": 2})
    assert (again["spec"]["size"], again["status"]) == (2, {"ready": 2})


@toys
async def test_labels_are_owned_as_on_every_object(t: Toys) -> None:
    await t.apply("a", metadata={"labels": {"x": "1"}})
    both = await t.apply("b", metadata={"labels": {"y": "2"}})
    assert both["metadata"]["labels"] == {"x": "1", "y": "2"}
    assert (await t.apply("a"))["metadata"]["labels"] == {"y": "2"}


@toys
async def test_what_the_schema_does_not_know_is_refused(t: Toys) -> None:
    with pytest.raises(BadRequest, match='failed to create typed patch object .*unknown field "spec.nonsense"'):
        await t.apply("a", {"nonsense": 1})


@toys
async def test_owners_stay_good_in_another_version(t: Toys) -> None:
    await t.apply("a", {"size": 1, "ports": [{"port": 80, "protocol": "TCP"}]})
    with pytest.raises(Conflict) as found:
        await t.apply("b", {"size": 2}, version="v1beta1")
    assert conflict(found) == [".spec.size"]
    moved = await t.apply("a", {"size": 3}, version="v1beta1")
    assert moved["spec"] == {"size": 3, "colour": "red"}, "the port went with its owner"
    entries = [(e["manager"], e["operation"], e["apiVersion"]) for e in moved["metadata"]["managedFields"]]
    assert entries == [("a", "Apply", "example.test/v1beta1")], "one entry an applier, whatever version it speaks"


@toys
async def test_owners_stay_good_when_the_storage_version_changes(t: Toys) -> None:
    await t.apply("a", {"size": 1, "map": {"k": "1"}})
    await t.patch("scaler", {"spec": {"part": {"a": 1}}})
    document = t.door.get(ADMIN, Ref(CRDS, TOYS)).document()
    for version in document["spec"]["versions"]:
        version["storage"] = version["name"] == "v1beta1"
    await t.door.update(ADMIN, Ref(CRDS, TOYS), document)
    t.publisher.publish()
    assert t.door.catalog.by_key(TOYS).version == "v1beta1"  # type: ignore[union-attr]
    with pytest.raises(Conflict) as found:
        await t.apply("b", {"size": 2, "part": {"a": 2}}, version="v1")
    assert sorted(conflict(found)) == [".spec.part.a", ".spec.size"]
    left = await t.apply("a", {"size": 5}, version="v1beta1")
    assert left["apiVersion"] == "example.test/v1beta1" and left["spec"]["size"] == 5 and not left["spec"].get("map")
    assert b'"apiVersion":"example.test/v1beta1"' in t.here.store.get(f"{TOYS}/default/t").value  # type: ignore[union-attr]
