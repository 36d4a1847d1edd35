"""A front over a real door and a store in memory, on a real TLS socket, with a client for it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from common.aio.tasks import TaskGroup
from common.clock import SystemClock, SystemRng
from common.errors import SteersmanError
from master import pki
from master.api import bootstrap
from master.api.access.tokens import TokenAuthority
from master.api.contract import Actor, Role, Views
from master.api.door import ApiDoor
from master.api.settings import DoorSettings
from common.wire.requests import LogRequest, TalkRequest
from master.rest.app import Front, FrontSettings
from master.store.memory import MemoryStore

ADMIN = Actor("kubernetes-admin", groups=("system:masters", "system:authenticated"))
DISPATCH = Actor("system:dispatch", Role.DISPATCH)


ISSUER = "https://kubernetes.default.svc"


@functools.cache
def signing_key() -> bytes:
    """Of ServiceAccounts' tokens."""
    return pki._key_pem(pki.ec.generate_private_key(pki.ec.SECP256R1()))


@functools.cache
def certificates() -> pki.Pki:
    """One cluster's certificates for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="steersman-pki-"))
    return pki.ensure(folder, cluster="test", names=pki.server_names([], "host", "cluster.local"), now=SystemClock().now())[0]


def client_tls(of: pki.Pki | None) -> ssl.SSLContext:
    """A client's side: it trusts the server, and shows `of`'s admin certificate, or none."""
    context = ssl.create_default_context(cadata=certificates().ca.certificate.decode())
    if of is not None:
        context.load_cert_chain(Path(of.folder, "admin.crt"), Path(of.folder, "admin.key"))
    return context


class Talk:
    """A conversation held in memory: `heard` is what the client said; `say` lets the client hear something, and nothing lets it end."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self._said: asyncio.Queue[tuple[int, bytes] | SteersmanError | None] = asyncio.Queue()
        self._news = asyncio.Event()

    def say(self, *frames: tuple[int, bytes] | SteersmanError | None) -> None:
        for frame in frames:
            self._said.put_nowait(frame)

    async def send(self, data: bytes, channel: int = 0) -> None:
        self.heard.append((channel, data))
        self._news.set()

    async def receive(self) -> tuple[int, bytes] | None:
        frame = await self._said.get()
        if isinstance(frame, SteersmanError):
            raise frame
        return frame

    async def until(self, condition: Callable[[list[tuple[int, bytes]]], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition(self.heard):
                self._news.clear()
                await self._news.wait()


class Node:
    """The stream port's other end: logs and conversations that a test wrote down. An error among the chunks is raised when its turn
    comes. play: what a conversation does once it has begun; open: how many go on."""

    def __init__(self) -> None:
        self.chunks: list[bytes | SteersmanError] = []
        self.asked: list[tuple[str, LogRequest]] = []
        self.goes_on = False
        self.closed = asyncio.Event()
        self.play: Callable[[TalkRequest, Talk], Awaitable[None]] | None = None
        self.refuses: SteersmanError | None = None
        self.talks: list[tuple[TalkRequest, Talk]] = []
        self.open = 0

    async def logs(self, node: str, request: LogRequest) -> AsyncIterator[bytes]:
        self.asked.append((node, request))
        try:
            for chunk in self.chunks:
                if isinstance(chunk, SteersmanError):
                    raise chunk
                yield chunk
            if self.goes_on:
                await asyncio.get_running_loop().create_future()
        finally:
            self.closed.set()

    @contextlib.asynccontextmanager
    async def talk(self, node: str, request: TalkRequest) -> AsyncIterator[Talk]:
        if self.refuses is not None:
            raise self.refuses
        talk = Talk()
        self.talks.append((request, talk))
        self.open += 1
        try:
            async with TaskGroup() as group:
                playing = group.start(self.play(request, talk)) if self.play is not None else None
                yield talk
                if playing is not None:
                    playing.cancel()
        finally:
            self.open -= 1
            self.closed.set()


class Served:
    def __init__(self, front: Front, door: ApiDoor, store: MemoryStore, *, node: Node, port: int, client: aiohttp.ClientSession) -> None:
        self.front, self.door, self.store, self.node, self.port, self.client = front, door, store, node, port, client

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.port}{path}"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Code, decoded body (text unless JSON), headers. Header names are given with underscores."""
        named = {"Content-Type": "application/json"} if body is not None else {}
        named |= {key.replace("_", "-"): value for key, value in headers.items()}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        async with self.client.request(method, self.url(path), data=data, headers=named) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return answer.status, json.loads(text) if is_json and text else text, answer.headers

    async def get(self, path: str, **headers: str) -> Any:
        code, body, _ = await self.ask("GET", path, **headers)
        assert code == 200, body
        return body

    @contextlib.asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
        """A watch; the callable waits for the next line."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        async with self.client.get(self.url(path), headers=named) as answer:
            assert answer.status == 200, await answer.text()

            async def line() -> Any:
                async with asyncio.timeout(5):
                    raw = await answer.content.readline()
                return json.loads(raw) if raw else None

            yield line

    async def seed(self, resource: str, namespace: str, *documents: dict[str, Any]) -> list[Any]:
        return [await self.door.create(ADMIN, resource, namespace, document) for document in documents]


@contextlib.asynccontextmanager
async def served(
    settings: FrontSettings = FrontSettings(), *, door_settings: DoorSettings = DoorSettings(), tokens: bool = False
) -> AsyncIterator[Served]:
    """tokens: whether ServiceAccounts' tokens are issued."""
    clock, rng = SystemClock(), SystemRng()
    store = MemoryStore(clock)
    await store.open()

    def authority(views: Views) -> TokenAuthority:
        return TokenAuthority(signing_key(), issuer=ISSUER, views=views, clock=clock, rng=rng)

    door, node = ApiDoor(store, clock, rng, settings=door_settings, authority=authority if tokens else None), Node()
    await bootstrap.ensure(door)
    listening = msgspec.structs.replace(settings, host="127.0.0.1", port=0)
    front = Front(door, node, settings=listening, context=pki.context(certificates()), clock=clock, rng=rng)
    port = await front.listen()
    connector = aiohttp.TCPConnector(ssl=client_tls(certificates()))
    async with TaskGroup() as group, aiohttp.ClientSession(connector=connector) as client:
        running = group.start(front.run())
        yield Served(front, door, store, node=node, port=port, client=client)
        await front.stop()
        running.cancel()
    await store.close()
