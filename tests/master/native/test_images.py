"""`kctl image` through the native front: an archive goes through in pieces, an answer comes back, and it takes a right."""

from __future__ import annotations

import json

import pytest

from common.errors import BadRequest, Conflict, Forbidden, NotFound
from common.wire.flow import WINDOW
from common.wire.requests import ImageRequest, TalkRequest
from ctl.objects import Objects
from tests.master.native.native import Native, serve
from tests.master.rest.served import Talk

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "host-1"}}
ARCHIVE = bytes(range(256)) * (8 * WINDOW // 256)


async def answered(here: Native, **asked: str) -> object:
    async with here.client.asking("images", **{"node": "host-1", **asked}) as answer:
        return json.loads(await answer.body())


def test_an_archive_larger_than_what_may_be_under_way_arrives_whole() -> None:
    async def play(request: TalkRequest, talk: Talk) -> None:
        assert request == ImageRequest("load")
        await talk.until(lambda heard: bool(heard) and heard[-1] == (0, b""))
        talk.say((0, b'{"loaded": ["a"]}'), None)

    async def use(here: Native) -> None:
        await Objects(here.client).create("nodes", "", NODE)
        here.node.play = play
        async with here.client.asking("images", node="host-1", action="load") as answer:
            for start in range(0, len(ARCHIVE), 50_000):
                await answer.flow.send(ARCHIVE[start : start + 50_000])
            await answer.flow.send(b"")
            assert json.loads(await answer.body()) == {"loaded": ["a"]}
        ((_, talk),) = here.node.talks
        assert b"".join(data for _, data in talk.heard) == ARCHIVE

    serve(use)


def test_what_the_node_answers_comes_back_and_what_it_refuses_too() -> None:
    async def play(request: TalkRequest, talk: Talk) -> None:
        if request.action == "rm":
            talk.say(Conflict('image "a" is in use by a container'))
        talk.say((0, b'[{"id": "x"}]'), None)

    async def use(here: Native) -> None:
        await Objects(here.client).create("nodes", "", NODE)
        here.node.play = play
        assert await answered(here, action="ls") == [{"id": "x"}]
        with pytest.raises(Conflict, match="in use by a container"):
            await answered(here, action="rm", image="a")
        with pytest.raises(BadRequest, match="known are ls, pull, load, rm"):
            await answered(here, action="burn")
        with pytest.raises(NotFound, match='nodes "host-9" not found'):
            await answered(here, action="ls", node="host-9")

    serve(use)


def test_it_takes_the_right_to_the_nodes_proxy() -> None:
    async def use(here: Native) -> None:
        async with here.as_user("user:alice") as alice:
            with pytest.raises(Forbidden, match='User "alice" cannot create resource "nodes/proxy"'):
                async with alice.asking("images", node="host-1", action="pull", image="a"):
                    pass
        assert not here.node.talks

    serve(use)
