"""Sets of field paths, in the very form in which `metadata.managedFields[].fieldsV1` holds them.

Why: a manager's fields are stored, sent and compared far more often than they are looked into, so the algebra works on the
stored form itself (nested dictionaries) and nothing is decoded or encoded on the way. Pure; no argument is changed.

    {"f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}}}

A step is `f:NAME` (a field), `k:{...}` (an item of a list by its keys, compact JSON), `v:VALUE` (an item of a set) or `i:N` (by
its place). A node is a member of the set when it is empty (a leaf) or has `.`; otherwise it only leads to members. Subtle: the
root is the exception, an empty root is the empty set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

FieldSet = dict[str, Any]

SELF = "."
_encoder = msgspec.json.Encoder(order="deterministic")


def field(name: str) -> str:
    return f"f:{name}"


def keyed(keys: dict[str, Any]) -> str:
    return "k:" + _encoder.encode(keys).decode()


def valued(value: Any) -> str:
    return "v:" + _encoder.encode(value).decode()


def is_member(node: FieldSet) -> bool:
    return not node or SELF in node


def of(*paths: Sequence[str]) -> FieldSet:
    """The set of these paths, each a sequence of steps."""
    root: FieldSet = {}
    for path in paths:
        root = union(root, _only(path))
    return root


def _only(path: Sequence[str]) -> FieldSet:
    node: FieldSet = {}
    for step in reversed(path):
        node = {step: node}
    return node


def has(root: FieldSet, path: Sequence[str]) -> bool:
    node = root
    for step in path:
        if step not in node:
            return False
        node = node[step]
    return is_member(node)


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        return left or right
    merged = dict(left)
    for step, node in right.items():
        merged[step] = _union(merged[step], node) if step in merged and step != SELF else node
    return merged


def _union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Of two nodes below the root: a leaf stays a member beside the other's children."""
    if left == right:
        return left
    merged = union(left, right)
    return {SELF: {}, **merged} if merged and (not left or not right) else merged


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of both."""
    found: FieldSet = {}
    for step, node in left.items():
        other = right.get(step)
        if step == SELF or other is None:
            continue
        shared = _settled(intersection(node, other), is_member(node) and is_member(other))
        if shared is not None:
            found[step] = shared
    return found


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of left that are not members of right; what lies below a member of right stays."""
    if not right:
        return left
    kept: FieldSet = {}
    for step, node in left.items():
        other = right.get(step)
        if step == SELF:
            continue
        if other is None:
            kept[step] = node
            continue
        rest = _settled(difference(node, other) if node else {}, is_member(node) and not is_member(other))
        if rest is not None:
            kept[step] = rest
    return kept


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """left with neither the members of right nor anything below them."""
    kept: FieldSet = {}
    for step, node in left.items():
        other = right.get(step)
        if step == SELF or (other is not None and is_member(other)):
            continue
        rest = node if other is None else _settled(without(node, other), is_member(node))
        if rest is not None:
            kept[step] = rest
    return kept


def _settled(children: FieldSet, member: bool) -> FieldSet | None:
    """A node of these children (`.` aside), or None when it would neither be a member nor lead to one."""
    if SELF in children:
        children = {step: node for step, node in children.items() if step != SELF}
    if member:
        return {SELF: {}, **children} if children else {}
    return children or None


def paths(root: FieldSet, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member, in the order of the steps."""
    for step in sorted(root):
        if step == SELF:
            continue
        path, node = (*prefix, step), root[step]
        if is_member(node):
            yield path
        yield from paths(node, path)


def text(path: Sequence[str]) -> str:
    """As Kubernetes writes a path for people: `.spec.containers[name="web"].image`, `.metadata.finalizers[="x"]`."""
    said = []
    for step in path:
        kind, rest = step[:1], step[2:]
        if kind == "f":
            said.append(f".{rest}")
        elif kind == "k":
            keys = msgspec.json.decode(rest)
            said.append(f"[{','.join(f'{name}={_encoder.encode(keys[name]).decode()}' for name in sorted(keys))}]")
        else:
            said.append(f"[={rest}]" if kind == "v" else f"[{rest}]")
    return "".join(said)


def parse(given: Any) -> FieldSet:
    """What a client sent as `fieldsV1`, in our form. Raises ValueError for what is no field set."""
    return _parsed(given, root=True)


def _parsed(given: Any, *, root: bool = False) -> FieldSet:
    if not isinstance(given, dict):
        raise ValueError("a field set is an object")
    found: FieldSet = {}
    for step, node in given.items():
        if step == SELF:
            continue
        found[_step(step)] = _parsed(node)
    return found if root or not (SELF in given and found) else {SELF: {}, **found}


def _step(step: str) -> str:
    kind, colon, rest = step.partition(":")
    if colon and kind == "f":
        return step
    try:
        value = msgspec.json.decode(rest) if colon and kind in ("k", "v", "i") else None
    except msgspec.DecodeError:
        value = None
    if kind == "k" and isinstance(value, dict) and value:
        return keyed(value)
    if kind == "v" and value is not None and not isinstance(value, dict | list):
        return valued(value)
    if kind == "i" and isinstance(value, int):
        return step
    raise ValueError(f"{step[:64]!r} is no step of a field path")
