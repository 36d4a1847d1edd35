"""Answers: bytes and Status documents as HTTP responses.

Owns status codes, headers, compression and pretty-printing; the bytes come encoded, as `master/api/forms.py` makes them. Large
answers are compressed for those who accept it, in a thread, because compressing megabytes on the event loop would hold up everybody's
watches.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import hdrs, web

from common.errors import SteersmanError
from master.api import status
from master.api.query import flag

log = logging.getLogger(__name__)

GZIP_OVER, GZIP_LEVEL = 128 * 1024, 1
MAX_WARNING = 512
MAX_WARNINGS = 4096
_PRETTY_AGENTS = ("curl/", "Wget/", "Mozilla/")
HEADERS = {hdrs.CONTENT_TYPE: "application/json", hdrs.CACHE_CONTROL: "no-cache, private", hdrs.SERVER: "steersman"}
PACKED = {hdrs.CONTENT_ENCODING: "gzip", hdrs.VARY: "Accept-Encoding"}
_encode = msgspec.json.encode


def plain(text: str, *, code: int = 200) -> web.Response:
    """Text, for health checks and unknown paths."""
    headers = {
        hdrs.CONTENT_TYPE: "text/plain; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        hdrs.SERVER: "steersman",
    }
    return web.Response(body=text.encode(), status=code, headers=headers)


def failure(error: SteersmanError) -> web.Response:
    """The Status of an error."""
    response = web.Response(body=_encode(status.of(error)), status=error.code, headers=HEADERS)
    if error.retry_after_s is not None:
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    return response


def bug() -> web.Response:
    """What a caller learns about an error of ours: that it is logged, and nothing else."""
    return failure(SteersmanError("Internal error occurred: it is logged by the master"))


def warning_text(text: str) -> str:
    """The value of a `Warning:` header (RFC 7234): code 299, unknown agent, the text quoted, on one line and printable."""
    line = "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
    quoted = line.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'


def add_warnings(response: web.StreamResponse, warnings: Iterable[str]) -> None:
    """As many as fit: clients and proxies bound the size of headers."""
    left = MAX_WARNINGS
    for text in warnings:
        value = warning_text(text[:MAX_WARNING])
        left -= len(value)
        if left < 0:
            return
        response.headers.add(hdrs.WARNING, value)


def wants_pretty(request: web.BaseRequest) -> bool:
    """Whether a person reads it."""
    if "pretty" in request.query:
        return flag(request.query, "pretty")
    return request.headers.get(hdrs.USER_AGENT, "").startswith(_PRETTY_AGENTS)


def takes_gzip(request: web.BaseRequest) -> bool:
    return "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")


async def json(
    request: web.BaseRequest, body: bytes, *, code: int = 200, warnings: Iterable[str] = (), content_type: str = ""
) -> web.Response:
    if wants_pretty(request):
        body = msgspec.json.format(body, indent=2) + b"\n"
    headers: Any = HEADERS
    if content_type:
        headers = {**HEADERS, hdrs.CONTENT_TYPE: content_type}
    if len(body) > GZIP_OVER and takes_gzip(request):
        body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL, mtime=0)
        headers = {**headers, **PACKED}
    response = web.Response(body=body, status=code, headers=headers)
    add_warnings(response, warnings)
    return response
