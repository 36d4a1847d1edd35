"""From a URL's path to what it names: a resource, an object, a subresource, a group version.

Owns the shape of Kubernetes' paths and nothing else: no verbs, no rights, no I/O.

    /api/v1/pods                                   all pods
    /api/v1/namespaces/NS/pods[/NAME[/SUB]]        those of a namespace, one of them, its subresource
    /api/v1/namespaces[/NAME[/SUB]]                namespaces themselves
    /apis/GROUP/VERSION/...                        the same for named groups
    /api/v1/watch/...                              a watch of it, as old clients ask for one (`app.py` takes the word out)

Subtle: `namespaces/NS/X` is a resource of a namespace, unless X is a subresource of Namespace (`status`, `finalize`).
A request costs one split and one dictionary look-up in the catalogue.
"""

from __future__ import annotations

import msgspec

from common.errors import NotFound
from master.api import registry
from master.api.catalog import Catalog
from master.api.contract import Ref
from master.api.registry import Resource

WATCHED = "watch"
PROXY = "proxy"
"""The one subresource with paths of its own below it."""
NOT_SERVED = "the server could not find the requested resource"


class Route(msgspec.Struct, frozen=True):
    """name "" is a collection; namespace "" is cluster scope, or all namespaces. rest: what follows a subresource with paths of its own."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        return Ref(self.resource.key, self.name, self.namespace)


_OF_NAMESPACE = frozenset(sub.name for sub in registry.BY_KEY["namespaces"].subresources)


def parse(parts: list[str], catalog: Catalog) -> Route:
    """parts: the path split at its slashes, from `api` or `apis` on, with at least a resource in it.

    Raises NotFound when nothing of that name is served there. Whether the object exists is not asked.
    """
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    else:
        group, version, rest = parts[1], parts[2], parts[3:]
    namespace, beyond = "", tuple[str, ...]()
    proxied = next((at for at in (2, 4) if rest[at : at + 1] == [PROXY]), 0)
    if proxied:
        rest, beyond = rest[: proxied + 1], tuple(rest[proxied + 1 :])
    if "" in rest:
        raise NotFound(NOT_SERVED)
    namespaced = len(rest) > 2 and rest[0] == "namespaces" and not (not group and rest[2] in _OF_NAMESPACE and len(rest) == 3)
    if namespaced:
        namespace, rest = rest[1], rest[2:]
    resource = catalog.by_path(group, version, rest[0])
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise NotFound(NOT_SERVED)
    name = rest[1] if len(rest) > 1 else ""
    if name and resource.namespaced and not namespace:
        raise NotFound(NOT_SERVED)
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and resource.subresource(subresource) is None:
        raise NotFound(NOT_SERVED)
    if beyond and subresource != PROXY:
        raise NotFound(NOT_SERVED)
    return Route(resource, namespace, name, subresource, beyond)
