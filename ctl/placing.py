"""Where a manifest's object belongs: its kind, as the master serves it, and its namespace.

Owns the rules of `-n` beside a namespace in the manifest, and kinds that are only made by a definition in the same files: they are looked
for again once a definition was applied.
"""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec

from ctl import kinds
from ctl.client import Client
from ctl.kinds import Kind
from ctl.manifests import Manifest

DEFINITION = "CustomResourceDefinition"
SERVED_S = 10.0
AGAIN_S = 0.1


class Place(msgspec.Struct, frozen=True):
    """namespace "": of the cluster."""

    kind: Kind
    namespace: str
    name: str

    @property
    def label(self) -> str:
        return self.kind.label(self.name)


class Placing:
    """namespace: what `-n` says, "" for nothing."""

    def __init__(self, client: Client, known: kinds.Kinds, namespace: str) -> None:
        self._client = client
        self._known = known
        self._namespace = namespace
        self._defined = False

    async def of(self, manifest: Manifest) -> Place:
        """Raises ClickException."""
        kind = await self._kind(manifest)
        self._defined = self._defined or kind.kind == DEFINITION
        if not kind.namespaced:
            return Place(kind, "", manifest.name)
        if manifest.namespace and self._namespace and manifest.namespace != self._namespace:
            raise click.ClickException(
                f"{manifest.where}: {kind.label(manifest.name)} is of the namespace {manifest.namespace}, but --namespace says "
                f"{self._namespace}: leave one of them out"
            )
        return Place(kind, manifest.namespace or self._namespace or "default", manifest.name)

    async def _kind(self, manifest: Manifest) -> Kind:
        ends = asyncio.get_running_loop().time() + SERVED_S
        while (found := self._known.of(*manifest.what)) is None:
            if not self._defined or asyncio.get_running_loop().time() > ends:
                version, kind = manifest.what
                raise click.ClickException(
                    f'{manifest.where}: no matches for kind "{kind}" in version "{version}": is it misspelt, or is its definition missing?'
                )
            await asyncio.sleep(AGAIN_S)
            self._known = await kinds.load(self._client)
        return found


def placed(manifest: Manifest, place: Place) -> dict[str, Any]:
    """The document, with its namespace in it: so errors name it in full."""
    if not place.namespace:
        return manifest.document
    return {**manifest.document, "metadata": {**manifest.document["metadata"], "namespace": place.namespace}}


async def placing(client: Client, namespace: str) -> Placing:
    return Placing(client, await kinds.load(client), namespace)


def named(manifest: Manifest) -> Manifest:
    """Raises ClickException for an object without a name."""
    if not manifest.name:
        raise click.ClickException(f"{manifest.where}: {manifest.document['kind']} has no metadata.name: it cannot be found without one")
    return manifest
