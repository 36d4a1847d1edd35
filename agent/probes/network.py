"""Questions over the network: HTTP and HTTPS, a TCP connection, gRPC's health service.

Owns what a kubelet sends and what it takes for an answer (`pkg/probe` in Kubernetes): any HTTP status from 200 to 399, redirects
followed within the same host, certificates not verified, gRPC's SERVING. Bodies are read to a bound and dropped.
Callers set the time limit; a broken-off question closes its connection.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from urllib.parse import urljoin, urlsplit

import h11

from agent.probes.checks import url
from agent.probes.contract import Answer, Result
from common import version
from common.objects.handlers import HTTPGetAction

BODY_MOST = 10 << 10
HEAD_MOST = 64 << 10
REDIRECTS_MOST = 10
REDIRECTS = (301, 302, 303, 307, 308)
AGENT = f"kube-probe/{'.'.join(version.KUBERNETES.removeprefix('v').split('.')[:2])}"
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = 1
HEALTH_NAMES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


class NetworkReach:
    """`contract.Reach`."""

    async def http(self, ask: HTTPGetAction, *, host: str, port: int) -> Result:
        target = first = url(ask, host=host, port=port)
        for _ in range(REDIRECTS_MOST):
            try:
                status, location = await _get(target, ask)
            except (OSError, h11.ProtocolError, ValueError) as error:
                return Result(Answer.FAILURE, f'Get "{target}": {_words(error)}')
            onward = urljoin(target, location)
            if status not in REDIRECTS or not location or urlsplit(onward).hostname != urlsplit(first).hostname:
                break
            target = onward
        else:
            return Result(Answer.FAILURE, f'Get "{first}": stopped after {REDIRECTS_MOST} redirects')
        if 200 <= status < 400:
            return Result(Answer.SUCCESS, f"HTTP status {status}")
        return Result(Answer.FAILURE, f"HTTP probe failed with statuscode: {status}")

    async def tcp(self, *, host: str, port: int) -> Result:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            return Result(Answer.FAILURE, f"dial tcp {host}:{port}: connect: {_words(error)}")
        writer.close()
        return Result(Answer.SUCCESS)

    async def grpc(self, service: str, *, host: str, port: int) -> Result:
        import grpc  # costs memory, and most hosts never need it for this

        name = service.encode()[:255]
        request = b"\x0a" + _varint(len(name)) + name if name else b""
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        async with grpc.aio.insecure_channel(where, options=(("grpc.primary_user_agent", AGENT),)) as channel:
            try:
                answer = await channel.unary_unary(HEALTH)(request)
            except grpc.aio.AioRpcError as error:
                if error.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND):
                    words = f"this server does not implement the grpc health protocol for {service!r}: {error.details()}"
                    return Result(Answer.FAILURE, words)
                return Result(Answer.FAILURE, f'failed to connect service "{where}": {error.details()}')
        status = answer[1] if len(answer) > 1 and answer[0] == 0x08 else 0
        if status == SERVING:
            return Result(Answer.SUCCESS, "service healthy")
        shown = HEALTH_NAMES[status] if status < len(HEALTH_NAMES) else str(status)
        return Result(Answer.FAILURE, f'service unhealthy (responded with "{shown}")')


async def _get(target: str, ask: HTTPGetAction) -> tuple[int, str]:
    """The status, and where a redirect leads. Raises OSError, ProtocolError, ValueError."""
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"unsupported protocol scheme {parts.scheme!r}")
    secure = _unverified() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure, limit=HEAD_MOST)
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MOST)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = h11.Request(method="GET", target=path, headers=_headers(ask, parts.netloc))
        writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        return await _answer(reader, connection)
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, connection: h11.Connection) -> tuple[int, str]:
    status, location, body = 0, "", 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(HEAD_MOST))
        elif isinstance(event, h11.Response):
            status = event.status_code
            location = next((value.decode("latin-1") for name, value in event.headers if name == b"location"), "")
        elif isinstance(event, h11.Data):
            body += len(event.data)
            if body >= BODY_MOST:
                return status, location
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            if not status:
                raise ConnectionError("EOF")
            return status, location


def _headers(ask: HTTPGetAction, netloc: str) -> list[tuple[str, str]]:
    """A header given once more replaces ours; one given as empty takes it away."""
    found = {"host": ("Host", netloc), "user-agent": ("User-Agent", AGENT), "accept": ("Accept", "*/*")}
    given = [(header.name, header.value) for header in ask.http_headers]
    for name, value in given:
        if name.lower() in found:
            found[name.lower()] = (name, value)
    more = [(name, value) for name, value in given if name.lower() not in found]
    kept = [pair for name, pair in found.items() if pair[1] or name == "host"]
    return [*kept, *more, ("Connection", "close")]


@functools.cache
def _unverified() -> ssl.SSLContext:
    """Made once, and without the system's authorities: reading them costs more than the question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror.lower() if "Connect call failed" not in error.strerror else "connection refused"
    return str(error) or type(error).__name__


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])
