"""What a pod asks for that this agent cannot honour: told as a Warning event, never ignored in silence.

Two weights. Without its volumes a pod would do the wrong thing, so it is not started (`blocking`, event FailedMount). Without
a probe, a hook or a capability it runs, and the event UnsupportedFeature names each field that has no effect. The fields
are looked up in the document as it came, since the typed views name only what is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.lifecycle import volumes
from agent.lifecycle.life import Note
from agent.network import host_ports

POD_FIELDS = ("resourceClaims",)
CONTAINER_FIELDS = ("volumeDevices",)
POD_SECURITY = ("seLinuxOptions", "appArmorProfile", "supplementalGroupsPolicy")
CONTAINER_SECURITY = ("seLinuxOptions", "appArmorProfile")


def blocking(document: Mapping) -> list[str]:
    """The volumes that cannot be made, as `spec.volumes[NAME].TYPE`."""
    found = []
    for volume in _list(_map(document.get("spec")).get("volumes")):
        name = str(volume.get("name", ""))
        if not volumes.supported(volume):
            found.append(f"spec.volumes[{name}].{next((key for key in volume if key != 'name'), '')}")
    return found


def fields(document: Mapping) -> list[str]:
    """The fields that have no effect, as paths, in the order of the document's kind."""
    spec = _map(document.get("spec"))
    found = [f"spec.{name}" for name in POD_FIELDS if spec.get(name)]
    found += [f"spec.securityContext.{name}" for name in POD_SECURITY if _map(spec.get("securityContext")).get(name)]
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in _list(spec.get(group)):
            found += [f"spec.{group}{{{container.get('name', '')}}}.{field}" for field in _container_fields(container)]
    return found


def _container_fields(container: Mapping) -> Iterator[str]:
    for name in CONTAINER_FIELDS:
        if container.get(name):
            yield name
    security = _map(container.get("securityContext"))
    for name in CONTAINER_SECURITY:
        if security.get(name):
            yield f"securityContext.{name}"
    for mount in _list(container.get("volumeMounts")):
        if mount.get("recursiveReadOnly") == "Enabled":
            yield f"volumeMounts{{{mount.get('name', '')}}}.recursiveReadOnly"
    if any(port.get("hostPort") and not host_ports.supported(str(port.get("hostIP") or "")) for port in _list(container.get("ports"))):
        yield "ports[*].hostIP"


def notes(document: Mapping) -> tuple[Note, ...]:
    found: tuple[Note, ...] = ()
    unknown = blocking(document)
    if unknown:
        text = f"Unable to attach or mount volumes: not supported by this agent: {', '.join(unknown)}"
        found += (Note("Warning", "FailedMount", text),)
    without_effect = fields(document)
    if without_effect:
        text = f"These fields have no effect on this node: {', '.join(without_effect)}"
        found += (Note("Warning", "UnsupportedFeature", text),)
    return found


def _map(value: object) -> Mapping:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
