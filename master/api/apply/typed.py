"""Documents as sets of fields: what a document names, how two of them differ, what stays when fields are taken away.

Pure; walks a document along its schema (`master.api.schema`), after the semantics of Kubernetes' structured-merge-diff. What
counts as one field: a scalar; an atomic list or map as a whole; an item of a list that has keys (and each field in it); an
item of a set; a value of a map. Documents have passed `strict.check`: types are right and there are no nulls.

    node          step of an item        granular when
    OBJECT, MAP   f:NAME                 map_type is not atomic
    ARRAY         k:{keys} or v:VALUE    list_type is map or set
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from common.errors import BadRequest
from master.api.apply import sets
from master.api.apply.sets import FieldSet
from master.api.schema import Node, Type

_ABSENT = object()
_PARTED = frozenset((dict, list))
_KEY_DEFAULTS = {("ContainerPort", "protocol"): "TCP", ("ServicePort", "protocol"): "TCP", ("LocalObjectReference", "name"): ""}
"""What a key of a list's items is when the item does not say it (the definitions come without their defaults)."""

_ALWAYS = frozenset(
    {
        "metadata", "spec", "status", "strategy", "updateStrategy", "jobTemplate", "template", "involvedObject",
    }
)  # fmt: skip
"""Structs that Kubernetes' own types hold by value: they are there, if empty, in every object, so nobody adds them."""


def granular_map(node: Node) -> bool:
    return node.type in (Type.OBJECT, Type.MAP) and node.map_type != "atomic" and bool(node.fields or node.values)


def granular_list(node: Node) -> bool:
    return node.type is Type.ARRAY and node.list_type in ("map", "set")


@functools.lru_cache(maxsize=4096)
def _always(definition: str, required: tuple[str, ...], key: str) -> bool:
    return bool(definition) and (key in required or key in _ALWAYS)


def item_step(item: Any, node: Node) -> str:
    """The step of an item of a granular list. Raises ValueError when it lacks a key."""
    if node.list_type == "set":
        return sets.valued(item)
    if type(item) is not dict:
        raise ValueError("an item of a list with keys is an object")
    keys = node.list_map_keys
    if len(keys) == 1 and keys[0] in item:
        return _keyed(keys, item[keys[0]])
    return _keyed(keys, *(_key(item, key, node) for key in keys))


def _key(item: dict[str, Any], key: str, node: Node) -> Any:
    if key in item:
        return item[key]
    value = node.key_defaults.get(key, _KEY_DEFAULTS.get((node.items.name if node.items is not None else "", key), _ABSENT))
    if value is _ABSENT:
        raise ValueError(f'associative list with keys has an element that omits key field "{key}" (and doesn\'t have default value)')
    return value


@functools.lru_cache(maxsize=8192, typed=True)
def _keyed(keys: tuple[str, ...], *values: Any) -> str:
    """Subtle: typed, since true, 1 and 1.0 are one key to Python."""
    return sets.keyed(dict(zip(keys, values, strict=True)))


def items_of(items: list[Any], node: Node) -> dict[str, Any]:
    """The items by their steps, the first of each. An item that lacks a key is no field of anybody."""
    found: dict[str, Any] = {}
    for item in items:
        try:
            found.setdefault(item_step(item, node), item)
        except ValueError:
            continue
    return found


def check_lists(value: Any, node: Node, path: tuple[str, ...] = ()) -> None:
    """Items of an applied document must be told apart. Raises BadRequest with the path."""
    if granular_map(node) and isinstance(value, dict):
        for key, part in value.items():
            child = node.child(key)
            if child is not None and isinstance(part, dict | list):
                check_lists(part, child, (*path, sets.field(key)))
    elif granular_list(node) and isinstance(value, list):
        seen = set()
        for index, item in enumerate(value):
            try:
                step = item_step(item, node)
            except ValueError as error:
                raise BadRequest(f"{sets.text(path)}: element {index}: {error}") from None
            if step in seen:
                raise BadRequest(f"{sets.text(path)}: duplicate entries for key {sets.text((step,))}")
            seen.add(step)
            assert node.items is not None
            check_lists(item, node.items, (*path, step))


def fields_of(value: Any, node: Node) -> FieldSet:
    """What a document names, as the set that its applier owns."""
    found: FieldSet = {}
    if granular_map(node) and isinstance(value, dict):
        for key, part in value.items():
            child = node.child(key)
            if child is None:
                continue
            below = fields_of(part, child) if _descends(part, child) else {}
            leaf = not below and (part == {} or not _descends(part, child))
            if below or leaf:
                member = leaf or key not in node.fields
                found[sets.field(key)] = {sets.SELF: {}, **below} if member and below else below
    elif granular_list(node) and isinstance(value, list):
        assert node.items is not None
        for step, item in items_of(value, node).items():
            below = fields_of(item, node.items) if _descends(item, node.items) else {}
            found[step] = {sets.SELF: {}, **below} if below else {}
    return found


def _descends(value: Any, node: Node) -> bool:
    """The value has parts that count by themselves. Most values are scalars, and are seen to be so at once."""
    if type(value) is dict:
        return granular_map(node)
    return type(value) is list and granular_list(node)


class Comparison(msgspec.Struct):
    """Fields that are new, that are gone, that have another value."""

    added: FieldSet = {}
    removed: FieldSet = {}
    modified: FieldSet = {}

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.modified)

    @property
    def changed(self) -> FieldSet:
        return sets.union(self.added, self.modified)

    def without(self, ignored: FieldSet) -> Comparison:
        return Comparison(*(sets.without(part, ignored) for part in (self.added, self.removed, self.modified)))


def compare(old: Any, new: Any, node: Node) -> Comparison:
    """Both of the kind of `node`. Equal parts are not walked, so the cost is that of what has changed."""
    added, removed, modified = _compare(old, new, node)
    return Comparison(added or {}, removed or {}, modified or {})


_Parts = tuple[FieldSet | None, FieldSet | None, FieldSet | None]


def _compare(old: Any, new: Any, node: Node) -> _Parts:
    """Added, removed and modified at and below one place; None is nothing, {} the place itself."""
    if old is _ABSENT:
        return _whole(new, node), None, None
    if new is _ABSENT:
        return None, _whole(old, node), None
    if old == new and type(old) is type(new):
        return None, None, None
    if not (_descends(old, node) and _descends(new, node)) or not (old or new):
        return None, None, {}
    parts: tuple[FieldSet, FieldSet, FieldSet] = ({}, {}, {})
    for step, before, after, child in _pairs(old, new, node):
        for into, part in zip(parts, _compare(before, after, child), strict=True):
            if part is not None:
                into[step] = part
    return tuple(part or None for part in parts)  # type: ignore[return-value]


def _pairs(old: Any, new: Any, node: Node) -> list[tuple[str, Any, Any, Node]]:
    """The places below this one, with what stands there in either (or _ABSENT)."""
    if type(old) is list:
        assert node.items is not None
        before, after = items_of(old, node), items_of(new, node)
        steps = dict.fromkeys((*before, *after))
        return [(step, before.get(step, _ABSENT), after.get(step, _ABSENT), node.items) for step in steps]
    found = []
    for key in dict.fromkeys((*old, *new)):
        child = node.child(key)
        if child is None:
            continue
        left, right = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if left is right:
            continue
        if left is _ABSENT or right is _ABSENT:
            if node.type is Type.OBJECT and child.type in (Type.OBJECT, Type.ARRAY) and _always(node.name, node.required, key):
                empty: Any = {} if child.type is Type.OBJECT else []
                left, right = (empty if left is _ABSENT else left), (empty if right is _ABSENT else right)
        found.append((sets.field(key), left, right, child))
    return found


def _whole(value: Any, node: Node) -> FieldSet:
    """All of a value that only one side has: every place in it, its structs and lists too."""
    if not value or not _descends(value, node):
        return {}
    found: FieldSet = {sets.SELF: {}}
    if type(value) is list:
        assert node.items is not None
        for step, item in items_of(value, node).items():
            found[step] = _whole(item, node.items)
        return found
    fields, values = node.fields, node.values
    for key, part in value.items():
        child = fields.get(key, values)
        if child is not None:
            found["f:" + key] = _whole(part, child) if part and type(part) in _PARTED else {}
    return found


def remove(value: Any, node: Node, doomed: FieldSet) -> Any:
    """The value without the fields of `doomed` (and what lies below them); _ABSENT parts vanish. None when nothing stays."""
    if not _descends(value, node):
        return value
    if node.type is Type.ARRAY:
        assert node.items is not None
        kept: list[Any] = []
        for item in value:
            try:
                below = doomed.get(item_step(item, node))
            except ValueError:
                below = None
            if below is None:
                kept.append(item)
            elif not sets.is_member(below) and (rest := remove(item, node.items, below)) is not None:
                kept.append(rest)
        return kept or None
    left: dict[str, Any] = {}
    for key, part in value.items():
        below, child = doomed.get(sets.field(key)), node.child(key)
        if below is None or child is None:
            left[key] = part
        elif not sets.is_member(below) and (rest := remove(part, child, below)) is not None:
            left[key] = rest
    return left or None


def with_structs(fields: FieldSet, node: Node) -> FieldSet:
    """The set with the named fields that lead to its members made members too: who owns `a.b` of a struct owns `a`."""
    found: FieldSet = {}
    for step, below in fields.items():
        if step == sets.SELF:
            continue
        child = node.child(step[2:]) if step.startswith("f:") else node.items
        inner = with_structs(below, child) if child is not None and below else below
        named = step.startswith("f:") and step[2:] in node.fields
        member = sets.is_member(below) or named
        children = {key: part for key, part in inner.items() if key != sets.SELF}
        found[step] = ({sets.SELF: {}, **children} if children else {}) if member else children
    return found
