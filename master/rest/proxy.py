"""`nodes/proxy`, `pods/proxy`, `services/proxy`: HTTP through the API to what runs in the cluster. Not carried yet, and it says so.

Owns the order in which it is refused, which stays when nodes can carry it: may the caller, is there such an object, then the stream
to the node. The verb is that of the method, as in Kubernetes; a name may have a scheme before it and a port behind it.
"""

from __future__ import annotations

from aiohttp import web

from common.errors import Unavailable
from master.api import faults
from master.api.access.rules import Access
from master.api.contract import Door, Ref
from common.objects import meta
from master.rest.call import Call

VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "OPTIONS": "get"}


def named(name: str) -> str:
    """Of `NAME`, `NAME:PORT` and `SCHEME:NAME:PORT`."""
    parts = name.split(":")
    return parts[1] if len(parts) == 3 else parts[0]


class Proxy:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def answer(self, call: Call) -> web.StreamResponse:
        """Raises Forbidden, NotFound, Unavailable."""
        route, verb = call.route, VERBS.get(call.request.method)
        if verb is None:
            raise faults.not_allowed()
        what = route.resource.plural
        self._door.authorize(call.actor, Access(verb, "", what, route.subresource, route.namespace, route.name))
        name = named(route.name)
        if self._door.views.get(meta.Object, Ref(route.resource.key, name, route.namespace)) is None:
            raise faults.not_found(route.resource, name)
        raise Unavailable(f"{what}/proxy is not available: nodes do not carry it yet; use `kubectl port-forward` to reach a pod")
