"""All controllers, as one literal, and what runs them. Adding one is a file and a line here."""

from __future__ import annotations

from collections.abc import Iterator

from common.clock import Clock
from master.api.contract import Door
from master.api.metrics import Family
from master.controllers import (
    apiservice, certificate_cleaner, certificates, clusterrole_aggregation, definitions, deployment, disruption, ephemeral_volume, garbage,
    namespace, node_ipam, node_lifecycle, pod_gc, replicaset, root_ca, service_account, taint_eviction, volume_binder, volume_protection,
)  # fmt: skip
from master.controllers.controller import Controller
from master.controllers.loop import Loop
from master.controllers.settings import ControllerSettings


def controllers(settings: ControllerSettings, sign: certificates.Sign | None = None, ca: str = "") -> tuple[Controller, ...]:
    """sign: by the cluster's CA; without it no certificates are issued. ca: its certificate as PEM; without it none is published."""
    return (
        *((certificates.controller(sign),) if sign is not None else ()),
        *((root_ca.controller(ca),) if ca else ()),
        certificate_cleaner.CONTROLLER,
        node_lifecycle.controller(settings),
        node_ipam.controller(settings),
        taint_eviction.CONTROLLER,
        pod_gc.controller(settings),
        service_account.CONTROLLER,
        clusterrole_aggregation.CONTROLLER,
        namespace.CONTROLLER,
        definitions.CONTROLLER,
        deployment.CONTROLLER,
        replicaset.CONTROLLER,
        disruption.CONTROLLER,
        apiservice.CONTROLLER,
        volume_binder.CONTROLLER,
        *volume_protection.CONTROLLERS,
        ephemeral_volume.CONTROLLER,
        garbage.CONTROLLER,
    )


class Controllers:
    """`await Controllers(door, clock, settings).run()`: all of them, until cancelled."""

    def __init__(
        self, door: Door, clock: Clock, settings: ControllerSettings = ControllerSettings(), *, sign: certificates.Sign | None = None,
        ca: str = "",
    ) -> None:  # fmt: skip
        self._loop = Loop(door, clock, controllers(settings, sign, ca))

    @property
    def idle(self) -> bool:
        """Nothing is queued, worked on or timed, in any of them."""
        return self._loop.idle

    @property
    def listed(self) -> bool:
        """Everything has been read once, so they work."""
        return self._loop.listed

    async def until_listed(self) -> None:
        await self._loop.until_listed()

    def metrics(self) -> Iterator[Family]:
        return self._loop.metrics()

    async def run(self) -> None:
        await self._loop.run()
