"""One gRPC call to containerd, within a time limit, its errors as ours.

Owns what containerd's status codes mean to us; which call is made is its callers' business.
"""

from __future__ import annotations

from typing import Any

import grpc

from agent.runtime.contract import RuntimeFault
from common.errors import Timeout, Unavailable

SHORT_S = 10.0
MISSING = "NotFound"


async def call(
    method: Any, request: Any, *, timeout_s: float = SHORT_S, kind: str = "", missing_ok: bool = False
) -> Any:
    """One gRPC call with its errors as ours: Unavailable, Timeout, or RuntimeFault(kind) with containerd's words."""
    try:
        return await method(request, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        code, words = error.code(), error.details() or error.code().name
        if code is grpc.StatusCode.NOT_FOUND and missing_ok:
            return None
        if code is grpc.StatusCode.UNAVAILABLE:
            raise Unavailable(f"containerd does not answer: {words}") from None
        if code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
            raise Timeout(f"containerd did not finish within {timeout_s:g} s: {words}") from None
        raise RuntimeFault(words, kind=kind or (MISSING if code is grpc.StatusCode.NOT_FOUND else "")) from None
