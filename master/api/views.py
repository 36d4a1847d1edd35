"""Typed views of stored objects: decoded once per (key, revision, type) while they are asked for.

Reads are plain calls on the store's memory, so they are current to the last acknowledged write. Of what was decoded, only what
somebody asked for lately is kept, because a pod is twice as large as a view than it is as JSON, and decoding it anew takes some
microseconds: a cluster of a hundred thousand pods must not be held in both forms.

Subtle: the cache has two halves. What is asked for is or comes into the young one; when that is full it becomes the old one,
and what was in the old one until then is forgotten. So what is in use stays, without a count of uses.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from common.objects.meta import View
from master.api.contract import Ref, Stored
from master.store.contract import Record, Store

V = TypeVar("V", bound=View)
Place = tuple[type[View], str]

HALF = 4096


@functools.cache
def _decoder(view: type[V]) -> msgspec.json.Decoder[V]:
    return msgspec.json.Decoder(view)


class StoreViews:
    def __init__(self, store: Store, *, half: int = HALF) -> None:
        self._store = store
        self._half = half
        self._young: dict[Place, tuple[int, View]] = {}
        self._old: dict[Place, tuple[int, View]] = {}

    @property
    def revision(self) -> int:
        return self._store.revision

    def get(self, view: type[V], ref: Ref) -> V | None:
        record = self._store.get(ref.key)
        return None if record is None else self._view(view, ref.key, record)

    def list(self, view: type[V], resource: str, namespace: str = "") -> list[V]:
        return [self._view(view, record.key, record) for record in self._store.list(_prefix(resource, namespace))]

    def count(self, resource: str) -> int:
        return self._store.count(f"{resource}/")

    def each(self, view: type[V], resource: str, namespace: str = "") -> Iterator[V]:
        for record in self._store.list(_prefix(resource, namespace)):
            yield self._view(view, record.key, record)

    def stored(self, ref: Ref) -> Stored | None:
        record = self._store.get(ref.key)
        return None if record is None else Stored(record.packed, record.revision)

    def of(self, view: type[V], ref: Ref, stored: Stored) -> V:
        record = self._store.get(ref.key)
        if record is not None and record.revision == stored.revision:
            return self._view(view, ref.key, record)
        return self._known(view, ref.key, stored) or _decode(view, stored)

    def _view(self, view: type[V], key: str, record: Record) -> V:
        made = self._known(view, key, record)
        if made is None:
            made = _decode(view, record)
            self._keep((view, key), record.revision, made)
        return made

    def _known(self, view: type[V], key: str, at: Record | Stored) -> V | None:
        place = (view, key)
        found = self._young.get(place)
        if found is None:
            found = self._old.get(place)
            if found is not None and found[0] == at.revision:
                self._keep(place, *found)
        return found[1] if found is not None and found[0] == at.revision else None  # type: ignore[return-value]

    def _keep(self, place: Place, revision: int, made: View) -> None:
        self._young[place] = (revision, made)
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}


def _prefix(resource: str, namespace: str) -> str:
    return f"{resource}/{namespace}/" if namespace else f"{resource}/"


def _decode(view: type[V], at: Record | Stored) -> V:
    made = _decoder(view).decode(at.value)
    # Subtle: the view is frozen for its readers; here it is not yet theirs.
    msgspec.structs.force_setattr(made.metadata, "resource_version", str(at.revision))  # type: ignore[attr-defined]
    return made
