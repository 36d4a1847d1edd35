"""CNI plugins, run by the agent itself: for runtimes that give a pod a network namespace and nothing in it (Docker).

Owns the calls of the plugins (CNI 0.4.0: environment CNI_*, configuration on stdin, a result on stdout) and, per pod, one file on a
tmpfs with what was used and what came of it: the pod's address, and the configuration that DEL must be told again. The
configuration is the newest in the folder that `cni.py` writes to. Whether a namespace exists is the runtime's business.

Subtle: that file is gone after a reboot, the addresses that host-local keeps on disk are not; DEL then uses today's configuration.
Subtle: DEL is called with no namespace when it is gone; the address is given back all the same.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import msgspec

from agent.network import cni
from common.errors import SteersmanError, Timeout, Unavailable

FOLDERS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
INTERFACE = "eth0"
PLUGIN_S = 30.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class PluginFault(SteersmanError):
    """A plugin refused; `message` is its own words."""

    reason = "NetworkPlugin"


class _Kept(msgspec.Struct, frozen=True):
    configuration: dict[str, Any]
    result: dict[str, Any]


class CniRunner:
    """configuration: the folder with the conflist. state: a folder on a tmpfs, private to one agent."""

    def __init__(self, configuration: Path, state: Path, folders: tuple[str, ...] = FOLDERS) -> None:
        self._file = configuration / cni.FILE
        self._state = state
        self._folders = folders

    def trouble(self) -> str:
        """Why no pod can have a network now, or ""."""
        if not any((Path(folder) / "bridge").exists() for folder in self._folders):
            return "the CNI plugins are missing: install Debian's package containernetworking-plugins"
        return "" if self._file.exists() else "Network plugin returns error: cni plugin not initialized"

    def address(self, identity: str) -> str:
        """Of a pod that was added and not taken away, or ""."""
        kept = self._kept(identity)
        ips = kept.result.get("ips") or [] if kept is not None else []
        return str(ips[0].get("address", "")).partition("/")[0] if ips else ""

    async def add(self, identity: str, netns: str, args: dict[str, str]) -> None:
        """Idempotent. Raises PluginFault with the plugin's words, Timeout, Unavailable; what was begun is taken away again."""
        if self._kept(identity) is not None:
            return
        try:
            configuration = msgspec.json.decode(self._file.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            raise Unavailable("the node has no pod CIDR yet") from None
        except msgspec.DecodeError as error:
            raise PluginFault(f"{self._file}: {error}") from None
        result: dict[str, Any] = {}
        try:
            for plugin in configuration["plugins"]:
                text = await self._call("ADD", _stdin(configuration, plugin, result), _environment(identity, netns, args))
                result = json.loads(text) if text.strip() else result
        except (PluginFault, Timeout):
            await self._undo(configuration, identity, netns=netns, result={})
            raise
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._state / f".{identity}.new"
        fresh.write_bytes(msgspec.json.encode(_Kept(configuration, result)))
        os.replace(fresh, self._path(identity))

    async def delete(self, identity: str, netns: str) -> None:
        """Idempotent. netns "": it is gone. Raises PluginFault, Timeout."""
        kept = self._kept(identity)
        if kept is None:
            try:
                kept = _Kept(msgspec.json.decode(self._file.read_bytes(), type=dict[str, Any]), {})
            except (FileNotFoundError, msgspec.DecodeError):
                return
        for plugin in reversed(kept.configuration["plugins"]):
            await self._call("DEL", _stdin(kept.configuration, plugin, kept.result), _environment(identity, netns, {}))
        self._path(identity).unlink(missing_ok=True)

    async def _undo(self, configuration: dict[str, Any], identity: str, *, netns: str, result: dict[str, Any]) -> None:
        for plugin in reversed(configuration["plugins"]):
            try:
                await self._call("DEL", _stdin(configuration, plugin, result), _environment(identity, netns, {}))
            except (PluginFault, Timeout):
                continue  # the first words count

    def _path(self, identity: str) -> Path:
        return self._state / f"{identity}.json"

    def _kept(self, identity: str) -> _Kept | None:
        try:
            return msgspec.json.decode(self._path(identity).read_bytes(), type=_Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    async def _call(self, command: str, stdin: dict[str, Any], environment: dict[str, str]) -> str:
        name = str(stdin["type"])
        binary = next((f"{folder}/{name}" for folder in self._folders if "/" not in name and os.access(f"{folder}/{name}", os.X_OK)), "")
        if not binary:
            raise PluginFault(f'failed to find plugin "{name}" in path [{" ".join(self._folders)}]')
        child = await asyncio.create_subprocess_exec(
            binary, env={**environment, "CNI_COMMAND": command, "CNI_PATH": ":".join(self._folders), "PATH": PATH},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PLUGIN_S):
                output, words = await child.communicate(json.dumps(stdin).encode())
        except TimeoutError:
            raise Timeout(f"the CNI plugin {name} did not end within {PLUGIN_S:g} s") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode:
            told = _words(output) or words.decode("utf-8", "replace").strip()
            raise PluginFault(f'plugin type="{name}" failed ({command.lower()}): {told}')
        return output.decode("utf-8", "replace")


def _stdin(configuration: dict[str, Any], plugin: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    common = {"cniVersion": configuration["cniVersion"], "name": configuration["name"]}
    return {**plugin, **common, **({"prevResult": before} if before else {})}


def _environment(identity: str, netns: str, args: dict[str, str]) -> dict[str, str]:
    told = ";".join(f"{key}={value}" for key, value in {"IgnoreUnknown": "1", **args}.items())
    return {"CNI_CONTAINERID": identity, "CNI_NETNS": netns, "CNI_IFNAME": INTERFACE, "CNI_ARGS": told}


def _words(output: bytes) -> str:
    try:
        found = json.loads(output)
    except ValueError:
        return output.decode("utf-8", "replace").strip()
    return ": ".join(filter(None, (str(found.get("msg", "")), str(found.get("details", ""))))) if isinstance(found, dict) else ""
