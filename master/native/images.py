"""Images on hosts, for `kctl image`: a request is handed on to the node's agent, bytes both ways, and its answer comes back.

It takes the right to `nodes/proxy`, as what reaches a kubelet does in Kubernetes: `get` to look, `create` for all else. Nothing is kept
here: an archive goes through in pieces, each when the agent has taken the one before.
"""

from __future__ import annotations

from common.aio.tasks import TaskGroup
from common.errors import BadRequest
from common.wire.requests import ImageRequest
from master.api.access.rules import Access
from master.api.contract import Actor, Door, Ref
from master.api.streams import Conversation, Streams
from master.native import calls
from master.native.out import Out

METHOD = "images"
LOOK, LOAD = "ls", "load"
ACTIONS = (LOOK, "pull", LOAD, "rm")


class Images:
    def __init__(self, door: Door, streams: Streams) -> None:
        self._door = door
        self._streams = streams

    async def answer(self, actor: Actor, asked: calls.Images, out: Out) -> None:
        if asked.action not in ACTIONS:
            raise BadRequest(f"images: known are {', '.join(ACTIONS)}, not {asked.action!r}")
        verb = "get" if asked.action == LOOK else "create"
        self._door.authorize(actor, Access(verb, resource="nodes", subresource="proxy", name=asked.node))
        self._door.get(actor, Ref("nodes", asked.node))
        async with self._streams.talk(asked.node, ImageRequest(asked.action, asked.image)) as conversation:
            await out.head()
            async with TaskGroup() as group:
                feeding = group.start(_feed(out, conversation)) if asked.action == LOAD else None
                while (received := await conversation.receive()) is not None:
                    await out.send(received[1])
                if feeding is not None:
                    feeding.cancel()


async def _feed(out: Out, conversation: Conversation) -> None:
    """What the client sends, to the node, until the client's end."""
    await out.flow.accept()
    while (received := await out.flow.receive()) is not None:
        await conversation.send(received[1])
        if not received[1]:
            return
