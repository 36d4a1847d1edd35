"""`kctl image`: the images on the hosts. ls, pull, load, rm; on all nodes, or those that --node names.

Each node is asked by itself, all at a time, and answers by itself: what fails on one is told, and the others go on. An archive is read
once, in pieces, for all nodes together; the slowest sets the pace.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

import click

from common.aio.tasks import TaskGroup
from common.errors import SteersmanError, Unavailable
from common.wire.flow import CHUNK
from ctl import output
from ctl.client import Answer, Client, connected
from ctl.objects import Objects

METHOD = "images"
NONE = "<none>"
AT_ONCE = 30
"""Nodes that are asked at a time: a few less than the calls that a client may have open."""

nodes_option = click.option(
    "--node", "nodes", multiple=True, metavar="NAME", help="On this node; may be given several times  [default: all]."
)


@click.group()
def image() -> None:
    """The images on the hosts."""


@image.command("ls")
@nodes_option
@click.option("-o", "--output", "form", type=click.Choice(["table", "wide", "json"]), default="table", help="How to print.")
@connected
async def ls(client: Client, nodes: tuple[str, ...], form: str) -> None:
    """List the images: who has them, how large they are, whether a container has them."""
    found = await _on_each(client, nodes, lambda node: _ask(client, node, "ls"))
    if form == "json":
        click.echo(json.dumps({node: answer for node, answer in found.items() if answer is not None}, indent=2))
    else:
        rows = [row for node, answer in found.items() for each in answer or () for row in _rows(node, each, wide=form == "wide")]
        output.columns(rows, ["NODE", "IMAGE", "ID", "SIZE", "USED"])
    _end(found)


def _rows(node: str, image: dict[str, Any], *, wide: bool) -> list[list[str]]:
    names = image["tags"] or image["digests"] or [NONE]
    identity = image["id"] if wide else image["id"].removeprefix("sha256:")[:12]
    shown = dict.fromkeys(names + image["digests"] if wide else names)
    return [[node, name, identity, _size(image["size"]), str(image["used"]).lower()] for name in shown]


def _size(count: int) -> str:
    """In the units that `docker images` has: powers of 1000."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= least:
            return f"{count / least:.3g}{unit}"
    return f"{count}B"


@image.command()
@click.argument("name", metavar="IMAGE")
@nodes_option
@connected
async def pull(client: Client, name: str, nodes: tuple[str, ...]) -> None:
    """Pull IMAGE, with the hosts' own credentials (registries.yaml)."""

    async def one(node: str) -> Any:
        answer = await _ask(client, node, "pull", name)
        click.echo(f"{node}: pulled {name} ({_size(answer['size'])})")
        return answer

    _end(await _on_each(client, nodes, one))


@image.command()
@click.argument("name", metavar="IMAGE")
@nodes_option
@connected
async def rm(client: Client, name: str, nodes: tuple[str, ...]) -> None:
    """Remove IMAGE, a name or an id, with all its names, unless a container has it."""

    async def one(node: str) -> Any:
        answer = await _ask(client, node, "rm", name)
        click.echo(f"{node}: removed {', '.join(answer['removed'])}")
        return answer

    _end(await _on_each(client, nodes, one))


@image.command()
@click.argument("file", type=click.File("rb"))
@nodes_option
@connected
async def load(client: Client, file: BinaryIO, nodes: tuple[str, ...]) -> None:
    """Take in the images of FILE, an archive as `docker save` makes it, or OCI's; - is standard input."""
    chosen = await _nodes(client, nodes)
    if len(chosen) > AT_ONCE:
        raise click.ClickException(f"{len(chosen)} nodes are more than can take in an archive at once ({AT_ONCE}): choose with --node")
    spread = _Spread(file, chosen)

    async def one(node: str) -> Any:
        async with spread.pieces(node) as pieces, client.asking(METHOD, node=node, action="load") as answer:
            await _send(answer, pieces)
            loaded = json.loads(await answer.body())["loaded"]
        click.echo(f"{node}: loaded {', '.join(loaded) or 'nothing'}")
        return loaded

    async with TaskGroup() as group:
        reading = group.start(spread.run())
        found = await _on_each(client, tuple(chosen), one)
        reading.cancel()
    _end(found)


class _Spread:
    """One reader's pieces for several nodes, a few at a time."""

    WAITING = 4

    def __init__(self, file: BinaryIO, nodes: list[str]) -> None:
        self._file = file
        self._queues: dict[str, asyncio.Queue[bytes]] = {node: asyncio.Queue(self.WAITING) for node in nodes}

    async def run(self) -> None:
        while True:
            piece = await asyncio.to_thread(self._file.read, CHUNK)
            for queue in list(self._queues.values()):
                await queue.put(piece)
            if not piece:
                return

    @asynccontextmanager
    async def pieces(self, node: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The last one is empty. A node that has left is not waited for."""
        queue = self._queues[node]

        async def each() -> AsyncIterator[bytes]:
            piece = b"."
            while piece:
                piece = await queue.get()
                yield piece

        try:
            yield each()
        finally:
            del self._queues[node]
            while not queue.empty():
                queue.get_nowait()


async def _send(answer: Answer, pieces: AsyncIterator[bytes]) -> None:
    try:
        async for piece in pieces:
            await answer.flow.send(piece)
    except Unavailable:
        return  # why it ended is told by the answer


# Nodes.


async def _nodes(client: Client, named: tuple[str, ...]) -> list[str]:
    if named and named != ("all",):
        return list(dict.fromkeys(named))
    listed = await Objects(client).list("nodes", "")
    return [item["metadata"]["name"] for item in listed["items"]]


async def _ask(client: Client, node: str, action: str, name: str = "") -> Any:
    async with client.asking(METHOD, node=node, action=action, image=name) as answer:
        return json.loads(await answer.body())


async def _on_each(client: Client, named: tuple[str, ...], ask: Callable[[str], Awaitable[Any]]) -> dict[str, Any]:
    """Each node's answer; None of one that failed, which has been told."""
    nodes = await _nodes(client, named)
    at_once = asyncio.Semaphore(AT_ONCE)
    found: dict[str, Any] = dict.fromkeys(nodes)

    async def one(node: str) -> None:
        async with at_once:
            try:
                found[node] = await ask(node)
            except SteersmanError as error:
                click.echo(f"{node}: {error.message}", err=True)

    async with TaskGroup() as group:
        for node in nodes:
            group.start(one(node))
    return found


def _end(found: dict[str, Any]) -> None:
    if any(answer is None for answer in found.values()):
        raise click.exceptions.Exit(1)
