"""The HTTPS client for webhooks: `api/webhooks.Caller` over aiohttp.

One session for all: connections are kept for a while, apart for each CA and each name that the certificate must bear. Nothing is
followed or repeated: a redirection is a failure, and whoever asked decides whether to ask again. Both the time and the answer are
bounded, for a webhook is somebody else's program and the master's loop and memory are everybody's.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from urllib.parse import urlsplit

import aiohttp

from master.api.webhooks import Target, WebhookFault

TIMEOUT_S = 30.0
"""Kubernetes' own for conversions; nobody can set it."""
MAX_ANSWER = 64 * 1024 * 1024
CONNECTIONS = 16
"""At once to one webhook; who comes later waits, within its own time."""
IDLE_S = 30.0
SHOWN = 200


class HttpsCaller:
    def __init__(self, *, timeout_s: float = TIMEOUT_S, max_answer: int = MAX_ANSWER) -> None:
        self._timeout_s = timeout_s
        self._max_answer = max_answer
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, target: Target, body: bytes) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(target, body)
        except TimeoutError:
            raise WebhookFault(f'Post "{target.url}": no answer within {self._timeout_s:g} s') from None
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", "") or error.certificate_error
            raise WebhookFault(f'Post "{target.url}": tls: failed to verify certificate: {why}') from None
        except aiohttp.ClientConnectorError as error:
            raise WebhookFault(f'Post "{target.url}": dial {error.host}:{error.port}: {error.strerror or error}') from None
        except (aiohttp.ClientError, ValueError) as error:
            raise WebhookFault(f'Post "{target.url}": {str(error) or type(error).__name__}') from None

    async def _post(self, target: Target, body: bytes) -> bytes:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS, keepalive_timeout=IDLE_S)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        url, name, headers = target.url, None, {"Content-Type": "application/json", "Accept": "application/json"}
        if target.host:
            asked = urlsplit(target.url)
            host = f"[{target.host}]" if ":" in target.host else target.host
            name, url = asked.hostname, asked._replace(netloc=f"{host}:{target.port}").geturl()
            headers["Host"] = asked.netloc
        try:
            tls = _tls(target.ca)
        except ssl.SSLError as error:
            raise WebhookFault(f'Post "{target.url}": its CA cannot be used: {error.reason or error}') from None
        async with self._session.post(
            url, data=body, headers=headers, ssl=tls, server_hostname=name, allow_redirects=False
        ) as answer:  # fmt: skip
            found = await self._read(answer, target)
            if answer.status != 200:
                said = found[:SHOWN].decode(errors="replace").strip()
                raise WebhookFault(f'Post "{target.url}": the webhook answered {answer.status}{": " + said if said else ""}')
            return found

    async def _read(self, answer: aiohttp.ClientResponse, target: Target) -> bytes:
        parts, size = [], 0
        async for part in answer.content.iter_any():
            size += len(part)
            if size > self._max_answer:
                answer.close()
                raise WebhookFault(f'Post "{target.url}": the answer has more than {self._max_answer} bytes')
            parts.append(part)
        return b"".join(parts)


@functools.lru_cache(maxsize=64)
def _tls(ca: str) -> ssl.SSLContext:
    """Raises ssl.SSLError for a CA that cannot be read."""
    context = ssl.create_default_context(cadata=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
