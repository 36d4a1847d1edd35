"""What every object carries: metadata, references, conditions. Read-only views.

A view is decoded from the stored bytes and names only the fields that our own code decides on. It is never encoded
back, because it lacks the fields it does not name: changes are create (raw documents), patch and delete.
Field names are Kubernetes' own, in snake case here and camel case in the document.
"""

from __future__ import annotations

import msgspec


class View(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """The root of all views: frozen, camel-case names, unknown fields ignored."""


class OwnerReference(View):
    kind: str
    name: str
    uid: str
    api_version: str = msgspec.field(name="apiVersion", default="")
    controller: bool = False
    block_owner_deletion: bool = False


class Meta(View):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The one owner that has `controller: true`."""
        for owner in self.owner_references:
            if owner.controller:
                return owner
        return None


class Condition(View):
    """`status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_heartbeat_time: str | None = None
    last_update_time: str | None = None
    last_probe_time: str | None = None
    observed_generation: int = 0


class SelectorRequirement(View):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(View):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[SelectorRequirement, ...] = ()


class ObjectReference(View):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = msgspec.field(name="apiVersion", default="")
    resource_version: str = ""
    field_path: str = ""


class Object(View):
    """Any object, seen only through its metadata: what garbage collection and namespace deletion need."""

    metadata: Meta
    kind: str = ""
    api_version: str = msgspec.field(name="apiVersion", default="")
