"""The history of a Deployment as its ReplicaSets tell it: templates, hashes, revision numbers, annotations.

A ReplicaSet is of the newest template when its own, the hash label aside, equals the Deployment's. Its name and its
`pod-template-hash` label carry a hash of the template; revision numbers live in annotations, where `kubectl rollout
history` and `undo` read them. Pure functions of views; who patches what is decided in `deployment.py`.
"""

from __future__ import annotations

import hashlib

import msgspec

from common.clock import SAFE_ALPHABET
from common.objects import quantity
from common.objects.workloads import Deployment, ReplicaSet
from master.api.contract import Document

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"

NOT_COPIED = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration", REVISION, REVISION_HISTORY, DESIRED, MOST,
    "deprecated.deployment.rollback.to",
})  # fmt: skip
"""Annotations of a Deployment that are its own; the rest go to its ReplicaSets."""

HASH_LENGTH = 10

HISTORY_LENGTH = 2000
"""Characters of the annotation with former revisions; the oldest go."""

QUANTITIES = ("limits", "requests", "overhead")
MAPS = ("labels", "annotations", "nodeSelector", "matchLabels", *QUANTITIES)
"""Fields of a pod template that mean the same empty and absent; an empty `emptyDir` or `labelSelector` does not."""


def template_hash(template: Document, collisions: int) -> str:
    """Stable for equal templates; another one for each count of collisions. Letters that spell no words."""
    digest = hashlib.sha256(msgspec.json.encode([template, collisions], order="deterministic")).digest()
    number = int.from_bytes(digest[:12], "big")
    letters = []
    for _ in range(HASH_LENGTH):
        number, rest = divmod(number, len(SAFE_ALPHABET))
        letters.append(SAFE_ALPHABET[rest])
    return "".join(letters)


def without_hash(template: Document) -> Document:
    """The template as the Deployment has it."""
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    metadata.pop("labels", None)
    metadata.pop("creationTimestamp", None)
    if labels:
        metadata["labels"] = labels
    return {**template, "metadata": metadata}


def same_template(one: Document, other: Document) -> bool:
    """Do they mean the same? What a typed client drops or words anew on the way (`kubectl rollout undo` does) is no difference."""
    return _meaning(without_hash(one)) == _meaning(without_hash(other))


def _meaning(value: object, field: str = "") -> object:
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    if not isinstance(value, dict):
        return value
    if field in QUANTITIES:
        return {name: quantity.exact(amount) for name, amount in value.items()}
    told = ((key, item) for key, item in value.items() if item is not None and item != [] and not (item == {} and key in MAPS))
    return {key: _meaning(item, key) for key, item in told}


def number(annotations: dict[str, str], name: str) -> int:
    """A number in an annotation; 0 when absent or damaged."""
    text = annotations.get(name, "")
    return int(text) if text.isdigit() and len(text) < 18 else 0


def of_set(item: ReplicaSet) -> int:
    return number(item.metadata.annotations, REVISION)


def by_age(sets: list[ReplicaSet]) -> list[ReplicaSet]:
    """Oldest first."""
    return sorted(sets, key=lambda s: (s.metadata.creation_timestamp, of_set(s), s.metadata.name))


def newest_of(deployment: Deployment, sets: list[ReplicaSet]) -> ReplicaSet | None:
    """The set of the present template; of several the oldest, so that all who look agree."""
    for item in by_age(sets):
        if same_template(item.spec.template, deployment.spec.template):
            return item
    return None


def next_revision(old: list[ReplicaSet]) -> int:
    return max((of_set(item) for item in old), default=0) + 1


def set_annotations(deployment: Deployment, existing: ReplicaSet | None, revision: int) -> dict[str, str]:
    """Annotations that the set of the present template should have, beyond those of its size."""
    wanted = {key: value for key, value in deployment.metadata.annotations.items() if key not in NOT_COPIED}
    present = existing.metadata.annotations if existing is not None else {}
    if existing is None or of_set(existing) < revision:
        wanted[REVISION] = str(revision)
        if REVISION in present:
            wanted[REVISION_HISTORY] = _history(present.get(REVISION_HISTORY, ""), present[REVISION])
    return wanted


def _history(before: str, last: str) -> str:
    """The former revisions with one more, as long as they are allowed to be."""
    revisions = [*before.split(","), last] if before else [last]
    while len(revisions) > 1 and len(",".join(revisions)) > HISTORY_LENGTH:
        del revisions[0]
    return ",".join(revisions)


def size_annotations(desired: int, most: int) -> dict[str, str]:
    return {DESIRED: str(desired), MOST: str(most)}


def expired(deployment: Deployment, old: list[ReplicaSet]) -> list[ReplicaSet]:
    """Old sets beyond `revisionHistoryLimit`, oldest revision first; those that still have or want pods stay."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    alive = [item for item in old if item.metadata.deletion_timestamp is None]
    surplus = sorted(alive, key=lambda s: (of_set(s), s.metadata.creation_timestamp, s.metadata.name))[: max(0, len(alive) - limit)]
    return [
        item for item in surplus
        if item.spec.replicas == 0 and item.status.replicas == 0 and item.metadata.generation <= item.status.observed_generation
    ]  # fmt: skip
