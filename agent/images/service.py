"""What `kctl image` asks of a host: which images there are, pull one, take in an archive, remove one.

    request ─► accept ─► (load: the archive's bytes, as the runtime takes them) ─► the answer, as JSON ─► end

Owns the answers and the refusals. An archive goes through in pieces: the stream's credit is given as the runtime reads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from agent.images import reference
from agent.images.collection import StoredImage
from agent.images.pulls import Pulls, Wanted
from agent.link_streams import Stream
from agent.runtime.contract import Images
from common.errors import BadRequest, Conflict, NotFound
from common.wire.requests import ImageRequest

KIND = "images"


class ImageService:
    def __init__(self, images: Images, pulls: Pulls) -> None:
        self._images = images
        self._pulls = pulls

    async def serve(self, request: dict[str, Any], stream: Stream) -> None:
        """One request, to its end. Raises BadRequest, NotFound, Conflict, RuntimeFault, NotNow."""
        try:
            asked = msgspec.convert(request, ImageRequest)
        except msgspec.ValidationError as error:
            raise BadRequest(f"images request: {error}") from None
        actions = {"ls": self._ls, "pull": self._pull, "rm": self._rm}
        if asked.action == "load":
            await stream.accept()
            answer: object = {"loaded": list(await self._images.load(_archive(stream)))}
        elif asked.action in actions:
            await stream.accept()
            answer = await actions[asked.action](asked.image)
        else:
            raise BadRequest(f"this agent knows {', '.join(sorted((*actions, 'load')))} of images, not {asked.action!r}")
        await stream.send(msgspec.json.encode(answer))

    async def _ls(self, image: str) -> list[dict]:
        return [_shown(each) for each in sorted(await self._images.stored(), key=lambda each: each.name)]

    async def _pull(self, image: str) -> dict:
        _checked(image)
        pulled = await self._pulls.pull(Wanted(image))
        return {"id": pulled.image.id, "size": pulled.image.size_bytes}

    async def _rm(self, image: str) -> dict:
        named = _checked(image)
        for each in await self._images.stored():
            if named in (*each.tags, *each.digests) or image in (each.id, each.id.removeprefix("sha256:")):
                if each.used or each.pinned:
                    raise Conflict(f'image "{image}" is in use by {"a container" if each.used else "the runtime"}')
                await self._images.remove(each)
                return {"removed": [str(name) for name in (*each.tags, *each.digests)] or [each.id]}
        raise NotFound(f'image "{image}" is not here')


def _checked(image: str) -> reference.Reference:
    try:
        return reference.parse(image)
    except ValueError as error:
        raise BadRequest(f'"{image}" is not an image\'s name: {error}') from None


def _shown(image: StoredImage) -> dict:
    return {
        "id": image.id, "tags": [str(tag) for tag in image.tags], "digests": [str(digest) for digest in image.digests],
        "size": image.size_bytes, "used": image.used,
    }  # fmt: skip


async def _archive(stream: Stream) -> AsyncIterator[bytes]:
    """Until its end, which is an empty piece."""
    while (received := await stream.receive()) is not None and received[1]:
        yield received[1]
