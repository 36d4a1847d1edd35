"""The CNI configuration of this node: one bridge, addresses from the node's pod CIDR.

Owns the one file `00-steersman.conflist` (first in name, since containerd takes the first) and writes it atomically when the pod
CIDR becomes known; containerd notices by itself. Masquerading is not the bridge plugin's, which needs iptables, but `masquerade.py`'s.
Ports of the host are `host_ports.py`'s: the plugin for them needs iptables, too.
"""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path

FILE = "00-steersman.conflist"
CNI_VERSION = "0.4.0"


def configuration(pod_cidr: str, *, bridge: str, mtu: int = 0, state: str = "") -> dict:
    """state: the folder where addresses in use are kept; "" is the plugin's own. Raises ValueError for a bad CIDR."""
    subnet = ipaddress.ip_network(pod_cidr)
    ipam: dict[str, object] = {
        "type": "host-local",
        "ranges": [[{"subnet": str(subnet)}]],
        "routes": [{"dst": "0.0.0.0/0" if subnet.version == 4 else "::/0"}],
    }
    if state:
        ipam["dataDir"] = state
    plugin: dict[str, object] = {
        "type": "bridge",
        "bridge": bridge,
        "isGateway": True,
        "forceAddress": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": ipam,
    }
    if mtu:
        plugin["mtu"] = mtu
    return {"cniVersion": CNI_VERSION, "name": f"steersman-{bridge}", "plugins": [plugin]}


def write(folder: Path, content: dict) -> bool:
    """Replace the file atomically; False when it said so already. Raises OSError."""
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    path = folder / FILE
    if path.exists() and path.read_text() == text:
        return False
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.tmp"
    temporary.write_text(text)
    os.replace(temporary, path)
    return True
