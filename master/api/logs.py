"""`pods/log`: which container, and whether it has a log yet, the same on every front.

Owns Kubernetes' choice of the container and its sentences about those that cannot be read; the bytes are the stream port's.
`choose`, `readable` and `request_of` are pure: a pod in, a name, a request or an error out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from common.clock import parse_rfc3339
from common.errors import BadRequest, FieldCause, Invalid
from common.objects.pod import ContainerStatus, Pod, container_of
from common.wire.requests import LogRequest
from master.api import query
from master.api.contract import Actor, Door, Ref
from master.api.streams import Streams

_pod = msgspec.json.Decoder(Pod)


def choose(pod: Pod, asked: str) -> str:
    """The container to read: the one asked for, or the only one. Raises BadRequest."""
    containers = [c.name for c in pod.spec.containers]
    inits = [c.name for c in pod.spec.init_containers]
    name = pod.metadata.name
    if asked:
        if container_of(pod.spec, asked) is None:
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
    known = pod.status.container_statuses + pod.status.init_container_statuses + pod.status.ephemeral_container_statuses
    status = next((status for status in known if status.name == container), None)
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


def chunks(door: Door, streams: Streams, actor: Actor, *, ref: Ref, parameters: query.Query) -> AsyncIterator[bytes] | None:
    """The log's bytes as they come, to be closed with `aclose()`; None for a pod that has no node yet. Raises Forbidden, NotFound,
    BadRequest, Invalid; what the node refuses is raised with the first bytes."""
    pod = _pod.decode(door.get(actor, ref, subresource="log").value)
    container = choose(pod, parameters.get("container", ""))
    request = request_of(parameters, pod, container)
    if not pod.spec.node_name:
        return None
    readable(pod, container, previous=request.previous)
    return streams.logs(pod.spec.node_name, request)
