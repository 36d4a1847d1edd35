"""`pods/exec` and `pods/attach`: who may, which container, then bytes between the client's channels and the node's conversation.

    authorise ─► the pod, its container ─► the node begins it ─► 101 ─► both ways until the command ends ─► its Status ─► closed
                                     what fails up to here is an HTTP error, which clients show as it is

Owns that order. The channels' forms are `channels.py`'s, the conversation is the stream port's. A GET (WebSocket) is the verb get, a
POST (SPDY) is create, as in Kubernetes.
"""

from __future__ import annotations

from aiohttp import web

from common import channel_status
from common.aio.tasks import TaskGroup
from common.errors import BadRequest, SteersmanError, Unavailable
from common.objects.pod import Pod, container_of
from common.wire.flow import RESIZE, STATUS, STDIN
from common.wire.requests import AttachRequest, ExecRequest
from master.api import logs, query
from master.api.contract import Door
from master.api.streams import Conversation, Streams
from master.rest import channels, upgrade
from master.rest.call import Call
from master.rest.pods import reached

MAX_STATUS = 64 * 1024
MAX_COMMAND = 1000


def request_of(call: Call, pod: Pod) -> ExecRequest | AttachRequest:
    """What the node is asked for. Raises BadRequest."""
    asked = call.query
    wants = {name: query.flag(asked, name) for name in ("stdin", "stdout", "stderr", "tty")}
    if not (wants["stdin"] or wants["stdout"] or wants["stderr"]):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    container = logs.choose(pod, asked.get("container", ""))
    where = {"namespace": pod.metadata.namespace, "pod": pod.metadata.name, "uid": pod.metadata.uid, "container": container}
    if call.route.subresource == "attach":
        # Whether there is a terminal was settled when the container was made.
        made = container_of(pod.spec, container)
        wants["tty"] = made is not None and made.tty
        wants["stderr"] = wants["stderr"] and not wants["tty"]
        return AttachRequest(**where, **wants)
    command = tuple(call.request.query.getall("command", []))
    if not command or not command[0]:
        raise BadRequest("you must specify at least 1 command for the container")
    if len(command) > MAX_COMMAND:
        raise BadRequest(f"a command of {len(command)} words; at most {MAX_COMMAND} are accepted")
    wants["stderr"] = wants["stderr"] and not wants["tty"]
    return ExecRequest(**where, command=command, **wants)


class Remote:
    def __init__(self, door: Door, streams: Streams) -> None:
        self._door = door
        self._streams = streams

    async def answer(self, call: Call) -> web.StreamResponse:
        pod = reached(self._door, call)
        request = request_of(call, pod)
        upgrade.is_websocket(call)
        async with self._streams.talk(pod.spec.node_name, request) as conversation:
            client = await channels.open_channels(
                call, stdin=request.stdin, stdout=request.stdout, stderr=query.flag(call.query, "stderr") and not request.tty,
                tty=request.tty,
            )  # fmt: skip
            allowed = {channel for channel, wanted in ((STDIN, request.stdin), (RESIZE, request.tty)) if wanted}
            status = await _converse(client, conversation, allowed)
            await client.finish(status)
            return client.response


async def _converse(client: channels.Channels, conversation: Conversation, allowed: set[int]) -> bytes:
    """How it ended, as a Status. Raises ConnectionError when the client goes first."""
    status = b""
    async with TaskGroup() as group:
        feeding = group.start(_feed(client, conversation, allowed), name="exec-in")
        try:
            while (received := await conversation.receive()) is not None:
                channel, data = received
                if channel == STATUS:
                    status = (status + data)[:MAX_STATUS]
                else:
                    await client.send(channel, data)
        except SteersmanError as error:
            status = channel_status.failed(error.message, reason=error.reason, code=error.code)
        feeding.cancel()
    return status or channel_status.failed("the node ended the stream without telling how the command ended")


async def _feed(client: channels.Channels, conversation: Conversation, allowed: set[int]) -> None:
    while (received := await client.receive()) is not None:
        channel, data = received
        if channel not in allowed:
            continue
        try:
            await conversation.send(data, channel)
        except Unavailable:
            return  # it is over; how, the other direction tells
    raise ConnectionError("the client is gone")
