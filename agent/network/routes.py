"""Routes to the other nodes' pods, and nothing but our own: they carry the routing protocol number 211.

Pure planning (`plan`) and the text for `ip -batch`; `host.py` runs it. What carries our number and is not wanted any more is removed;
routes of others are never looked at. Addresses come from the master and are parsed before they get near a command.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping

from common.wire.messages import Peer

PROTOCOL = 211


def wanted(peers: Iterable[Peer], *, own_cidr: str) -> tuple[dict[str, str], list[str]]:
    """Pod CIDR to gateway; and what cannot be used, in words."""
    found: dict[str, str] = {}
    refused: list[str] = []
    for peer in peers:
        if not peer.pod_cidr or not peer.address:
            continue
        try:
            network = ipaddress.ip_network(peer.pod_cidr)
            address = ipaddress.ip_address(peer.address)
        except ValueError as error:
            refused.append(f"{peer.node}: {error}")
            continue
        if network.version != 4 or address.version != 4:
            refused.append(f"{peer.node}: only IPv4 is routed")
        elif address.is_loopback or str(network) == own_cidr:
            continue
        else:
            found[str(network)] = str(address)
    return found, refused


def present(listing: str) -> dict[str, str]:
    """What `ip -json route show proto 211` printed. Raises ValueError."""
    entries = json.loads(listing or "[]")
    return {entry["dst"]: entry.get("gateway", "") for entry in entries if isinstance(entry, dict) and "dst" in entry}


def plan(want: Mapping[str, str], have: Mapping[str, str]) -> list[str]:
    """Lines for `ip -batch`, removals first."""
    lines = [f"route del {cidr} proto {PROTOCOL}" for cidr in sorted(have) if cidr not in want]
    lines += [
        f"route replace {cidr} via {gateway} proto {PROTOCOL}" for cidr, gateway in sorted(want.items()) if have.get(cidr) != gateway
    ]
    return lines
