"""Requests about objects: from HTTP to the API's verbs, and their answers back.

Owns what is HTTP's own in them: which method of which path is which verb, reading a body within its bounds, and the answer's form. What
a verb does and says is `master/api/verbs.py`'s, for all fronts alike.

    GET  collection  list, watch    POST  collection  create    DELETE  collection  deletecollection
    GET  object      get            PUT   object      update    PATCH   object      patch      DELETE  object  delete
    GET, PUT, PATCH, POST  object/subresource   get, update, patch, create
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator

from aiohttp import hdrs, web

from common.errors import BadRequest, TooLarge, UnsupportedMediaType
from master.api import body as api_body
from master.api import faults
from master.api.forms import Wish
from master.api.verbs import Answer, Request, Verbs
from master.rest import reply
from master.rest.call import Call
from master.rest.stream import open_answer

BODY_S = 30.0
MAX_BODY = api_body.MAX_BYTES

_GZIP = zlib.MAX_WBITS | 16
_OF_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OF_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_SUBRESOURCE = {**_OF_OBJECT, "POST": "create"}


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


def request_of(call: Call, verb: str) -> Request:
    """The request as the API's verbs take it."""
    request, route = call.request, call.route

    async def body() -> bytes:
        return await read(request)

    return Request(
        call.actor, verb, route.resource, call.query, namespace=route.namespace, name=route.name, subresource=route.subresource,
        wish=Wish(call.accepted.form, call.accepted.version, call.query.get("includeObject", "")), read=body,
        media=request.headers.get(hdrs.CONTENT_TYPE, ""), agent=request.headers.get(hdrs.USER_AGENT, ""),
        said=f"{request.method} {request.path}",
    )  # fmt: skip


async def answer(verbs: Verbs, call: Call) -> web.StreamResponse:
    route = call.route
    known = _OF_SUBRESOURCE if route.subresource else _OF_OBJECT if route.name else _OF_COLLECTION
    verb = known.get(call.request.method)
    if verb is None:
        raise faults.not_allowed()
    made, request = await verbs.answer(request_of(call, verb)), call.request
    if made.pieces is None:
        return await reply.json(request, made.body, code=made.code, warnings=made.warnings)
    if request.version < (1, 1) or reply.wants_pretty(request):
        return await reply.json(request, b"".join(made.pieces), code=made.code, warnings=made.warnings)
    return await _in_pieces(request, made, made.pieces)


async def _in_pieces(request: web.BaseRequest, made: Answer, pieces: Iterator[bytes]) -> web.StreamResponse:
    """As the client takes them, compressed on the way if it can be."""
    packer = zlib.compressobj(reply.GZIP_LEVEL, zlib.DEFLATED, _GZIP) if reply.takes_gzip(request) else None
    response = web.StreamResponse(status=made.code, headers=reply.HEADERS if packer is None else {**reply.HEADERS, **reply.PACKED})
    reply.add_warnings(response, made.warnings)
    stream = await open_answer(request, response)
    for piece in pieces:
        # Subtle: writing alone lets nobody else run as long as the client keeps up.
        await stream.write(piece if packer is None else await asyncio.to_thread(packer.compress, piece))
        await asyncio.sleep(0)
    if packer is not None:
        await stream.write(packer.flush())
    return await stream.end()
