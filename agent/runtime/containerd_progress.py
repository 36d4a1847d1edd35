"""Whether a pull in containerd gets on: its CRI says nothing before the end, and 1.6 waits for a stalled registry for ever.

Looks at containerd's content store, on the same socket as the CRI. What belongs to an image is told by its labels: the blobs of a
repository carry `containerd.io/distribution.source.HOST`, a manifest among them the digests of its layers
(`containerd.io/gc.ref.content…`), and what is being fetched is called `layer-DIGEST`. Owns the messages used, read by hand as in
`containerd_events.py`:

    ListContentRequest   { repeated string filters = 1 }
    ListContentResponse  { repeated Info { string digest = 1; int64 size = 2; map labels = 5 } info = 1 }
    ListStatusesResponse { repeated Status { string ref = 3; int64 offset = 4; int64 total = 5 } statuses = 1 }

Subtle: before the manifest is there it is not known what belongs to the image; then whatever comes is taken for a sign of life. A layer's
bytes are seen in steps of a megabyte, as containerd writes them.
Subtle: unpacking shows nowhere, so there is far more patience while nothing is being fetched and something is there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import grpc
import msgspec

from agent.images.reference import Reference
from agent.runtime.containerd_events import NAMESPACE, fields, string_field, varints
from agent.runtime.contract import Told

LIST = "/containerd.services.content.v1.Content/List"
STATUSES = "/containerd.services.content.v1.Content/ListStatuses"
SOURCE = "containerd.io/distribution.source."
CHILD = "containerd.io/gc.ref.content"
PORT = re.compile(r":[0-9]+$")
CALL_S = 10.0
UNPACK_S = 900.0
"""The longest that a pull may take over what shows nowhere."""
LOOKS = 20
"""How often it is looked within the time that a pull may stand still."""
METADATA = (("containerd-namespace", NAMESPACE),)


class Seen(msgspec.Struct, frozen=True):
    """Of one repository. there: how many of its blobs; there_bytes: of those that images here share. fetching: what is on its way, how many
    bytes of it have come, and of how many."""

    there: int = 0
    there_bytes: int = 0
    fetching: tuple[tuple[str, int, int], ...] = ()

    @property
    def done_bytes(self) -> int:
        return self.there_bytes + sum(done for _, done, _ in self.fetching)

    @property
    def whole_bytes(self) -> int:
        return self.there_bytes + sum(whole for _, _, whole in self.fetching)


class Progress:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._list = channel.unary_stream(LIST)
        self._statuses = channel.unary_unary(STATUSES)

    async def stalled(self, image: Reference, progress_s: float, told: Told) -> None:
        """Returns once nothing of the image has come for `progress_s` although it should. Until then it does not return."""
        loop = asyncio.get_running_loop()
        before, since = Seen(), loop.time()
        old_bytes = (await self._look(image) or before).there_bytes  # of other images of its repository
        while True:
            await asyncio.sleep(progress_s / LOOKS)
            now = await self._look(image)
            if now is None or now != before:
                before, since = now or before, loop.time()
                told(before.done_bytes - old_bytes, before.whole_bytes - old_bytes)
            unpacking = now is not None and now.there and not now.fetching
            if loop.time() - since >= (max(progress_s, UNPACK_S) if unpacking else progress_s):
                return

    async def _look(self, image: Reference) -> Seen | None:
        """None: containerd does not say."""
        host = image.host.rpartition(":")[0] if PORT.search(image.host) else image.host  # containerd leaves out the port
        request = string_field(1, f'labels."{SOURCE}{host.strip("[]")}"~="(^|,){image.path}(,|$)"'.encode())
        try:
            blobs = [blob async for page in self._list(request, metadata=METADATA, timeout=CALL_S) for blob in _blobs(page)]
            answer = await self._statuses(b"", metadata=METADATA, timeout=CALL_S)
        except (grpc.aio.AioRpcError, ValueError):
            return None
        own = {digest for _, children in blobs for digest in children}
        fetching = tuple(each for each in _fetched(answer) if not blobs or each[0].partition("-")[2] in own)
        return Seen(len(blobs), sum(size for size, _ in blobs), fetching)


def _blobs(page: bytes) -> Iterator[tuple[int, list[str]]]:
    """Each blob's size and the digests of its children."""
    for number, info in fields(page):
        if number == 1:
            labels = (dict(fields(entry)) for each, entry in fields(info) if each == 5)
            size = dict(varints(info)).get(2, 0)
            yield size, [label.get(2, b"").decode() for label in labels if label.get(1, b"").startswith(CHILD.encode())]


def _fetched(answer: bytes) -> Iterator[tuple[str, int, int]]:
    """Each one's name, how much has come, and of how much."""
    for number, status in fields(answer):
        if number == 1:
            ref = next((value for each, value in fields(status) if each == 3), b"").decode()
            numbers = dict(varints(status))
            yield ref, numbers.get(4, 0), numbers.get(5, 0)
