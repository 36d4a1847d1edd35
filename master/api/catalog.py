"""What is served now: the registry's literal table, and what custom resource definitions add to it.

Owns the look-ups by key, kind, path and name. One per master, shared by the fronts and the controllers through the door. It changes
only as a whole (`add`), and counts its generations, so that whoever keeps something made from it knows when to make it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from common.errors import NotFound
from master.api import registry
from master.api.registry import Resource


class Catalog:
    def __init__(self, resources: Sequence[Resource] = registry.RESOURCES) -> None:
        self._own = tuple(resources)
        self.generation = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._arrange(self._own)

    def _arrange(self, resources: tuple[Resource, ...]) -> None:
        self.resources = resources
        self._by_key = {resource.key: resource for resource in resources}
        self._by_kind = {(resource.api_version, resource.kind): resource for resource in resources}
        self._by_path = {(resource.group, resource.version, resource.plural): resource for resource in resources if resource.served}
        self._served = {(resource.group, resource.version) for resource in resources if resource.served}

    def add(self, custom: Sequence[Resource]) -> None:
        """These, and no other custom resources, are served from now on, beside the registry's own."""
        self.generation += 1
        self._arrange((*self._own, *custom))
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting = []

    async def changed(self, generation: int) -> None:
        """Wait until this generation is over."""
        while self.generation == generation:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def by_key(self, key: str) -> Resource | None:
        """key: `pods`, `deployments.apps`."""
        return self._by_key.get(key)

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        return self._by_kind.get((api_version, kind))

    def by_path(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def custom(self, *, namespaced: bool = False) -> list[Resource]:
        """The custom resources, each once, in the version that is stored; all, or those that live in namespaces."""
        found = [resource for resource in self.resources[len(self._own) :] if not resource.stored]
        return [resource for resource in found if resource.namespaced or not namespaced]

    def serves(self, group: str, version: str) -> bool:
        return (group, version) in self._served

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """group → version → resources, in their order; the core group's name is empty."""
        found: dict[str, dict[str, list[Resource]]] = {}
        for resource in self.resources:
            if resource.served:
                found.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        return found

    def named(self, word: str) -> Resource:
        """By plural, singular, short name or kind, in any case; with `.GROUP` or `.VERSION.GROUP` after it where several have that name.
        Raises NotFound as kubectl words it."""
        name, _, where = word.lower().partition(".")
        for resource in self.resources:
            if resource.served and name in (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names):
                if where in ("", resource.group, f"{resource.version}.{resource.group}"):
                    return resource
        raise NotFound(f'the server doesn\'t have a resource type "{word}"')
