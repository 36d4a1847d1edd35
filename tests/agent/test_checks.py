"""Questions to a container, really asked: HTTP, TCP and gRPC on loopback, and how a runtime's answers are worded."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.probes.checks import HostChecks
from agent.probes.contract import Answer, Place, Result
from agent.probes.network import NetworkReach
from agent.runtime.contract import Ran, RuntimeFault
from common.errors import Timeout, Unavailable
from common.objects.handlers import ExecAction, GRPCAction, Handler, HTTPGetAction, HTTPHeader, TCPSocketAction

HOST = "127.0.0.1"


class Sessions:
    """A runtime whose commands end as the test says."""

    def __init__(self, ends: Ran | Exception) -> None:
        self.ends = ends

    async def run(self, container_id: str, command: tuple[str, ...], timeout_s: float) -> Ran:
        if isinstance(self.ends, Exception):
            raise self.ends
        return self.ends


def checked(handler: Handler, *, ends: Ran | Exception = Ran(0), timeout_s: float = 5.0) -> Result:  # noqa: B008
    checks = HostChecks(Sessions(ends), NetworkReach())  # type: ignore[arg-type]
    return asyncio.run(checks.check(handler, Place("c1", HOST, (("web", 80),)), timeout_s=timeout_s))


@pytest.mark.parametrize(
    ("ends", "answer", "words"),
    [
        pytest.param(Ran(0, b"fine\n"), Answer.SUCCESS, "fine\n", id="exit code 0"),
        pytest.param(Ran(3, b"no disk"), Answer.FAILURE, "no disk", id="another exit code"),
        pytest.param(Ran(1, b"x" * 20000), Answer.FAILURE, "x" * 10240, id="its words are bounded"),
        pytest.param(Timeout("late"), Answer.FAILURE, "command timed out: 'check me' timed out after 5s", id="late"),
        pytest.param(RuntimeFault('exec: "check": not found'), Answer.UNKNOWN, 'exec: "check": not found', id="it cannot be started"),
        pytest.param(Unavailable("away"), Answer.UNKNOWN, "away", id="the runtime is away"),
    ],
)
def test_a_command(ends: Ran | Exception, answer: Answer, words: str) -> None:
    assert checked(Handler(exec=ExecAction(command=("check", "me"))), ends=ends) == Result(answer, words)


def served(answer: Callable[[bytes], bytes], ask: Callable[[int], Awaitable[Result]]) -> tuple[Result, list[bytes]]:
    """The result of `ask(port)` against a server that answers each request's head so; the heads it saw."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        reply = answer(heads[-1])
        if reply:
            writer.write(reply)
            await writer.drain()
            writer.close()
        else:
            await reader.read()
            writer.close()

    async def main() -> Result:
        server = await asyncio.start_server(serve, HOST, 0)
        async with server:
            return await ask(server.sockets[0].getsockname()[1])

    return asyncio.run(main()), heads


def page(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", ""]).encode()


def get(port: int, *, timeout_s: float = 5.0, **fields: object) -> Awaitable[Result]:
    handler = Handler(http_get=HTTPGetAction(port=port, **fields))  # type: ignore[arg-type]
    return HostChecks(Sessions(Ran(0)), NetworkReach()).check(handler, Place("c1", HOST), timeout_s=timeout_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "result"),
    [
        pytest.param("200 OK", Result(Answer.SUCCESS, "HTTP status 200"), id="200"),
        pytest.param("399 Odd", Result(Answer.SUCCESS, "HTTP status 399"), id="399"),
        pytest.param("404 Not Found", Result(Answer.FAILURE, "HTTP probe failed with statuscode: 404"), id="404"),
        pytest.param("500 Oh", Result(Answer.FAILURE, "HTTP probe failed with statuscode: 500"), id="500"),
    ],
)
def test_an_http_status(status: str, result: Result) -> None:
    assert served(lambda _: page(status), lambda port: get(port, path="/healthz"))[0] == result


def test_what_an_http_probe_sends() -> None:
    headers = (HTTPHeader(name="X-Who", value="me"), HTTPHeader(name="Host", value="shop.example"))
    _, heads = served(lambda _: page("200 OK"), lambda port: get(port, path="/a?b=c", http_headers=headers))
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert {"Host: shop.example", "User-Agent: kube-probe/1.33", "X-Who: me", "Connection: close"} <= set(lines)


def test_a_redirect_within_the_host_is_followed_and_another_host_is_not_asked() -> None:
    result, heads = served(lambda head: page("302 Go", "Location: /there") if b"GET / " in head else page("500 Oh"), lambda port: get(port))
    assert result.answer is Answer.FAILURE and len(heads) == 2
    result, heads = served(lambda _: page("302 Go", "Location: http://elsewhere.invalid/"), lambda port: get(port))
    assert result == Result(Answer.SUCCESS, "HTTP status 302") and len(heads) == 1
    result, heads = served(lambda _: page("302 Go", "Location: /"), lambda port: get(port))
    assert result.words.endswith("stopped after 10 redirects") and len(heads) == 10


@pytest.mark.parametrize(
    "reply",
    [pytest.param(b"rubbish\r\n\r\n", id="no HTTP"), pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * (1 << 20), id="a head without end")],
)
def test_an_answer_that_is_none(reply: bytes) -> None:
    result, _ = served(lambda _: reply, get)
    assert result.answer is Answer.FAILURE and result.words.startswith('Get "http://127.0.0.1:')


def test_https_is_asked_without_looking_at_the_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed()
    both = tmp_path / "server.pem"
    both.write_bytes(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page("200 OK"))
        await writer.drain()
        writer.close()

    async def main() -> list[Result]:
        server = await asyncio.start_server(serve, HOST, 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return [await get(port, scheme="HTTPS"), await get(port, scheme="HTTPS")]

    assert asyncio.run(main()) == [Result(Answer.SUCCESS, "HTTP status 200")] * 2


def self_signed() -> tuple[bytes, bytes]:
    """A certificate that nobody vouches for, long over, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "somebody else")])
    past = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, past, past + timedelta(days=1)).sign(key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(*form)


def test_an_answer_that_never_comes_ends_with_the_time() -> None:
    result, _ = served(lambda _: b"", lambda port: get(port, timeout_s=0.2))
    assert result.answer is Answer.FAILURE and result.words.endswith("no answer within 0.2s")


def test_a_port_where_nobody_listens() -> None:
    async def free_port() -> int:
        server = await asyncio.start_server(lambda r, w: None, HOST, 0)
        server.close()
        return server.sockets[0].getsockname()[1] if server.sockets else 1

    port = asyncio.run(free_port())
    assert checked(Handler(tcp_socket=TCPSocketAction(port=port))) == Result(Answer.FAILURE, f"dial tcp {HOST}:{port}: connect: connection refused")
    refused = checked(Handler(http_get=HTTPGetAction(port=port)))
    assert refused == Result(Answer.FAILURE, f'Get "http://{HOST}:{port}/": connection refused')


def test_a_port_that_has_no_such_name() -> None:
    assert checked(Handler(http_get=HTTPGetAction(port="nope"))) == Result(Answer.UNKNOWN, "couldn't find port: nope")


def test_tcp_needs_only_a_connection() -> None:
    async def ask(port: int) -> Result:
        return await HostChecks(Sessions(Ran(0)), NetworkReach()).check(  # type: ignore[arg-type]
            Handler(tcp_socket=TCPSocketAction(port=port)), Place("c1", HOST), timeout_s=5
        )

    assert served(lambda _: b"x", ask)[0] == Result(Answer.SUCCESS)


@pytest.mark.parametrize(
    ("service", "result"),
    [
        pytest.param("", Result(Answer.SUCCESS, "service healthy"), id="the whole server"),
        pytest.param("db", Result(Answer.FAILURE, 'service unhealthy (responded with "NOT_SERVING")'), id="a service that is not"),
        pytest.param("x" * 200, Result(Answer.SUCCESS, "service healthy"), id="a long name"),
    ],
)
def test_grpc_health(service: str, result: Result) -> None:
    grpc = pytest.importorskip("grpc")
    seen: list[bytes] = []

    async def health(request: bytes, _: object) -> bytes:
        seen.append(request)
        return b"\x08\x02" if request == b"\x0a\x02db" else b"\x08\x01"

    async def main() -> Result:
        server = grpc.aio.server()
        method = grpc.unary_unary_rpc_method_handler(health)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),))
        port = server.add_insecure_port(f"{HOST}:0")
        await server.start()
        handler = Handler(grpc=GRPCAction(port=port, service=service))
        try:
            return await HostChecks(Sessions(Ran(0)), NetworkReach()).check(handler, Place("c1", HOST), timeout_s=10)  # type: ignore[arg-type]
        finally:
            await server.stop(None)

    assert asyncio.run(main()) == result
    assert seen[0].endswith(service.encode())
