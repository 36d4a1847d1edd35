"""A user with a seed: makes, scales, updates, restarts and deletes Deployments, deletes a pod now and then, asks for at most so many pods.

What it was told has happened must hold in the end; what it was not told may or may not. So it keeps no wishes of its own: at
the end the cluster must look as the stored Deployments say, and the monitor sees to it that no acknowledged write is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from common.errors import SteersmanError
from master.api.contract import DeleteOptions, PatchType, Ref
from tests.sim.world import USER, World

NAMESPACE = "default"
MOST_PODS = 50
BEGINNING = 10
"""Deployments that are asked for at once, before anything befalls the cluster."""
NAMES = tuple(f"app-{number}" for number in range(10))


STUBBORN = ["sh", "-c", "trap '' TERM; while true; do sleep 1; done"]
"""Ends only when its grace period has passed."""
GRACE_S = 4


def document(name: str, replicas: int, *, single: bool, recreate: bool, stubborn: bool) -> dict[str, Any]:
    annotations = {"steersman.io/at-most-one": "true"} if single else {}
    strategy = {"type": "Recreate"} if recreate else {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    main: dict[str, Any] = {"name": "main", "image": "web:1", "resources": {"requests": {"cpu": "50m"}}}
    if stubborn:
        main["command"] = STUBBORN
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "strategy": strategy, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {"terminationGracePeriodSeconds": GRACE_S, "containers": [main]},
            },
        },
    }  # fmt: skip


class User:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng("user")
        self._version = 1

    def _pick(self, items: list[Any]) -> Any:
        return items[int(self._rng.random() * len(items))]

    def _count(self, least: int, most: int) -> int:
        return least + int(self._rng.random() * (most - least + 1))

    async def run(self, until_s: float) -> None:
        for _ in range(BEGINNING):
            await self._try(self._create)
        while self._world.loop.time() < until_s:
            await self.act()
            await asyncio.sleep(0.2 + 2.5 * self._rng.random())

    async def act(self) -> None:
        """One request, whatever the seed picks."""
        choice = self._rng.random()
        for share, request in (
            (0.3, self._create), (0.55, self._scale), (0.8, self._update), (0.87, self._delete_app), (1.0, self._delete_pod),
        ):  # fmt: skip
            if choice < share:
                await self._try(request)
                return

    async def _try(self, request: Callable[[list[dict[str, Any]]], Awaitable[None]]) -> None:
        """What is refused or interrupted is not repeated."""
        if self._world.master is None:
            return
        apps = self._world.present("deployments.apps")
        try:
            await request(apps)
        except SteersmanError as error:
            self._world.trace.add(f"user refused {error.reason}")

    def _room(self, apps: list[dict[str, Any]], but: str = "") -> int:
        return MOST_PODS - sum(app["spec"]["replicas"] for app in apps if app["metadata"]["name"] != but)

    async def _create(self, apps: list[dict[str, Any]]) -> None:
        taken, room = [app["metadata"]["name"] for app in apps], self._room(apps)
        free = [name for name in NAMES if name not in taken]
        if not free:
            return
        name = self._pick(free)
        single = self._rng.random() < 0.3
        replicas = 1 if single else self._count(1, 12)
        if room >= replicas:
            stubborn, recreate = self._rng.random() < 0.4, single or self._rng.random() < 0.2
            wanted = document(name, replicas, single=single, recreate=recreate, stubborn=stubborn)
            await self._world.master.door.create(USER, "deployments.apps", NAMESPACE, wanted)  # type: ignore[union-attr]

    async def _scale(self, apps: list[dict[str, Any]]) -> None:
        if not apps:
            return
        app = self._pick(apps)
        name = app["metadata"]["name"]
        single = app["spec"]["template"]["metadata"].get("annotations")
        replicas = self._count(0, 1 if single else min(12, self._room(apps, name)))
        await self._patch(name, {"spec": {"replicas": replicas}})

    async def _update(self, apps: list[dict[str, Any]]) -> None:
        if not apps:
            return
        app = self._pick(apps)
        self._version += 1
        image = f"web:{self._version if self._rng.random() < 0.7 else 1}"
        containers = [{**app["spec"]["template"]["spec"]["containers"][0], "image": image}]
        await self._patch(app["metadata"]["name"], {"spec": {"template": {"spec": {"containers": containers}}}})

    async def _patch(self, name: str, patch: dict[str, Any]) -> None:
        await self._world.master.door.patch(USER, Ref("deployments.apps", name, NAMESPACE), PatchType.MERGE, patch)  # type: ignore[union-attr]

    async def _delete_app(self, apps: list[dict[str, Any]]) -> None:
        if not apps:
            return
        ref = Ref("deployments.apps", self._pick(apps)["metadata"]["name"], NAMESPACE)
        propagation = self._pick(["Background", "Background", "Foreground"])
        await self._world.master.door.delete(USER, ref, DeleteOptions(propagation=propagation))  # type: ignore[union-attr]

    async def _delete_pod(self, apps: list[dict[str, Any]]) -> None:
        """Now and then by force: the pod's object goes at once, and its containers are an orphan's to be ended."""
        pods = self._world.present("pods")
        if not pods:
            return
        pod = self._pick(pods)
        single = (pod["metadata"].get("annotations") or {}).get("steersman.io/at-most-one")
        grace_s = 0 if self._rng.random() < 0.4 and not single else None
        ref = Ref("pods", pod["metadata"]["name"], NAMESPACE)
        await self._world.master.door.delete(USER, ref, DeleteOptions(grace_s=grace_s))  # type: ignore[union-attr]
