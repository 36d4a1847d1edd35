"""From client-side to server-side apply: kubectl's annotation of what it applied last.

Pure. Whoever has applied with `kubectl apply` owns its fields as an Update of the client; when the same person turns to
`--server-side`, with the manager `kubectl`, conflicts over fields that the annotation names, with the value that stands there,
are not conflicts. And as long as the annotation stands, it is kept in step, so that one may turn back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from master.api.apply import sets, typed, updater
from master.api.apply.managers import Managers
from master.api.apply.sets import FieldSet

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"
MAX_BYTES = 256 * 1024
"""Of all annotations together; one that does not fit is left out, as Kubernetes does."""

Document = dict[str, Any]


def apply(
    live: Document, applied: Document, managers: Managers, *, change: updater.Change, force: bool
) -> tuple[Document, Managers]:
    """`updater.apply`, with both courtesies for kubectl. Raises Conflicts."""
    try:
        merged, after = updater.apply(live, applied, managers, change=change, force=force)
    except updater.Conflicts as conflicts:
        allowed = _allowed(live, change) if change.name == MANAGER else {}
        left = {who: rest for who, lost in conflicts.owners.items() if (rest := sets.difference(lost, allowed))}
        if left:
            raise updater.Conflicts(left) from None
        merged, after = updater.apply(live, applied, managers, change=change, force=True)
    if change.name == MANAGER and ANNOTATION in _annotations(merged):
        merged = _noted(merged, applied)
    return merged, after


def _annotations(document: Document) -> dict[str, str]:
    return (document.get("metadata") or {}).get("annotations") or {}


def _allowed(live: Document, change: updater.Change) -> FieldSet:
    """The fields that the annotation names and that still have its values."""
    try:
        last = msgspec.json.decode(_annotations(live).get(ANNOTATION, ""))
    except msgspec.DecodeError:
        return {}
    if not isinstance(last, dict) or last.get("apiVersion") != change.api_version:
        return {}
    compared = typed.compare(last, live, change.node)
    different = sets.union(compared.changed, compared.removed)
    return sets.difference(typed.fields_of(last, change.node), different)


def _noted(merged: Document, applied: Document) -> Document:
    """With the annotation brought up to what is applied now (its own annotation aside)."""
    said = dict(applied)
    meta = dict(said.get("metadata") or {})
    meta["annotations"] = {key: value for key, value in _annotations(applied).items() if key != ANNOTATION}
    said["metadata"] = meta
    text = msgspec.json.encode(said, order="sorted").decode() + "\n"
    annotations = {**_annotations(merged), ANNOTATION: text}
    if sum(len(key) + len(value.encode()) for key, value in annotations.items()) > MAX_BYTES:
        annotations[ANNOTATION] = ""
    return {**merged, "metadata": {**merged["metadata"], "annotations": annotations}}
