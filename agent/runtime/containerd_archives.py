"""An archive of images into containerd: the CRI has no call for it, so it is `ctr`'s work, which comes with containerd.

Owns that process: the archive is its input, piece by piece as it reads; it is killed when the caller goes away.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress

from agent.runtime.containerd_events import NAMESPACE
from agent.runtime.contract import RuntimeFault
from common.aio.tasks import TaskGroup

LOAD_S = 3600.0
WORDS_MOST = 64 << 10
_LOADED = re.compile(r"^unpacking (\S+)", re.MULTILINE)


async def load(endpoint: str, archive: AsyncIterator[bytes]) -> tuple[str, ...]:
    """The images' names. Raises RuntimeFault with ctr's words."""
    argv = ("ctr", "--address", endpoint.removeprefix("unix://"), "--namespace", NAMESPACE, "images", "import", "-")
    pipe = asyncio.subprocess.PIPE
    try:
        child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    except FileNotFoundError:
        raise RuntimeFault("ctr is not installed beside containerd: archives cannot be loaded", kind="LoadImageError") from None
    try:
        async with asyncio.timeout(LOAD_S), TaskGroup() as group:
            assert child.stdin is not None and child.stdout is not None
            reading = group.start(_words(child.stdout))
            await _feed(child.stdin, archive)
            code = await child.wait()
        words = reading.result().decode(errors="replace")
    except TimeoutError:
        raise RuntimeFault(f"the archive was not taken in within {LOAD_S:g} s", kind="LoadImageError") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if code:
        raise RuntimeFault(words.strip()[-500:] or f"ctr ended with {code}", kind="LoadImageError")
    return tuple(_LOADED.findall(words))


async def _words(stdout: asyncio.StreamReader) -> bytes:
    """All that it says, as far as it is kept."""
    words = b""
    while piece := await stdout.read(4096):
        words = (words + piece)[:WORDS_MOST]
    return words


async def _feed(stdin: asyncio.StreamWriter, archive: AsyncIterator[bytes]) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it has read enough, or says what is wrong by its end
        async for piece in archive:
            stdin.write(piece)
            await stdin.drain()
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.close()
        await stdin.wait_closed()
