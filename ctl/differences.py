"""What was changed between two documents, as a JSON merge patch (RFC 7386), and whether two changes meet. Pure."""

from __future__ import annotations

import copy
from typing import Any

Document = dict[str, Any]


def merge_patch(before: Document, after: Document) -> Document:
    """What makes `after` of `before`; {} when they are the same. Lists are replaced as a whole."""
    patch: Document = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := merge_patch(old, value):
                patch[name] = inner
        elif name not in before or value != old or type(value) is not type(old):
            patch[name] = value
    return patch


def patched(document: Document, patch: Document) -> Document:
    """The document with the patch in it; neither is changed."""
    made = copy.deepcopy(document)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict):
            inner = made.get(name)
            made[name] = patched(inner if isinstance(inner, dict) else {}, value)
        else:
            made[name] = copy.deepcopy(value)
    return made


def overlap(one: Document, other: Document, place: str = "") -> list[str]:
    """The fields that both patches change, to different things."""
    found = []
    for name in one:
        if name not in other or one[name] == other[name]:
            continue
        here = f"{place}.{name}".lstrip(".")
        if isinstance(one[name], dict) and isinstance(other[name], dict):
            found += overlap(one[name], other[name], here)
        else:
            found.append(here)
    return found
