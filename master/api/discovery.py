"""Discovery documents, generated from the registry: what exists, under which names, with which verbs.

Two forms of the same facts: the classic ones (APIVersions, APIGroupList, APIResourceList), one request a group version, and the
aggregated APIGroupDiscoveryList (v2, v2beta1), two requests for all. The front picks by the `Accept` header.
Subtle: a subresource whose body is of another kind (`pods/eviction`, `deployments/scale`) must say that kind's group and
version: without them `kubectl drain` deletes pods instead of evicting them.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def versions(server_address: str) -> Json:
    """`/api`. server_address: `HOST:PORT` that clients reach the server at."""
    raise NotImplementedError


def groups() -> Json:
    """`/apis`: APIGroupList."""
    raise NotImplementedError


def group(name: str) -> Json | None:
    """`/apis/NAME`: APIGroup; None when it is not served."""
    raise NotImplementedError


def resources(group_name: str, version: str) -> Json | None:
    """`/api/v1` (group "") and `/apis/GROUP/VERSION`: APIResourceList; None when it is not served."""
    raise NotImplementedError


def aggregated(*, core: bool, version: str = "v2") -> Json:
    """APIGroupDiscoveryList of `/api` (core) or `/apis`. version: "v2" or "v2beta1" of apidiscovery.k8s.io."""
    raise NotImplementedError
