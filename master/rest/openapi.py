"""The OpenAPI documents over HTTP: made when they are asked for, kept compressed, named by a hash of their content.

    /openapi/v3            the index, with each document's hash        /openapi/v3/api/v1, /openapi/v3/apis/G/V    the documents
    /openapi/v2            everything in one; JSON, or gnostic's protobuf for those who accept it (kubectl)
    /swagger.json, /swagger-2.0.0.pb-v1        the same, where older clients look for its two forms

A document is kept for as long as the resources that it was made of are served: a new definition makes its own group's document anew,
the index and version 2, and no other. Making one is a few hundred milliseconds of work for version 2: it is done piece by piece, and
between two pieces everybody else has a turn.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable

import msgspec
from aiohttp import hdrs, web

from common.errors import NotAcceptable
from master.api import faults
from master.api.catalog import Catalog
from master.api.openapi import operations, v2, v3
from master.api.registry import Resource
from master.rest import negotiate, reply

HEADS = ("openapi", "swagger.json", "swagger-2.0.0.pb-v1")
JSON = negotiate.JSON
PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
PROTOBUF_ASKED = ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", PROTOBUF)
"""Subtle: clients ask for the type with an `@` in it, which is not allowed in a media type and breaks them in an answer."""
_GZIP = 16 + zlib.MAX_WBITS
_FORMS = {JSON: v2.as_json, PROTOBUF: v2.as_protobuf}


class _Kept(msgspec.Struct, frozen=True):
    """resources: what it was made of. digest: SHA-256 of the content."""

    resources: tuple[Resource, ...]
    digest: str
    packed: bytes


def _same(some: tuple[Resource, ...], others: tuple[Resource, ...]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


def v2_form(accept: str) -> str:
    """The media type to answer with. Raises NotAcceptable."""
    for clause in negotiate.clauses(accept[: negotiate.MAX_HEADER]) if accept.strip() else ():
        if clause.media in PROTOBUF_ASKED:
            return PROTOBUF
        if clause.media in (JSON, "application/*", "*/*"):
            return JSON
    if accept.strip():
        raise NotAcceptable(f"only the following media types are accepted: {JSON}, {PROTOBUF_ASKED[0]}")
    return JSON


class OpenApi:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept: dict[str, _Kept] = {}
        self._making = asyncio.Lock()

    async def answer(self, request: web.BaseRequest, parts: list[str]) -> web.Response | None:
        """None when the path names no document."""
        if request.method not in ("GET", "HEAD"):
            raise faults.not_allowed()
        accept = request.headers.get(hdrs.ACCEPT, "")
        if parts == ["openapi", "v2"]:
            return await self._version_2(request, v2_form(accept))
        if parts == ["swagger.json"]:
            return await self._version_2(request, JSON)
        if parts == ["swagger-2.0.0.pb-v1"]:
            return await self._version_2(request, PROTOBUF)
        if parts[:2] != ["openapi", "v3"]:
            return None
        path = "/".join(parts[2:])
        async with self._making:
            kept = await self._document(path) if path else await self._index()
        return None if kept is None else await self._reply(request, kept, JSON, immutable=bool(path and request.query.get("hash")))

    async def _version_2(self, request: web.BaseRequest, form: str) -> web.Response:
        async with self._making:
            served = self._catalog.resources
            kept = await self._made(f"v2 {form}", served, lambda: _FORMS[form](served))
        return await self._reply(request, kept, form)

    async def _document(self, path: str) -> _Kept | None:
        served = operations.by_group(self._catalog.resources).get(path)
        return None if served is None else await self._made(f"v3 {path}", served, lambda: [v3.document(path, served)])

    async def _index(self) -> _Kept:
        digests, served = {}, self._catalog.resources
        for path, found in operations.by_group(served).items():
            digests[path] = (await self._made(f"v3 {path}", found, lambda path=path, found=found: [v3.document(path, found)])).digest
        self._kept = {key: kept for key, kept in self._kept.items() if key[:3] != "v3 " or key[3:] in digests}
        return await self._made("index", served, lambda: [v3.index(digests)])

    async def _made(self, key: str, served: tuple[Resource, ...], make: Callable[[], Iterable[bytes]]) -> _Kept:
        kept = self._kept.get(key)
        if kept is None or not _same(kept.resources, served):
            kept = self._kept[key] = await _pack(served, make())
        return kept

    async def _reply(self, request: web.BaseRequest, kept: _Kept, form: str, *, immutable: bool = False) -> web.Response:
        etag = f'"{kept.digest}"'
        headers = {hdrs.CONTENT_TYPE: form, hdrs.ETAG: etag, hdrs.VARY: "Accept-Encoding, Accept", hdrs.SERVER: "steersman"}
        if immutable:
            headers[hdrs.CACHE_CONTROL] = "public, immutable"
        if etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            return web.Response(body=kept.packed, headers=headers)
        return web.Response(body=await asyncio.to_thread(gzip.decompress, kept.packed), headers=headers)


async def _pack(served: tuple[Resource, ...], pieces: Iterable[bytes]) -> _Kept:
    digest, packer, packed = hashlib.sha256(), zlib.compressobj(6, zlib.DEFLATED, _GZIP), []
    for piece in pieces:
        digest.update(piece)
        packed.append(await asyncio.to_thread(packer.compress, piece) if len(piece) > reply.GZIP_OVER else packer.compress(piece))
        await asyncio.sleep(0)
    packed.append(packer.flush())
    return _Kept(served, digest.hexdigest().upper(), b"".join(packed))
