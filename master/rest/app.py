"""The HTTPS front: every request's way from the connection to the part that answers it.

    connection ─► split the path ─► open to all (health, version) ─► documents
                       │
                       └─► who calls? ─► discovery, OpenAPI ─► documents
                                  │
                                  └─► a resource ─► objects | watch | logs | remote (exec, attach) | ports ─► the door

Owns that order and the life of the front (`listen`, `run`, `stop`); each part is a module of its own. There is no router: a
Kubernetes path is split once, which is faster than matching patterns, and every path has one meaning.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import hdrs, web

from common.clock import Clock, Rng
from common.errors import SteersmanError
from master.api import faults, query
from master.api.contract import Door
from master.api.metrics import Source
from master.api.streams import Streams
from master.api.verbs import Verbs
from master.rest import accesses, documents, negotiate, objects, reply, routes
from master.rest.call import Call
from master.rest.callers import Callers
from master.rest.complaints import Complaints
from master.rest.connection import Connection, HttpServer
from master.rest.documents import Check, Documents
from master.rest.gate import Bounds, Gate
from master.rest.logs import Logs
from master.rest.meter import Meter
from master.rest.ports import PortForward
from master.rest.proxy import Proxy
from master.rest.remote import Remote
from master.rest.watch import Watches

STOP_S = 1.5
"""How long requests under way may take to finish when the server stops."""


def host_port(host: str, port: int) -> str:
    """As it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class FrontSettings(msgspec.Struct, frozen=True, kw_only=True):
    """host and port to listen at (0: any free one); reached_at: the host that clients are told.
    alive: what must be well for `/livez` and `/healthz`; checks: what for `/readyz` besides. metrics: who else has numbers to
    tell."""

    host: str = "0.0.0.0"
    port: int = 6443
    reached_at: str = "127.0.0.1"
    bounds: Bounds = Bounds()
    alive: Mapping[str, Check] = {}
    checks: Mapping[str, Check] = {}
    metrics: tuple[Source, ...] = ()


class Front:
    """`listen()` binds; `run()` serves until cancelled; `stop()` ends what is open, in order. context: TLS, with the cluster's CA."""

    def __init__(
        self, door: Door, streams: Streams, *, settings: FrontSettings, context: ssl.SSLContext, clock: Clock, rng: Rng,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._catalog = door.catalog
        self._authority = door.authority
        self.context = context
        self._complaints = Complaints(clock)
        self._clock = clock
        self._meter = Meter()
        self._callers = Callers(door, self._complaints)
        self._verbs = Verbs(door, clock=clock)
        self._watches = Watches(self._verbs, rng=rng)
        logs, remote, ports = Logs(door, streams), Remote(door, streams), PortForward(door, streams)
        self._streaming = {
            "log": logs.answer, "exec": remote.answer, "attach": remote.answer, "portforward": ports.answer, "proxy": Proxy(door).answer,
        }  # fmt: skip
        self._stopping = False
        self._http: HttpServer | None = None
        self._gate: Gate | None = None
        self._documents: Documents

    async def listen(self) -> int:
        """Bind and return the port. Raises Unavailable with a sentence when that cannot be."""
        self._http = HttpServer(self.answer, complaints=self._complaints)
        self._gate = Gate(self._http, context=self.context, bounds=self._settings.bounds, complaints=self._complaints)
        port = await self._gate.listen(self._settings.host, self._settings.port)
        alive = {"ping": lambda: "", **self._settings.alive}
        ready = {**alive, **self._settings.checks, "shutdown": lambda: "stopping" if self._stopping else ""}
        self._documents = Documents(
            self._catalog, address=host_port(self._settings.reached_at, port), live=alive, ready=ready, authority=self._authority,
            metrics=(self._meter.metrics, *self._settings.metrics),
        )  # fmt: skip
        return port

    async def run(self) -> None:
        assert self._gate is not None, "listen first"
        await self._gate.run()

    async def stop(self) -> None:
        """Accept nothing more, end watches and logs, let requests finish for STOP_S, close. Idempotent."""
        self._stopping = True
        if self._gate is not None:
            self._gate.close()
        if self._http is not None:
            await self._http.stop(STOP_S)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Errors of ours become Status documents; bugs are left to the connection, which logs them."""
        meter, began, code = self._meter, self._clock.monotonic(), 500
        meter.began(request)
        try:
            response = await self._answer(request)
            code = response.status
            return response
        except SteersmanError as error:
            response, code = reply.failure(error), error.code
            if code == 413:
                response.force_close()
            return response
        except (ConnectionError, asyncio.CancelledError):
            code = meter.CLIENT_GONE
            raise
        finally:
            meter.ended(request, code, self._clock.monotonic() - began)
            accesses.note(request, code)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.route = None
        if len(parts) == 1 and parts[0] in documents.OPEN_TO_ALL and (connection.caller is not None or request.method == "GET"):
            return await self._documents.answer(request, parts) or reply.plain(documents.NO_PAGE, code=404)
        actor = self._callers.acting(connection.caller, request.headers, connection.address)
        depth = {"api": 2, "apis": 3}.get(parts[0], 0)
        if not depth or len(parts) <= depth:
            self._callers.check_path(actor, request.method, request.path)
            return await self._documents.answer(request, parts) or reply.plain(documents.NO_PAGE, code=404)
        watched = parts[depth] == routes.WATCHED and len(parts) > depth + 1
        route = connection.route = routes.parse(parts[:depth] + parts[depth + 1 :] if watched else parts, self._catalog)
        streaming = self._streaming.get(route.subresource)  # whatever is accepted: they have forms of their own
        accepted = negotiate.negotiate("" if streaming else request.headers.get(hdrs.ACCEPT, ""))
        call = Call(request, actor, route, request.query, accepted)
        if streaming:
            with self._meter.lasting(request, route, "CONNECT"):
                return await self._streamed(call, streaming)
        if watched and request.method != "GET":
            raise faults.not_allowed()
        if request.method == "GET" and not route.subresource and (watched or ("watch" in call.query and query.flag(call.query, "watch"))):
            with self._meter.lasting(request, route, "WATCH"):
                return await self._watches.answer(call)
        return await objects.answer(self._verbs, call)

    async def _streamed(self, call: Call, answer: Callable[[Call], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        try:
            return await answer(call)
        except SteersmanError as error:
            if call.request.writer.output_size:
                raise ConnectionError(f"an answer had begun: {error.message}") from None
            raise
