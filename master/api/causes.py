"""Why a write was made, when the caller did not say: a request of a user, in one line.

The master's own parts pass their cause with every change; the fronts pass none, and get it here.
"""

from __future__ import annotations

from master.api.contract import Actor, Role
from master.store.contract import Cause

REQUEST = "Request"
UNEXPLAINED = "Unexplained"
"""A part of the master that gave no cause; a reader of `kctl why` should never meet it."""
_VERBS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}


def of(actor: Actor, given: Cause | None, *, verb: str, what: str) -> Cause:
    """`PATCH deployments.apps/scale by kubernetes-admin`."""
    if given is not None:
        return given
    rule = REQUEST if actor.role is Role.USER else UNEXPLAINED
    return Cause(actor.name, rule, f"{_VERBS.get(verb, verb)} {what} by {actor.name}")
