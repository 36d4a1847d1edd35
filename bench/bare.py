"""The floor of `api`: what a web server in this language costs that does nothing. `python -m bench.bare PKI_FOLDER`, in a process of its own.

A bare aiohttp handler behind the certificates of a kmaster, so that TLS is the same. It reads whatever body it is sent and answers
with as many bytes as the path says; `/watch` is a stream, and what is posted to `/tell` is written to each of them. No JSON, no
rights, no store. Prints its port; ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

from aiohttp import web

STREAMS: list[web.StreamResponse] = []


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b"x" * int(request.match_info["size"]), content_type="application/json")


async def watch(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    STREAMS.append(response)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        STREAMS.remove(response)
    return response


async def tell(request: web.Request) -> web.Response:
    line = await request.read()
    for stream in STREAMS:
        await stream.write(line)
    return web.Response()


def context(pki: Path) -> ssl.SSLContext:
    """As kmaster's own: a client's certificate is checked when there is one."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.verify_mode = ssl.CERT_OPTIONAL
    tls.load_verify_locations(pki / "ca.crt")
    tls.load_cert_chain(pki / "server.crt", pki / "server.key")
    return tls


async def serve(pki: Path) -> None:
    application = web.Application()
    application.add_routes([
        web.get("/watch", watch), web.post("/tell", tell), web.get("/{size}", answer), web.post("/{size}", answer),
    ])  # fmt: skip
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context(pki), backlog=512)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
