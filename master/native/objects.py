"""Requests about objects, from messages to the API's verbs, and their answers as streams of bytes.

    get, list, create, update, patch, delete, deletecollection     head, then the encoded document
    watch                                                          head, then a line of JSON an event, an error as the last of them
    get of a pod's log                                             head, then the log's bytes
    discovery                                                      head, then what is served: an APIGroupDiscoveryList

Owns the order of head and bytes. What a request means and says, errors included, is `master/api/verbs.py`'s, for HTTPS alike. An answer
is cut into pieces by its stream (`common/wire/flow.py`), so no message grows with what is asked for, and the client's credit bounds
what waits for it here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec

from common.clock import Clock
from common.errors import BadRequest, SteersmanError
from master.api import contract, discovery, faults, logs
from master.api.access.rules import Access
from master.api.contract import Actor
from master.api.forms import Wish
from master.api.lines import Lines, error_line
from master.api.streams import Streams
from master.api.verbs import Answer, Events, Request, Verbs
from master.native.calls import About
from master.native.out import Out

log = logging.getLogger(__name__)

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
WATCH_S = 3600.0
"""How long a watch lasts that says nothing of it; kctl then asks again from where it was."""
MAX_TOLD = 16 * 1024
"""What HTTPS bounds by the length of a URL: selectors are parsed before anybody's rights are asked."""
PROGRAM = "kctl"
"""The field manager of who names none."""


class Objects:
    def __init__(self, door: contract.Door, streams: Streams, *, clock: Clock) -> None:
        self._door = door
        self._streams = streams
        self._verbs = Verbs(door, clock=clock)

    async def answer(self, actor: Actor, verb: str, about: About, out: Out) -> None:
        """Errors before the head are raised; after it they end the stream, and a watch says them in a line."""
        request = self._request(actor, verb, about)
        try:
            if verb == "watch":
                await self._watch(request, out)
            elif (verb, request.subresource) == ("get", "log"):
                await self._log(request, out)
            else:
                answer = await self._verbs.answer(request)
                _note(request, answer.code)
                await _carry(answer, out)
        except SteersmanError as error:
            _note(request, error.code)
            raise

    def _request(self, actor: Actor, verb: str, about: About) -> Request:
        told = (about.resource, about.namespace, about.name, about.subresource, about.media, *about.query, *about.query.values())
        if sum(map(len, told)) > MAX_TOLD:
            raise BadRequest(f"the names and parameters of a request may have {MAX_TOLD} characters in all")
        resource = self._door.catalog.named(about.resource)
        if about.subresource and resource.subresource(about.subresource) is None:
            raise faults.no_resource()
        if resource.namespaced and about.name and not about.namespace and verb != "watch":
            raise faults.no_resource()

        async def body() -> bytes:
            return about.body

        return Request(
            actor, verb, resource, about.query, namespace=about.namespace if resource.namespaced else "", name=about.name,
            subresource=about.subresource, wish=Wish(about.form, include=about.query.get("includeObject", "")), read=body,
            media=about.media, agent=PROGRAM, said=f"{PROGRAM} {verb} {resource.plural} {about.name}".rstrip(),
        )  # fmt: skip

    async def _watch(self, request: Request, out: Out) -> None:
        events, lines = self._verbs.watch(request, default_s=WATCH_S)
        async with aclosing(events):  # type: ignore[type-var]
            _note(request)
            await out.head()
            async for line in _lines(events, lines):
                await out.send(line)

    async def _log(self, request: Request, out: Out) -> None:
        chunks = logs.chunks(self._door, self._streams, request.actor, ref=request.ref, parameters=request.query)
        if chunks is None:
            await out.head()
            return
        async with aclosing(chunks):  # type: ignore[type-var]
            first = await anext(chunks, b"")  # what the node refuses is an answer, not the end of one
            _note(request)
            await out.head()
            await out.send(first)
            async for chunk in chunks:
                await out.send(chunk)

    async def discover(self, actor: Actor, out: Out) -> None:
        for path in ("/api", "/apis"):
            self._door.authorize(actor, Access("get", path=path))
        core, named = (discovery.aggregated(self._door.catalog, core=core) for core in (True, False))
        await _carry(Answer(msgspec.json.encode({**named, "items": [*core["items"], *named["items"]]})), out)


def _note(request: Request, code: int = 200) -> None:
    """With `--log-level debug`, as the other front does it. A stream is told of when it begins."""
    what = f"{request.resource.key}/{request.subresource}" if request.subresource else request.resource.key
    log.debug(
        "request verb=%s resource=%s named=%s media=%s code=%d agent=%s",
        request.verb, what, bool(request.name), request.media or "-", code, request.agent,
    )  # fmt: skip


async def _carry(answer: Answer, out: Out) -> None:
    await out.head(answer.code, answer.warnings)
    for piece in (answer.body,) if answer.pieces is None else answer.pieces:
        await out.send(piece)
        await asyncio.sleep(0)  # Subtle: sending alone lets nobody else run as long as there is credit.


async def _lines(events: Events, lines: Lines) -> AsyncIterator[bytes]:
    try:
        async for batch in events:
            yield lines.of(batch)
    except SteersmanError as error:
        yield error_line(error)
