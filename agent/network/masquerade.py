"""What pods send to the world outside the cluster leaves with the host's address; what they send one another keeps theirs.

Pure: the text for `nft -f -`, one table of our own per bridge, replaced as a whole. CIDRs are parsed, never pasted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def table(bridge: str) -> str:
    return f"steersman_{''.join(c if c.isalnum() else '_' for c in bridge)}"


def rules(pod_cidr: str, others: Iterable[str], *, bridge: str) -> str:
    """Raises ValueError for a CIDR that is none."""
    own = ipaddress.ip_network(pod_cidr)
    inside = sorted({own, *(ipaddress.ip_network(cidr) for cidr in others)}, key=str)
    name = table(bridge)
    return f"""\
add table ip {name}
delete table ip {name}
table ip {name} {{
  set pods {{
    type ipv4_addr
    flags interval
    auto-merge
    elements = {{ {', '.join(str(network) for network in inside)} }}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {own} ip daddr != @pods oifname != "{bridge}" masquerade
  }}
}}
"""
