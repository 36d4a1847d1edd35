"""`registries.yaml` as far as a Docker engine can follow it. Pure.

Owns under which names an image is looked for at its mirrors, and what of the file is Docker's own business: it takes certificates from
`/etc/docker/certs.d/HOST`, and whom it may talk to in the clear or unchecked from its own configuration.
"""

from __future__ import annotations

import msgspec

from agent.images.reference import DEFAULT_HOST, Reference
from agent.images.registries import API, HUB_SERVER, Endpoint, Registries
from agent.runtime.docker_call import Document

INSECURE = 'list it under "insecure-registries" in /etc/docker/daemon.json'


def mirrored(registries: Registries, image: Reference) -> list[tuple[str, Reference]]:
    """The servers to be asked before the image's own, and its name there."""
    found = []
    for endpoint in registries.endpoints(image):
        prefix = _prefix(endpoint)
        if prefix is not None:
            there = msgspec.structs.replace(image, host=endpoint.host, path=prefix + image.path)
            found.append((f"https://{endpoint.host}", there))
    return [each for each in found if each[1] != image]


def own_server(image: Reference) -> str:
    return f"https://{HUB_SERVER if image.host == DEFAULT_HOST else image.host}"


def _prefix(endpoint: Endpoint) -> str | None:
    """What the endpoint's path puts before an image's; None for an API that is not at /v2."""
    if endpoint.path == API:
        return ""
    return f"{endpoint.path.removeprefix(f'{API}/')}/" if endpoint.path.startswith(f"{API}/") else None


def without_effect(registries: Registries, info: Document) -> tuple[str, ...]:
    """In words. info: what the engine says of itself."""
    known = (info.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    insecure = {host for host, config in known.items() if not config.get("Secure", True)}
    words = []
    for host, tls in registries.tls.items():
        if tls.ca_file or tls.cert_file:
            words.append(f"configs.{host}.tls: Docker takes certificates from /etc/docker/certs.d/{host}")
        if tls.insecure_skip_verify and not _unchecked(host, insecure):
            words.append(f"configs.{host}.tls.insecure_skip_verify: Docker has a setting of its own, {INSECURE}")
    for host, endpoints in registries.mirrors.items():
        for endpoint in endpoints:
            if endpoint.scheme == "http" and not _unchecked(endpoint.host, insecure):
                words.append(f"mirrors.{host}: Docker does not talk to {endpoint.host} in the clear, {INSECURE}")
            if _prefix(endpoint) is None:
                words.append(f"mirrors.{host}: Docker cannot reach an API that is not at /v2: {endpoint.url}")
    return tuple(words)


def _unchecked(host: str, insecure: set[str]) -> bool:
    return host in insecure or host.startswith(("127.", "localhost:", "[::1]")) or host == "localhost"
