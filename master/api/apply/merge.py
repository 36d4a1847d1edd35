"""Merging an applied document into the present one: fields of the applied win, everything else stays.

Pure. Lists with keys and sets are merged item by item: the applied order holds for what is applied, and items that only the
present has stay where they stood between their neighbours. Everything atomic is replaced as a whole.
"""

from __future__ import annotations

from typing import Any

from master.api.apply import typed
from master.api.schema import Node, Type


def merge(live: Any, applied: Any, node: Node) -> Any:
    """Neither argument is changed; the result may share parts with both."""
    if typed.granular_map(node) and isinstance(live, dict) and isinstance(applied, dict):
        merged = dict(live)
        for key, part in applied.items():
            child = node.child(key)
            merged[key] = merge(live[key], part, child) if key in live and child is not None else part
        return merged
    if node.type is Type.ARRAY and typed.granular_list(node) and isinstance(live, list) and isinstance(applied, list):
        return _merge_items(live, applied, node) if live and applied else applied or live
    return applied


def _merge_items(live: list[Any], applied: list[Any], node: Node) -> list[Any]:
    assert node.items is not None
    wanted, present = typed.items_of(applied, node), typed.items_of(live, node)
    merged: list[Any] = []
    order = list(wanted)
    shared = iter([step for step in order if step in present])
    following, at = next(shared, None), 0
    for step, item in present.items():
        if step not in wanted:
            merged.append(item)
        elif step == following:
            upto = order.index(step, at) + 1
            merged += [_one(present.get(name), wanted[name], node.items) for name in order[at:upto]]
            following, at = next(shared, None), upto
        # else it stands elsewhere in the applied order, and goes out when its turn comes
    return merged + [_one(present.get(name), wanted[name], node.items) for name in order[at:]]


def _one(live: Any, applied: Any, node: Node) -> Any:
    return applied if live is None else merge(live, applied, node)
