"""Who may do what: the hook that the door calls before every read and write.

Today every authenticated actor may do everything: the master's own parts by their role, people by a certificate of the
cluster's own authority. Who is not authenticated may do nothing here (the fronts serve /livez, /readyz and /version without
the door). Rules of access come to stand behind `check`, and nowhere else.
"""

from __future__ import annotations

import msgspec

from common.errors import Forbidden
from master.api.contract import Actor, Role
from master.api.registry import Resource

ANONYMOUS = "system:anonymous"
UNAUTHENTICATED = "system:unauthenticated"


class Access(msgspec.Struct, frozen=True):
    """One request: verb as Kubernetes has it (get, list, watch, create, update, patch, delete, deletecollection)."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def check(actor: Actor, access: Access) -> None:
    """Raises Forbidden with Kubernetes' text."""
    if actor.role is not Role.USER:
        return
    if not actor.name or actor.name == ANONYMOUS or UNAUTHENTICATED in actor.groups:
        raise refusal(actor, access)


def refusal(actor: Actor, access: Access) -> Forbidden:
    resource = access.resource
    what = f"{resource.plural}/{access.subresource}" if access.subresource else resource.plural
    scope = f'in the namespace "{access.namespace}"' if access.namespace else "at the cluster scope"
    named = f' "{access.name}"' if access.name else ""
    return Forbidden(
        f'{resource.key}{named} is forbidden: User "{actor.name or ANONYMOUS}" cannot {access.verb} resource "{what}" '
        f'in API group "{resource.group}" {scope}',
        group=resource.group, kind=resource.plural, name=access.name,
    )  # fmt: skip
