"""The daemon's entry: `kagent join`, `kagent run`. Flags, environment and file to Settings, what is constructed, signals, exit codes.

    kagent join --data-dir DIR         the join string from KAGENT_JOIN, a file or stdin; writes the host's identity
    kagent run --data-dir DIR          the agent of this host (joins first when KAGENT_JOIN is set and it has not yet)
    kagent run --hollow COUNT          as many hosts in this one process, with containers in memory

Every setting is a flag of `run`, a variable `KAGENT_NAME`, or a key of the file given by --config; the earlier in this list wins.
SIGTERM and SIGINT end the agent, never a container. Exit codes: 0 after a signal, 1 with one sentence for what an operator can mend,
2 for a wrong flag.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from agent import joining
from agent.agent import Agent
from agent.cgroups import PodCgroups
from agent.images import provider_exec, registries, registry_file
from agent.journal import FileJournal, MemoryJournal
from agent.last_words import LastWords
from agent.link import Link
from agent.logs import LogLimits, PodLogs
from agent.network.contract import NoNetwork
from agent.network.host import HostNetwork
from agent.parts import Parts
from agent.probes.network import NetworkReach
from agent.resources import HollowResources, HostResources, host_name
from agent.runtime.contract import Runtime
from agent.runtime.hollow import HollowRuntime
from agent.settings import Settings, load
from agent.volumes.folders import FolderVolumes, keep_in_memory
from common import version
from common.aio import tasks
from common.clock import SystemClock, SystemRng
from common.errors import BadRequest, Conflict, NotFound, SteersmanError, Unavailable
from common.objects import quantity
from common.wire import keys
from common.wire.zmq_transport import Shared, ZmqDialer

D = Settings()
JOIN_VARIABLE = "KAGENT_JOIN"
JOINS_AT_ONCE = 16
HOLLOW_ADDRESS = "127.0.0.1"
JOIN_MOST_BYTES = 8192
LEVELS = click.Choice(["debug", "info", "warning", "error"])


class _RunByDefault(click.Group):
    """`kagent --hollow 3` is `kagent run --hollow 3`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "--version"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunByDefault, context_settings={"max_content_width": 120})
@click.version_option(f"{version.VERSION} (Kubernetes {version.KUBERNETES})", prog_name="kagent")
def main() -> None:
    """The agent of a Steersman host: runs the pods that its master assigns to it."""


@main.command()
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="A YAML file of settings.")
@click.option("--data-dir", help=f"Identity and journal.  [default: {D.data_dir}]")
@click.option("--run-dir", help=f"On a tmpfs: Secrets in volumes.  [default: {D.run_dir}]")
@click.option("--runtime", type=click.Choice(["containerd", "docker", "hollow"]), help=f"What runs containers.  [default: {D.runtime}]")
@click.option("--runtime-endpoint", metavar="unix:///PATH", help=f"Its socket.  [default: {D.runtime_endpoint}]")
@click.option("--sandbox-image", metavar="IMAGE", help=f"Of Docker's pause containers.  [default: {D.sandbox_image}]")
@click.option("--hollow", type=int, metavar="COUNT", help="Play so many hosts, with containers in memory.")
@click.option("--node-name", help="[default: the name it joined by; of hollow hosts, the start of their names]")
@click.option("--node-address", help="[default: the address of the default route's interface]")
@click.option("--cpu", help="State this capacity instead of the machine's, e.g. 2 or 500m.")
@click.option("--memory", help="State this capacity instead of the machine's, e.g. 4Gi.")
@click.option("--pods", help=f"The most pods.  [default: {D.pods}]")
@click.option("--resource", "resources", multiple=True, metavar="DOMAIN/NAME=COUNT|/dev/A:/dev/B",
              help="A resource of this host's own, that pods may ask for; each device is a unit.")
@click.option("--reserved", metavar="RESOURCE=QUANTITY,...", help="Not for pods, e.g. cpu=200m,memory=512Mi.")
@click.option("--pod-max-pids", type=int, metavar="COUNT", help="The most processes and threads of one pod.  [default: no limit]")
@click.option("--container-log-max-size", metavar="SIZE", help=f"A log that is larger is put aside.  [default: {D.container_log_max_size}]")
@click.option("--container-log-max-files", type=int, help=f"Kept of each container.  [default: {D.container_log_max_files}]")
@click.option("--log-root", help=f"Folder of the containers' logs.  [default: {D.log_root}]")
@click.option("--cgroup-root", help=f"Parent of the pods' cgroups.  [default: {D.cgroup_root}]")
@click.option("--cni-config-dir", help=f"Folder of the network configuration; empty writes none.  [default: {D.cni_config_dir}]")
@click.option("--bridge", help=f"The link that pods hang on.  [default: {D.bridge}]")
@click.option("--mtu", type=int, help="Of the pods' links.  [default: the kernel's]")
@click.option("--eviction-hard", metavar="SIGNAL<QUANTITY,...", help="When pods are evicted for the host's sake.")
@click.option("--eviction-pressure-transition-s", type=float, metavar="SECONDS",
              help=f"How long a pressure is told at the least.  [default: {D.eviction_pressure_transition_s:g}]")
@click.option("--prefer-local-images/--no-prefer-local-images", default=None, help="Pull only what is not here, whatever the policy.")
@click.option("--log-level", type=LEVELS, help=f"How much to log, to standard error.  [default: {D.log_level}]")
def run(*, config: Path | None, **options: Any) -> None:
    """Be the agent of this host until told to stop. Its containers live on."""
    settings = _settings(config, options)
    _begin_logging(settings.log_level)
    play = _run_hollow if settings.hollow or settings.runtime == "hollow" else _run_host
    _until_told(lambda: play(settings))


@main.command()
@click.option("--data-dir", default=D.data_dir, show_default=True, envvar="KAGENT_DATA_DIR", help="Where the identity is kept.")
@click.option("--node-name", envvar="KAGENT_NODE_NAME", help="[default: this host's name]")
@click.option("--join-file", type=click.Path(dir_okay=False, allow_dash=True), help=f"- is stdin.  [default: the variable {JOIN_VARIABLE}]")
@click.option("--log-level", default="info", type=LEVELS, help="How much to log, to standard error.")
def join(*, data_dir: str, node_name: str | None, join_file: str | None, log_level: str) -> None:
    """Become a node of the cluster that made the join string (`kctl token create`)."""
    _begin_logging(log_level)

    async def ask() -> None:
        folder = _folder(data_dir)
        identity = await _join(_join_string(join_file), node=node_name or host_name(), folder=folder, shared=None)
        click.echo(f"node {identity.node} joined cluster {identity.cluster}; start it with: kagent run --data-dir {data_dir}")

    _until_told(ask)


def _settings(config: Path | None, options: dict[str, Any]) -> Settings:
    for name, given in (("resources", options.get("resources") or ()), ("reserved", (options.get("reserved") or "").split(","))):
        pairs = [pair for pair in given if pair]
        options[name] = dict(pair.split("=", 1) for pair in pairs) if pairs and all("=" in pair for pair in pairs) else pairs or None
    try:
        return load(file=config, environment=os.environ, options=options)
    except SteersmanError as error:
        raise click.UsageError(error.message) from None


def _begin_logging(level: str) -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )  # fmt: skip


def _until_told(play: Callable[[], Awaitable[None]]) -> None:
    """Run until it ends or a signal comes; what an operator can mend is one sentence."""

    async def playing() -> None:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await play()
        except asyncio.CancelledError:
            logging.getLogger(__name__).info("agent-stopped")

    try:
        asyncio.run(playing())
    except SteersmanError as error:
        _give_up(error.message)
    except OSError as error:
        _give_up(f"{error.filename or ''}: {error.strerror}".lstrip(": "))


def _give_up(words: str) -> NoReturn:
    click.echo(f"kagent: {words}", err=True)
    sys.exit(1)


# Joining.


def _folder(data_dir: str) -> Path:
    folder = Path(data_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _join_string(file: str | None) -> str:
    if file == "-":
        text = sys.stdin.read(JOIN_MOST_BYTES)
    elif file:
        with open(file) as opened:
            text = opened.read(JOIN_MOST_BYTES)
    else:
        text = os.environ.get(JOIN_VARIABLE, "")
    if not text.strip():
        raise BadRequest(f"no join string: make one with `kctl token create` and give it in {JOIN_VARIABLE}, or with --join-file")
    return text.strip()


async def _join(text: str, *, node: str, folder: Path, shared: Shared | None) -> joining.Identity:
    return await joining.join(text, node=node, folder=folder, dialer=lambda master, pair: _dialer(master, pair, shared), rng=SystemRng())


def _dialer(master: keys.MasterKey, pair: keys.Pair, shared: Shared | None) -> ZmqDialer:
    return ZmqDialer(master.endpoints, server_key=master.public_key, public_key=pair.public, secret_key=pair.secret, shared=shared)


async def _identity(settings: Settings, folder: Path, *, node: str, shared: Shared | None) -> joining.Identity:
    """The one kept here, or a new one by KAGENT_JOIN."""
    known = joining.load(folder)
    if known is None:
        if not os.environ.get(JOIN_VARIABLE):
            raise NotFound(f"this host has not joined a cluster: run `kagent join --data-dir {settings.data_dir}` first")
        return await _join(_join_string(None), node=node, folder=folder, shared=shared)
    if settings.node_name and known.node != node:
        raise Conflict(f"this host joined as node {known.node}, not {node}: leave node_name out, or remove {folder / joining.IDENTITY}")
    return known


def _lock(folder: Path) -> int:
    """One agent a data folder; the kernel lets go of it with the process."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Conflict(f"another kagent runs on {folder}: stop it, or give this one a --data-dir of its own") from None
    return handle


# Running.


async def _play(parts: Parts, identity: joining.Identity, shared: Shared | None) -> None:
    agent = Agent(parts)
    link = Link(
        _dialer(identity.master, identity.pair, shared), node=identity.node, cluster=identity.cluster, duties=agent, streams=agent,
        document=agent.hello_document, clock=parts.clock, rng=SystemRng(), peers=parts.network.makes_routes,
    )  # fmt: skip
    await agent.run(link)


def _real_runtime(settings: Settings, cluster: str, clock: SystemClock) -> Runtime:
    """gRPC and aiohttp cost memory: only who uses one loads it."""
    if settings.runtime == "docker":
        from agent.network.cni_exec import CniRunner
        from agent.runtime.docker import DockerRuntime, DockerSettings

        network = CniRunner(Path(settings.cni_config_dir or D.cni_config_dir), Path(settings.run_dir, "networks"))
        wanted = DockerSettings(
            settings.runtime_endpoint, cluster, settings.sandbox_image, settings.pull_progress_s,
            quantity.value(settings.container_log_max_size), settings.container_log_max_files,
        )  # fmt: skip
        return DockerRuntime(wanted, network=network, clock=clock)
    from agent.runtime.containerd import ContainerdRuntime

    return ContainerdRuntime(
        settings.runtime_endpoint, cluster=cluster, cgroup_root=settings.cgroup_root, progress_s=settings.pull_progress_s
    )


def _log_limits(settings: Settings) -> LogLimits | None:
    """Docker has its own."""
    if settings.runtime == "docker":
        return None
    return LogLimits(settings.log_root, quantity.value(settings.container_log_max_size), settings.container_log_max_files)


def _volumes(settings: Settings) -> FolderVolumes:
    """Raises Unavailable when Secrets could not be kept from the disk."""
    memory = f"{settings.run_dir}/pods"
    try:
        keep_in_memory(memory)
    except OSError as error:
        words = f"{memory} is not in memory, and no tmpfs can be mounted there: {error.strerror}; choose another --run-dir"
        raise Unavailable(words) from None
    return FolderVolumes(f"{settings.data_dir}/pods", memory, SystemRng())


async def _run_host(settings: Settings) -> None:
    folder = _folder(settings.data_dir)
    handle = _lock(folder)
    clock = SystemClock()
    try:
        registry_file.load(folder / registries.FILE)  # what is wrong with it is better said now
        providers = provider_exec.load(settings.image_credential_provider_config, settings.image_credential_provider_bin_dir)
        identity = await _identity(settings, folder, node=settings.node_name or host_name(), shared=None)
        runtime = _real_runtime(settings, identity.cluster, clock)
        parts = Parts(
            name=identity.node,
            settings=settings,
            runtime=runtime,
            resources=HostResources(identity.node, settings),
            journal=FileJournal(folder / "journal"),
            network=HostNetwork(settings),
            clock=clock,
            logs=PodLogs(settings.log_root, clock),
            log_limits=_log_limits(settings),
            volumes=_volumes(settings),
            last_words=LastWords(f"{settings.data_dir}/pods", settings.log_root),
            cgroups=PodCgroups(settings.cgroup_root, max_pids=settings.pod_max_pids) if settings.cgroup_root else None,
            reach=NetworkReach(),
            images_folder=folder,
            providers=providers,
        )
        try:
            await _play(parts, identity, None)
        finally:
            await runtime.close()
    finally:
        os.close(handle)


async def _run_hollow(settings: Settings) -> None:
    """COUNT hosts in this process: each has a key, a session and containers of its own."""
    count = max(1, settings.hollow)
    prefix = settings.node_name or host_name()
    names = [prefix] if count == 1 else [f"{prefix}-{number}" for number in range(count)]
    _raise_file_limit(64 + 8 * count)
    folder = _folder(settings.data_dir)
    handle = _lock(folder)
    shared, joins = Shared(), asyncio.Semaphore(JOINS_AT_ONCE)
    try:
        async with tasks.TaskGroup() as group:
            for name in names:
                own = folder if count == 1 else _folder(str(folder / name))
                group.start(_play_hollow(name, settings, folder=own, shared=shared, joins=joins), name=name)
    finally:
        shared.close()
        os.close(handle)


async def _play_hollow(name: str, settings: Settings, *, folder: Path, shared: Shared, joins: asyncio.Semaphore) -> None:
    clock = SystemClock()
    async with joins:
        identity = await _identity(settings, folder, node=name, shared=shared)
    runtime = HollowRuntime(clock)
    parts = Parts(
        name=identity.node,
        settings=settings,
        runtime=runtime,
        resources=HollowResources(identity.node, settings=settings, address=settings.node_address or HOLLOW_ADDRESS),
        journal=MemoryJournal(),
        network=NoNetwork(runtime.world.use_pod_cidr),
        clock=clock,
    )
    await _play(parts, identity, shared)


def _raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


if __name__ == "__main__":
    main()
