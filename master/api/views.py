"""Typed views of stored objects: decoded once per (key, revision, type), whoever asks.

Reads are plain calls on the store's memory, so they are current to the last acknowledged write. A cached view is dropped
when its key is read at another revision or not found; keys that nobody reads again are swept out as the cache grows.
"""

from __future__ import annotations

import functools
from typing import TypeVar

import msgspec

from common.objects.meta import View
from master.api.contract import Ref
from master.store.contract import Record, Store

V = TypeVar("V", bound=View)

SWEEP_AT_LEAST = 4096
"""The cache is swept when it holds so many views, and again at each doubling of what is alive."""


@functools.cache
def _decoder(view: type[V]) -> msgspec.json.Decoder[V]:
    return msgspec.json.Decoder(view)


class StoreViews:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: dict[tuple[type[View], str], tuple[int, View]] = {}
        self._sweep_at = SWEEP_AT_LEAST

    @property
    def revision(self) -> int:
        return self._store.revision

    def get(self, view: type[V], ref: Ref) -> V | None:
        key = ref.key
        record = self._store.get(key)
        if record is None:
            self._cache.pop((view, key), None)
            return None
        return self._view(view, record)

    def list(self, view: type[V], resource: str, namespace: str = "") -> list[V]:
        prefix = f"{resource}/{namespace}/" if namespace else f"{resource}/"
        return [self._view(view, record) for record in self._store.list(prefix)]

    def count(self, resource: str) -> int:
        return self._store.count(f"{resource}/")

    def _view(self, view: type[V], record: Record) -> V:
        place = (view, record.key)
        cached = self._cache.get(place)
        if cached is not None and cached[0] == record.revision:
            return cached[1]  # type: ignore[return-value]
        made = _decoder(view).decode(record.value)
        # Subtle: the view is frozen for its readers; here it is not yet theirs.
        msgspec.structs.force_setattr(made.metadata, "resource_version", str(record.revision))  # type: ignore[attr-defined]
        self._cache[place] = (record.revision, made)
        if len(self._cache) >= self._sweep_at:
            self._sweep()
        return made

    def _sweep(self) -> None:
        """Forget views of objects that are gone or have changed."""
        alive = {}
        for (view, key), (revision, made) in self._cache.items():
            record = self._store.get(key)
            if record is not None and record.revision == revision:
                alive[view, key] = (revision, made)
        self._cache = alive
        self._sweep_at = max(SWEEP_AT_LEAST, 2 * len(alive))
