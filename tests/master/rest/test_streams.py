"""exec, attach and port-forward as clients speak them, over real sockets, to a node in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from common import channel_status
from common.errors import NotFound, Unavailable
from common.wire import spdy
from common.wire.flow import DATA, RESIZE, STATUS, STDERR, STDIN, STDOUT, TROUBLE
from master.api.contract import PatchType, Ref
from common.wire.requests import AttachRequest, ExecRequest, PortRequest, TalkRequest
from master.rest import upgrade
from tests.master.rest.served import DISPATCH, Served, Talk, certificates, client_tls, served

DEADLINE_S = 10.0
POD = "/api/v1/namespaces/default/pods/web"
EXEC = f"{POD}/exec?command=sh&command=-c&command=ls&stdin=true&stdout=true&stderr=true"
TTY = f"{POD}/exec?command=sh&stdin=true&stdout=true&tty=true"
SPDY = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


def pod(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "i"}], **spec}}


def check(test: Callable[[Served], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(4 * DEADLINE_S), served() as api:
            await api.seed("pods", "default", pod(), pod("unbound", nodeName=""))
            for name in ("web", "unbound"):
                running = {"metadata": {"name": name}, "status": {"phase": "Running" if name == "web" else "Pending"}}
                await api.door.patch(DISPATCH, _ref(name), PatchType.MERGE, running, subresource="status")
            await test(api)

    asyncio.run(main())


def _ref(name: str) -> Ref:
    return Ref("pods", name, "default")


class Spdy:
    """A client on a raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        self.head = head
        self._reader, self._writer = reader, writer
        self._session = spdy.Session(client=True)
        self._events: list[spdy.Event] = []

    async def open(self, **headers: str) -> int:
        number, frame = self._session.open(headers)
        self._writer.write(frame)
        assert await self.next(spdy.Replied) == spdy.Replied(number)
        return number

    def say(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        self._writer.write(spdy.data(stream, data, fin=fin))

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    async def next(self, *kinds: type) -> spdy.Event | None:
        """The next event of these kinds, others kept; None when the server has closed."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for at, event in enumerate(self._events):
                    if isinstance(event, kinds):
                        return self._events.pop(at)
                data = await self._reader.read(65536)
                if not data:
                    return None
                self._events += self._session.feed(data)

    async def all_of(self, *streams: int) -> dict[int, bytes]:
        """What comes on these streams until each has ended."""
        got, left = dict.fromkeys(streams, b""), set(streams)
        while left:
            event = await self.next(spdy.Received)
            assert isinstance(event, spdy.Received), "the server closed first"
            got[event.stream] += event.data
            if event.fin:
                left.discard(event.stream)
        return got


@asynccontextmanager
async def raw(api: Served, path: str, **headers: str) -> AsyncIterator[Spdy]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, ssl=client_tls(certificates()))
    try:
        lines = [f"POST {path} HTTP/1.1", "Host: x", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        yield Spdy(reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode())
    finally:
        writer.transport.abort()


def exec_spdy(api: Served, version: str = V4, path: str = EXEC) -> Any:
    return raw(api, path, **SPDY, X_Stream_Protocol_Version=version)


async def echo(request: TalkRequest, talk: Talk) -> None:
    """Says back what stdin said, and ends with it, with code 3."""
    await talk.until(lambda heard: (STDIN, b"") in heard)
    talk.say((STDOUT, b"".join(data for channel, data in talk.heard if channel == STDIN)), (STDERR, b"oops"))
    talk.say((STATUS, channel_status.exited(3)), None)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def messages(ws: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """All until the server closes, by channel."""
    got: dict[int, bytes] = {}
    async with asyncio.timeout(DEADLINE_S):
        async for message in ws:
            got[message.data[0]] = got.get(message.data[0], b"") + message.data[1:]
    return got


# exec over WebSocket.


def test_exec_over_websocket_v5_with_half_close_and_exit_code() -> None:
    async def test(api: Served) -> None:
        api.node.play = echo
        async with api.client.ws_connect(api.url(EXEC), protocols=(V5,)) as ws:
            assert ws.protocol == V5
            await ws.send_bytes(bytes([STDIN]) + b"hello")
            await ws.send_bytes(bytes([255, STDIN]))
            got = await messages(ws)
            assert ws.close_code == 1000
        assert got == {STDOUT: b"hello", STDERR: b"oops", STATUS: channel_status.exited(3)}
        (request, _), = api.node.talks
        uid = json.loads(api.door.get(DISPATCH, _ref("web")).json())["metadata"]["uid"]
        assert request == ExecRequest("default", "web", uid, "main", ("sh", "-c", "ls"), stdin=True, stdout=True, stderr=True)

    check(test)


def test_a_text_message_is_its_bytes_as_older_python_clients_send_it() -> None:
    async def test(api: Served) -> None:
        async with api.client.ws_connect(api.url(EXEC), protocols=(V4,)) as ws:
            await ws.send_str("\0wörd")
            await until(lambda: bool(api.node.talks and api.node.talks[0][1].heard))
            assert api.node.talks[0][1].heard == [(STDIN, "wörd".encode())]

    check(test)


def test_a_terminal_is_sized_and_has_no_stderr_and_what_was_not_asked_for_is_dropped() -> None:
    async def test(api: Served) -> None:
        path = TTY.replace("stdin=true&", "") + "&stderr=true"
        async with api.client.ws_connect(api.url(path), protocols=(V5,)) as ws:
            await ws.send_bytes(bytes([STDIN]) + b"nobody asked")
            await ws.send_bytes(bytes([STATUS]) + b"a lie")
            await ws.send_bytes(bytes([RESIZE]) + b'{"Width":80,"Height":24}')
            await until(lambda: bool(api.node.talks and api.node.talks[0][1].heard))
            request, talk = api.node.talks[0]
            assert isinstance(request, ExecRequest) and request.tty and not request.stderr and not request.stdin
            assert talk.heard == [(RESIZE, b'{"Width":80,"Height":24}')]

    check(test)


def test_a_node_that_is_lost_ends_the_command_with_a_status() -> None:
    async def test(api: Served) -> None:
        async def lose(request: TalkRequest, talk: Talk) -> None:
            talk.say((STDOUT, b"so far"), Unavailable("the connection to node n1 was lost"))

        api.node.play = lose
        async with api.client.ws_connect(api.url(EXEC), protocols=(V4,)) as ws:
            got = await messages(ws)
        assert got[STDOUT] == b"so far" and json.loads(got[STATUS])["message"] == "the connection to node n1 was lost"

    check(test)


@pytest.mark.parametrize("way", ["closes", "vanishes"])
def test_a_client_that_leaves_ends_the_conversation(way: str) -> None:
    async def test(api: Served) -> None:
        async with api.client.ws_connect(api.url(EXEC), protocols=(V4,)) as ws:
            await until(lambda: api.node.open == 1)
            if way == "closes":
                await ws.close()
            else:
                transport = ws._response.connection.transport  # type: ignore[union-attr]
                transport.abort()
            await until(lambda: api.node.open == 0)

    check(test)


def test_a_server_that_stops_ends_its_streams_and_does_not_wait_for_them() -> None:
    async def test(api: Served) -> None:
        async with api.client.ws_connect(api.url(EXEC), protocols=(V5,)) as ws, forwarding(api, "raw") as client:
            for kind in ("error", "data"):
                await client.open(streamType=kind, port="80", requestID="1")
            await until(lambda: api.node.open == 2)
            async with asyncio.timeout(DEADLINE_S):
                await api.front.stop()
            assert api.node.open == 0
            assert await messages(ws) == {STDOUT: b""}

    check(test)


# exec over SPDY.


@pytest.mark.parametrize(
    ("version", "told"),
    [("v4", channel_status.exited(3))] + [(v, b"command terminated with non-zero exit code: exit status 3") for v in ("v3", "v2", "v1")],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_exec_over_spdy_tells_the_end_as_its_version_has_it(version: str, told: bytes) -> None:
    async def test(api: Served) -> None:
        api.node.play = echo
        async with exec_spdy(api, f"{version}.channel.k8s.io") as client:
            assert client.head.startswith("HTTP/1.1 101 ") and f"X-Stream-Protocol-Version: {version}.channel.k8s.io" in client.head
            error, stdin, stdout, stderr = [await client.open(streamType=name) for name in ("error", "stdin", "stdout", "stderr")]
            client.raw(spdy.pong(77))
            assert await client.next(spdy.Pinged) == spdy.Pinged(77)
            client.say(stdin, b"hel")
            client.say(stdin, b"lo", fin=True)
            assert await client.all_of(error, stdout, stderr) == {error: told, stdout: b"hello", stderr: b"oops"}

    check(test)


def test_what_is_said_before_all_streams_are_open_is_not_lost() -> None:
    async def test(api: Served) -> None:
        api.node.play = echo
        async with exec_spdy(api) as client:
            stdin = await client.open(streamType="stdin")
            client.say(stdin, b"early", fin=True)
            error, stdout, stderr = [await client.open(streamType=name) for name in ("error", "stdout", "stderr")]
            assert (await client.all_of(error, stdout, stderr))[stdout] == b"early"

    check(test)


@pytest.mark.parametrize("sent", [spdy.pong(1)[:4] + b"\xff" * 4, b"\x80\x02\0\1\0\0\0\0"], ids=["a huge frame", "version 2"])
def test_a_client_that_does_not_speak_spdy_is_cut_off(sent: bytes) -> None:
    async def test(api: Served) -> None:
        async with exec_spdy(api) as client:
            await client.open(streamType="error")
            client.raw(sent)
            assert await client.next(spdy.Reset) is None
        await until(lambda: api.node.open == 0)

    check(test)


class Wire:
    """As much of a transport as the inbox asks of it."""

    def __init__(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def test_nothing_more_is_read_from_a_client_while_much_waits() -> None:
    async def main() -> None:
        wire = Wire()
        inbox = upgrade._Inbox(wire)  # type: ignore[arg-type]
        while wire.reading:
            inbox.feed_data(b"x" * 60_000)
        assert inbox._size <= upgrade.WAITING_BYTES + 60_000
        while not wire.reading:
            assert await inbox.read() == b"x" * 60_000
        inbox.feed_eof()
        while await inbox.read():
            assert wire.reading
        assert await inbox.read() == b""

    asyncio.run(main())


def test_a_process_that_does_not_read_is_not_sent_more() -> None:
    async def test(api: Served) -> None:
        gate, taken = asyncio.Event(), 0

        async def take(data: bytes, channel: int = 0) -> None:
            nonlocal taken
            taken += len(data)
            await gate.wait()

        async with exec_spdy(api) as client:
            streams = [await client.open(streamType=name) for name in ("error", "stdin", "stdout", "stderr")]
            await until(lambda: bool(api.node.talks))
            api.node.talks[0][1].send = take  # type: ignore[method-assign]
            for _ in range(10):
                client.say(streams[1], b"x" * 1_000_000)  # not drained: how much of it the kernel holds is not ours to say
            await until(lambda: taken > 0)
            assert taken < 1_000_000
            gate.set()
            await until(lambda: taken == 10_000_000)

    check(test)


# What is refused before anything is taken over.


REFUSED = {
    "no upgrade": ("GET", EXEC, {}, 400, "Upgrade request required"),
    "another upgrade": ("GET", EXEC, {"Connection": "Upgrade", "Upgrade": "h2c"}, 400, "Upgrade request required"),
    "another version of the channels": (
        "POST", EXEC, {**SPDY, "X_Stream_Protocol_Version": "v9"}, 400, "unable to negotiate protocol: client supports ['v9']",
    ),
    "no pod": ("POST", EXEC.replace("web", "nopod"), SPDY, 404, 'pods "nopod" not found'),
    "no node": ("POST", EXEC.replace("web", "unbound"), SPDY, 400, "pod unbound does not have a host assigned"),
    "no such container": ("POST", f"{EXEC}&container=side", SPDY, 400, "container side is not valid for pod web"),
    "no command": ("POST", f"{POD}/exec?stdout=true", SPDY, 400, "at least 1 command"),
    "no stream": ("POST", f"{POD}/exec?command=ls", SPDY, 400, "at least 1 of stdin, stdout, stderr"),
    "another verb": ("PUT", EXEC, SPDY, 405, "does not allow this method"),
    "no port": ("GET", f"{POD}/portforward", {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Protocol": V4}, 400, "ports"),
    "ports of a pod that does not run": ("POST", f"{POD}/portforward".replace("web", "unbound"), SPDY, 400, "does not have a host"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_a_status(method: str, path: str, headers: dict[str, str], code: int, text: str) -> None:
    async def test(api: Served) -> None:
        got, body, _ = await api.ask(method, path, **headers)
        assert (got, body["kind"]) == (code, "Status") and text in body["message"]
        assert not api.node.talks or code == 400

    check(test)


def test_what_the_node_refuses_is_an_http_error() -> None:
    async def test(api: Served) -> None:
        api.node.refuses = NotFound('container not found ("main"): it does not run now')
        code, body, _ = await api.ask("POST", EXEC, **SPDY, X_Stream_Protocol_Version=V4)
        assert (code, body["reason"], body["message"]) == (404, "NotFound", 'container not found ("main"): it does not run now')

    check(test)


def test_attach_takes_the_terminal_from_the_container_and_not_from_the_client() -> None:
    async def test(api: Served) -> None:
        async with api.client.ws_connect(api.url(f"{POD}/attach?stdout=true&stderr=true&tty=true"), protocols=(V4,)):
            await until(lambda: bool(api.node.talks))
        request = api.node.talks[0][0]
        assert isinstance(request, AttachRequest) and not request.tty and request.stderr

    check(test)


def test_discovery_names_the_options() -> None:
    async def test(api: Served) -> None:
        listed = {entry["name"]: entry for entry in (await api.get("/api/v1"))["resources"]}
        for name, kind in (("exec", "PodExecOptions"), ("attach", "PodAttachOptions"), ("portforward", "PodPortForwardOptions")):
            assert (listed[f"pods/{name}"]["kind"], listed[f"pods/{name}"]["verbs"]) == (kind, ["create", "get"])
        paths = (await api.get("/openapi/v3/api/v1"))["paths"]
        assert {"get", "post"} <= paths["/api/v1/namespaces/{namespace}/pods/{name}/exec"].keys()

    check(test)


# port-forward.


async def upper(request: TalkRequest, talk: Talk) -> None:
    """A server on every port but 81, which says in capitals what it hears, after all of it."""
    assert isinstance(request, PortRequest)
    if request.port == 81:
        talk.say((TROUBLE, b"connection refused"), None)
        return
    await talk.until(lambda heard: (DATA, b"") in heard)
    talk.say((DATA, b"".join(data for _, data in talk.heard).upper()), (DATA, b""), None)


class Tunnel(Spdy):
    """A SPDY client inside WebSocket messages."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._session = spdy.Session(client=True)
        self._events = []
        self._reader, self._writer = self, self  # type: ignore[assignment]
        self._sending: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._sending.append(data)

    async def read(self, limit: int) -> bytes:
        while self._sending:
            await self._ws.send_bytes(self._sending.pop(0))
        message = await self._ws.receive()
        return message.data if message.type is aiohttp.WSMsgType.BINARY else b""


@asynccontextmanager
async def forwarding(api: Served, way: str) -> AsyncIterator[Spdy]:
    if way == "raw":
        async with raw(api, f"{POD}/portforward", **SPDY, X_Stream_Protocol_Version="portforward.k8s.io") as client:
            yield client
    else:
        async with api.client.ws_connect(api.url(f"{POD}/portforward"), protocols=("SPDY/3.1+portforward.k8s.io",)) as ws:
            assert ws.protocol == "SPDY/3.1+portforward.k8s.io"
            yield Tunnel(ws)


@pytest.mark.parametrize("way", ["raw", "in a WebSocket"])
def test_connections_are_forwarded_side_by_side(way: str) -> None:
    async def test(api: Served) -> None:
        api.node.play = upper
        async with forwarding(api, way) as client:
            pairs = []
            for number, port in enumerate((80, 81, 80, 8080)):
                headers = {"port": str(port), "requestID": str(number)}
                error = await client.open(streamType="error", **headers)
                client.say(error, b"", fin=True)
                pairs.append((port, error, await client.open(streamType="data", **headers)))
            for number, (port, error, data) in enumerate(pairs):
                client.say(data, f"words of {number}".encode(), fin=True)
            got = await client.all_of(*(stream for pair in pairs for stream in pair[1:]))
            for number, (port, error, data) in enumerate(pairs):
                if port == 81:
                    assert b"error forwarding port 81 to pod web" in got[error] and got[error].endswith(b"connection refused")
                else:
                    assert (got[error], got[data]) == (b"", f"WORDS OF {number}".encode())
        await until(lambda: api.node.open == 0)

    check(test)


@pytest.mark.parametrize(
    "headers",
    [{"streamType": "data", "port": "0"}, {"streamType": "data", "port": "x"}, {"streamType": "other", "port": "80"}, {"port": "80"}],
    ids=lambda headers: json.dumps(headers),
)
def test_a_stream_that_makes_no_sense_is_reset_and_the_others_go_on(headers: dict[str, str]) -> None:
    async def test(api: Served) -> None:
        api.node.play = upper
        async with forwarding(api, "raw") as client:
            bad = await client.open(requestID="1", **headers)
            assert await client.next(spdy.Reset) == spdy.Reset(bad, spdy.REFUSED)
            error = await client.open(streamType="error", port="80", requestID="2")
            data = await client.open(streamType="data", port="80", requestID="2")
            client.say(data, b"still", fin=True)
            assert (await client.all_of(error, data))[data] == b"STILL"

    check(test)


def test_a_client_that_leaves_ends_all_its_connections() -> None:
    async def test(api: Served) -> None:
        async with forwarding(api, "raw") as client:
            for number in range(5):
                for kind in ("error", "data"):
                    await client.open(streamType=kind, port="80", requestID=str(number))
            await until(lambda: api.node.open == 5)
        await until(lambda: api.node.open == 0)

    check(test)


def test_the_older_form_has_two_channels_a_port() -> None:
    async def test(api: Served) -> None:
        async def greet(request: TalkRequest, talk: Talk) -> None:
            assert isinstance(request, PortRequest)
            if request.port == 81:
                talk.say((TROUBLE, b"connection refused"), None)
                return
            await talk.until(bool)
            talk.say((DATA, b"heard " + talk.heard[0][1]), None)

        api.node.play = greet
        async with api.client.ws_connect(api.url(f"{POD}/portforward?ports=80,81"), protocols=(V4,)) as ws:
            await ws.send_bytes(b"\0word")
            got = await messages(ws)
        assert got[0] == b"\x50\0heard word" and got[1] == b"\x50\0" and got[2] == b"\x51\0"
        assert got[3].startswith(b"\x51\0error forwarding port 81") and got[3].endswith(b"connection refused")

    check(test)
