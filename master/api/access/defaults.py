"""The default roles and bindings, brought to what they must be at every start.

As Kubernetes does it: what is missing is made; what stands keeps everything that somebody added, and gets back every rule, subject,
selector, label and annotation that it lacks; a binding to another role is made anew, since its role cannot be changed. An object
annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone. Idempotent: what is complete is not written.
"""

from __future__ import annotations

import msgspec

from common.aio.tasks import gather
from common.errors import AlreadyExists, Conflict, NotFound
from common.objects.access import PolicyRule
from master.api.access import index, rules
from master.api.access.default_roles import AUTOUPDATE, defaults
from master.api.contract import Actor, DeleteOptions, Document, Door, Ref, Role, WriteOptions
from master.store.contract import Cause

ACTOR = Actor(Role.API.user, Role.API, ("system:masters",))
CAUSE = Cause(ACTOR.name, "Bootstrap", "every cluster has it")
BATCH = 64
"""So many are written side by side: they share the store's commits."""


async def ensure(door: Door) -> None:
    """Roles first: a binding without its role would be refused to everybody else, and is not to be seen here either."""
    found = defaults()
    roles = [(Ref(index.CLUSTER_ROLES, default.name), default.role()) for default in found]
    bindings = [(Ref(index.CLUSTER_ROLE_BINDINGS, default.name), default.binding()) for default in found]
    for wanted in (roles, [(ref, document) for ref, document in bindings if document is not None]):
        for start in range(0, len(wanted), BATCH):
            await gather(*(_ensure(door, ref, document) for ref, document in wanted[start : start + BATCH]))


async def _ensure(door: Door, ref: Ref, wanted: Document) -> None:
    while True:
        try:
            stored = door.get(ACTOR, ref)
        except NotFound:
            try:
                await door.create(ACTOR, ref.resource, "", wanted, WriteOptions(cause=CAUSE))
            except AlreadyExists:
                continue
            return
        present = stored.document()
        if (present["metadata"].get("annotations") or {}).get(AUTOUPDATE) == "false":
            return
        try:
            if present.get("roleRef") != wanted.get("roleRef"):
                await door.delete(ACTOR, ref, DeleteOptions(resource_version=str(stored.revision), cause=CAUSE))
                continue
            merged = completed(present, wanted)
            if merged != present:
                await door.update(ACTOR, ref, merged, WriteOptions(cause=CAUSE))
            return
        except (Conflict, NotFound):
            continue


def completed(present: Document, wanted: Document) -> Document:
    """`present` with all that it lacks of `wanted`. Pure."""
    meta = present["metadata"]
    merged = {**present, "metadata": dict(meta)}
    for field in ("labels", "annotations"):
        merged["metadata"][field] = {**(meta.get(field) or {}), **wanted["metadata"].get(field, {})}
    if "subjects" in wanted:
        standing = present.get("subjects") or []
        merged["subjects"] = standing + [subject for subject in wanted["subjects"] if subject not in standing]
        return merged
    if "aggregationRule" in wanted:
        selectors = (present.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
        added = [selector for selector in wanted["aggregationRule"]["clusterRoleSelectors"] if selector not in selectors]
        merged["aggregationRule"] = {"clusterRoleSelectors": selectors + added}
        return merged  # its rules are gathered from other roles
    owned = msgspec.convert(present.get("rules") or [], list[PolicyRule])
    lacking = [rule for rule in wanted["rules"] if rules.missing(owned, [msgspec.convert(rule, PolicyRule)])]
    merged["rules"] = (present.get("rules") or []) + lacking
    return merged
