"""Extended resources of a host (`example.com/gpu`): how many units there are, and which container has which devices.

A resource is a number, or one unit for each device file that it names. Which devices are taken is not kept anywhere: containers carry
theirs in a label, so that whoever starts reads it back from the runtime. A container that is made again gets the same ones; they are free
when the pod's worker has ended.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agent.runtime.contract import ContainerSpec, Runtime, RuntimeFault

SEPARATOR = ":"


def units(text: str | int) -> tuple[int, tuple[str, ...]]:
    """How many, and the devices if it names some: `5`, or `/dev/a:/dev/b`. Raises ValueError."""
    if isinstance(text, str) and text.startswith("/"):
        paths = tuple(text.split(SEPARATOR))
        if not all(path.startswith("/dev/") for path in paths) or len(set(paths)) != len(paths):
            raise ValueError(f"{text!r} is neither a number nor different files below /dev, separated by {SEPARATOR!r}")
        return len(paths), paths
    if int(text) < 0:
        raise ValueError(f"{text!r} must not be negative")
    return int(text), ()


class Devices:
    """resources: by name, as `units` reads them. One for all pods of a host."""

    def __init__(self, resources: Mapping[str, str | int], runtime: Runtime) -> None:
        self._paths = {name: paths for name, text in resources.items() if (paths := units(text)[1])}
        self._runtime = runtime
        self._taken: dict[tuple[str, str], tuple[str, ...]] | None = None

    async def equip(self, uid: str, spec: ContainerSpec) -> ContainerSpec:
        """With the devices that it asks for. Raises RuntimeFault when too few are free."""
        if not any(name in self._paths for name in spec.extended):
            return spec
        if self._taken is None:
            seen = await self._runtime.observe()
            if self._taken is None:
                self._taken = {(s.uid, c.name): c.devices for s in seen for c in s.containers if c.devices}
        taken, key = self._taken, (uid, spec.name)
        if key not in taken:
            others = {path for devices in taken.values() for path in devices}
            chosen: tuple[str, ...] = ()
            for name, count in spec.extended.items():
                free = [path for path in self._paths.get(name, ()) if path not in others]
                if name in self._paths and len(free) < count:
                    words = f"Allocate failed due to requested number of devices unavailable for {name}. "
                    raise RuntimeFault(f"{words}Requested: {count}, Available: {len(free)}", kind="CreateContainerError")
                chosen += tuple(free[:count])
            taken[key] = chosen
        return msgspec.structs.replace(spec, devices=taken[key])

    def release(self, uid: str) -> None:
        """The pod is gone. Idempotent."""
        for key in [key for key in self._taken or () if key[0] == uid]:
            del self._taken[key]  # type: ignore[union-attr]
