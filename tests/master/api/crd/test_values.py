"""Pruning and defaulting of custom resources."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.crd import values

STRING = {"type": "string"}


def obj(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


ROOT = obj(
    spec=obj(
        name=STRING,
        map={"type": "object", "additionalProperties": obj(a=STRING)},
        free={"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"known": obj(a=STRING)}},
        list={"type": "array", "items": obj(a=STRING)},
        embedded={"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": obj(a=STRING)}},
        anything={"type": "object", "additionalProperties": True},
        nothing={"type": "object"},
    )
)


@pytest.mark.parametrize(
    ("spec", "kept", "dropped"),
    [
        pytest.param({"name": "n", "x": 1}, {"name": "n"}, ["spec.x"], id="an unknown field"),
        pytest.param({"map": {"k": {"a": "1", "b": 2}}}, {"map": {"k": {"a": "1"}}}, ["spec.map.k.b"], id="in a map's value"),
        pytest.param({"list": [{"b": 1}, {"a": "1"}]}, {"list": [{}, {"a": "1"}]}, ["spec.list[0].b"], id="in a list's item"),
        pytest.param({"free": {"x": {"y": 1}}}, {"free": {"x": {"y": 1}}}, [], id="kept where unknown fields are preserved"),
        pytest.param({"free": {"known": {"b": 1}}}, {"free": {"known": {}}}, ["spec.free.known.b"], id="but not below what is known"),
        pytest.param(
            {"embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": {"any": 1}, "spec": {"a": "1", "b": 1}, "x": 1}},
            {"embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": {"any": 1}, "spec": {"a": "1"}}},
            ["spec.embedded.x", "spec.embedded.spec.b"], id="an embedded object keeps its head",
        ),
        pytest.param({"anything": {"x": {"y": 1}}}, {"anything": {"x": {"y": 1}}}, [], id="additionalProperties true"),
        pytest.param({"nothing": {"x": 1}}, {"nothing": {}}, ["spec.nothing.x"], id="an object without fields"),
    ],
)  # fmt: skip
def test_pruning(spec: Any, kept: Any, dropped: list[str]) -> None:
    document = {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "n", "labels": {"a": "b"}}, "spec": spec}
    assert values.prune(document, ROOT) == dropped
    assert document == {"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "n", "labels": {"a": "b"}}, "spec": kept}


@pytest.mark.parametrize(
    ("schema", "value", "filled"),
    [
        pytest.param(obj(a={**STRING, "default": "x"}), {}, {"a": "x"}, id="an absent field"),
        pytest.param(obj(a={**STRING, "default": "x"}), {"a": "y"}, {"a": "y"}, id="a present one stays"),
        pytest.param(obj(a={**STRING, "default": "x"}), {"a": None}, {"a": "x"}, id="null where none is allowed"),
        pytest.param(obj(a={**STRING, "default": "x", "nullable": True}), {"a": None}, {"a": None}, id="null where it is"),
        pytest.param(obj(a={**obj(b={**STRING, "default": "y"}), "default": {}}), {}, {"a": {"b": "y"}}, id="defaults in a default"),
        pytest.param(obj(a=obj(b={**STRING, "default": "y"})), {}, {}, id="nothing below an absent parent"),
        pytest.param({"type": "array", "items": obj(a={**STRING, "default": "x"})}, [{}, {"a": "z"}], [{"a": "x"}, {"a": "z"}], id="items"),
        pytest.param({"type": "array", "items": {**STRING, "default": "x"}}, [None, "y"], ["x", "y"], id="a null item"),
        pytest.param({"type": "object", "additionalProperties": {**STRING, "default": "x"}}, {"k": None}, {"k": "x"}, id="a null value"),
    ],
)
def test_defaulting(schema: Any, value: Any, filled: Any) -> None:
    values.default(value, schema)
    assert value == filled


def test_a_default_is_not_shared_between_objects() -> None:
    schema = obj(a={"type": "array", "items": STRING, "default": ["x"]})
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    values.default(first, schema)
    first["a"].append("y")
    values.default(second, schema)
    assert second == {"a": ["x"]}
