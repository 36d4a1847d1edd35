"""What a master is told: one frozen value, made once by `__main__.py` from flags, environment or a test.

Owns names, defaults and units. Every part is given this value, or the few fields that it needs, by `server.py`; none reads the
environment or the command line. Defaults are Kubernetes' own where it has one; the lab shortens the times.
"""

from __future__ import annotations

import ipaddress

import msgspec

from common.errors import BadRequest


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """cluster: the name that agents and kubeconfigs carry; its unique id is made at the first start and kept in the store.

    bind: the address to listen at. advertise: addresses and names by which clients and agents reach this master, the first
    of them in the kubeconfig; they go into the server's certificate.
    node_grace_s: silence after which a node's Ready becomes Unknown. eviction_s: how long pods tolerate an unready or
    unreachable node unless they say otherwise. heartbeat_s: how often an agent reports that it lives. usage_s: how often it
    reports what is used (`kubectl top`); 0: never.
    history_s: how long past revisions stay readable. event_ttl_s: how long Events live. kubeconfig_out: where else the
    administrator's kubeconfig is written; kctl's configuration goes beside it.
    """

    data_dir: str = "/var/lib/kmaster"
    cluster: str = "steersman"
    bind: str = "0.0.0.0"
    advertise: tuple[str, ...] = ()

    api_port: int = 6443
    agents_port: int = 6444
    streams_port: int = 6445
    native_port: int = 6446

    kubeconfig_out: str = ""

    node_grace_s: float = 50.0
    heartbeat_s: float = 10.0
    usage_s: float = 15.0
    eviction_s: int = 300

    pod_cidr: str = "10.244.0.0/16"
    node_mask: int = 24
    service_cidr: str = "10.96.0.0/12"
    cluster_domain: str = "cluster.local"

    history_s: float = 24 * 3600.0
    event_ttl_s: float = 3600.0

    max_connections: int = 4096
    max_handshakes: int = 256

    @property
    def reached_at(self) -> str:
        """The address that is told to clients: the first advertised, else the one bound, else this machine itself."""
        if self.advertise:
            return self.advertise[0]
        return "127.0.0.1" if self.bind in ("0.0.0.0", "::", "") else self.bind


def check(settings: Settings) -> None:
    """Raises BadRequest with a sentence for values that cannot work together."""
    ports = {
        "--api-port": settings.api_port, "--agents-port": settings.agents_port,
        "--streams-port": settings.streams_port, "--native-port": settings.native_port,
    }  # fmt: skip
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if not 0 <= port <= 65535:
            raise BadRequest(f"{name} {port} is not a port: it must be between 0 and 65535")
        if port and port in seen:
            raise BadRequest(f"{name} and {seen[port]} are both {port}: each needs a port of its own")
        seen[port] = name
    try:
        pods = ipaddress.ip_network(settings.pod_cidr)
        services = ipaddress.ip_network(settings.service_cidr)
    except ValueError as error:
        raise BadRequest(f"--pod-cidr and --service-cidr must be networks such as 10.244.0.0/16: {error}") from None
    if pods.overlaps(services):
        raise BadRequest(f"--pod-cidr {pods} and --service-cidr {services} overlap: an address must be of one kind")
    if settings.usage_s and settings.usage_s < 2:
        raise BadRequest("--usage-s must be 0 or at least 2: what is measured over less says little")
    if settings.heartbeat_s <= 0:
        raise BadRequest("--heartbeat-s must be more than 0")
    if settings.node_grace_s <= settings.heartbeat_s:
        raise BadRequest(
            f"--node-grace-s {settings.node_grace_s:g} must be longer than --heartbeat-s {settings.heartbeat_s:g},"
            " or every node would be declared silent between two heartbeats"
        )
    if settings.eviction_s < 0 or settings.history_s < 0:
        raise BadRequest("--eviction-s and --history-s must be 0 or more")
