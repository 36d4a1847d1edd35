"""One call of Docker's Engine API, within a time limit, its errors as ours.

Owns what the client library's (aiodocker's) errors mean: Unavailable when the engine does not answer, Timeout, RuntimeFault with the
engine's own words otherwise. Which call is made is its callers' business.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator
from typing import Any

import aiohttp
from aiodocker.exceptions import DockerError, DockerStreamError

from agent.runtime.contract import RuntimeFault
from common.errors import Timeout, Unavailable

SHORT_S = 10.0
NO_CONNECTION = 900
"""aiodocker's status for an engine that does not answer."""
Document = dict[str, Any]


class Refused(RuntimeFault):
    """With the HTTP status."""

    status: int = 0


async def limited(call: Awaitable[Any], timeout_s: float = SHORT_S, *, kind: str = "") -> Any:
    """One call of the engine, its errors as ours."""
    with translated(kind):
        try:
            async with asyncio.timeout(timeout_s):
                return await call
        except TimeoutError:
            raise Timeout(f"Docker did not finish within {timeout_s:g} s") from None


@contextlib.contextmanager
def translated(kind: str = "") -> Iterator[None]:
    """The engine's errors as ours, around whatever is asked of it."""
    try:
        yield
    except DockerStreamError as error:
        raise RuntimeFault(error.message, kind=kind) from None
    except DockerError as error:
        if error.status == NO_CONNECTION:
            raise Unavailable(f"Docker does not answer: {error.message}") from None
        fault = Refused(str(error.message).strip(), kind=kind)
        fault.status = error.status
        raise fault from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"Docker does not answer: {error}") from None


async def or_none(call: Awaitable[Any]) -> Any:
    """None for what is not there."""
    try:
        return await call
    except Refused as fault:
        if fault.status in (400, 404):
            return None
        raise


@contextlib.contextmanager
def gone_is_fine(*also: int) -> Iterator[None]:
    try:
        yield
    except Refused as fault:
        if fault.status not in (404, *also):
            raise
