"""Every kind through the door: created, read back with its defaults, shown, refused, kept from changing, and never crashing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import CallerFault, Invalid
from master.api import registry, schema, tables
from master.api.catalog import Catalog
from master.api.contract import Ref
from master.api.registry import Resource
from master.api.schema import Node, Type
from tests.master.api.doorway import ADMIN, Doorway, scenario
from tests.master.api.kinds.cases import CASES, Case, Json

ELSEWHERE = {
    "namespaces", "nodes", "pods", "replicasets.apps", "deployments.apps", "configmaps", "secrets", "serviceaccounts", "services", "events",
}  # fmt: skip
"""Kinds with tables of their own (`test_kinds.py`)."""
GROUPS = {
    "", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "discovery.k8s.io", "events.k8s.io", "coordination.k8s.io",
    "scheduling.k8s.io", "storage.k8s.io", "node.k8s.io", "certificates.k8s.io", "admissionregistration.k8s.io", "apiregistration.k8s.io",
}  # fmt: skip
IDS = [case.key for case in CASES]


def resource_of(key: str) -> Resource:
    return registry.BY_KEY[key]


def merged(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def value_at(document: Any, path: str) -> Any:
    for word in path.split("."):
        document = document[int(word)] if word.isdigit() and isinstance(document, list) else document[word]
    return document


def whole(case: Case) -> Json:
    resource = resource_of(case.key)
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"name": case.name}, **case.document}


def place(case: Case) -> Ref:
    return Ref(case.key, case.name, "default" if resource_of(case.key).namespaced else "")


def causes(error: Invalid) -> list[tuple[str, str]]:
    return [(cause.field, cause.message) for cause in error.causes]


def test_every_kind_has_a_case() -> None:
    assert {r.key for r in registry.KEPT if r.group in GROUPS} == ELSEWHERE | set(IDS)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_it_is_created_with_its_defaults(case: Case) -> None:
    async def main(here: Doorway) -> None:
        made = (await here.door.create(ADMIN, case.key, place(case).namespace, whole(case))).document()
        assert here.door.get(ADMIN, place(case)).document() == made
        assert {path: value_at(made, path) for path in case.defaults} == case.defaults
        again = await here.door.update(ADMIN, place(case), made)
        assert again.document() == made  # what was read, written back, changes nothing

    scenario(main)()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_it_is_shown_with_the_columns_of_kubectl(case: Case) -> None:
    async def main(here: Doorway) -> None:
        stored = await here.door.create(ADMIN, case.key, place(case).namespace, whole(case))
        table = msgspec.json.decode(tables.render(resource_of(case.key), [stored], now=here.clock.now()))
        usual = [i for i, column in enumerate(table["columnDefinitions"]) if not column["priority"]]
        assert ",".join(table["columnDefinitions"][i]["name"] for i in usual) == case.columns
        cells = [table["rows"][0]["cells"][i] for i in usual]
        assert [cell for cell, wanted in zip(cells, case.shown, strict=False) if wanted is not None] == [c for c in case.shown if c is not None]
        for cell, column in zip(table["rows"][0]["cells"], table["columnDefinitions"], strict=True):
            assert column["type"] != "integer" or isinstance(cell, int), column

    scenario(main)()


@pytest.mark.parametrize("case", [case for case in CASES if case.bad], ids=[case.key for case in CASES if case.bad])
def test_what_breaks_its_rules_is_refused(case: Case) -> None:
    async def main(here: Doorway) -> None:
        assert case.bad is not None
        patch, field, message = case.bad
        with pytest.raises(Invalid) as caught:
            await here.door.create(ADMIN, case.key, place(case).namespace, merged(whole(case), patch))
        found = causes(caught.value)
        assert [each for each in found if each[0] == field and each[1].startswith(message)], found
        assert not here.exists(place(case))

    scenario(main)()


@pytest.mark.parametrize("case", [case for case in CASES if case.fixed], ids=[case.key for case in CASES if case.fixed])
def test_what_may_not_change_does_not(case: Case) -> None:
    async def main(here: Doorway) -> None:
        assert case.fixed is not None
        patch, field, message = case.fixed
        made = (await here.door.create(ADMIN, case.key, place(case).namespace, whole(case))).document()
        with pytest.raises(Invalid) as caught:
            await here.door.update(ADMIN, place(case), merged(made, patch))
        found = causes(caught.value)
        assert [each for each in found if each[0] == field and each[1].startswith(message)], found

    scenario(main)()


# ------------------------------------------------------- documents of all sorts

TEXTS = st.sampled_from(["", "a", "web", "10.0.0.1", "a.example.com", "example.com/x", "Always", "5%", "-", "A_b", "* * * * *", "kubernetes.io/tls"])
LEAVES: dict[Type, st.SearchStrategy[Any]] = {
    Type.STRING: TEXTS, Type.INTEGER: st.integers(-2, 70000), Type.NUMBER: st.integers(-2, 9), Type.BOOLEAN: st.booleans(),
    Type.ANY: st.sampled_from([{}, {"a": [1]}, "text"]), Type.INT_OR_STRING: st.one_of(st.integers(-1, 100), TEXTS),
    Type.QUANTITY: st.sampled_from(["0", "1", "-1", "100m", "1Gi", "1e3"]), Type.TIME: st.just("2026-01-01T00:00:00Z"),
    Type.MICRO_TIME: st.just("2026-01-01T00:00:00.000000Z"), Type.BYTES: st.sampled_from(["", "YQ=="]),
}  # fmt: skip


@st.composite
def documents(draw: st.DrawFn, node: Node, depth: int = 0) -> Any:
    """Anything that the schema allows, not too large: what a client could send."""
    if node.type is Type.OBJECT:
        names = list(node.required)
        optional = [name for name in node.fields if name not in names and name not in ("managedFields", "status")]
        if depth < 7 and optional:
            names += draw(st.lists(st.sampled_from(optional), max_size=4, unique=True))
        return {name: draw(documents(node.fields[name], depth + 1)) for name in names}
    if node.type is Type.ARRAY:
        assert node.items is not None
        count = 0 if depth > 7 else draw(st.integers(0, 2))
        return [draw(documents(node.items, depth + 1)) for _ in range(count)]
    if node.type is Type.MAP:
        assert node.values is not None
        keys = draw(st.lists(TEXTS.filter(bool), max_size=2, unique=True))
        return {key: draw(documents(node.values, depth + 1)) for key in keys}
    return draw(LEAVES[node.type])


SERVED = [resource for resource in registry.RESOURCES if "create" in resource.verbs and not (resource.virtual and resource.stored)]


@pytest.mark.parametrize("resource", SERVED, ids=lambda resource: f"{resource.api_version}-{resource.kind}")
def test_any_document_is_stored_as_it_is_read_or_is_the_callers_fault(resource: Resource) -> None:
    """Never a crash; and what was stored survives being written back and forth without a change."""
    node = schema.for_kind(resource.api_version, resource.kind)
    namespace = "default" if resource.namespaced else ""
    base = next((case.document for case in CASES if case.key == resource.stored_key and not resource.stored), {})
    own = ("metadata", "kind", "apiVersion")
    plain = msgspec.structs.replace(
        node, fields={k: v for k, v in node.fields.items() if k not in own}, required=tuple(k for k in node.required if k not in own)
    )

    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(documents(plain), st.sampled_from(["x", "10.0.0.1", "v1.web"]), st.booleans())
    def check(content: Json, name: str, sound: bool) -> None:
        """sound: something about a document that would be accepted."""

        async def main(here: Doorway) -> None:
            document = {**(merged(base, content) if sound else content), "kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"name": name}}
            before = here.store.revision
            try:
                made = await here.door.create(ADMIN, resource.key, namespace, document)
            except CallerFault:
                return
            if resource.virtual:
                assert "status" in made.document() and here.store.revision == before
                return
            read = here.door.get(ADMIN, Ref(resource.key, name, namespace))
            assert read.json() == made.json()
            tables.render(resource, [read], now=here.clock.now())
            again = await here.door.update(ADMIN, Ref(resource.key, name, namespace), read.document())
            assert again.json() == made.json()

        scenario(main)()

    check()


def test_the_catalogue_knows_each_version_and_prefers_the_stored_one() -> None:
    catalog = Catalog()
    assert list(catalog.groups()["autoscaling"]) == ["v2", "v1"]
    assert catalog.named("hpa").version == "v2"
    assert catalog.named("ev").key == "events"
    assert {r.key for r in catalog.resources if r.stored and not r.virtual} == {"horizontalpodautoscalers.v1.autoscaling", "events.events.k8s.io"}
