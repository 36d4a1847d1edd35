"""Random documents of any built-in kind, made from its schema by a seed: the same seed, the same document.

Not a hypothesis strategy of parts, which would be many times slower: hypothesis chooses the seeds, `Maker` makes the rest. Lists that are
maps in disguise have each key once, and every item has its keys; that is what makes merging them well defined.
"""

from __future__ import annotations

import copy
import random
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from master.api import registry, schema
from master.api.apply import typed
from master.api.registry import Resource
from master.api.schema import Node, Type

Json = Any
TEXTS = ("a", "b", "web", "main", "10.0.0.1", "Always", "example.com/x", "x y", "", "ä")
MAX_DEPTH = 8
UNMADE = ("managedFields", "status", "kind", "apiVersion")
SEEDS = st.integers(0, 2**32)
KINDS = [r for r in registry.RESOURCES if not r.virtual and "update" in r.verbs]


def examples(count: int) -> settings:
    """Always the same ones. No shrinking: a seed is as small as it gets, and says all."""
    return settings(
        max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip


def node_of(resource: Resource) -> Node:
    return schema.for_kind(resource.api_version, resource.kind)


def named(resource: Resource) -> str:
    return f"{resource.api_version}-{resource.kind}"


def is_keyed(node: Node) -> bool:
    """A list whose items are told apart by a key, for strategic merge or for apply."""
    return node.type is Type.ARRAY and bool(_keys(node)) and node.items is not None and node.items.type is Type.OBJECT


def is_set(node: Node) -> bool:
    return node.type is Type.ARRAY and not is_keyed(node) and (node.list_type == "set" or "merge" in node.patch_strategy)


def _keys(node: Node) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*((node.merge_key,) if node.merge_key else ()), *node.list_map_keys)))


class Maker:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def document(self, resource: Resource) -> dict[str, Any]:
        node = node_of(resource)
        made = self.value(node)
        made["metadata"] = {**made.get("metadata", {}), "name": "x"}
        return {"apiVersion": resource.api_version, "kind": resource.kind, **made}

    def value(self, node: Node, depth: int = 0) -> Json:
        if node.type is Type.OBJECT:
            return self._object(node, depth)
        if node.type is Type.ARRAY:
            return self._array(node, depth)
        if node.type is Type.MAP:
            assert node.values is not None
            return {key: self.value(node.values, depth + 1) for key in self.rng.sample(("a", "b", "c/d", "web"), self.rng.randrange(3))}
        return self.scalar(node)

    def _object(self, node: Node, depth: int) -> dict[str, Any]:
        optional = [name for name in node.fields if name not in node.required and name not in UNMADE]
        count = len(optional) if not depth else min(len(optional), self.rng.randrange(7 if depth < 3 else 4)) if depth < MAX_DEPTH else 0
        names = [*node.required, *self.rng.sample(optional, count)]
        return {name: self.value(node.fields[name], depth + 1) for name in names if name not in UNMADE or name in node.required}

    def _array(self, node: Node, depth: int) -> list[Any]:
        assert node.items is not None
        count = self.rng.randrange(4) if depth < MAX_DEPTH else 0
        items = [self.item(node, depth) for _ in range(count)]
        return self.unique(items, node)

    def item(self, node: Node, depth: int) -> Json:
        assert node.items is not None
        made = self.value(node.items, depth + 1)
        if is_keyed(node):
            for key in _keys(node):
                made.setdefault(key, self.scalar(node.items.fields[key]))
        return made

    def unique(self, items: list[Any], node: Node) -> list[Any]:
        """Each key once, by the merge key alone as well as by all keys together."""
        if not (is_keyed(node) or is_set(node)):
            return items
        kept: list[Any] = []
        for item in items:
            if all(not _same(item, other, node) for other in kept):
                kept.append(item)
        return kept

    def scalar(self, node: Node) -> Json:
        pick = self.rng.choice
        match node.type:
            case Type.STRING:
                return pick(TEXTS)
            case Type.INTEGER:
                return pick((0, 1, 2, -1, 80, 8080))
            case Type.NUMBER:
                return pick((0, 1, 2))
            case Type.BOOLEAN:
                return pick((True, False))
            case Type.QUANTITY:
                return pick(("0", "1", "100m", "1Gi"))
            case Type.INT_OR_STRING:
                return pick((0, 1, 80, "http", "25%"))
            case Type.TIME:
                return pick(("2026-01-01T00:00:00Z", "1970-01-01T00:00:00Z"))
            case Type.MICRO_TIME:
                return "2026-01-01T00:00:00.000001Z"
            case Type.BYTES:
                return pick(("", "YQ==", "aGVsbG8="))
        return pick(({"x": "y"}, {"x": {"z": 1}}, {"list": [1, 2]}))

    def changed(self, value: Json, node: Node, depth: int = 0) -> Json:
        """Something near to it: parts gone, parts new, parts changed, items moved."""
        if node.type in (Type.OBJECT, Type.MAP) and isinstance(value, dict) and (node.fields or node.values):
            always = {*node.required, *typed._ALWAYS}  # Go holds these by value: they do not go
            kept = {k: self.changed(v, _child(node, k), depth + 1) for k, v in value.items() if k in always or not self.chance(15)}
            if self.chance(40):
                kept = {**self.value(node, depth), **kept} if self.chance(50) else {**kept, **self._some_of(self.value(node, depth))}
            return {key: part for key, part in kept.items() if key not in UNMADE}
        if node.type is Type.ARRAY and isinstance(value, list):
            assert node.items is not None
            items = [self.changed_item(item, node, depth) for item in value if not self.chance(25)]
            items += [self.item(node, depth) for _ in range(self.rng.randrange(2))]
            if self.chance(40):
                self.rng.shuffle(items)
            return self.unique(items, node)
        return self.scalar(node) if self.chance(30) else copy.deepcopy(value)

    def changed_item(self, item: Json, node: Node, depth: int) -> Json:
        assert node.items is not None
        changed = self.changed(item, node.items, depth + 1)
        if is_keyed(node):
            changed.update({key: item[key] for key in _keys(node)})
        return item if is_set(node) else changed

    def _some_of(self, value: dict[str, Any]) -> dict[str, Any]:
        return {key: part for key, part in value.items() if self.chance(50)}


def _child(node: Node, key: str) -> Node:
    found = node.child(key)
    assert found is not None, (node.name, key)
    return found


def _same(left: Json, right: Json, node: Node) -> bool:
    if is_set(node):
        return (type(left), left) == (type(right), right)
    if node.merge_key and left[node.merge_key] == right[node.merge_key]:
        return True
    return bool(node.list_map_keys) and all(left[key] == right[key] for key in node.list_map_keys)
