"""The lab's network: one network namespace per host, joined by a bridge that lives in a namespace of its own.

    root namespace          st-ID-switch                    st-ID-host-1
      stIDup 10.87.0.1 ───── uplink ─┐
                                     br0 ─ host-1 ────────── eth0 10.87.0.11
                                     └──── host-2 ──── …

The bridge is not in the root namespace, so no firewall rule of the machine sees what hosts say to one another, and the machine gets
exactly one link. Hosts have no default route: nothing leaves the lab, and what tries fails at once.

A host is cut off by taking its port from the bridge: the link stays up on both sides and every frame is lost, which is what a broken
switch looks like from a host. Owns pyroute2: nothing else imports it. Everything here is idempotent.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError, netns

from lab import processes
from lab.contract import LabFault

NETNS_FOLDER = Path("/run/netns")
SUBNETS = [f"10.{second}.{third}.0/24" for second in (87, 187, 203) for third in range(0, 200)]
PREFIX_LENGTH = 24
TC_ROOT = 0xFFFFFFFF
BURST_BYTES = 8192
QUEUE_S = 0.3


def namespace(lab_id: str, name: str) -> str:
    return f"st-{lab_id}-{name}"


def uplink(lab_id: str) -> str:
    return f"st{lab_id}up"


def address(subnet: str, number: int) -> str:
    """1 is this machine, 2 the master, 11 and up the hosts."""
    return str(ipaddress.ip_network(subnet)[number])


def exists(lab_id: str, name: str) -> bool:
    return (NETNS_FOLDER / namespace(lab_id, name)).exists()


def is_mount(path: Path) -> bool:
    """Also true for a folder bound onto itself, which os.path.ismount does not see."""
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def free_subnet() -> str:
    """A /24 that overlaps no route and no address of this machine. Raises LabFault when there is none."""
    taken = []
    with IPRoute() as ip:
        for entry in ip.get_addr():
            if entry["family"] == 2:
                taken.append(ipaddress.ip_network(f"{entry.get('address')}/{entry['prefixlen']}", strict=False))
        for route in ip.get_routes(family=2):
            if route.get("dst") and route["dst_len"] > 0:
                taken.append(ipaddress.ip_network(f"{route.get('dst')}/{route['dst_len']}", strict=False))
    for candidate in SUBNETS:
        network = ipaddress.ip_network(candidate)
        if not any(network.overlaps(other) for other in taken):
            return candidate
    raise LabFault("no free /24 network was found between 10.87.0.0 and 10.203.199.0: remove a route, or stop another lab")


@contextlib.contextmanager
def claiming() -> Iterator[None]:
    """One lab at a time chooses a subnet and takes it."""
    folder = os.open("/run", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def subnet_in_use(subnet: str, lab_id: str) -> str:
    """The name of another link of this machine that has an address there, or ""."""
    network = ipaddress.ip_network(subnet)
    with IPRoute() as ip:
        names = {link["index"]: link.get("ifname") for link in ip.get_links()}
        for entry in ip.get_addr(family=2):
            if ipaddress.ip_address(entry.get("address")) in network and names.get(entry["index"]) != uplink(lab_id):
                return str(names.get(entry["index"]))
    return ""


def _index(ip: IPRoute, name: str) -> int | None:
    found = ip.link_lookup(ifname=name)
    return found[0] if found else None


def _add_address(ip: IPRoute, index: int, host_address: str) -> None:
    try:
        ip.addr("add", index=index, address=host_address, prefixlen=PREFIX_LENGTH)
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise


def _mac(lab_id: str, host_address: str) -> str:
    """The same after each boot, as a network card's is: its neighbours remember it."""
    return f"02:73:74:{lab_id[:2]}:{lab_id[2:]}:{int(host_address.rsplit('.', 1)[1]):02x}"


def _create_namespace(name: str) -> None:
    if not (NETNS_FOLDER / name).exists():
        netns.create(name)
    with IPRoute(netns=name) as ip:
        ip.link("set", index=_index(ip, "lo"), state="up")


def ensure_switch(lab_id: str, subnet: str) -> None:
    """The bridge, and the machine's own link to it."""
    switch = namespace(lab_id, "switch")
    _create_namespace(switch)
    with IPRoute(netns=switch) as ip:
        if _index(ip, "br0") is None:
            ip.link("add", ifname="br0", kind="bridge", br_stp_state=0, br_forward_delay=0)
        ip.link("set", index=_index(ip, "br0"), state="up")
    with IPRoute() as ip:
        if _index(ip, uplink(lab_id)) is None:
            ip.link("add", ifname=uplink(lab_id), kind="veth", peer={"ifname": "uplink", "net_ns_fd": switch})
        index = _index(ip, uplink(lab_id))
        _add_address(ip, index, address(subnet, 1))
        ip.link("set", index=index, state="up")
    plug(lab_id, "uplink")


def ensure_host(lab_id: str, host: str, host_address: str) -> None:
    """The host's namespace with its `eth0`, plugged into the bridge, forwarding between its pods and the others."""
    name, switch = namespace(lab_id, host), namespace(lab_id, "switch")
    if not exists(lab_id, host):
        remove_host(lab_id, host)  # a port may be left whose other end went with an earlier namespace
    _create_namespace(name)
    with IPRoute(netns=switch) as ip:
        if _index(ip, host) is None:
            peer = {"ifname": "eth0", "net_ns_fd": name, "address": _mac(lab_id, host_address)}
            ip.link("add", ifname=host, kind="veth", peer=peer)
    with IPRoute(netns=name) as ip:
        index = _index(ip, "eth0")
        if index is None:  # its other end is left from a namespace that is gone
            raise LabFault(f"the host {host} has no network link: run script/down and then script/up")
        _add_address(ip, index, host_address)
        ip.link("set", index=index, state="up")
    processes.run(["nsenter", f"--net={NETNS_FOLDER / name}", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
    plug(lab_id, host)


def plug(lab_id: str, port: str) -> None:
    with IPRoute(netns=namespace(lab_id, "switch")) as ip:
        ip.link("set", index=_index(ip, port), master=_index(ip, "br0"), state="up")


def unplug(lab_id: str, port: str) -> None:
    if not exists(lab_id, "switch"):
        return
    with IPRoute(netns=namespace(lab_id, "switch")) as ip:
        index = _index(ip, port)
        if index is not None:
            ip.link("set", index=index, master=0)


def plugged(lab_id: str, port: str) -> bool:
    if not exists(lab_id, "switch"):
        return False
    with IPRoute(netns=namespace(lab_id, "switch")) as ip:
        index = _index(ip, port)
        return index is not None and bool(ip.get_links(index)[0].get("master"))


def throttle(lab_id: str, host: str, bits_s: int) -> None:
    """The host's cable carries so much each way (a token bucket at either end); what waits longer than QUEUE_S is lost."""
    for place, link in _ends(lab_id, host):
        with IPRoute(netns=place) as ip:
            rate = bits_s // 8
            ip.tc("replace", "tbf", _index(ip, link), 0, rate=rate, burst=BURST_BYTES, limit=int(rate * QUEUE_S) + BURST_BYTES)


def unthrottle(lab_id: str, host: str) -> None:
    for place, link in _ends(lab_id, host):
        with IPRoute(netns=place) as ip:
            try:
                ip.tc("del", index=_index(ip, link), parent=TC_ROOT)
            except NetlinkError as error:
                if error.code not in (errno.ENOENT, errno.EINVAL):  # there is none
                    raise


def _ends(lab_id: str, host: str) -> tuple[tuple[str, str], ...]:
    """Both ends of a host's cable: namespace and link."""
    return (namespace(lab_id, "switch"), host), (namespace(lab_id, host), "eth0")


def remove_host(lab_id: str, host: str) -> None:
    """Its port first, so that not one frame of it gets out any more."""
    if exists(lab_id, "switch"):
        with IPRoute(netns=namespace(lab_id, "switch")) as ip:
            index = _index(ip, host)
            if index is not None:
                ip.link("del", index=index)
    with contextlib.suppress(FileNotFoundError):
        netns.remove(namespace(lab_id, host))


def namespaces(lab_id: str) -> list[str]:
    """Names of all namespaces of this lab, the switch included."""
    try:
        return sorted(name for name in os.listdir(NETNS_FOLDER) if name.startswith(f"st-{lab_id}-"))
    except FileNotFoundError:
        return []


def other_labs(lab_id: str) -> list[str]:
    """Namespaces of labs with another id."""
    try:
        return sorted(name for name in os.listdir(NETNS_FOLDER) if name.startswith("st-") and not name.startswith(f"st-{lab_id}-"))
    except FileNotFoundError:
        return []


def remove_all(lab_id: str) -> None:
    """All links and namespaces that carry the lab's id."""
    with IPRoute() as ip:
        index = _index(ip, uplink(lab_id))
        if index is not None:
            with contextlib.suppress(NetlinkError):
                ip.link("del", index=index)
    for name in namespaces(lab_id):
        try:
            netns.remove(name)
        except OSError:
            (NETNS_FOLDER / name).unlink(missing_ok=True)


def remove_netns_mount() -> None:
    """/run/netns is mounted onto itself by whoever makes the first namespace; undone when the last one is gone."""
    if is_mount(NETNS_FOLDER) and not os.listdir(NETNS_FOLDER):
        processes.run(["umount", str(NETNS_FOLDER)])
        with contextlib.suppress(OSError):
            NETNS_FOLDER.rmdir()
