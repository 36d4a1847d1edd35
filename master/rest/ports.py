"""`pods/portforward`: connections to a pod's ports, each a conversation of its own with the node.

    SPDY, raw or in a WebSocket     a connection is a pair of streams, error and data, with the same requestid and port
    WebSocket v4.channel.k8s.io     two channels for each port of the query, data and error; each begins with its port, two bytes

Owns the pairing and the multiplexing. What a node says of a port that cannot be reached goes to that connection's error stream, the
others go on.

Subtle: SPDY as Kubernetes uses it has no windows, so a connection whose pod does not read holds up what the client sends on the
others, once WAITING pieces of it wait here.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from common.aio.tasks import TaskGroup
from common.errors import BadRequest, SteersmanError, Unavailable
from common.objects.pod import Pod
from common.wire import spdy
from common.wire.flow import DATA, TROUBLE
from common.wire.requests import PortRequest
from master.api.contract import Door
from master.api.streams import Conversation, Streams
from master.rest import channels, upgrade
from master.rest.call import Call
from master.rest.pods import reached

FORWARD = "portforward.k8s.io"
TUNNEL = f"{upgrade.SPDY}+{FORWARD}"
MAX_CONNECTIONS = 512
MAX_PORTS = 64
WAITING = 16
MAX_WORDS = 4096

Send = Callable[[bytes], Awaitable[None]]


class _Connection:
    """One connection: what the client sent waits here until the node takes it. error, data: its streams, 0 when not open yet."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.error = 0
        self.data = 0
        self.over = False
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)

    async def put(self, data: bytes) -> None:
        """Empty: the client has sent all."""
        if not self.over:
            await self._waiting.put(data)

    async def feed(self, conversation: Conversation) -> None:
        while True:
            data = await self._waiting.get()
            await conversation.send(data, DATA)
            if not data:
                return

    def end(self) -> None:
        """Who waits to put something goes on."""
        self.over = True
        while not self._waiting.empty():
            self._waiting.get_nowait()


class PortForward:
    def __init__(self, door: Door, streams: Streams) -> None:
        self._door = door
        self._streams = streams

    async def answer(self, call: Call) -> web.StreamResponse:
        pod = reached(self._door, call)
        if pod.status.phase != "Running":
            raise BadRequest(f"unable to forward port because pod is not running. Current status={pod.status.phase}")
        if not upgrade.is_websocket(call):
            client = upgrade.offered(call, upgrade.VERSION_HEADER)
            pipe = await upgrade.raw(call, protocol=upgrade.agreed(client, (FORWARD,)))
            await _Forwarding(self._streams, pod, pipe).run()
            return pipe.response
        protocol = upgrade.agreed(upgrade.offered(call, hdrs.SEC_WEBSOCKET_PROTOCOL), (TUNNEL, channels.V4, channels.PLAIN))
        if protocol == TUNNEL:
            tunnel = upgrade.WebSocketPipe(await upgrade.websocket(call, protocol=protocol))
            await _Forwarding(self._streams, pod, tunnel).run()
            return tunnel.response
        ports = _ports(call)
        response = await upgrade.websocket(call, protocol=protocol)
        await _multiplex(self._streams, pod, response, ports)
        return response


class _Forwarding:
    """A client's SPDY session."""

    def __init__(self, streams: Streams, pod: Pod, pipe: upgrade.Pipe) -> None:
        self._streams = streams
        self._pod = pod
        self._server = channels.SpdyServer(pipe)
        self._of_request: dict[str, _Connection] = {}
        self._of_stream: dict[int, _Connection] = {}

    async def run(self) -> None:
        """Until the client closes it; the connections end with it."""
        async with TaskGroup() as group:
            group.start(self._listen(group), name="port-forward")

    async def _listen(self, group: TaskGroup) -> None:
        connections: list[asyncio.Task[None]] = []
        async for event in self._server.events():
            if isinstance(event, spdy.Opened):
                made = await self._opened(event)
                if made is not None:
                    request = event.headers.get("requestid", "")
                    connections = [task for task in connections if not task.done()]
                    connections.append(group.start(self._connect(request, made), name=f"port-{made.port}"))
            elif isinstance(event, spdy.Received | spdy.Reset):
                await self._arrived(event)
        for task in connections:
            task.cancel()

    async def _opened(self, event: spdy.Opened) -> _Connection | None:
        """The connection, once both its streams are open."""
        kind, request, port = (event.headers.get(name, "") for name in ("streamtype", "requestid", "port"))
        connection = self._of_request.get(request)
        number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
        good = kind in ("error", "data") and 0 < number < 65536 and (connection is None or connection.port == number)
        if not good or (connection is None and len(self._of_request) >= MAX_CONNECTIONS):
            await self._server.reset(event.stream, spdy.REFUSED)
            return None
        if connection is None:
            connection = self._of_request[request] = _Connection(number)
        if getattr(connection, kind):
            await self._server.reset(event.stream, spdy.PROTOCOL_ERROR)
            return None
        setattr(connection, kind, event.stream)
        self._of_stream[event.stream] = connection
        return connection if connection.error and connection.data else None

    async def _arrived(self, event: spdy.Received | spdy.Reset) -> None:
        connection = self._of_stream.get(event.stream)
        if connection is None or event.stream != connection.data:
            return
        if isinstance(event, spdy.Received) and event.data:
            await connection.put(event.data)
        if isinstance(event, spdy.Reset) or event.fin:
            await connection.put(b"")

    async def _connect(self, request: str, connection: _Connection) -> None:
        async def send(data: bytes) -> None:
            await self._server.data(connection.data, data)

        try:
            trouble = await _carry(self._streams, self._pod, connection, send=send)
            if trouble:
                await self._server.data(connection.error, _failed(self._pod, connection.port, trouble))
            for stream in (connection.error, connection.data):
                await self._server.data(stream, b"", fin=True)
        finally:
            self._of_request.pop(request, None)
            self._of_stream.pop(connection.error, None)
            self._of_stream.pop(connection.data, None)
            connection.end()


async def _carry(streams: Streams, pod: Pod, connection: _Connection, *, send: Send) -> str:
    """One connection to its end; why it failed, or ""."""
    request = PortRequest(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid, connection.port)
    try:
        async with streams.talk(pod.spec.node_name, request) as conversation, TaskGroup() as group:
            feeding = group.start(_feed(connection, conversation), name="port-in")
            trouble = b""
            while (received := await conversation.receive()) is not None:
                channel, data = received
                if channel == TROUBLE:
                    trouble = (trouble + data)[:MAX_WORDS]
                elif data:
                    await send(data)
            feeding.cancel()
            return trouble.decode("utf-8", "replace")
    except SteersmanError as error:
        return error.message


async def _feed(connection: _Connection, conversation: Conversation) -> None:
    try:
        await connection.feed(conversation)
    except Unavailable:
        pass  # it is over; how, the other direction tells


def _failed(pod: Pod, port: int, trouble: str) -> bytes:
    return f"error forwarding port {port} to pod {pod.metadata.name}, uid {pod.metadata.uid}: {trouble}".encode()


# The older form, in WebSocket channels.


def _ports(call: Call) -> list[int]:
    texts = [text for value in call.request.query.getall("ports", []) for text in value.split(",")]
    if not texts:
        raise BadRequest('query parameter "ports" is required')
    if len(texts) > MAX_PORTS:
        raise BadRequest(f"{len(texts)} ports; at most {MAX_PORTS} are forwarded at once")
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
            raise BadRequest(f'invalid port "{text[:20]}": must be from 1 to 65535')
    return [int(text) for text in texts]


async def _multiplex(streams: Streams, pod: Pod, response: web.WebSocketResponse, ports: list[int]) -> None:
    """Until all connections have ended, or the client closes."""
    connections = [_Connection(port) for port in ports]
    for number, port in enumerate(ports):
        for channel in (2 * number, 2 * number + 1):
            await response.send_bytes(bytes([channel]) + struct.pack("<H", port))

    async def connect(number: int, connection: _Connection) -> None:
        async def send(data: bytes) -> None:
            await response.send_bytes(bytes([2 * number]) + data)

        trouble = await _carry(streams, pod, connection, send=send)
        connection.end()
        if trouble:
            await response.send_bytes(bytes([2 * number + 1]) + _failed(pod, connection.port, trouble))

    async with TaskGroup() as group:
        listening = group.start(_demultiplex(response, connections), name="port-forward")
        async with TaskGroup() as each:
            for number, connection in enumerate(connections):
                each.start(connect(number, connection), name=f"port-{connection.port}")
        listening.cancel()
    await response.close()


async def _demultiplex(response: web.WebSocketResponse, connections: list[_Connection]) -> None:
    while (data := await upgrade.message(response)) is not None:
        number = data[0] // 2 if data else len(connections)
        if number < len(connections) and not data[0] % 2 and len(data) > 1:
            await connections[number].put(data[1:])
    raise ConnectionError("the client is gone")
