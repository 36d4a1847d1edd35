"""Composition: what a master consists of, in which order it starts and stops. Nothing here decides anything.

    compose    the master itself, from a store and two listeners: door, controllers, scheduler, dispatch. The simulation makes it
               with the memory store, transports in memory and virtual time.
    serve      a real one: certificates and keys, the SQLite store, sockets, the fronts for people.

    start   keys, certificates ─► store ─► sockets bound ─► namespaces ─► controllers ─► scheduler ─► dispatch ─► fronts
    stop    in reverse: who asks is sent away first, who decides stops next, the store last, with every accepted write in it

A part that dies of a bug is logged and started again; the store's failure ends the process, because nothing is true without it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from common import version
from common.aio.tasks import TaskGroup, supervise
from common.clock import Clock, Rng
from common.errors import Unavailable
from common.objects.cluster import Namespace
from common.wire import keys
from common.wire.transport import Listener
from common.wire.zmq_transport import ZmqListener
from master import credentials, pki, process
from master.api import bootstrap, components, metrics
from master.api.access.tokens import TokenAuthority
from master.api.contract import Actor, Document, Ref, Views
from master.api.crd.publisher import Publisher
from master.api.door import ApiDoor
from master.api.leases import NodeLeases
from master.api.metrics import Source
from master.api.settings import DoorSettings
from master.api.usage import UsageBoard
from master.api.webhooks import Caller
from master.controllers.certificates import Sign
from master.controllers.registry import Controllers
from master.controllers.settings import ControllerSettings
from master.dispatch import dispatch
from master.dispatch.join import TokenDesk
from master.dispatch.keyring import KeyRing
from master.native.calls import UserCreate
from master.native.desk import Desks
from master.native.front import NativeFront
from master.rest.app import Front, FrontSettings, host_port
from master.rest.gate import Bounds
from master.scheduler.scheduler import Scheduler
from master.settings import Settings
from master.store.contract import Store
from master.store.retention import Retention
from master.store.sqlite import SqliteStore
from master.user_keys import KeyDesk, UserKeys
from master.users import UserDesk
from master.webhooks import HttpsCaller

log = logging.getLogger(__name__)

RENEWAL_CHECK_S = 12 * 3600.0
DISRUPTION_HEARTBEATS = 1.25
"""So many heartbeats tell whether one node is silent or all are."""


class World(msgspec.Struct, frozen=True):
    """What a master is composed over. store: open. ring: what the control and stream listeners ask for admission.
    token_key: signs ServiceAccounts' tokens (PEM); none, no tokens. webhooks: asks them; none, they are not asked.
    sign: by the cluster's CA; none, no certificates are issued. ca: its certificate as PEM, for pods."""

    store: Store
    clock: Clock
    rng: Rng
    control: Listener
    streams: Listener
    ring: KeyRing
    token_key: bytes = b""
    ca: bytes = b""
    webhooks: Caller | None = None
    sign: Sign | None = None


class Master:
    """A master without its fronts for people. `run()` until cancelled; the store is open before and closed after."""

    def __init__(
        self, *, cluster_id: str, door: ApiDoor, publisher: Publisher, controllers: Controllers, scheduler: Scheduler,
        dispatch: dispatch.Dispatch,
    ) -> None:  # fmt: skip
        self.cluster_id = cluster_id
        self.door = door
        self.publisher = publisher
        self.controllers = controllers
        self.scheduler = scheduler
        self.dispatch = dispatch

    @property
    def metrics(self) -> tuple[Source, ...]:
        """Who has numbers to tell."""
        door = self.door
        return (lambda: metrics.storage_objects(door.catalog, door.views), self.scheduler.metrics, self.controllers.metrics)

    def trouble(self) -> str:
        """What it is still waiting for; "" when it works."""
        return "" if self.controllers.listed else "the controllers have not read everything yet"

    async def run(self) -> None:
        async with TaskGroup() as group:
            for name, run in (
                ("definitions", self.publisher.run), ("controllers", self.controllers.run), ("scheduler", self.scheduler.run),
                ("dispatch", self.dispatch.run),
            ):  # fmt: skip
                group.start(supervise(name, run), name=name)


async def compose(world: World, settings: Settings) -> Master:
    """Put a master together over an open store, and make sure that the store holds what every cluster has.

    The cluster's id is the uid of its namespace kube-system, as is the custom with Kubernetes: unique, and restored with the store.
    """

    def authority(views: Views) -> TokenAuthority:
        issuer = f"https://kubernetes.default.svc.{settings.cluster_domain}"
        return TokenAuthority(world.token_key, issuer=issuer, views=views, clock=world.clock, rng=world.rng)

    parts = components.Components()
    board = UsageBoard(world.clock, every_s=settings.usage_s)
    leases = NodeLeases(world.rng, duration_s=max(1, round(settings.node_grace_s)))
    door = ApiDoor(
        world.store, world.clock, world.rng, leases=leases,
        settings=DoorSettings(
            toleration_s=settings.eviction_s, event_ttl_s=settings.event_ttl_s, mount_tokens=bool(world.token_key and world.ca),
            protect_storage=True,
        ),
        authority=authority if world.token_key else None, computed={**board.computed, components.KEY: parts},
    )  # fmt: skip
    await bootstrap.ensure(door)
    await bootstrap.ensure_class(door)
    publisher = Publisher(door, world.clock, world.rng, caller=world.webhooks)
    publisher.publish()
    system = door.views.get(Namespace, Ref("namespaces", "kube-system"))
    assert system is not None, "the bootstrap made it, and it cannot be deleted"
    cluster_id = system.metadata.uid
    master = Master(
        cluster_id=cluster_id,
        door=door,
        publisher=publisher,
        controllers=Controllers(
            door, world.clock,
            ControllerSettings(
                pod_cidr=settings.pod_cidr, node_mask=settings.node_mask,
                disruption_window_s=settings.heartbeat_s * DISRUPTION_HEARTBEATS,
            ),
            sign=world.sign, ca=world.ca.decode(),
        ),
        scheduler=Scheduler(door, world.clock, world.rng),
        dispatch=dispatch.Dispatch(
            door, control=world.control, streams=world.streams, clock=world.clock, ring=world.ring, leases=leases, board=board,
            settings=dispatch.Settings(
                cluster_id, heartbeat_s=settings.heartbeat_s, node_grace_s=settings.node_grace_s,
                agent=_told_to_agents(world, settings),
            ),
        ),
    )  # fmt: skip
    parts.checks = {"etcd-0": world.store.trouble, "scheduler": master.scheduler.trouble, "controller-manager": master.trouble}
    return master


def _told_to_agents(world: World, settings: Settings) -> dict[str, str]:
    """In each Welcome. usage_s: how often to tell what is used. tokens: whether there are any. api: where pods reach the API."""
    told = {
        "usage_s": f"{settings.usage_s:g}" if settings.usage_s else "",
        "tokens": "yes" if world.token_key else "",
        "api": host_port(settings.reached_at, settings.api_port) if settings.api_port else "",
    }
    return {name: value for name, value in told.items() if value}


# A real master.


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


class Sockets(msgspec.Struct, frozen=True):
    """The three ZeroMQ listeners, open."""

    control: ZmqListener
    streams: ZmqListener
    native: ZmqListener

    def port(self, listener: ZmqListener) -> int:
        return int(listener.endpoint.rpartition(":")[2])


@asynccontextmanager
async def _sockets(settings: Settings, own: credentials.Keys, ring: KeyRing, users: UserKeys) -> AsyncIterator[Sockets]:
    """Bind all or none. Raises Unavailable with the port and the flag that changes it."""
    wanted = (
        ("agents", settings.agents_port, ring.admit_control),
        ("streams", settings.streams_port, ring.admit_stream),
        ("native", settings.native_port, users.admit),
    )
    async with AsyncExitStack() as stack:
        made = []
        for channel, port, admit in wanted:
            address = f"tcp://{host_port(settings.bind, port)}"
            listener = ZmqListener(address, secret_key=own.master.secret, admit=admit, channel=channel)
            try:
                await listener.open()
            except Unavailable as error:
                raise _occupied(error, f"--{channel}-port") from None
            stack.push_async_callback(listener.close)
            made.append(listener)
        yield Sockets(*made)


def _occupied(error: Unavailable, flag: str) -> Unavailable:
    return Unavailable(f"{error.message}; end what listens there, or choose another port with {flag}")


async def _when_read(master: Master, tell: Callable[[], None]) -> None:
    await master.controllers.until_listed()
    tell()


async def serve(settings: Settings, *, clock: Clock, rng: Rng, stop: asyncio.Event, read: Callable[[], None] = lambda: None) -> None:
    """Run a master until `stop` is set. read: called once all that stands in the store was read. Raises Unavailable with a sentence
    when it cannot start."""
    folder = _data_dir(settings)
    certificates = _certificates(settings, folder, clock.now())
    own = credentials.ensure(folder, rng)
    store = SqliteStore(str(folder / "store.db"), clock, retention=Retention(seconds=settings.history_s))
    async with AsyncExitStack() as stack:
        await store.open()
        stack.push_async_callback(store.close)
        ring = KeyRing(clock)
        user_keys = UserKeys(own, clock)
        sockets = await stack.enter_async_context(_sockets(settings, own, ring, user_keys))
        webhooks = HttpsCaller()
        stack.push_async_callback(webhooks.close)
        world = World(
            store, clock, rng, control=sockets.control, streams=sockets.streams, ring=ring, token_key=certificates.tokens,
            ca=certificates.ca.certificate, webhooks=webhooks, sign=functools.partial(pki.sign_client, certificates.ca),
        )  # fmt: skip
        master = await compose(world, settings)
        user_keys.views = master.door.views
        front = _front(settings, certificates, world=world, master=master, store=store)
        try:
            port = await front.listen()
        except Unavailable as error:
            raise _occupied(error, "--api-port") from None
        kctl = functools.partial(
            credentials.kctl_config, own, address=host_port(settings.reached_at, sockets.port(sockets.native))
        )
        key_desk = KeyDesk(master.door, user_keys, clock, rng, configure=lambda pair, user: kctl(pair=pair, user=user))
        users = UserDesk(certificates, key_desk, clock, cluster=settings.cluster, address=host_port(settings.reached_at, port))
        native = _native(settings, own, world=world, master=master, sockets=sockets, users=users, caller=user_keys.caller)
        async with TaskGroup() as group:
            renewal = supervise("renewal", lambda: _renew(settings, folder, front.context, clock=clock))
            parts = [
                group.start(_when_read(master, read), name="when-read"),
                group.start(master.run(), name="master"),
                group.start(renewal, name="renewal"),
                group.start(supervise("native", native.run), name="native"),
                group.start(supervise("rest", front.run, restart=False), name="rest"),
            ]
            credentials.hand_out(
                folder,
                kubeconfig=pki.kubeconfig(certificates, cluster=settings.cluster, address=host_port(settings.reached_at, port)),
                kctl=kctl(pair=own.admin, user=credentials.USER),
                also=settings.kubeconfig_out,
            )
            log.info(
                "started version=%s kubernetes=%s cluster=%s api=%s:%d revision=%d", version.VERSION, version.KUBERNETES,
                master.cluster_id, settings.bind, port, store.revision,
            )  # fmt: skip
            await stop.wait()
            log.info("stopping")
            await front.stop()
            for part in reversed(parts):
                part.cancel()
    log.info("stopped")


def _front(settings: Settings, certificates: pki.Pki, *, world: World, master: Master, store: SqliteStore) -> Front:
    told = FrontSettings(
        host=settings.bind, port=settings.api_port, reached_at=settings.reached_at, alive={"etcd": store.trouble},
        checks={"informer-sync": master.trouble}, metrics=(*master.metrics, process.metrics),
        bounds=Bounds(connections=settings.max_connections, handshakes=settings.max_handshakes),
    )  # fmt: skip
    context = pki.context(certificates)
    return Front(master.door, master.dispatch, settings=told, context=context, clock=world.clock, rng=world.rng)


def _native(
    settings: Settings, own: credentials.Keys, *, world: World, master: Master, sockets: Sockets, users: UserDesk,
    caller: Callable[[str], Actor | None],
) -> NativeFront:  # fmt: skip
    key = keys.MasterKey(
        settings.reached_at, sockets.port(sockets.control), sockets.port(sockets.streams), own.master.public
    )
    desk = TokenDesk(
        master.door, world.clock, world.rng, cluster=master.cluster_id, master=keys.sign(own.signing, key),
        signing_key=keys.signing_public(own.signing),
    )  # fmt: skip

    async def create_user(actor: Actor, asked: UserCreate) -> Document:
        return await users.create(actor, asked.name, tuple(asked.groups), ttl_s=asked.ttl_s, kctl=asked.kctl)

    return NativeFront(
        master.door, master.dispatch, listener=sockets.native, desks=Desks(desk.create, desk.delete, create_user), caller=caller,
        clock=world.clock, cluster=settings.cluster,
    )  # fmt: skip


async def _renew(settings: Settings, folder: Path, tls: ssl.SSLContext, *, clock: Clock) -> None:
    """Certificates end while the master runs: look twice a day, and use the new one for new connections."""
    while True:
        await asyncio.sleep(RENEWAL_CHECK_S)
        pki.load(tls, _certificates(settings, folder, clock.now()))
