"""What a host answers to `kctl image`, over hollow containers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import msgspec
import pytest

from agent.images.pulls import Pulls
from agent.images.service import ImageService
from agent.runtime.contract import ContainerSpec, SandboxSpec
from agent.runtime.hollow import HollowRuntime
from common.clock import SystemClock
from common.errors import BadRequest, Conflict, NotFound


class Stream:
    """The master's end: what was answered."""

    def __init__(self) -> None:
        self.answer = b""

    async def accept(self) -> None:
        pass

    async def send(self, data: bytes, channel: int = 0) -> None:
        self.answer += data

    async def receive(self) -> tuple[int, bytes] | None:
        return None


class Bench:
    def __init__(self) -> None:
        self.runtime = HollowRuntime(SystemClock())
        self._service = ImageService(self.runtime.images, Pulls(self.runtime.images, SystemClock(), at_once=1))

    async def ask(self, action: str, image: str = "") -> object:
        stream = Stream()
        await self._service.serve({"action": action, "image": image}, stream)
        return msgspec.json.decode(stream.answer)


def on_a_bench(test: Callable[[Bench], Coroutine]) -> None:
    async def main() -> None:
        await test(Bench())

    asyncio.run(main())


def test_an_image_is_pulled_listed_and_removed() -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask("pull", "nginx:1"))["id"]
        (listed,) = await bench.ask("ls")
        assert listed["tags"] == ["docker.io/library/nginx:1"] and listed["used"] is False
        assert await bench.ask("rm", "docker.io/library/nginx:1") == {"removed": ["docker.io/library/nginx:1"]}
        assert await bench.ask("ls") == []

    on_a_bench(test)


def test_an_image_that_a_container_has_stays() -> None:
    async def test(bench: Bench) -> None:
        pulled = await bench.ask("pull", "nginx:1")
        sandbox = await bench.runtime.create_sandbox(SandboxSpec("default", "web", "uid", 0, "web", ""))
        await bench.runtime.create_container(sandbox, ContainerSpec("app", 0, pulled["id"]))
        with pytest.raises(Conflict, match='image "nginx:1" is in use by a container'):
            await bench.ask("rm", "nginx:1")

    on_a_bench(test)


@pytest.mark.parametrize(
    ("action", "image", "error", "words"),
    [
        ("rm", "nginx:1", NotFound, 'image "nginx:1" is not here'),
        ("pull", "No Name", BadRequest, "is not an image's name"),
        ("burn", "", BadRequest, "knows load, ls, pull, rm"),
        ("load", "", BadRequest, "hollow"),
    ],
)
def test_what_cannot_be_is_refused(action: str, image: str, error: type[Exception], words: str) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(error, match=words):
            await bench.ask(action, image)

    on_a_bench(test)
