"""containerd's images, through the CRI: looking at one, pulling one.

A pull is one call that says nothing before its end; whether it gets on is looked at from aside (`containerd_progress.py`), and one that
does not is broken off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc as stubs

from agent.images import reference
from agent.images.collection import StoredImage
from agent.images.keyring import Credential
from agent.images.registries import Registries
from agent.runtime import containerd_archives, containerd_registries
from agent.runtime import cri as convert
from agent.runtime.containerd_call import call
from agent.runtime.containerd_progress import Progress
from agent.runtime.contract import LocalImage, RuntimeFault, Told, unheard
from common.aio.tasks import first

REMOVE_S = 120.0
PULL_S = 4 * 3600.0
"""Far beyond any pull that gets on."""


class ContainerdImages:
    """See `contract.Images`."""

    def __init__(self, channel: grpc.aio.Channel, endpoint: str, *, cluster: str, progress_s: float) -> None:
        self._endpoint = endpoint
        self._cluster = cluster
        self._images = stubs.ImageServiceStub(channel)
        self._runtime = stubs.RuntimeServiceStub(channel)
        self._progress, self._progress_s = Progress(channel), progress_s

    async def find(self, image: str) -> LocalImage | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image))
        try:
            response = await call(self._images.ImageStatus, request)
        except RuntimeFault:
            return None  # a name that cannot be parsed is no local image; the pull says what is wrong with it
        return convert.image(response.image)

    async def pull(self, image: str, credential: Credential | None = None, told: Told = unheard) -> LocalImage:
        try:
            named = reference.parse(image)
        except ValueError as error:
            raise RuntimeFault(f'failed to parse image reference "{image}": {error}', kind="InvalidImageName") from None
        request = cri.PullImageRequest(image=cri.ImageSpec(image=image), auth=convert.auth(credential))
        pulling = call(self._images.PullImage, request, timeout_s=PULL_S, kind="ErrImagePull")
        response = await first(pulling, self._progress.stalled(named, self._progress_s, told))
        if response is None:
            words = f'failed to pull and unpack image "{named}": no progress for {self._progress_s:g} s'
            raise RuntimeFault(words, kind="ErrImagePull")
        return await self.find(response.image_ref) or LocalImage(response.image_ref)

    async def use_registries(self, registries: Registries) -> tuple[str, ...]:
        status = await call(self._runtime.Status, cri.StatusRequest(verbose=True))
        return containerd_registries.write(convert.registry_folder(status), registries, self._cluster)

    async def stored(self) -> list[StoredImage]:
        containers = await call(self._runtime.ListContainers, cri.ListContainersRequest())
        status = await call(self._runtime.Status, cri.StatusRequest(verbose=True))
        own = str(convert.settings(status).get("sandboxImage", ""))
        used = {name for container in containers.containers for name in (container.image_ref, container.image.image)}
        listed = await call(self._images.ListImages, cri.ListImagesRequest())
        return [convert.stored_image(image, used=used, own=own) for image in listed.images]

    async def remove(self, image: StoredImage) -> None:
        await call(self._images.RemoveImage, cri.RemoveImageRequest(image=cri.ImageSpec(image=image.id)), timeout_s=REMOVE_S)

    async def load(self, archive: AsyncIterator[bytes]) -> tuple[str, ...]:
        return await containerd_archives.load(self._endpoint, archive)

    async def folder(self) -> str:
        info = await call(self._images.ImageFsInfo, cri.ImageFsInfoRequest())
        return next((each.fs_id.mountpoint for each in info.image_filesystems), "/")
