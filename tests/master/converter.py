"""A real little conversion webhook on a TLS socket: sites with `host` and `port` (v2) or both in one text, `hostPort` (v1).

`spoil` changes the answer before it is sent, or sends another: the failures of a webhook that a test is about.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from common.clock import SystemClock
from master import pki

NAMES = ("localhost", "127.0.0.1", "sites.hooks.svc")

Answer = dict[str, Any]


@functools.cache
def certificates() -> pki.Pki:
    """Of a CA of the webhook's own, which is no other's."""
    folder = Path(tempfile.mkdtemp(prefix="steersman-webhook-"))
    return pki.ensure(folder, cluster="webhook", names=NAMES, now=SystemClock().now())[0]


def ca_bundle() -> str:
    return base64.b64encode(certificates().ca.certificate).decode()


def convert(site: Answer, wanted: str) -> Answer:
    spec = dict(site.get("spec") or {})
    if wanted.endswith("/v1") and "host" in spec:
        spec = {"hostPort": f"{spec.pop('host')}:{spec.pop('port', 0)}", **spec}
    elif wanted.endswith("/v2") and "hostPort" in spec:
        host, _, port = spec.pop("hostPort").partition(":")
        spec = {"host": host, "port": int(port), **spec}
    return {**site, "apiVersion": wanted, "spec": spec}


class Converter:
    """asked: the number of objects of each review so far."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.reviews: list[Answer] = []
        self.spoil: Callable[[Answer], Answer | web.Response] | None = None
        self.delay = asyncio.Event()
        self.delay.set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/convert"

    async def answer(self, request: web.Request) -> web.Response:
        review = msgspec.json.decode(await request.read())
        self.reviews.append(review)
        objects, wanted = review["request"]["objects"], review["request"]["desiredAPIVersion"]
        self.asked.append(len(objects))
        await self.delay.wait()
        converted = [convert(one, wanted) for one in objects]
        response = {"uid": review["request"]["uid"], "result": {"status": "Success"}, "convertedObjects": converted}
        found: Answer | web.Response = {"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}
        if self.spoil is not None:
            found = self.spoil(found)
        return found if isinstance(found, web.Response) else web.json_response(body=msgspec.json.encode(found))


@contextlib.asynccontextmanager
async def converting() -> AsyncIterator[Converter]:
    converter, tls = Converter(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pki.load(tls, certificates())
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/convert", converter.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        converter.port = runner.addresses[0][1]
        yield converter
    finally:
        converter.delay.set()
        await runner.cleanup()
