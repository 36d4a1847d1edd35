"""The daemon's entry: `kmaster --data-dir DIR`. Flags and environment to Settings, logging, signals, exit codes.

Every flag can be given as an environment variable, `KMASTER_` and its name in capitals (`KMASTER_DATA_DIR`). Exit codes: 0 after
SIGTERM or SIGINT, 1 with one sentence for what an operator can mend (a port in use, a damaged file), 2 for a wrong flag.
What is started, and in which order, is in `server.py`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import sys
import time
from typing import Any

import click

from common import version
from common.clock import SystemClock, SystemRng
from common.errors import SteersmanError
from master import server
from master.settings import Settings, check

D = Settings()
BEATS_PER_GRACE = 5
"""Unless told otherwise, an agent may miss this many heartbeats before its node is declared silent."""
HEARTBEAT_HELP = f"Seconds between heartbeats of agents.  [default: a {BEATS_PER_GRACE}th of the grace, at most {D.heartbeat_s:g}]"
READ_S = 60.0
"""How long reading the store may go on without collecting cycles."""
YOUNG = 10_000
"""New objects that may be in cycles, until the collector looks for some."""
LEVELS = click.Choice(["debug", "info", "warning", "error"])


@click.command(context_settings={"auto_envvar_prefix": "KMASTER", "show_default": True, "max_content_width": 120})
@click.option("--data-dir", default=D.data_dir, help="Where the store, the certificates and the keys live.")
@click.option("--cluster", default=D.cluster, help="The cluster's name, as kubeconfigs show it.")
@click.option("--bind", default=D.bind, help="Address to listen at.")
@click.option("--advertise-address", "advertise", multiple=True, help="Address to be reached by; repeatable; clients get the first.")
@click.option("--api-port", default=D.api_port, help="HTTPS, for kubectl and all other clients of the Kubernetes API.")
@click.option("--agents-port", default=D.agents_port, help="Control connections of agents.")
@click.option("--streams-port", default=D.streams_port, help="Streams of agents (logs).")
@click.option("--native-port", default=D.native_port, help="kctl.")
@click.option("--kubeconfig-out", default="", show_default=False, metavar="FILE", help="Write the kubeconfig here too, kctl.json beside.")
@click.option("--node-grace-s", default=D.node_grace_s, help="Seconds of silence after which a node counts as unreachable.")
@click.option("--heartbeat-s", type=float, default=None, help=HEARTBEAT_HELP)
@click.option("--usage-s", default=D.usage_s, help="Seconds between agents' reports of what is used, for kubectl top; 0: none.")
@click.option("--eviction-s", default=D.eviction_s, help="Seconds that pods stay on an unreachable node unless they say otherwise.")
@click.option("--pod-cidr", default=D.pod_cidr, help="Range of the pods' addresses.")
@click.option("--service-cidr", default=D.service_cidr, help="Range of the services' addresses.")
@click.option("--history-s", default=D.history_s, help="Seconds for which past revisions stay readable.")
@click.option("--event-ttl-s", default=D.event_ttl_s, help="Seconds for which Events are kept.")
@click.option("--max-connections", default=D.max_connections, help="HTTPS connections at the same time.")
@click.option("--log-level", default="info", type=LEVELS, help="How much to log, to standard error.")
@click.version_option(f"{version.VERSION} (Kubernetes {version.KUBERNETES})", prog_name="kmaster")
def main(*, log_level: str, heartbeat_s: float | None, **flags: Any) -> None:
    """The master of a Steersman cluster: the Kubernetes API, the store, the scheduler and the controllers."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )  # fmt: skip
    if heartbeat_s is None:
        heartbeat_s = min(D.heartbeat_s, flags["node_grace_s"] / BEATS_PER_GRACE)
    settings = Settings(heartbeat_s=heartbeat_s, **flags)
    try:
        check(settings)
    except SteersmanError as error:
        raise click.UsageError(error.message) from None
    _raise_file_limit()
    gc.disable()
    try:
        asyncio.run(_run(settings))
    except SteersmanError as error:
        click.echo(f"kmaster: {error.message}", err=True)
        sys.exit(1)


def _raise_file_limit() -> None:
    """A connection is a file; the soft limit of 1024 is too few for watches of many clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.call_later(READ_S, _collect)
    await server.serve(settings, clock=SystemClock(), rng=SystemRng(), stop=stop, read=_collect)


def _collect() -> None:
    """From now on look for cycles of objects, but not among those that are there: what the store holds has none, and to look at it all
    takes a quarter of a second with a hundred thousand pods, each time, and a fifth of the start."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(YOUNG)
        gc.enable()


if __name__ == "__main__":
    main()
