"""The pod that exec, attach or port-forward is for: by which method, whether this caller may, whether there is one, and whether it has
a node.

Owns the order of these and Kubernetes' sentences for them. The right is that on the subresource alone: who may exec need not
be allowed to read the pod.
"""

from __future__ import annotations

from common.errors import BadRequest
from common.objects.pod import Pod
from master.api import faults
from master.api.access.rules import Access
from master.api.contract import Door
from master.rest.call import Call

VERBS = {"GET": "get", "POST": "create"}


def reached(door: Door, call: Call) -> Pod:
    """Raises MethodNotAllowed, Forbidden, NotFound, BadRequest."""
    if call.request.method not in VERBS:
        raise faults.not_allowed()
    route, verb = call.route, VERBS[call.request.method]
    door.authorize(call.actor, Access(verb, "", route.resource.plural, route.subresource, route.namespace, route.name))
    pod = door.views.get(Pod, route.ref)
    if pod is None:
        raise faults.not_found(route.resource, route.name)
    if not pod.spec.node_name:
        raise BadRequest(f"pod {route.name} does not have a host assigned")
    if pod.finished:
        raise BadRequest(f"cannot {route.subresource} to a container in a completed pod; current phase is {pod.status.phase}")
    return pod
