"""The network of a real host: CNI configuration, routes to other nodes' pods, masquerading, forwarding, ports of the host.

Keeps the newest wish and makes it true with `ip` and `nft`, in this process' network namespace; again after RETRY_S when something
failed, and once in RESYNC_S because others may have flushed it. A host without nft has pods that reach one another but not the world.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from agent.network import cni, host_ports, masquerade, routes
from agent.network.host_ports import HostPort
from agent.settings import Settings
from common.errors import NotNow, Unavailable
from common.wire.messages import Peer

log = logging.getLogger(__name__)

COMMAND_S = 10.0
RETRY_S = 5.0
RESYNC_S = 300.0
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
LOCALNET = "/proc/sys/net/ipv4/conf/{}/route_localnet"


class HostNetwork:
    """`agent.network.contract.Network`."""

    makes_routes = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pod_cidr = ""
        self._peers: tuple[Peer, ...] = ()
        self._ports: dict[str, tuple[HostPort, ...]] = {}
        self._ports_made = False
        """Whether the table may be there: without any such port there is none."""
        self._changed = asyncio.Event()

    def use_pod_cidr(self, pod_cidr: str) -> None:
        if pod_cidr != self._pod_cidr:
            log.info("pod-cidr cidr=%s", pod_cidr)
            self._pod_cidr = pod_cidr
            self._changed.set()

    def use_peers(self, peers: tuple[Peer, ...]) -> None:
        if peers != self._peers:
            self._peers = peers
            self._changed.set()

    def use_host_ports(self, uid: str, ports: tuple[HostPort, ...]) -> None:
        if ports == self._ports.get(uid, ()):
            return
        self._ports.pop(uid, None)
        if ports:
            self._ports[uid] = ports
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            again_s = RESYNC_S
            try:
                await self._apply()
            except (NotNow, OSError, ValueError) as error:
                log.error("network-incomplete again_in_s=%g why=%s", RETRY_S, error)
                again_s = RETRY_S
            try:
                async with asyncio.timeout(again_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _apply(self) -> None:
        settings = self._settings
        if not self._pod_cidr:
            return
        if settings.cni_config_dir:
            content = cni.configuration(self._pod_cidr, bridge=settings.bridge, mtu=settings.mtu)
            if cni.write(Path(settings.cni_config_dir), content):
                log.info("cni-configured folder=%s cidr=%s bridge=%s", settings.cni_config_dir, self._pod_cidr, settings.bridge)
        if not settings.routes:
            return
        if FORWARD.read_text().strip() != "1":
            FORWARD.write_text("1")
        await self._apply_routes()
        await self._apply_masquerade()
        await self._apply_host_ports()

    async def _apply_routes(self) -> None:
        want, refused = routes.wanted(self._peers, own_cidr=self._pod_cidr)
        for words in refused:
            log.warning("route-refused why=%s", words)
        have = routes.present(await command("ip", "-json", "route", "show", "proto", str(routes.PROTOCOL)))
        lines = routes.plan(want, have)
        if lines:
            await command("ip", "-force", "-batch", "-", text="\n".join(lines) + "\n")
            log.info("routes-changed count=%d", len(lines))

    async def _apply_masquerade(self) -> None:
        others = routes.wanted(self._peers, own_cidr=self._pod_cidr)[0]
        text = masquerade.rules(self._pod_cidr, others, bridge=self._settings.bridge)
        try:
            await command("nft", "-f", "-", text=text)
        except FileNotFoundError:
            log.warning("masquerade-left-out why=nft is not installed")

    async def _apply_host_ports(self) -> None:
        if not self._ports and not self._ports_made:
            return
        bridge = self._settings.bridge
        ports = [port for each in self._ports.values() for port in each]
        localnet = Path(LOCALNET.format(bridge))
        if ports and localnet.exists() and localnet.read_text().strip() != "1":
            localnet.write_text("1")
        try:
            await command("nft", "-f", "-", text=host_ports.rules(ports, self._pod_cidr, bridge=bridge))
        except FileNotFoundError:
            log.warning("host-ports-left-out why=nft is not installed")
        self._ports_made = True


async def command(*argv: str, text: str = "") -> str:
    """Run it; returns its output. Raises Unavailable with its words, FileNotFoundError, OSError."""
    child = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(COMMAND_S):
            output, words = await child.communicate(text.encode())
    except BaseException:
        if child.returncode is None:
            child.kill()
            await child.wait()
        raise
    if child.returncode:
        raise Unavailable(f"{' '.join(argv[:3])}: {words.decode('utf-8', 'replace').strip() or child.returncode}")
    return output.decode("utf-8", "replace")
