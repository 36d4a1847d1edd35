"""The images of a Docker engine: looking at one, pulling one, from a mirror if `registries.yaml` has one.

Docker itself knows mirrors of its Hub alone. So an image is pulled under the mirror's name and gets its own name afterwards.

A pull may take as long as it gets on: Docker tells of every step, and when it has told of none for `progress_s`, the registry is taken for
stalled and the pull broken off, as the kubelet did it.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import aiodocker
import msgspec

from agent.images import reference
from agent.images.collection import StoredImage
from agent.images.keyring import Credential
from agent.images.reference import Reference
from agent.images.registries import Registries
from agent.runtime import docker_registries
from agent.runtime.contract import LocalImage, RuntimeFault, Told, unheard
from agent.runtime.docker_call import Document, gone_is_fine, limited, or_none, translated
from common.errors import Unavailable

PROGRESS_S = 300.0
LIST_S = 30.0
REMOVE_S = 120.0
LOAD_S = 3600.0
_LOADED = re.compile(r"Loaded image(?: ID)?: (\S+)")
HUB_SERVER = "https://index.docker.io/v1/"
DONE = "Status: "
"""How the last line of a pull that went well begins."""


class DockerImages:
    """See `contract.Images`. changed: told of the id of an image that may have a new name. sandbox_image: of pause containers."""

    def __init__(self, client: aiodocker.Docker, *, changed: Callable[[str], None], progress_s: float, sandbox_image: str) -> None:
        self._client = client
        self._sandbox_image = next(iter(reference.readable([sandbox_image])), None)
        self._changed = changed
        self._progress_s = progress_s
        self._registries = Registries()

    async def use_registries(self, registries: Registries) -> tuple[str, ...]:
        self._registries = registries
        return docker_registries.without_effect(registries, await limited(self._client.system.info()))

    async def stored(self) -> list[StoredImage]:
        containers = await limited(self._client.containers.list(all=True))
        used = {container["ImageID"] for container in containers}
        found = []
        for item in await limited(self._client.images.list(), LIST_S):
            tags, digests = (reference.readable(item.get(key) or ()) for key in ("RepoTags", "RepoDigests"))
            identity, own = item["Id"], self._sandbox_image in tags
            found.append(StoredImage(identity, tuple(tags), tuple(digests), int(item["Size"]), used=identity in used, pinned=own))
        return found

    async def remove(self, image: StoredImage) -> None:
        # Name by name: by its id Docker would remove what got another name meanwhile.
        for name in [str(each) for each in (*image.tags, *image.digests)] or [image.id]:
            with gone_is_fine():
                await limited(self._client.images.delete(name), REMOVE_S)

    async def load(self, archive: AsyncIterator[bytes]) -> tuple[str, ...]:
        loaded = []
        with translated("LoadImageError"):
            async with asyncio.timeout(LOAD_S), aclosing(self._client.images.import_image(archive, stream=True)) as lines:
                async for line in lines:
                    found = _LOADED.match(str(line.get("stream", "")))
                    loaded += [found[1]] if found else []
        return tuple(loaded)

    async def folder(self) -> str:
        return str((await limited(self._client.system.info()))["DockerRootDir"])

    async def find(self, image: str) -> LocalImage | None:
        found = await self._inspect(image)
        if found is None:
            return None
        user = ((found.get("Config") or {}).get("User") or "").partition(":")[0]
        return LocalImage(found["Id"], user, int(found.get("Size") or 0))

    async def _inspect(self, image: str) -> Document | None:
        try:
            named = reference.parse(image)  # nothing else becomes part of a URL
        except ValueError:
            return None
        found = await or_none(limited(self._client.images.inspect(image)))
        if found is None and named.digest:  # there is no naming by digest: what came from a mirror has that one's name
            for _, mirrored in docker_registries.mirrored(self._registries, named):
                found = found or await or_none(limited(self._client.images.inspect(_exact(mirrored))))
        return found

    async def pull(self, image: str, credential: Credential | None = None, told: Told = unheard) -> LocalImage:
        await self._fetch(image, credential, told)
        found = await self.find(image)
        if found is None:
            raise RuntimeFault(f'the image "{image}" was pulled and is not there', kind="ErrImagePull")
        self._changed(found.id)
        return found

    async def _fetch(self, image: str, credential: Credential | None, told: Told) -> None:
        try:
            named = reference.parse(image)
        except ValueError as error:
            raise RuntimeFault(f'failed to parse image reference "{image}": {error}', kind="InvalidImageName") from None
        words = []
        for server, place in [*docker_registries.mirrored(self._registries, named), (docker_registries.own_server(named), named)]:
            fits = credential is not None and credential.server in (server, "" if place == named else server)
            try:
                with translated("ErrImagePull"):
                    await self._follow(place, credential if fits else None, told)
                    if place != named and named.tag and not named.digest:
                        await self._rename(place, named)
                return
            except RuntimeFault as fault:
                words.append(fault.message if place == named else f"mirror {place.host}: {fault.message}")
        raise RuntimeFault(f'failed to pull image "{image}": {"; ".join(reversed(words))}', kind="ErrImagePull")

    async def _steps(self, image: Reference, credential: Credential | None) -> AsyncGenerator[Document, None]:
        """What Docker tells of a pull, as it goes on.

        Subtle: the library's own `pull` leaves its connection to the garbage collector. Docker pulls as long as that is open, and while it
        holds on to a registry that stalls, others wait for their turn.
        """
        headers = {} if credential is None else {"X-Registry-Auth": _auth(image, credential)}
        asking = self._client._query("images/create", "POST", params={"fromImage": _exact(image)}, headers=headers, timeout=None)
        async with asking as response:
            try:
                async for line in response.content:
                    yield msgspec.json.decode(line, type=dict)
            finally:
                response.close()

    async def _rename(self, old: Reference, new: Reference) -> None:
        await limited(self._client.images.tag(str(old), new.repository, tag=new.tag))
        await limited(self._client.images.delete(str(old)))

    async def _follow(self, image: Reference, credential: Credential | None, told: Told) -> None:
        last, layers, loop = "", _Layers(), asyncio.get_running_loop()
        try:
            async with aclosing(self._steps(image, credential)) as steps, asyncio.timeout(self._progress_s) as limit:
                async for step in steps:
                    if step.get("error"):
                        raise RuntimeFault(str(step["error"]), kind="ErrImagePull")
                    last = str(step.get("status") or last)
                    told(*layers.after(step))
                    limit.reschedule(loop.time() + self._progress_s)
        except TimeoutError:
            raise RuntimeFault(f"no progress for {self._progress_s:g} s", kind="ErrImagePull") from None
        if not last.startswith(DONE):
            raise Unavailable("Docker broke off while it pulled an image")


class _Layers:
    """What a pull's steps add up to."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def after(self, step: Document) -> tuple[int, int]:
        """Bytes that have come, and of how many."""
        layer, status, detail = str(step.get("id", "")), step.get("status"), step.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self._seen[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif status in ("Download complete", "Pull complete") and layer in self._seen:
            self._seen[layer] = (self._seen[layer][1],) * 2
        return sum(done for done, _ in self._seen.values()), sum(whole for _, whole in self._seen.values())


def _exact(image: Reference) -> str:
    """Docker takes a tag beside a digest for a part of the digest."""
    return f"{image.repository}@{image.digest}" if image.digest else str(image)


def _auth(image: Reference, credential: Credential) -> str:
    """Docker's AuthConfig, in the form of its header."""
    server = HUB_SERVER if image.host == reference.DEFAULT_HOST else image.host
    said = {"username": credential.username, "password": credential.password, "serveraddress": server}
    if credential.identity_token:
        said = {"identitytoken": credential.identity_token, "serveraddress": server}
    return base64.urlsafe_b64encode(msgspec.json.encode(said)).decode()
