"""The images of a Docker engine: looking at one, pulling one.

A pull may take as long as it gets on: Docker tells of every step, and when it has told of none for `progress_s`, the registry is taken for
stalled and the pull broken off, as the kubelet did it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import aiodocker

from agent.images import reference
from agent.images.keyring import Credential
from agent.runtime.contract import RuntimeFault
from agent.runtime.docker_call import Document, limited, or_none, translated
from common.errors import Unavailable

HUB_SERVER = "https://index.docker.io/v1/"
DONE = "Status: "
"""How the last line of a pull that went well begins."""


class DockerImages:
    def __init__(self, client: aiodocker.Docker, *, progress_s: float) -> None:
        self._client = client
        self._progress_s = progress_s

    async def find(self, image: str) -> Document | None:
        """By name, digest or id; None: it is not there."""
        try:
            reference.parse(image)  # nothing else becomes part of a URL
        except ValueError:
            return None
        return await or_none(limited(self._client.images.inspect(image)))

    async def pull(self, image: str, credential: Credential | None = None) -> None:
        """Raises RuntimeFault(kind="ErrImagePull" or "InvalidImageName") with the registry's words."""
        try:
            named = reference.parse(image)
        except ValueError as error:
            raise RuntimeFault(f'failed to parse image reference "{image}": {error}', kind="InvalidImageName") from None
        try:
            with translated("ErrImagePull"):
                await self._follow(named, credential)
        except RuntimeFault as fault:
            raise RuntimeFault(f'failed to pull image "{image}": {fault.message}', kind=fault.kind) from None

    async def _follow(self, image: reference.Reference, credential: Credential | None) -> None:
        # Docker takes a tag beside a digest for a part of the digest.
        name = f"{image.repository}@{image.digest}" if image.digest else str(image)
        steps = self._client.images.pull(name, auth=None if credential is None else _auth(image, credential), stream=True)
        last = ""
        try:
            async with aclosing(steps):
                async with asyncio.timeout(None) as limit:
                    loop = asyncio.get_running_loop()
                    limit.reschedule(loop.time() + self._progress_s)
                    async for step in steps:
                        last = str(step.get("status") or last)
                        limit.reschedule(loop.time() + self._progress_s)
        except TimeoutError:
            raise RuntimeFault(f"no progress for {self._progress_s:g} s", kind="ErrImagePull") from None
        if not last.startswith(DONE):
            raise Unavailable("Docker broke off while it pulled an image")


def _auth(image: reference.Reference, credential: Credential) -> dict[str, str]:
    server = HUB_SERVER if image.host == reference.DEFAULT_HOST else image.host
    if credential.identity_token:
        return {"identitytoken": credential.identity_token, "serveraddress": server}
    return {"username": credential.username, "password": credential.password, "serveraddress": server}
