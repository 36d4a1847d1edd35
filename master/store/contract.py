"""The store's port: one multi-version map from keys to encoded objects, with a watch.

Keys are text, `RESOURCE/NAMESPACE/NAME`, with RESOURCE as `pods` or `deployments.apps` and an empty NAMESPACE for
cluster-scoped objects (`nodes//n1`). Values are encoded JSON documents without `metadata.resourceVersion`: the
revision of the record is the resource version. The store never looks into values; it may keep them packed (`packing`).

One write changes one object and makes one revision; revisions rise by one from 1, over all kinds. So a client that
resumes after revision r misses nothing, and a revision alone names an object and its cause.

Reads of the present are served from memory and are plain calls: a shell that reads, decides and starts its write
without an `await` between sees one state. Writes and reads of the past are awaited.

A write is acknowledged (its coroutine returns) only when it is durable, and is visible to reads and watches from the
moment it is acknowledged, never before. Concurrent writes are committed in groups; the order of revisions is the
order in which the calls were made. Cancelling a write leaves it open whether it happened.

Implementations: `memory` (reference, tests, simulation), `sqlite` (default). One suite, `tests/contract/test_store.py`, runs over all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from master.store.packing import unpack


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why a write was made; stored with it.

    actor: who ("system:kube-scheduler", "kubernetes-admin"). rule: the rule that fired, one CamelCase word
    ("Bind", "ScaleUp", "TaintEviction", "Request"). why: one sentence for people, with the numbers that decided.
    revision: the revision that this write reacted to, or None for what came from outside (a user, an agent's report).
    """

    actor: str
    rule: str
    why: str = ""
    revision: int | None = None


class Record(msgspec.Struct, frozen=True, gc=False):
    """One object as stored. packed: its value, as `packing` keeps it. created: revision of its creation; revision: of its
    last write; time: of that write, wall-clock seconds. expires: wall-clock seconds after which the store deletes it by
    itself, or None."""

    key: str
    packed: bytes
    revision: int
    created: int
    time: float
    expires: float | None = None

    @property
    def value(self) -> bytes:
        """Unpacked at each call."""
        return unpack(self.packed)


class Change(msgspec.Struct, frozen=True, gc=False):
    """One write. value is None for a deletion; previous is None for a creation (and never None for a deletion). Both are
    unpacked at each call.
    In `history` and `change` it is also None when compaction has dropped that version (then created < revision); the write that
    made a key's present version, and so its cause, is kept however old it is.
    `previous` is the value before this write, so that a watch with a selector can tell entering from leaving."""

    key: str
    revision: int
    packed: bytes | None
    packed_previous: bytes | None
    cause: Cause
    time: float
    created: int

    @property
    def value(self) -> bytes | None:
        return None if self.packed is None else unpack(self.packed)

    @property
    def previous(self) -> bytes | None:
        return None if self.packed_previous is None else unpack(self.packed_previous)


class Guard(msgspec.Struct, frozen=True, gc=False):
    """Another key that must stand at `revision` for a write to happen; revision 0 means that it must not exist."""

    key: str
    revision: int


class Watch(Protocol):
    """A cursor over changes. Every change under its prefix after its start is seen once, in order.

    There is no queue per watch: the cursor walks the store's own log. A watch that lags by more than the log keeps
    raises `Expired` on `next`, and the caller lists anew.
    """

    async def next(self, timeout_s: float | None = None) -> tuple[list[Change], int]:
        """Wait for at least one change, or until `timeout_s` passed; then all that are ready (bounded), and the
        revision up to which nothing was missed (a bookmark: always at least the last change's revision).
        With nothing ready at the deadline: an empty list and the newest revision. Raises Expired, or Unavailable
        when the store closes. Safe to cancel: nothing is lost."""

    def ready(self) -> list[Change]:
        """What is there now, without waiting (bounded as `next`; empty when nothing is): for a reader who must know the
        present whenever it is asked. Raises as `next`."""

    def close(self) -> None:
        """Idempotent."""


class Store(Protocol):
    @property
    def revision(self) -> int:
        """The newest visible revision; 0 when empty and new."""

    @property
    def compacted(self) -> int:
        """Revisions up to and including this one are no longer readable (the current state always is)."""

    def trouble(self) -> str:
        """What keeps it from taking writes; "" when all is well."""

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Finish accepted writes, stop watches (they raise Unavailable). Idempotent."""

    def get(self, key: str) -> Record | None: ...

    def list(self, prefix: str, *, start: str = "", limit: int = 0) -> list[Record]:
        """Records whose key starts with `prefix`, ordered by key; only keys > `start`; at most `limit` (0: all)."""

    def count(self, prefix: str, *, start: str = "") -> int: ...

    async def create(
        self, key: str, value: bytes, cause: Cause, *, expires: float | None = None, guards: Sequence[Guard] = ()
    ) -> Record:
        """Raises AlreadyExists, Conflict (a guard), Unavailable (closed)."""

    async def update(
        self, key: str, value: bytes, cause: Cause, *, expected: int, expires: float | None = None,
        guards: Sequence[Guard] = (),
    ) -> Record:  # fmt: skip
        """`expected`: the revision that the caller read. Raises NotFound, Conflict."""

    async def delete(self, key: str, cause: Cause, *, expected: int, guards: Sequence[Guard] = ()) -> Change:
        """Raises NotFound, Conflict."""

    def watch(self, prefix: str, *, after: int) -> Watch:
        """Changes with revision > `after`. Raises Expired at once when `after` < `compacted` (or beyond what the
        log can serve), BadRequest when `after` lies in the future."""

    async def fresh(self) -> None:
        """Return once this replica has seen every write acknowledged (to anybody) before the call. A single-process
        store returns at once."""

    async def get_at(self, key: str, revision: int) -> Record | None:
        """As it was right after `revision`. Raises Expired, BadRequest (future)."""

    async def list_at(self, prefix: str, revision: int, *, start: str = "", limit: int = 0) -> list[Record]:
        """As `list`, right after `revision`. Raises Expired, BadRequest (future)."""

    async def revision_at(self, time: float) -> int:
        """The newest revision written at or before that wall-clock time. Raises Expired."""

    async def history(self, key: str) -> list[Change]:
        """All kept changes of a key, oldest first, also of an object that is gone or was made anew."""

    async def change(self, revision: int) -> Change | None:
        """The write that made this revision; None when it is compacted or in the future."""

    async def compact(self, revision: int) -> None:
        """Forget all versions superseded at or before `revision`. Idempotent. The store also does it by itself,
        beyond its retention (a setting: seconds and a count of revisions)."""

    async def snapshot(self, path: str) -> int:
        """Write a consistent copy to a new file, durable; the revision it holds."""

    async def restore(self, path: str) -> None:
        """Replace all content by a snapshot's; watches end with Expired. Raises BadRequest for a damaged file,
        and then nothing has changed. Revisions go on from the higher of the two: none is given out twice."""
