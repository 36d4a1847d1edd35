"""Ports of the host that lead to containers (`ports[*].hostPort`): which ones a pod has, and the rules for all pods of the host.

Pure: the text for `nft -f -`, one table of our own beside the masquerading, replaced as a whole. What is addressed to any address of the
host goes to the pod, from outside and from the host itself; a pod of the host's network needs no rule, as it has its ports already.

Subtle: for 127.0.0.1 the bridge must let such addresses pass (`route_localnet`). So that pods do not reach what listens there, what comes
from the bridge for it is dropped, and what goes to the bridge from it gets the bridge's address, to which the pod can answer. So does what
pods of this host send, as an answer straight across the bridge would not be recognised.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import msgspec

from agent.network import masquerade
from common.objects import pod as pods

PROTOCOLS = ("tcp", "udp", "sctp")
ANY = ("", "0.0.0.0")


class HostPort(msgspec.Struct, frozen=True, order=True):
    """host_ip "": every address of the host."""

    protocol: str
    host_port: int
    host_ip: str
    pod_ip: str
    container_port: int


def of(pod: pods.Pod, ip: str) -> tuple[HostPort, ...]:
    """Those of the pod while it has that address; none without one."""
    if not ip or pod.spec.host_network:
        return ()
    found = {
        HostPort(port.protocol.lower(), port.host_port, "" if port.host_ip in ANY else port.host_ip, ip, port.container_port)
        for container in pod.spec.init_containers + pod.spec.containers
        for port in container.ports
        if port.host_port
    }
    return tuple(sorted(found))


def supported(host_ip: str) -> bool:
    """Whether ports of that address of the host can be given away: IPv4 ones."""
    return host_ip == "" or ":" not in host_ip


def table(bridge: str) -> str:
    return f"{masquerade.table(bridge)}_ports"


def rules(ports: Iterable[HostPort], pod_cidr: str, *, bridge: str) -> str:
    """The more special come first, since the first that fits decides. Raises ValueError for a CIDR that is none."""
    own = ipaddress.ip_network(pod_cidr)
    name = table(bridge)
    lines = "\n".join(f"    {line}" for line in (_rule(port) for port in sorted(ports, key=lambda p: (not p.host_ip, p))) if line)
    return f"""\
add table ip {name}
delete table ip {name}
table ip {name} {{
  chain ports {{
{lines}
  }}
  chain guard {{
    type filter hook prerouting priority raw; policy accept;
    iifname "{bridge}" ip daddr 127.0.0.0/8 drop
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump ports
  }}
  chain output {{
    type nat hook output priority -100; policy accept;
    fib daddr type local jump ports
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade
    oifname "{bridge}" ip saddr {own} ct status dnat masquerade
  }}
}}
"""


def _rule(port: HostPort) -> str:
    """"" for one that cannot be: what comes from a pod's document is parsed, never pasted."""
    if port.protocol not in PROTOCOLS:
        return ""
    try:
        target = ipaddress.IPv4Address(port.pod_ip)
        where = f"ip daddr {ipaddress.IPv4Address(port.host_ip)} " if port.host_ip else ""
    except ValueError:
        return ""
    return f"{where}{port.protocol} dport {port.host_port:d} dnat to {target}:{port.container_port:d}"
