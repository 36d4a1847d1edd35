"""A task that containerd's CRI lost sight of, ended through containerd's native service on the same socket.

When the caller of StartContainer goes away at the wrong moment, containerd 1.6 calls the container exited although its task is there,
created and never started; from then on CRI refuses to remove it ("cannot delete running task ID") and cannot stop it. Owns the two
messages used of `containerd.services.tasks.v1.Tasks`, written by hand as in `containerd_events.py`:

    KillRequest { string container_id = 1; uint32 signal = 3; bool all = 4 }      DeleteTaskRequest { string container_id = 1 }
"""

from __future__ import annotations

import asyncio
import re
import signal

import grpc

from agent.runtime.containerd_events import NAMESPACE
from common.errors import Unavailable

KILL = "/containerd.services.tasks.v1.Tasks/Kill"
DELETE = "/containerd.services.tasks.v1.Tasks/Delete"
CALL_S = 10.0
AGAIN_S = (0.05, 0.1, 0.2, 0.4)
"""Pauses before deleting again: a killed task takes a moment to end."""
_STUCK = re.compile(r"cannot delete running task ([0-9a-f]{64})\b")


def stuck(words: str) -> str:
    """The id of the task that CRI complains of, or ""."""
    found = _STUCK.search(words)
    return found[1] if found else ""


def kill_request(task_id: str) -> bytes:
    return delete_request(task_id) + bytes([3 << 3, signal.SIGKILL, 4 << 3, 1])


def delete_request(task_id: str) -> bytes:
    return bytes([1 << 3 | 2, len(task_id)]) + task_id.encode()


class Tasks:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._kill = channel.unary_unary(KILL)
        self._delete = channel.unary_unary(DELETE)

    async def end(self, task_id: str) -> None:
        """Kill and delete it. Idempotent. Raises Unavailable when it does not end soon: to be tried again."""
        metadata, words = (("containerd-namespace", NAMESPACE),), ""
        for method, request, pause_s in ((self._kill, kill_request, 0.0), *((self._delete, delete_request, each) for each in AGAIN_S)):
            await asyncio.sleep(pause_s)
            try:
                await method(request(task_id), metadata=metadata, timeout=CALL_S)
                if method is self._delete:
                    return
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    return
                words = error.details() or error.code().name
        raise Unavailable(f"the task {task_id} does not end: {words}")
