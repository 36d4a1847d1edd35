"""The API's verbs as kctl's commands use them: documents in, documents out.

Owns Kubernetes' parameters, lists in pages, and watches that outlive the master: one that breaks off goes on from the last revision it
has seen, and says so if that is too old. Resources are named by any of their names; `kinds.py` finds out what they are. Warnings
of the master go to standard error, each once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import click
import msgspec

from common.errors import Expired, Timeout, Unavailable
from ctl.client import Client, raised

PAGE = 500
AGAIN_S = 0.5
MANAGER = "kctl"
MERGE, STRATEGIC, JSON = (f"application/{name}+json" for name in ("merge-patch", "strategic-merge-patch", "json-patch"))
APPLY = "application/apply-patch+yaml"
PATCHES = {"strategic": STRATEGIC, "merge": MERGE, "json": JSON}

Document = dict[str, Any]


def selection(*, labels: str = "", fields: str = "") -> dict[str, str]:
    return {name: text for name, text in (("labelSelector", labels), ("fieldSelector", fields)) if text}


def writing(*, dry_run: bool = False, manager: str = MANAGER) -> dict[str, str]:
    """The parameters of kctl's writes: strict, so that a misspelt field is an error and not lost."""
    return {"fieldManager": manager, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}


def warn(text: str) -> None:
    click.echo(f"Warning: {text}", err=True)


class Objects:
    """warned: what becomes of the master's warnings; told: what is said about a watch that broke off."""

    def __init__(self, client: Client, *, warned: Callable[[str], None] = warn, told: Callable[[str], None] = warn) -> None:
        self.client = client
        self._warned = warned
        self._told = told
        self._warnings: set[str] = set()

    async def _ask(self, verb: str, resource: str, **about: Any) -> tuple[int, Document]:
        """The code and the document."""
        async with self.client.asking(verb, resource=resource, **about) as answer:
            head = answer.head.result().result
            body = await answer.body()
        for text in head["warnings"]:
            if text not in self._warnings:
                self._warnings.add(text)
                self._warned(text)
        return head["code"], msgspec.json.decode(body)

    async def get(
        self, resource: str, name: str, namespace: str = "", *, subresource: str = "", form: str = "plain",
        query: dict[str, str] | None = None,
    ) -> Document:  # fmt: skip
        about = {"namespace": namespace, "name": name, "subresource": subresource, "form": form, "query": query or {}}
        return (await self._ask("get", resource, **about))[1]

    async def pages(
        self, resource: str, namespace: str = "", *, form: str = "plain", query: dict[str, str] | None = None, limit: int = PAGE
    ) -> AsyncGenerator[Document, None]:  # fmt: skip
        """A list in pages of one revision."""
        asked = dict(query or {})
        if limit:
            asked["limit"] = str(limit)
        while True:
            _, page = await self._ask("list", resource, namespace=namespace, form=form, query=asked)
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            asked = {**asked, "continue": token}

    async def list(
        self, resource: str, namespace: str = "", *, form: str = "plain", query: dict[str, str] | None = None
    ) -> Document:
        """All of it: a list, or a Table. One that cannot be gone on with is asked for again, in one piece."""
        whole: Document = {}
        try:
            async for page in self.pages(resource, namespace, form=form, query=query):
                if not whole:
                    whole = page
                else:
                    members = "rows" if form == "table" else "items"
                    whole[members] += page[members]
        except Expired:
            if not whole:
                raise
            _, whole = await self._ask("list", resource, namespace=namespace, form=form, query=query or {})
        for field in ("continue", "remainingItemCount"):
            whole["metadata"].pop(field, None)
        return whole

    async def create(
        self, resource: str, namespace: str, document: Document, *, name: str = "", subresource: str = "", dry_run: bool = False
    ) -> Document:  # fmt: skip
        about = {"namespace": namespace, "name": name, "subresource": subresource, "query": writing(dry_run=dry_run)}
        return (await self._ask("create", resource, body=msgspec.json.encode(document), **about))[1]

    async def update(self, resource: str, name: str, namespace: str, document: Document) -> Document:
        about = {"namespace": namespace, "name": name, "query": writing()}
        return (await self._ask("update", resource, body=msgspec.json.encode(document), **about))[1]

    async def patch(
        self, resource: str, name: str, namespace: str, patch: Any, *, media: str = MERGE, subresource: str = "", dry_run: bool = False,
        manager: str = MANAGER,
    ) -> Document:  # fmt: skip
        query = writing(dry_run=dry_run, manager=manager)
        about = {"namespace": namespace, "name": name, "subresource": subresource, "query": query}
        return (await self._ask("patch", resource, body=msgspec.json.encode(patch), media=media, **about))[1]

    async def apply(
        self, resource: str, name: str, namespace: str, document: Document, *, force: bool = False, dry_run: bool = False
    ) -> tuple[Document, bool]:  # fmt: skip
        """The object, and whether it was made by this."""
        query = {**writing(dry_run=dry_run), "force": str(force).lower()}
        code, made = await self._ask(
            "patch", resource, namespace=namespace, name=name, query=query, body=msgspec.json.encode(document), media=APPLY
        )
        return made, code == 201

    async def delete(self, resource: str, name: str, namespace: str = "", options: Document | None = None) -> Document:
        """The object while it waits for its end, or a Status. options: a DeleteOptions."""
        body = msgspec.json.encode(options) if options else b""
        return (await self._ask("delete", resource, namespace=namespace, name=name, body=body))[1]

    async def log(self, pod: str, namespace: str, query: dict[str, str]) -> AsyncGenerator[bytes, None]:
        about = {"namespace": namespace, "name": pod, "subresource": "log", "query": query}
        async with self.client.asking("get", resource="pods", **about) as answer:
            async for chunk in answer.chunks():
                yield chunk

    async def watch(
        self, resource: str, namespace: str = "", *, after: int | None = None, query: dict[str, str] | None = None, form: str = "plain",
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Document, None]:  # fmt: skip
        """Events: {"type", "object"}, the object a Table with form "table". after None: the present state first. It outlives the
        connection and the master; ends after timeout_s. Close it with `aclose()`. Raises Expired when what happened meanwhile is no longer
        kept."""
        loop = asyncio.get_running_loop()
        ends = None if timeout_s is None else loop.time() + timeout_s
        begun, broken = False, False
        while True:
            asked = {**(query or {}), "allowWatchBookmarks": "true", **({} if after is None else {"resourceVersion": str(after)})}
            try:
                async with aclosing(self._events(resource, namespace, asked, form)) as events:
                    while True:
                        # Not around the yield: there the time is its user's.
                        async with asyncio.timeout_at(ends):
                            event = await anext(events, None)
                        if event is None:
                            break
                        begun = True
                        if broken:
                            self._told("the watch goes on")
                            broken = False
                        after = _revision(event, after)
                        if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                            yield event
            except TimeoutError:
                return
            except (Unavailable, Timeout) as error:
                if not begun or error.causes:
                    raise
                if not broken:
                    self._told(f"the watch broke off, and will go on after revision {after}: {error.message}")
                broken = True
                await asyncio.sleep(AGAIN_S)
            except Expired as error:
                raise Expired(
                    f"the watch cannot go on after revision {after}, because what happened since is no longer kept: start it again "
                    f"({error.message})"
                ) from None

    async def _events(self, resource: str, namespace: str, query: dict[str, str], form: str) -> AsyncGenerator[Document, None]:
        async with self.client.asking("watch", resource=resource, namespace=namespace, query=query, form=form) as answer:
            yield {"type": "BEGUN", "object": {"metadata": {}}}
            async for line in answer.lines():
                event = msgspec.json.decode(line)
                if event["type"] == "ERROR":
                    raise raised(event["object"])
                yield event


def _revision(event: Document, before: int | None) -> int | None:
    text = event["object"]["metadata"].get("resourceVersion")
    return int(text) if text else before
