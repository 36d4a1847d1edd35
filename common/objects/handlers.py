"""What a container is asked or told from outside: probes, and the hooks of its start and end. Read-only views.

A `Handler` is one way to do it; exactly one of its fields is set, which the API's validation sees to.
"""

from __future__ import annotations

import msgspec

from common.objects import meta


class ExecAction(meta.View):
    command: tuple[str, ...] = ()


class HTTPHeader(meta.View):
    name: str
    value: str = ""


class HTTPGetAction(meta.View):
    """port: a number, or the name of one of the container's ports. host "": the pod's address."""

    port: int | str
    path: str = ""
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = msgspec.field(name="httpHeaders", default=())


class TCPSocketAction(meta.View):
    port: int | str
    host: str = ""


class GRPCAction(meta.View):
    port: int
    service: str = ""


class SleepAction(meta.View):
    seconds: int = 0


class Handler(meta.View):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    sleep: SleepAction | None = None


class Probe(Handler):
    """Times in seconds. termination_grace_period_seconds None: the pod's own."""

    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class Lifecycle(meta.View):
    post_start: Handler | None = None
    pre_stop: Handler | None = None
