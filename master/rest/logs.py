"""`pods/log`: which container, whether it has a log yet, and its bytes as they come.

Owns Kubernetes' choice of the container and its sentences about those that cannot be read; the bytes are the stream port's.
`choose` and `readable` are pure: a pod in, a name or an error out. An answer's headers wait for the first bytes, so that what
the node refuses is an HTTP error; what breaks later breaks the connection, so that half a log is not taken for a whole one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from common.clock import parse_rfc3339
from common.errors import BadRequest, FieldCause, Invalid, MethodNotAllowed, SteersmanError
from common.objects.pod import ContainerStatus, Pod
from common.wire.requests import LogRequest
from master.api.contract import Door
from master.api.streams import Streams
from master.rest import query, reply, watch
from master.rest.call import Call
from master.rest.verbs import NOT_ALLOWED

log = logging.getLogger(__name__)
_pod = msgspec.json.Decoder(Pod)


def choose(pod: Pod, asked: str) -> str:
    """The container to read: the one asked for, or the only one. Raises BadRequest."""
    containers = [c.name for c in pod.spec.containers]
    inits = [c.name for c in pod.spec.init_containers]
    name = pod.metadata.name
    if asked:
        if asked not in containers and asked not in inits:
            raise BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    if len(containers) == 1:
        return containers[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]"
    if inits:
        text += f" or one of the init containers: [{' '.join(inits)}]"
    raise BadRequest(text)


def readable(pod: Pod, container: str, *, previous: bool) -> None:
    """Nothing, or BadRequest when that container has no log (yet), with the reason. After the kubelet's own rules."""
    here = f'container "{container}" in pod "{pod.metadata.name}"'
    status = next((s for s in (*pod.status.container_statuses, *pod.status.init_container_statuses) if s.name == container), None)
    if status is None:
        if previous:
            raise BadRequest(f"previous terminated {here} not found")
        raise BadRequest(f"{here} is not available" if pod.status.container_statuses else f"{here} is waiting to start: ContainerCreating")
    last = status.last_state.terminated
    if previous:
        if last is None:
            raise BadRequest(f"previous terminated {here} not found")
    elif status.state.running is None and status.state.terminated is None and last is None:
        raise BadRequest(f"{here} {_waiting(status)}")


def _waiting(status: ContainerStatus) -> str:
    if status.state.waiting is None or not status.state.waiting.reason:
        return "is waiting to start - no logs yet"
    reason = status.state.waiting.reason
    if reason == "ErrImagePull":
        return "is waiting to start: image can't be pulled"
    if reason == "ImagePullBackOff":
        return "is waiting to start: trying and failing to pull image"
    return f"is waiting to start: {reason}"


def _invalid(pod: str, field: str, message: str) -> Invalid:
    cause = FieldCause("FieldValueInvalid", message, field)
    return Invalid(f'PodLogOptions "{pod}" is invalid: {field}: {message}', causes=(cause,), kind="PodLogOptions", name=pod)


def _signed(parameters: query.Query, pod: str, name: str, *, least: int) -> int | None:
    text = parameters.get(name, "")
    if not text:
        return None
    try:
        value = int(text[:20])
    except ValueError:
        raise BadRequest(f'invalid {name} "{text[:40]}": must be a whole number') from None
    if value < least:
        raise _invalid(pod, name, f"Invalid value: {value}: must be greater than {least - 1}" if least else
                       f"Invalid value: {value}: must be greater than or equal to 0")  # fmt: skip
    return value


def request_of(parameters: query.Query, pod: Pod, container: str) -> LogRequest:
    """The stream port's request. Raises BadRequest, Invalid."""
    name = pod.metadata.name
    since_s = _signed(parameters, name, "sinceSeconds", least=1)
    since_text = parameters.get("sinceTime", "")
    if since_s is not None and since_text:
        raise _invalid(name, "", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified")
    try:
        since_time = parse_rfc3339(since_text) if since_text else None
    except ValueError:
        raise BadRequest(f'invalid sinceTime "{since_text[:40]}": must be an RFC 3339 time') from None
    tail = _signed(parameters, name, "tailLines", least=0)
    return LogRequest(
        namespace=pod.metadata.namespace, pod=name, uid=pod.metadata.uid, container=container,
        follow=query.flag(parameters, "follow"), previous=query.flag(parameters, "previous"),
        timestamps=query.flag(parameters, "timestamps"), tail_lines=-1 if tail is None else tail,
        since_s=since_s, since_time=since_time, limit_bytes=_signed(parameters, name, "limitBytes", least=1),
    )  # fmt: skip


class Logs:
    def __init__(self, door: Door, streams: Streams) -> None:
        self._door = door
        self._streams = streams

    async def answer(self, call: Call) -> web.StreamResponse:
        if call.request.method != "GET":
            raise MethodNotAllowed(NOT_ALLOWED)
        pod = _pod.decode(self._door.get(call.actor, call.route.ref, subresource="log").value)
        container = choose(pod, call.query.get("container", ""))
        request = request_of(call.query, pod, container)
        if not pod.spec.node_name:
            return reply.plain("")
        readable(pod, container, previous=request.previous)
        chunks = self._streams.logs(pod.spec.node_name, request)
        call.request.protocol.stream = asyncio.current_task()  # type: ignore[attr-defined]
        try:
            return await self._stream(call, chunks)
        finally:
            call.request.protocol.stream = None  # type: ignore[attr-defined]
            await chunks.aclose()  # type: ignore[attr-defined]

    async def _stream(self, call: Call, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
        chunk = await anext(chunks, None)  # type: ignore[arg-type]
        stream = await watch.open_stream(call, "text/plain")
        stopped = False
        try:
            while chunk is not None:
                await stream.write(chunk)
                chunk = await anext(chunks, None)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            if not stream.server_stops:
                raise
            stopped = True
        except SteersmanError as error:
            log.warning("log-stream-broken pod=%s/%s why=%s", call.route.namespace, call.route.name, error)
            stream.cut()
            raise ConnectionError("the log's source broke off") from None
        return await stream.end(uncancel=stopped)
