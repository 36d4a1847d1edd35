"""The verbs on resources, the same on every front: get, list, create, update, patch, delete, deletecollection, watch, and the
subresources that are documents.

Owns the translation between what clients say (a verb, what it is about, Kubernetes' parameters, a body) and the door, and back to
encoded documents, so that all fronts answer alike, errors included. A front brings a `Request` and carries the `Answer`; how both
travel is its own. No rule about objects is here; what a request means, may do and breaks is said by the door.

    get, update, patch   object, and its /status, /scale, /approval, /ephemeralcontainers, /resize      update   /finalize
    list, watch, create, deletecollection   collection      delete   object      create   /binding, /eviction, /token
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from common.clock import Clock
from common.errors import BadRequest, NotFound, UnsupportedMediaType
from master.api import body as api_body
from master.api import documents, faults, forms, query, status, subresources
from master.api.contract import Actor, DeleteOptions, Door, Page, PatchType, Ref, Stored, WatchEvent, WriteOptions
from master.api.forms import Wish
from master.api.lines import Lines, Printer
from master.api.reading import too_large
from master.api.registry import Resource
from master.store.contract import Cause

Events = AsyncIterator[Sequence[WatchEvent]]

RETURNED_WHEN_GONE = frozenset((
    "persistentvolumeclaims", "persistentvolumes", "pods", "podtemplates", "resourcequotas", "serviceaccounts", "services",
    *(f"{name}.storage.k8s.io" for name in ("csidrivers", "csinodes", "storageclasses", "volumeattachments", "volumeattributesclasses")),
))  # fmt: skip
"""Kinds whose deletion answers with the object itself even when it is gone; typed clients decode it as such, and all others as a Status."""

WHOLE = 500
"""A list of up to so many objects is answered whole: what clients ask for at a time."""

_PATCHES = {kind.value: kind for kind in PatchType}


async def _no_body() -> bytes:
    return b""


class Request(msgspec.Struct, frozen=True):
    """name "" is a collection; namespace "" is cluster scope, or all namespaces. read: the whole body, fetched when it is asked for;
    media: its type. agent: the client's program, the field manager of who names none. said: the request in a line, for its cause."""

    actor: Actor
    verb: str
    resource: Resource
    query: Mapping[str, str]
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    wish: Wish = Wish()
    read: Callable[[], Awaitable[bytes]] = _no_body
    media: str = ""
    agent: str = ""
    said: str = ""

    @property
    def ref(self) -> Ref:
        return Ref(self.resource.key, self.name, self.namespace)


class Answer(msgspec.Struct, frozen=True):
    """body: an encoded document. pieces: instead of it, those of a document too large to be made at once, each made as it is taken.
    warnings: for the client's user."""

    body: bytes = b""
    code: int = 200
    warnings: Sequence[str] = ()
    pieces: Iterator[bytes] | None = None


async def _read_object(request: Request, *, find_duplicates: bool) -> api_body.Body:
    """Of the resource's kind, or of its subresource's."""
    part = request.resource.subresource(request.subresource)
    kind = (part.kind if part is not None else "") or request.resource.kind
    return api_body.decode_object(await request.read(), request.media, kind=kind, find_duplicates=find_duplicates)


async def _read_patch(request: Request, kind: PatchType, *, find_duplicates: bool) -> api_body.Body:
    """What is said of duplicate fields is said of the patch."""
    prefix = "" if kind is PatchType.STRATEGIC else "error decoding patch: "
    raw = await request.read()
    try:
        found = api_body.decode(raw, request.media, find_duplicates=find_duplicates, prefix=prefix)
    except BadRequest as error:
        raise BadRequest(f"error decoding YAML: {error.message}") if kind is PatchType.APPLY else error from None
    if kind is PatchType.JSON:
        found = api_body.Body(found.document, tuple(f"json patch {said}" for said in found.duplicates))
    return found


async def _delete_options(request: Request) -> DeleteOptions:
    raw = await request.read()
    return query.for_delete(request.query, api_body.decode(raw, request.media).document if raw else None)


def _warnings(request: Request, said: Sequence[str] = ()) -> Sequence[str]:
    deprecated = request.resource.deprecated
    return (deprecated, *said) if deprecated else said


def _several(request: Request, page: Page, wish: Wish, *, now: float) -> Answer:
    made, warnings = forms.pieces(request.resource, page, wish, now=now), _warnings(request)
    return Answer(pieces=made, warnings=warnings) if len(page.items) > WHOLE else Answer(b"".join(made), warnings=warnings)


class Verbs:
    """`answer(request)` picks by the verb and by what it is about; `watch(request)` is for the one that goes on."""

    def __init__(self, door: Door, *, clock: Clock) -> None:
        self._door = door
        self._clock = clock
        self._printer = Printer(clock)
        self._of_object: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "list": self._list, "create": self._create, "deletecollection": self._delete_collection,
            "get": self._get, "update": self._update, "patch": self._patch, "delete": self._delete,
        }  # fmt: skip
        self._of_subresource: dict[tuple[str, str], Callable[[Request], Awaitable[Answer]]] = {
            ("get", "scale"): self._get_scale, ("update", "scale"): self._update_scale, ("patch", "scale"): self._patch_scale,
            ("update", "finalize"): self._update, ("create", "binding"): self._bind, ("create", "eviction"): self._evict,
            ("create", "token"): self._token,
        }  # fmt: skip
        for part in ("status", "approval", "ephemeralcontainers", "resize"):
            self._of_subresource |= {("get", part): self._get, ("update", part): self._update, ("patch", part): self._patch}

    async def answer(self, request: Request) -> Answer:
        """Raises what the door raises, MethodNotAllowed for a verb that the resource or its subresource does not have."""
        if request.subresource:
            verb = self._of_subresource.get((request.verb, request.subresource))
        else:
            verb = self._of_object.get(request.verb) if request.verb in request.resource.verbs else None
        if verb is None:
            raise faults.not_allowed()
        return await verb(request)

    def watch(self, request: Request, *, default_s: float) -> tuple[Events, Lines]:
        """The events, to be closed with `aclose()`, and what makes lines of them. default_s: how long a watch lasts that does not say."""
        asked = query.for_watch(request.query, name=request.name)
        lines = self._printer.lines(request.resource, request.wish)
        events = self._door.watch(
            request.actor, request.resource.key, request.namespace, selection=asked.selection,
            after=self._door.views.revision if asked.from_now else asked.after,
            bookmarks=asked.bookmarks, initial=asked.initial, timeout_s=asked.timeout_s or default_s,
        )  # fmt: skip
        return events, lines

    # Reading.

    async def _get(self, request: Request) -> Answer:
        revision = query.revision(request.query)
        exact = revision if request.query.get("resourceVersionMatch") == "Exact" else None
        stored = await self._door.get_at(request.actor, request.ref, exact or None, subresource=request.subresource)
        if revision and not exact and revision > (newest := self._door.views.revision):
            raise too_large(revision, newest)
        return self._object(request, stored)

    async def _list(self, request: Request) -> Answer:
        asked = query.for_list(request.query)
        page = await self._door.list(
            request.actor, request.resource.key, request.namespace, selection=asked.selection, limit=asked.limit,
            continue_=asked.continue_, revision=asked.revision, exact=asked.exact,
        )  # fmt: skip
        return _several(request, page, request.wish, now=self._clock.now())

    def _object(self, request: Request, stored: Stored, *, code: int = 200, warnings: Sequence[str] | None = None) -> Answer:
        body = forms.one(request.resource, stored, request.wish, now=self._clock.now())
        return Answer(body, code, _warnings(request, warnings or ()))

    # Writing.

    def _options(self, request: Request, kind: str, *, apply: bool = False) -> WriteOptions:
        return query.for_write(request.query, user_agent=request.agent, kind=kind, warnings=[], apply=apply)

    async def _document(self, request: Request, options: WriteOptions) -> tuple[dict[str, Any], WriteOptions]:
        """The body's document, with its duplicate fields noted in the options."""
        read_body = await _read_object(request, find_duplicates=options.field_validation != "Ignore")
        return read_body.document, msgspec.structs.replace(options, duplicates=read_body.duplicates)

    async def _create(self, request: Request) -> Answer:
        if request.resource.namespaced and not request.namespace:
            raise faults.not_allowed()
        document, options = await self._document(request, self._options(request, "CreateOptions"))
        stored = await self._door.create(request.actor, request.resource.key, request.namespace, document, options)
        return self._object(request, stored, code=201, warnings=options.warnings)

    async def _update(self, request: Request) -> Answer:
        document, options = await self._document(request, self._options(request, "UpdateOptions"))
        ref, subresource, code = request.ref, request.subresource, 200
        try:
            stored = await self._door.update(request.actor, ref, document, options, subresource=subresource)
        except NotFound:
            if subresource or not request.resource.put_creates:
                raise
            documents.check_name({"metadata": document.get("metadata") or {}}, ref.name)
            stored, code = await self._door.create(request.actor, ref.resource, ref.namespace, document, options), 201
        return self._object(request, stored, code=code, warnings=options.warnings)

    async def _patch(self, request: Request) -> Answer:
        stored, options, made = await self._patched(request)
        return self._object(request, stored, code=201 if made else 200, warnings=options.warnings)

    async def _patched(self, request: Request) -> tuple[Stored, WriteOptions, bool]:
        """The object, and whether it was made by this (by an apply)."""
        media = request.media.partition(";")[0].strip().lower()
        kind = _PATCHES.get(media)
        if kind is None:
            raise UnsupportedMediaType(
                f"the body of the request was in an unknown format - accepted media types include: {', '.join(_PATCHES)}"
            )
        options = self._options(request, "PatchOptions", apply=kind is PatchType.APPLY)
        read_body = await _read_patch(request, kind, find_duplicates=options.field_validation != "Ignore")
        options = msgspec.structs.replace(options, duplicates=read_body.duplicates)
        document, ref, subresource = read_body.document, request.ref, request.subresource
        if kind is PatchType.APPLY:
            stored, made = await self._door.apply(request.actor, ref, document, options, subresource=subresource)
            return stored, options, made
        return await self._door.patch(request.actor, ref, kind, document, options, subresource=subresource), options, False

    async def _delete(self, request: Request) -> Answer:
        options = await _delete_options(request)
        stored, gone = await self._door.delete(request.actor, request.ref, options)
        if not gone or request.resource.key in RETURNED_WHEN_GONE:
            return self._object(request, stored, code=202 if options.accepted and not gone else 200)
        uid = stored.document()["metadata"].get("uid", "")
        body = status.success(name=request.name, group=request.resource.group, kind=request.resource.plural, uid=uid)
        return Answer(body)

    async def _delete_collection(self, request: Request) -> Answer:
        chosen = query.for_list(request.query).selection
        options = await _delete_options(request)
        deleted = await self._door.delete_collection(
            request.actor, request.resource.key, request.namespace, options, selection=chosen
        )
        return _several(request, Page(deleted, self._door.views.revision), Wish(), now=self._clock.now())

    # Subresources of a kind of their own.

    async def _get_scale(self, request: Request) -> Answer:
        return Answer(msgspec.json.encode(await self._door.scale(request.actor, request.ref)))

    async def _update_scale(self, request: Request) -> Answer:
        document, options = await self._document(request, self._options(request, "UpdateOptions"))
        stored = await self._door.update(request.actor, request.ref, document, options, subresource="scale")
        return Answer(stored.json(), warnings=options.warnings or ())

    async def _patch_scale(self, request: Request) -> Answer:
        stored, options, _ = await self._patched(request)
        return Answer(stored.json(), warnings=options.warnings or ())

    async def _bind(self, request: Request) -> Answer:
        document, options = await self._document(request, self._options(request, "CreateOptions"))
        binding = subresources.cleaned_body(document, "v1", "Binding", options)
        meta, ref = binding.get("metadata") or {}, request.ref
        if meta.get("name", ref.name) != ref.name:
            raise BadRequest("name in URL does not match name in Binding object")
        subresources.check_binding(binding)
        await self._door.bind(
            request.actor, ref, binding["target"]["name"], uid=meta.get("uid", ""),
            cause=Cause(request.actor.name, "Request", request.said), dry_run=options.dry_run,
            annotations=meta.get("annotations") or {},
        )  # fmt: skip
        return Answer(status.success(code=201), 201, options.warnings or ())

    async def _token(self, request: Request) -> Answer:
        document, options = await self._document(request, self._options(request, "CreateOptions"))
        stored = self._door.create_token(request.actor, request.ref, document, options)
        return Answer(stored.json(), 201, options.warnings or ())

    async def _evict(self, request: Request) -> Answer:
        document, options = await self._document(request, self._options(request, "CreateOptions"))
        version = document.get("apiVersion") or "policy/v1"
        known = {**document, "apiVersion": "policy/v1"} if version == "policy/v1beta1" else document  # what older clients send
        eviction = subresources.cleaned_body(known, "policy/v1", "Eviction", options)
        if (eviction.get("metadata") or {}).get("name", request.name) != request.name:
            raise BadRequest("name in URL does not match name in Eviction object")
        asked = query.for_delete({}, eviction.get("deleteOptions"))
        asked = msgspec.structs.replace(asked, dry_run=asked.dry_run or options.dry_run)
        await self._door.evict(request.actor, request.ref, asked)
        return Answer(status.success(code=201), 201, options.warnings or ())
