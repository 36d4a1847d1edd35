"""Server-side apply against what it promises, on random documents of every built-in kind.

    what is applied stands there and is owned          applying it again changes nothing
    what only I named goes when I name it no more      two who name different things do not meet
    force takes a field from its owner                 whatever stands there, somebody owns
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from master.api.apply import managers as managing
from master.api.apply import sets, typed, updater
from master.api.registry import Resource
from master.api.schema import Node, Type
from tests.master.properties.making import KINDS, SEEDS, Maker, examples, named, node_of

Json = Any
ME, YOU = "me", "you"


def by(name: str, resource: Resource) -> updater.Change:
    return updater.Change(name=name, node=node_of(resource), api_version=resource.api_version, time="2026-01-01T00:00:00Z")


def apply(live: dict[str, Any], owners: managing.Managers, name: str, applied: dict[str, Any], *, resource: Resource, force: bool = False) -> Any:
    before = copy.deepcopy((live, applied))
    result = updater.apply(live, applied, owners, change=by(name, resource), force=force)
    assert (live, applied) == before, "an argument was changed"
    return result


def applicable(make: Maker, resource: Resource) -> dict[str, Any]:
    """A document whose lists' items can be told apart, as the front sees to."""
    return settled(make.document(resource), resource)


def near(make: Maker, document: dict[str, Any], resource: Resource) -> dict[str, Any]:
    """Another that has much in common with it."""
    return settled(make.changed(document, node_of(resource)), resource)


def settled(document: dict[str, Any], resource: Resource) -> dict[str, Any]:
    """Of its kind and name, silent about what is the API's own, which nobody owns, and without empty structs and lists: who owns
    those when their content goes is no promise."""
    document = without_empty(document)
    meta = {key: part for key, part in document.get("metadata", {}).items() if key in ("labels", "annotations", "finalizers", "ownerReferences")}
    found = {**document, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {**meta, "name": "x"}}
    typed.check_lists(found, node_of(resource))
    return found


def owned_by(owners: managing.Managers, name: str) -> sets.FieldSet:
    found: sets.FieldSet = {}
    for who, owned in owners.items():
        if who.name == name:
            found = sets.union(found, owned.fields)
    return found


def leaves(fields: sets.FieldSet) -> set[tuple[str, ...]]:
    return set(sets.paths(sets.difference(fields, updater.STRIPPED)))


def atomic(node: Node) -> bool:
    if node.type is Type.ARRAY:
        return node.list_type not in ("map", "set")
    return node.type not in (Type.OBJECT, Type.MAP) or node.map_type == "atomic" or not (node.fields or node.values)


def stands_in(applied: Json, live: Json, node: Node) -> bool:
    """All of what is applied is there, whatever else is: by its definition, field by field and item by item."""
    if atomic(node):
        return applied == live
    if node.type is Type.ARRAY:
        if node.list_type == "set":
            return all(item in live for item in applied)
        assert node.items is not None
        return all(
            any(all(other.get(key) == item.get(key) for key in node.list_map_keys) and stands_in(item, other, node.items) for other in live)
            for item in applied
        )
    return all(key in live and stands_in(part, live[key], _child(node, key)) for key, part in applied.items())


def _child(node: Node, key: str) -> Node:
    child = node.child(key)
    assert child is not None
    return child


def sorted_lists(value: Json, node: Node) -> Json:
    """With the items of granular lists in one order: of those the order is no promise here."""
    if atomic(node):
        return value
    if node.type is Type.ARRAY:
        assert node.items is not None
        return sorted((sorted_lists(item, node.items) for item in value), key=_text)
    return {key: sorted_lists(part, _child(node, key)) for key, part in value.items()}


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def without_empty(value: Json) -> Json:
    if isinstance(value, dict):
        kept = {key: without_empty(part) for key, part in value.items()}
        return {key: part for key, part in sorted(kept.items()) if part not in ({}, [])}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def by_value(path: tuple[str, ...], node: Node) -> bool:
    """Go's type holds it by value: it is in every object, so it may be owned though it is not seen."""
    name = ""
    for step in path:
        name = step[2:] if step.startswith("f:") else ""
        parent, node = node, node.child(name) if name else node.items  # type: ignore[assignment]
    return name in parent.required or name in typed._ALWAYS


def places(value: Json, node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All that can be owned of it: fields, items, and the structs that hold them."""
    if atomic(node):
        return
    if node.type is Type.ARRAY:
        assert node.items is not None
        below = [(typed.item_step(item, node), item, node.items) for item in value]
    else:
        below = [(sets.field(key), part, _child(node, key)) for key, part in value.items()]
    for step, part, child in below:
        yield (*path, step)
        yield from places(part, child, (*path, step))


def property_of(count: int) -> Any:
    """A check of (maker, resource), over all kinds and so many seeds of each."""

    def decorate(check: Any) -> Any:
        @pytest.mark.parametrize("resource", KINDS, ids=named)
        def test(resource: Resource) -> None:
            @examples(count)
            @given(SEEDS)
            def run(seed: int) -> None:
                check(Maker(seed), resource)

            run()

        return test

    return decorate


@property_of(12)
def test_what_is_applied_stands_there_is_owned_and_may_be_applied_again(make: Maker, resource: Resource) -> None:
    node, live, mine = node_of(resource), applicable(make, resource), applicable(make, resource)
    owners = updater.update({}, live, {}, change=by(YOU, resource))
    merged, owners = apply(live, owners, ME, mine, resource=resource, force=True)
    assert stands_in(mine, merged, node)
    assert leaves(typed.fields_of(mine, node)) <= leaves(owned_by(owners, ME))
    assert apply(merged, owners, ME, mine, resource=resource) == (merged, owners)


@property_of(12)
def test_what_only_i_named_goes_when_i_name_it_no_more(make: Maker, resource: Resource) -> None:
    node, first = node_of(resource), applicable(make, resource)
    second = near(make, first, resource)
    live, owners = apply({}, {}, ME, first, resource=resource)
    live, owners = apply(live, owners, ME, second, resource=resource)
    alone, alone_owners = apply({}, {}, ME, second, resource=resource)
    assert without_empty(sorted_lists(live, node)) == without_empty(sorted_lists(alone, node))
    assert leaves(owned_by(owners, ME)) == leaves(owned_by(alone_owners, ME))


def parted(document: Json, node: Node, make: Maker) -> tuple[Json, Json]:
    """Two documents that name different things and together all of it; keys of items stand in both."""
    if atomic(node) or not document:
        return (document, None) if make.chance(50) else (None, document)
    if node.type is Type.ARRAY:
        assert node.items is not None
        if node.list_type == "set":
            return [item for item in document if make.chance(50)] or None, None
        pairs = [(item, None) if make.chance(50) else (None, item) for item in document]
        return [left for left, _ in pairs if left is not None] or None, [right for _, right in pairs if right is not None] or None
    halves: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for key, part in document.items():
        for half, share in zip(halves, parted(part, _child(node, key), make), strict=True):
            if share is not None:
                half[key] = share
    return halves[0] or None, halves[1] or None


@property_of(12)
def test_two_who_name_different_things_do_not_meet(make: Maker, resource: Resource) -> None:
    node, whole = node_of(resource), applicable(make, resource)
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "x"}}
    body = {key: part for key, part in whole.items() if key not in head}
    left, right = (head | (half or {}) for half in parted(body, node, make))
    live, owners = apply({}, {}, ME, left, resource=resource)
    live, owners = apply(live, owners, YOU, right, resource=resource)  # raises Conflicts otherwise
    assert stands_in(left, live, node) and stands_in(right, live, node)
    assert not leaves(owned_by(owners, ME)) & leaves(owned_by(owners, YOU))


@property_of(12)
def test_a_field_of_another_is_a_conflict_and_force_takes_it(make: Maker, resource: Resource) -> None:
    node, mine = node_of(resource), applicable(make, resource)
    yours = near(make, mine, resource)
    live, owners = apply({}, {}, ME, mine, resource=resource)
    differ = typed.compare(live, updater.merge(live, yours, node), node).changed
    disputed = leaves(sets.intersection(differ, owned_by(owners, ME)))
    if disputed:
        with pytest.raises(updater.Conflicts) as caught:
            apply(live, owners, YOU, yours, resource=resource)
        assert disputed <= set().union(*(leaves(lost) for lost in caught.value.owners.values()))
    taken, after = apply(live, owners, YOU, yours, resource=resource, force=True)
    assert stands_in(yours, taken, node)
    assert leaves(typed.fields_of(yours, node)) <= leaves(owned_by(after, YOU))
    assert not disputed & leaves(owned_by(after, ME))


@property_of(12)
def test_whatever_stands_there_somebody_owns(make: Maker, resource: Resource) -> None:
    node = node_of(resource)
    live, owners = apply({}, {}, ME, applicable(make, resource), resource=resource)
    for turn in range(3):
        if turn % 2:
            live, owners = apply(live, owners, YOU, applicable(make, resource), resource=resource, force=True)
        else:
            changed = near(make, live, resource)
            live, owners = changed, updater.update(live, changed, owners, change=by("they", resource))
        everybodys: sets.FieldSet = {}
        for owned in owners.values():
            everybodys = sets.union(everybodys, owned.fields)
        assert leaves(typed.fields_of(live, node)) <= leaves(everybodys)
        absent = leaves(everybodys) - set(places(live, node))
        assert all(by_value(path, node) for path in absent), absent
