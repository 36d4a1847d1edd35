"""Which paths of a document a write changed: for the writers' table and for `kctl why`.

Pure. A path is text, as people write it: `spec.replicas`, `metadata.labels[app]`, `status.conditions[Ready]`,
`spec.taints[node.kubernetes.io/not-ready]`. Objects are compared field by field; maps with free keys (labels, annotations,
data) by key; conditions by type and taints by key; every other list as a whole, since its items have no lasting names.
"""

from __future__ import annotations

from typing import Any

from master.api.contract import Document

_MAPS = frozenset(
    {"metadata.labels", "metadata.annotations", "data", "binaryData", "stringData", "status.capacity", "status.allocatable"}
)
_KEYED_LISTS = {"status.conditions": "type", "spec.taints": "key"}
SYSTEM = frozenset(
    {
        "apiVersion", "kind", "metadata.generation", "metadata.resourceVersion", "metadata.deletionTimestamp",
        "metadata.deletionGracePeriodSeconds", "metadata.uid", "metadata.creationTimestamp", "metadata.managedFields",
    }
)  # fmt: skip
"""What the API writes by itself along with any write."""


def paths(old: Document | None, new: Document | None) -> list[str]:
    """Changed paths in the order of the documents; all top-level fields when there is no old or no new one."""
    if old is None or new is None:
        return [key for key in (new or old or {}) if key not in ("apiVersion", "kind")]
    found: list[str] = []
    _compare(old, new, "", found)
    return found


def _compare(old: Document, new: Document, path: str, found: list[str]) -> None:
    form = "{}[{}]" if path in _MAPS else "{}.{}" if path else "{}{}"
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before == after and (key in old) == (key in new):
            continue
        place = form.format(path, key)
        if isinstance(before, dict | None) and isinstance(after, dict | None) and (before or after):
            _compare(before or {}, after or {}, place, found)
        elif place in _KEYED_LISTS and isinstance(before, list | None) and isinstance(after, list | None):
            _compare_items(before or [], after or [], place, found)
        else:
            found.append(place)


def _compare_items(old: list[Any], new: list[Any], path: str, found: list[str]) -> None:
    """Items with the same key belong together (a taint's key may stand there with several effects)."""
    name = _KEYED_LISTS[path]
    before, after = _grouped(old, name), _grouped(new, name)
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            found.append(f"{path}[{key}]")


def _grouped(items: list[Any], name: str) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(str(item.get(name, "")) if isinstance(item, dict) else "", []).append(item)
    return groups
