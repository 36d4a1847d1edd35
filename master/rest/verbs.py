"""The verbs on resources: get, list, create, update, patch, delete, deletecollection, and the subresources that are documents.

Owns the translation between HTTP and the door: bodies in, encoded documents out, with Kubernetes' codes. No rule about objects
is here; what a request means, may do and breaks is said by the door, and its errors travel up as they are.

    GET  collection  list        POST   collection  create             DELETE collection  deletecollection
    GET  object      get         PUT    object      update             PATCH  object      patch      DELETE object  delete
    GET, PUT, PATCH  object/status, /scale, /approval, /ephemeralcontainers, /resize      POST object/binding, /eviction, /token
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import hdrs, web

from common.clock import Clock
from common.errors import BadRequest, MethodNotAllowed, NotFound, TooLarge, UnsupportedMediaType
from master.api import body as api_body
from master.api import documents, subresources, tables
from master.api.contract import DeleteOptions, Door, Page, PatchType, Stored, WriteOptions
from master.api.reading import too_large
from master.rest import query, reply
from master.rest.call import Call
from master.rest.negotiate import Form

BODY_S = 30.0
MAX_BODY = api_body.MAX_BYTES
RETURNED_WHEN_GONE = frozenset((
    "persistentvolumeclaims", "persistentvolumes", "pods", "podtemplates", "resourcequotas", "serviceaccounts", "services",
    *(f"{name}.storage.k8s.io" for name in ("csidrivers", "csinodes", "storageclasses", "volumeattachments", "volumeattributesclasses")),
))  # fmt: skip
"""Kinds whose deletion answers with the object itself even when it is gone; typed clients decode it as such, and all others as a Status."""

_PATCHES = {kind.value: kind for kind in PatchType}
NOT_ALLOWED = "the server does not allow this method on the requested resource"


async def read(request: web.BaseRequest) -> bytes:
    """The whole body. Raises TooLarge, BadRequest (too slow), UnsupportedMediaType (compressed)."""
    if not request.body_exists:
        return b""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        raise UnsupportedMediaType("a compressed request body is not accepted; send it as it is")
    too_large = TooLarge(f"Request entity too large: limit is {MAX_BODY}")
    if (request.content_length or 0) > MAX_BODY:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # it is no part of the answer
            while part := await request.content.readany():
                size += len(part)
                if size > MAX_BODY:
                    raise too_large
                parts.append(part)
    except web.RequestPayloadError:
        raise BadRequest("the request body is not well-formed") from None
    except TimeoutError:
        raise BadRequest(f"the request body did not arrive within {BODY_S:.0f} s") from None
    return b"".join(parts)


async def read_object(call: Call, *, find_duplicates: bool) -> api_body.Body:
    """Of the resource's kind, or of its subresource's."""
    route = call.route
    part = route.resource.subresource(route.subresource)
    kind = (part.kind if part is not None else "") or route.resource.kind
    raw, media = await read(call.request), call.request.headers.get(hdrs.CONTENT_TYPE, "")
    return api_body.decode_object(raw, media, kind=kind, find_duplicates=find_duplicates)


async def read_patch(call: Call, kind: PatchType, *, find_duplicates: bool) -> api_body.Body:
    """What is said of duplicate fields is said of the patch."""
    raw, media = await read(call.request), call.request.headers.get(hdrs.CONTENT_TYPE, "")
    prefix = "" if kind is PatchType.STRATEGIC else "error decoding patch: "
    try:
        found = api_body.decode(raw, media, find_duplicates=find_duplicates, prefix=prefix)
    except BadRequest as error:
        raise BadRequest(f"error decoding YAML: {error.message}") if kind is PatchType.APPLY else error from None
    if kind is PatchType.JSON:
        found = api_body.Body(found.document, tuple(f"json patch {said}" for said in found.duplicates))
    return found


async def read_delete_options(call: Call) -> DeleteOptions:
    raw = await read(call.request)
    document = api_body.decode(raw, call.request.headers.get(hdrs.CONTENT_TYPE, "")).document if raw else None
    return query.for_delete(call.query, document)


def _warnings(call: Call, said: Sequence[str] = ()) -> Sequence[str]:
    deprecated = call.route.resource.deprecated
    return (deprecated, *said) if deprecated else said


class Verbs:
    """`answer(call)` picks by method and by what the path names."""

    def __init__(self, door: Door, *, clock: Clock) -> None:
        self._door = door
        self._clock = clock
        self._of_collection: dict[str, Callable[[Call], Awaitable[web.Response]]] = {
            "GET": self._list, "POST": self._create, "DELETE": self._delete_collection,
        }  # fmt: skip
        self._of_object: dict[str, Callable[[Call], Awaitable[web.Response]]] = {
            "GET": self._get, "PUT": self._update, "PATCH": self._patch, "DELETE": self._delete,
        }  # fmt: skip
        self._of_subresource: dict[tuple[str, str], Callable[[Call], Awaitable[web.Response]]] = {
            ("GET", "status"): self._get, ("PUT", "status"): self._update, ("PATCH", "status"): self._patch,
            ("GET", "scale"): self._get_scale, ("PUT", "scale"): self._update_scale, ("PATCH", "scale"): self._patch_scale,
            ("PUT", "finalize"): self._update, ("POST", "binding"): self._bind, ("POST", "eviction"): self._evict,
            ("POST", "token"): self._token,
        }  # fmt: skip
        for part in ("approval", "ephemeralcontainers", "resize"):
            self._of_subresource |= {("GET", part): self._get, ("PUT", part): self._update, ("PATCH", part): self._patch}
        self._verb_names = {
            self._list: "list", self._create: "create", self._delete_collection: "deletecollection", self._get: "get",
            self._update: "update", self._patch: "patch", self._delete: "delete",
        }  # fmt: skip

    async def answer(self, call: Call) -> web.Response:
        route, method = call.route, call.request.method
        if route.subresource:
            verb = self._of_subresource.get((method, route.subresource))
            if verb is None:
                raise MethodNotAllowed(NOT_ALLOWED)
            return await verb(call)
        verb = (self._of_object if route.name else self._of_collection).get(method)
        if verb is None or self._verb_names[verb] not in route.resource.verbs:
            raise MethodNotAllowed(NOT_ALLOWED)
        return await verb(call)

    # Reading.

    async def _get(self, call: Call) -> web.Response:
        revision = query.revision(call.query)
        exact = revision if call.query.get("resourceVersionMatch") == "Exact" else None
        stored = await self._door.get_at(call.actor, call.route.ref, exact or None, subresource=call.route.subresource)
        if revision and not exact and revision > (newest := self._door.views.revision):
            raise too_large(revision, newest)
        return await self._object(call, stored)

    async def _list(self, call: Call) -> web.Response:
        asked = query.for_list(call.query)
        page = await self._door.list(
            call.actor, call.route.resource.key, call.route.namespace, selection=asked.selection, limit=asked.limit,
            continue_=asked.continue_, revision=asked.revision, exact=asked.exact,
        )  # fmt: skip
        return await reply.json(call.request, self._page(call, page), warnings=_warnings(call))

    def _page(self, call: Call, page: Page) -> bytes:
        form, resource = call.accepted.form, call.route.resource
        if form is Form.TABLE:
            return tables.render(
                resource, page.items, now=self._clock.now(), include=call.query.get("includeObject", ""),
                revision=page.revision, continue_=page.continue_, remaining=page.remaining, version=call.accepted.version,
            )  # fmt: skip
        if form is Form.PARTIAL:
            return reply.partial_list(
                page.items, version=call.accepted.version, revision=page.revision, continue_=page.continue_,
                remaining=page.remaining,
            )  # fmt: skip
        return reply.joined(resource, page.items, revision=page.revision, continue_=page.continue_, remaining=page.remaining)

    async def _object(self, call: Call, stored: Stored, *, code: int = 200, warnings: list[str] | None = None) -> web.Response:
        form = call.accepted.form
        if form is Form.PLAIN:
            body = stored.json()
        elif form is Form.PARTIAL:
            body = reply.partial(stored, call.accepted.version)
        else:
            body = tables.render(
                call.route.resource, [stored], now=self._clock.now(), include=call.query.get("includeObject", ""),
                revision=stored.revision, version=call.accepted.version,
            )  # fmt: skip
        return await reply.json(call.request, body, code=code, warnings=_warnings(call, warnings or ()))

    # Writing.

    def _options(self, call: Call, kind: str, *, apply: bool = False) -> WriteOptions:
        agent = call.request.headers.get(hdrs.USER_AGENT, "")
        return query.for_write(call.query, user_agent=agent, kind=kind, warnings=[], apply=apply)

    async def _document(self, call: Call, options: WriteOptions) -> tuple[dict[str, Any], WriteOptions]:
        """The body's document, with its duplicate fields noted in the options."""
        read_body = await read_object(call, find_duplicates=options.field_validation != "Ignore")
        return read_body.document, msgspec.structs.replace(options, duplicates=read_body.duplicates)

    async def _create(self, call: Call) -> web.Response:
        route = call.route
        if route.resource.namespaced and not route.namespace:
            raise MethodNotAllowed(NOT_ALLOWED)
        document, options = await self._document(call, self._options(call, "CreateOptions"))
        stored = await self._door.create(call.actor, route.resource.key, route.namespace, document, options)
        return await self._object(call, stored, code=201, warnings=options.warnings)

    async def _update(self, call: Call) -> web.Response:
        document, options = await self._document(call, self._options(call, "UpdateOptions"))
        ref, subresource, code = call.route.ref, call.route.subresource, 200
        try:
            stored = await self._door.update(call.actor, ref, document, options, subresource=subresource)
        except NotFound:
            if subresource or not call.route.resource.put_creates:
                raise
            documents.check_name({"metadata": document.get("metadata") or {}}, ref.name)
            stored, code = await self._door.create(call.actor, ref.resource, ref.namespace, document, options), 201
        return await self._object(call, stored, code=code, warnings=options.warnings)

    async def _patch(self, call: Call) -> web.Response:
        stored, options, made = await self._patched(call)
        return await self._object(call, stored, code=201 if made else 200, warnings=options.warnings)

    async def _patched(self, call: Call) -> tuple[Stored, WriteOptions, bool]:
        """The object, and whether it was made by this (by an apply)."""
        media = call.request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
        kind = _PATCHES.get(media)
        if kind is None:
            raise UnsupportedMediaType(
                f"the body of the request was in an unknown format - accepted media types include: {', '.join(_PATCHES)}"
            )
        options = self._options(call, "PatchOptions", apply=kind is PatchType.APPLY)
        read_body = await read_patch(call, kind, find_duplicates=options.field_validation != "Ignore")
        options = msgspec.structs.replace(options, duplicates=read_body.duplicates)
        document, ref, subresource = read_body.document, call.route.ref, call.route.subresource
        if kind is PatchType.APPLY:
            stored, made = await self._door.apply(call.actor, ref, document, options, subresource=subresource)
            return stored, options, made
        return await self._door.patch(call.actor, ref, kind, document, options, subresource=subresource), options, False

    async def _delete(self, call: Call) -> web.Response:
        options, route = await read_delete_options(call), call.route
        stored, gone = await self._door.delete(call.actor, route.ref, options)
        if not gone or route.resource.key in RETURNED_WHEN_GONE:
            return await self._object(call, stored, code=202 if options.accepted and not gone else 200)
        uid = stored.document()["metadata"].get("uid", "")
        body = reply.success(name=route.name, group=route.resource.group, kind=route.resource.plural, uid=uid)
        return await reply.json(call.request, body)

    async def _delete_collection(self, call: Call) -> web.Response:
        chosen, route = query.for_list(call.query).selection, call.route
        options = await read_delete_options(call)
        deleted = await self._door.delete_collection(call.actor, route.resource.key, route.namespace, options, selection=chosen)
        revision = self._door.views.revision
        return await reply.json(call.request, reply.joined(route.resource, deleted, revision=revision))

    # Subresources of a kind of their own.

    async def _get_scale(self, call: Call) -> web.Response:
        return await reply.json(call.request, msgspec.json.encode(await self._door.scale(call.actor, call.route.ref)))

    async def _update_scale(self, call: Call) -> web.Response:
        document, options = await self._document(call, self._options(call, "UpdateOptions"))
        stored = await self._door.update(call.actor, call.route.ref, document, options, subresource="scale")
        return await reply.json(call.request, stored.json(), warnings=options.warnings or ())

    async def _patch_scale(self, call: Call) -> web.Response:
        stored, options, _ = await self._patched(call)
        return await reply.json(call.request, stored.json(), warnings=options.warnings or ())

    async def _bind(self, call: Call) -> web.Response:
        document, options = await self._document(call, self._options(call, "CreateOptions"))
        binding = subresources.cleaned_body(document, "v1", "Binding", options)
        meta, ref = binding.get("metadata") or {}, call.route.ref
        if meta.get("name", ref.name) != ref.name:
            raise BadRequest("name in URL does not match name in Binding object")
        subresources.check_binding(binding)
        await self._door.bind(
            call.actor, ref, binding["target"]["name"], uid=meta.get("uid", ""), cause=call.cause(), dry_run=options.dry_run,
            annotations=meta.get("annotations") or {},
        )  # fmt: skip
        return await reply.json(call.request, reply.success(code=201), code=201, warnings=options.warnings or ())

    async def _token(self, call: Call) -> web.Response:
        document, options = await self._document(call, self._options(call, "CreateOptions"))
        stored = self._door.create_token(call.actor, call.route.ref, document, options)
        return await reply.json(call.request, stored.json(), code=201, warnings=options.warnings or ())

    async def _evict(self, call: Call) -> web.Response:
        document, options = await self._document(call, self._options(call, "CreateOptions"))
        version = document.get("apiVersion") or "policy/v1"
        known = {**document, "apiVersion": "policy/v1"} if version == "policy/v1beta1" else document  # what older clients send
        eviction = subresources.cleaned_body(known, "policy/v1", "Eviction", options)
        if (eviction.get("metadata") or {}).get("name", call.route.name) != call.route.name:
            raise BadRequest("name in URL does not match name in Eviction object")
        asked = query.for_delete({}, eviction.get("deleteOptions"))
        asked = msgspec.structs.replace(asked, dry_run=asked.dry_run or options.dry_run)
        await self._door.evict(call.actor, call.route.ref, asked)
        return await reply.json(call.request, reply.success(code=201), code=201, warnings=options.warnings or ())
