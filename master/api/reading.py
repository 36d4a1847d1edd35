"""Lists and watches: what is read through the door, of now and of the past, with selectors and in pages.

Documents are not decoded unless a selector asks for it; what is served is what is stored. A continue token says at which
revision the list began and which key came last, so all pages of one list show one state; when the store has forgotten that
revision, the client is told to begin again.

    watch:  state now (ADDED…) ─► [bookmark: initial events end] ─► changes, as the selector sees them ─► bookmarks

With a selector, an object that stops matching is DELETED for this watcher and one that starts is ADDED.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import msgspec

from common.clock import Clock
from common.errors import BadRequest, Expired, FieldCause, Timeout
from master.api.contract import EventType, Page, Selection, Stored, WatchEvent
from master.api.registry import Resource
from master.api.selection import Filter
from master.api.settings import DoorSettings
from master.store.contract import Change, Record, Store, Watch

CHUNK = 500
"""Records looked at in one step of a list with a selector and a limit; events in one batch of an initial state."""
MAX_TOKEN = 4096
TOO_OLD = "The resourceVersion for the provided list is too old."
TOKEN_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
    "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided "
    "token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was "
    "returned and now may show up in the list."
)
FROM_NOW = -1
"""As the revision in a token: go on with what stands there now, since what the list began with is forgotten."""


class _Token(msgspec.Struct):
    """rv: the list's revision, or FROM_NOW. start: the last key that was served."""

    rv: int
    start: str
    v: str = "steersman/v1"


def encode_token(revision: int, start: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_Token(revision, start))).rstrip(b"=").decode()


def decode_token(text: str, prefix: str) -> tuple[int, str]:
    """Raises BadRequest for one that is not ours or belongs to another list."""
    try:
        if len(text) > MAX_TOKEN:
            raise ValueError
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        token = msgspec.json.decode(raw, type=_Token)
        if token.v != "steersman/v1" or (token.rv < 1 and token.rv != FROM_NOW) or not token.start.startswith(prefix):
            raise ValueError
    except (binascii.Error, ValueError, msgspec.DecodeError):
        why = "continue key is not valid: start a new list without the continue parameter"
        raise BadRequest(f"invalid continue token: {why}") from None
    return token.rv, token.start


def prefix_of(resource: Resource, namespace: str) -> str:
    if not resource.namespaced:
        return f"{resource.stored_key}//"
    return f"{resource.stored_key}/{namespace}/" if namespace else f"{resource.stored_key}/"


class Ask(msgspec.Struct, frozen=True):
    """What a list asks for, as in `Door.list`."""

    limit: int = 0
    continue_: str = ""
    revision: int | None = None
    exact: bool = False


class Reader:
    def __init__(self, store: Store, clock: Clock, settings: DoorSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings

    # ------------------------------------------------------------------ list

    async def list(self, resource: Resource, namespace: str, selection: Selection, *, ask: Ask) -> Page:
        prefix, chosen = prefix_of(resource, namespace), Filter(resource, selection)
        revision, start = self._where(prefix, ask)
        if chosen.name() is not None and (namespace or not resource.namespaced) and not ask.continue_:
            prefix = f"{prefix}{chosen.name()}"
            start = ""
        at = revision if revision is not None and revision != self._store.revision else None
        try:
            return await self._page(prefix, chosen, at=at, start=start, limit=ask.limit)
        except Expired:
            if ask.continue_:
                raise Expired(TOKEN_TOO_OLD, continue_=encode_token(FROM_NOW, start)) from None
            raise Expired(TOO_OLD) from None

    def _where(self, prefix: str, ask: Ask) -> tuple[int | None, str]:
        """The revision to read at (None: now), and the key to go on after."""
        if ask.continue_:
            if ask.revision:
                raise BadRequest("specifying resource version is not allowed when using continue")
            revision, start = decode_token(ask.continue_, prefix)
            return None if revision == FROM_NOW else revision, start
        if ask.revision is not None and ask.revision > self._store.revision:
            raise too_large(ask.revision, self._store.revision)
        return (ask.revision if ask.exact and ask.revision else None), ""

    async def _page(self, prefix: str, chosen: Filter, *, at: int | None, start: str, limit: int) -> Page:
        """at: None reads what stands now, without an await, so that all of it is of one revision."""
        found: list[Record] = []
        revision = self._store.revision if at is None else at
        while True:
            wanted = 0 if not limit else limit - len(found) + 1 if chosen.everything else CHUNK
            if at is None:
                records = self._store.list(prefix, start=start, limit=wanted)
            else:
                records = await self._store.list_at(prefix, at, start=start, limit=wanted)
            found += records if chosen.everything else [r for r in records if chosen.matches(r.key, r.packed)]
            ended = not wanted or len(records) < wanted
            if ended or len(found) > limit:
                break
            start = records[-1].key
        items = [Stored(record.packed, record.revision) for record in (found[:limit] if limit else found)]
        if not limit or len(found) <= limit:
            return Page(items, revision)
        last = found[limit - 1].key
        remaining = self._store.count(prefix, start=last) if chosen.everything else None
        return Page(items, revision, encode_token(revision, last), remaining)

    def keys(self, resource: Resource, namespace: str, chosen: Filter) -> list[str]:
        """Of everything that stands there now and is chosen."""
        return [r.key for r in self._store.list(prefix_of(resource, namespace)) if chosen.matches(r.key, r.packed)]

    # ----------------------------------------------------------------- watch

    def watch(
        self, resource: Resource, namespace: str, selection: Selection, *, after: int | None, bookmarks: bool,
        initial: bool, timeout_s: float | None,
    ) -> AsyncIterator[Sequence[WatchEvent]]:  # fmt: skip
        """Raises BadRequest and Expired at once; the state that comes first is that of the call."""
        prefix, chosen = prefix_of(resource, namespace), Filter(resource, selection)
        if after is not None and after > self._store.revision:
            raise too_large(after, self._store.revision)
        first: list[Record] | None = None
        if not after or initial:
            after = self._store.revision
            first = [r for r in self._store.list(prefix) if chosen.matches(r.key, r.packed)]
        cursor = self._store.watch(prefix, after=after)
        ends = None if timeout_s is None else self._clock.monotonic() + timeout_s
        end_mark = WatchEvent(EventType.BOOKMARK, after, initial_end=True) if initial else None
        return self._events(cursor, chosen, first=first, end_mark=end_mark, bookmarks=bookmarks, ends=ends)

    async def _events(
        self, cursor: Watch, chosen: Filter, *, first: list[Record] | None, end_mark: WatchEvent | None, bookmarks: bool,
        ends: float | None,
    ) -> AsyncIterator[Sequence[WatchEvent]]:  # fmt: skip
        try:
            for begin in range(0, len(first or ()), CHUNK):
                yield [
                    WatchEvent(EventType.ADDED, r.revision, Stored(r.packed, r.revision), r.key)
                    for r in (first or ())[begin : begin + CHUNK]
                ]
                # Others have their turn: what a hundred thousand objects are taken over with takes seconds.
                await asyncio.sleep(0)
            first = None
            if end_mark is not None:
                yield [end_mark]
            async with aclosing(self._follow(cursor, chosen, bookmarks=bookmarks, ends=ends)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            cursor.close()

    async def _follow(
        self, cursor: Watch, chosen: Filter, *, bookmarks: bool, ends: float | None
    ) -> AsyncGenerator[Sequence[WatchEvent], None]:
        clock, every_s = self._clock, self._settings.bookmark_s
        next_mark = clock.monotonic() + every_s
        while True:
            now = clock.monotonic()
            times = [t - now for t in (ends, next_mark if bookmarks else None) if t is not None]
            changes, revision = await cursor.next(max(min(times), 0.0) if times else None)
            batch = [event for event in (event_of(change, chosen) for change in changes) if event is not None]
            now = clock.monotonic()
            over = ends is not None and now >= ends
            if bookmarks and (over or now >= next_mark):
                batch.append(WatchEvent(EventType.BOOKMARK, revision))
                next_mark = now + every_s
            if batch:
                yield batch
            if over:
                return


def event_of(change: Change, chosen: Filter) -> WatchEvent | None:
    """How a change looks through a selector; None when it is not seen at all."""
    key, revision, value, previous = change.key, change.revision, change.packed, change.packed_previous
    is_in = value is not None and chosen.matches(key, value)
    was_in = previous is not None and chosen.matches(key, previous)
    if is_in and value is not None:
        kind = EventType.MODIFIED if was_in else EventType.ADDED
        return WatchEvent(kind, revision, Stored(value, revision), key)
    if was_in and previous is not None:
        return WatchEvent(EventType.DELETED, revision, Stored(previous, revision), key)
    return None


def too_large(asked: int, newest: int) -> Timeout:
    return Timeout(
        f"Timeout: Too large resource version: {asked}, current: {newest}",
        causes=(FieldCause("ResourceVersionTooLarge", "Too large resource version"),), retry_after_s=1,
    )  # fmt: skip
