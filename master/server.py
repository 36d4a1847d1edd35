"""Composition: what a master consists of, in which order it starts and stops. Nothing here decides anything.

    compose    the master itself, from a store and two listeners: door, controllers, scheduler, dispatch. The simulation makes it
               with the memory store, transports in memory and virtual time.
    serve      a real one: certificates, the SQLite store, sockets, the fronts for people.

    start   store ─► certificates ─► sockets bound ─► namespaces ─► controllers ─► scheduler ─► dispatch ─► fronts
    stop    in reverse: who asks is sent away first, who decides stops next, the store last, with every accepted write in it

A part that dies of a bug is logged and started again; the store's failure ends the process, because nothing is true without it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from pathlib import Path

from common import version
from common.aio.tasks import TaskGroup, supervise
from common.clock import Clock, Rng
from common.errors import Unavailable
from common.wire.keys import write_secret
from common.wire.transport import Listener
from master import pki
from master.api import bootstrap
from master.api.door import ApiDoor
from master.api.leases import NodeLeases
from master.api.settings import DoorSettings
from master.controllers.registry import Controllers
from master.controllers.settings import ControllerSettings
from master.rest.app import Front, FrontSettings, host_port
from master.rest.gate import Bounds
from master.settings import Settings
from master.store.contract import Store
from master.store.retention import Retention
from master.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

RENEWAL_CHECK_S = 12 * 3600.0


class Master:
    """A master without its fronts for people. `run()` until cancelled; the store is open before and closed after."""

    def __init__(self, *, door: ApiDoor, controllers: Controllers) -> None:
        self.door = door
        self.controllers = controllers

    async def run(self) -> None:
        await bootstrap.ensure(self.door)
        async with TaskGroup() as group:
            group.start(supervise("controllers", self.controllers.run), name="controllers")


def compose(
    *, store: Store, clock: Clock, rng: Rng, settings: Settings, control: Listener, streams: Listener
) -> Master:  # fmt: skip
    leases = NodeLeases(rng, duration_s=max(1, round(settings.node_grace_s)))
    door = ApiDoor(
        store, clock, rng, leases=leases,
        settings=DoorSettings(toleration_s=settings.eviction_s, event_ttl_s=settings.event_ttl_s),
    )  # fmt: skip
    controllers = Controllers(door, clock, ControllerSettings(pod_cidr=settings.pod_cidr, node_mask=settings.node_mask))
    return Master(door=door, controllers=controllers)


def _data_dir(settings: Settings) -> Path:
    """The folder, its owner's alone. Raises Unavailable."""
    folder = Path(settings.data_dir).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
    except OSError as error:
        raise Unavailable(f"the data folder {folder} cannot be used: {error.strerror}; choose another with --data-dir") from None


def _certificates(settings: Settings, folder: Path, now: float) -> pki.Pki:
    bound = () if settings.bind in ("0.0.0.0", "::", "") else (settings.bind,)
    names = pki.server_names([*settings.advertise, *bound], socket.gethostname(), settings.cluster_domain)
    made, why = pki.ensure(folder, cluster=settings.cluster, names=names, now=now)
    for name, reason in why.items():
        log.info("certificate-made name=%s why=%r", name, reason)
    return made


def _write_kubeconfigs(settings: Settings, folder: Path, certificates: pki.Pki, port: int) -> None:
    content = pki.kubeconfig(certificates, cluster=settings.cluster, address=host_port(settings.reached_at, port))
    for path in (folder / "admin.kubeconfig", Path(settings.kubeconfig_out) if settings.kubeconfig_out else None):
        if path is None or (path.exists() and path.read_bytes() == content):
            continue
        try:
            write_secret(path, content)
        except OSError as error:
            raise Unavailable(f"the kubeconfig {path} cannot be written: {error.strerror}") from None
        log.info("kubeconfig-written path=%s", path)


async def serve(settings: Settings, *, clock: Clock, rng: Rng, stop: asyncio.Event) -> None:
    """Run a master until `stop` is set. Raises Unavailable with a sentence when it cannot start."""
    folder = _data_dir(settings)
    certificates = _certificates(settings, folder, clock.now())
    store = SqliteStore(str(folder / "store.db"), clock, retention=Retention(seconds=settings.history_s))
    await store.open()
    try:
        await _serve(settings, folder, certificates, store=store, clock=clock, rng=rng, stop=stop)
    finally:
        await store.close()
        log.info("stopped")


async def _serve(
    settings: Settings, folder: Path, certificates: pki.Pki, *, store: Store, clock: Clock, rng: Rng, stop: asyncio.Event
) -> None:  # fmt: skip
    master = compose(store=store, clock=clock, rng=rng, settings=settings, control=None, streams=None)
    tls = pki.context(certificates)
    front = Front(
        master.door, None, context=tls, clock=clock, rng=rng,
        settings=FrontSettings(
            host=settings.bind, port=settings.api_port, reached_at=settings.reached_at,
            bounds=Bounds(connections=settings.max_connections, handshakes=settings.max_handshakes),
        ),
    )  # fmt: skip
    try:
        port = await front.listen()
    except Unavailable as error:
        raise Unavailable(f"{error.message}; end what listens there, or choose another port with --api-port") from None
    async with TaskGroup() as group:
        parts = [
            group.start(master.run(), name="master"),
            group.start(supervise("renewal", lambda: _renew(settings, folder, tls, clock=clock)), name="renewal"),
            group.start(supervise("rest", front.run, restart=False), name="rest"),
        ]
        _write_kubeconfigs(settings, folder, certificates, port)
        log.info("started version=%s kubernetes=%s api=%s revision=%d", version.VERSION, version.KUBERNETES, port, store.revision)
        await stop.wait()
        log.info("stopping")
        await front.stop()
        for part in reversed(parts):
            part.cancel()


async def _renew(settings: Settings, folder: Path, tls: ssl.SSLContext, *, clock: Clock) -> None:
    """Certificates end while the master runs: look twice a day, and use the new one for new connections."""
    while True:
        await asyncio.sleep(RENEWAL_CHECK_S)
        pki.load(tls, _certificates(settings, folder, clock.now()))
