"""Credentials that are taken back: whose, and made before when. Kept in the ConfigMap `kube-system/steersman-revoked-users`.

    data:  SHA-256 of the name ──► "2026-01-31T12:00:00Z alice"     one line for each name, the latest

A certificate says a name, groups and its beginning, and so does a key for kctl; both are checked by nobody but this cluster's fronts. So
the name and a time are a list of revocations. What is made for the same name later is good. Looked at with every request: from memory,
decoded once per change. Who may write the ConfigMap may revoke, and may forgive by removing a line.
"""

from __future__ import annotations

import hashlib

from common.clock import parse_rfc3339, rfc3339
from common.errors import AlreadyExists, BadRequest, NotFound
from common.objects import meta
from master.api.contract import Actor, Door, PatchType, Ref, Views

LIST = Ref("configmaps", "steersman-revoked-users", "kube-system")
ADMINISTRATOR = "kubernetes-admin"


class _List(meta.View):
    metadata: meta.Meta
    data: dict[str, str] = {}


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


class Revocations:
    def __init__(self, views: Views) -> None:
        self._views = views

    def covers(self, name: str, issued: float) -> bool:
        """issued: when the credentials were made, in whole seconds; the second of the revocation counts as before it."""
        listed = self._views.get(_List, LIST)
        line = listed.data.get(_key(name)) if listed is not None else None
        if line is None:
            return False
        try:
            return issued <= parse_rfc3339(line.partition(" ")[0])
        except ValueError:
            return True  # somebody wrote it by hand, and meant it


async def revoke(door: Door, actor: Actor, name: str, now: float) -> str:
    """Since when credentials must be made to count: an RFC 3339 time. Raises Forbidden, BadRequest."""
    if not name or name == ADMINISTRATOR:
        raise BadRequest("the administrator's own credentials cannot be revoked: they are what is left when all others are")
    since = rfc3339(now)
    data = {"data": {_key(name): f"{since} {name}"}}
    for _ in range(2):
        try:
            await door.patch(actor, LIST, PatchType.MERGE, data)
            return since
        except NotFound:
            pass
        try:
            await door.create(actor, LIST.resource, LIST.namespace, {"metadata": {"name": LIST.name}, **data})
            return since
        except AlreadyExists:
            continue
    raise AlreadyExists(f"{LIST.namespace}/{LIST.name} comes and goes; try again")
