"""The Docker Engine's API over its unix socket: the calls that the runtime makes, each with a time limit and our errors.

Owns the client library (aiodocker); what its errors mean is `docker_call.py`'s, its images are `docker_images.py`'s. An answer that a
caller may expect (there is none, it is so already) is a value: None or False.
What is asked for, and why, is `docker.py`'s business.

Subtle: an event stream starts in the past, at the moment before it was asked for, so that nothing is lost while it is set up.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator

import aiodocker
import aiodocker.containers
import aiodocker.execs
import aiohttp
from aiodocker.exceptions import DockerError

from agent.runtime.contract import Ends
from agent.runtime.docker_call import Document, Refused, gone_is_fine, limited, or_none
from common.errors import Unavailable

OPERATION_S = 120.0
LISTED = ("Id", "Names", "Labels", "State", "Created")


class Engine:
    """endpoint: `unix:///run/docker.sock`. client: for those who look after one kind of its objects. Needs a running event loop."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.client = aiodocker.Docker(endpoint)

    async def close(self) -> None:
        await self.client.close()

    async def version(self) -> Document:
        return await limited(self.client.version())

    async def info(self) -> Document:
        return await limited(self.client.system.info())

    async def containers(self, *labels: str) -> list[Document]:
        """All, also ended ones, that carry these labels (`KEY=VALUE`)."""
        filters = json.dumps({"label": list(labels)})
        listed = await limited(self.client.containers.list(all=True, filters=filters))
        return [{key: item[key] for key in LISTED} for item in listed]

    async def inspect(self, identity: str) -> Document | None:
        """None: it is not there."""
        return await or_none(limited(self.client.containers.container(identity).show()))

    async def image(self, identity: str) -> Document | None:
        return await or_none(limited(self.client.images.inspect(identity)))

    async def written(self, identity: str) -> int | None:
        """Bytes in its writable layer, which Docker counts for the answer. None: it is not there."""
        found = await _or_none(limited(self._client.containers.container(identity).show(size="true"), OPERATION_S))
        return None if found is None else found.get("SizeRw", 0)

    async def create(self, name: str, config: Document, *, kind: str) -> str | None:
        """None: the name is taken."""
        try:
            made = await limited(self.client.containers.create(config, name=name), OPERATION_S, kind=kind)
        except Refused as fault:
            if fault.status == 409:
                return None
            raise
        return made.id

    async def start(self, identity: str, *, kind: str) -> None:
        """Started already: fine."""
        await limited(self.client.containers.container(identity).start(), OPERATION_S, kind=kind)

    async def stop(self, identity: str, *, grace_s: int, margin_s: float) -> None:
        with gone_is_fine():
            await limited(self.client.containers.container(identity).stop(t=grace_s), grace_s + margin_s)

    async def kill(self, identity: str) -> None:
        """Returns when it has ended; one that does not run, or is not there, is fine."""
        with gone_is_fine(404, 409):
            await limited(self.client.containers.container(identity).kill(), OPERATION_S)

    async def remove(self, identity: str) -> None:
        with gone_is_fine():
            try:
                await limited(self.client.containers.container(identity).delete(force=True, v=True), OPERATION_S)
            except Refused as fault:
                if fault.status == 409:
                    raise Unavailable(f"it is being removed: {fault.message}") from None
                raise

    async def new_exec(self, identity: str, command: tuple[str, ...], ends: Ends) -> Exec:
        made = self.client.containers.container(identity).exec(
            list(command), stdin=ends.stdin, stdout=ends.stdout, stderr=ends.stderr, tty=ends.tty
        )
        return Exec(await limited(made))

    def container(self, identity: str) -> Main:
        """Its main process, to attach to."""
        return Main(identity, self.client.containers.container(identity))

    def events(self, *labels: str, since: float) -> Events:
        """Of containers with these labels, from this moment on. To be closed."""
        return Events(self._endpoint, labels, since)


class Exec:
    """A command in a container."""

    def __init__(self, made: aiodocker.execs.Exec) -> None:
        self._made = made
        self.id = made.id

    async def resize(self, *, width: int, height: int) -> None:
        await limited(self._made.resize(w=width, h=height))

    async def exit_code(self) -> int | None:
        """None: it runs, or Docker does not know."""
        return (await limited(self._made.inspect())).get("ExitCode")

    async def pid(self) -> int:
        """On this host; 0: it has ended."""
        document = await limited(self._made.inspect())
        return int(document.get("Pid") or 0) if document.get("Running") else 0


class Main:
    """A container's own process."""

    def __init__(self, identity: str, container: aiodocker.containers.DockerContainer) -> None:
        self._container = container
        self.id = identity

    async def resize(self, *, width: int, height: int) -> None:
        await limited(self._container.resize(w=width, h=height))


class Events:
    """A stream of events with a client of its own, so that no call waits for it; it is asked for at once, and ends when the engine does."""

    def __init__(self, endpoint: str, labels: tuple[str, ...], since: float) -> None:
        self._client = aiodocker.Docker(endpoint)
        filters = json.dumps({"type": ["container"], "label": list(labels)})
        self._subscriber = self._client.events.subscribe(filters=filters, since=f"{since:.9f}")

    async def __aiter__(self) -> AsyncIterator[Document]:
        while (event := await self._subscriber.get()) is not None:
            yield event

    async def close(self) -> None:
        # That the stream broke off was told by its end; the library's task carries the error once more.
        with contextlib.suppress(DockerError, aiohttp.ClientError, OSError, ValueError):
            await self._client.events.stop()
        await self._client.close()
