"""What can be done where, in no version of OpenAPI yet: each resource's paths with their operations, and its definitions' names.

`v2.py` and `v3.py` write the same facts down in their own forms. Pure: made from the catalogue's resources and the official
definitions, nothing is kept.

    Resource ─► of_resource ─► {path: Item(parameters, {method: Operation})}
             └► definitions_of ─► names of official definitions, and definitions of custom kinds, which no package has
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from master.api import proposals, schema_source
from master.api.registry import Resource, Subresource

Json = dict[str, Any]
Parameters = tuple[tuple[str, str, str], ...]
"""(name, type, description) each."""

STREAMS = ("exec", "attach", "portforward")
"""Subresources that are connections; their options are query parameters, and of no schema."""
DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"

_ONE = (
    ("fieldManager", "string", "Who makes this change; up to 128 characters."),
    ("fieldValidation", "string", "Ignore, Warn or Strict: what happens to unknown and duplicate fields."),
    ("dryRun", "string", "All: process everything, store nothing."),
)
_FORCE = (("force", "boolean", "Of an apply: take fields from those who own them."),)
_LIST = (
    ("labelSelector", "string", "Restrict the list by labels."),
    ("fieldSelector", "string", "Restrict the list by fields."),
    ("limit", "integer", "At most so many objects; the rest by `continue`."),
    ("continue", "string", "Go on where a list stopped."),
    ("resourceVersion", "string", "Not older than, or exactly, this version; see resourceVersionMatch."),
    ("resourceVersionMatch", "string", "NotOlderThan or Exact."),
    ("watch", "boolean", "Stream changes instead of listing."),
    ("allowWatchBookmarks", "boolean", "Send bookmarks on a watch."),
    ("sendInitialEvents", "boolean", "Begin a watch with the present state, ended by a bookmark."),
    ("timeoutSeconds", "integer", "End the list or watch after so long."),
)
_DELETE = (
    ("gracePeriodSeconds", "integer", "Seconds the object gets to end."),
    ("propagationPolicy", "string", "Background, Foreground or Orphan."),
    ("dryRun", "string", "All: process everything, store nothing."),
)

_LOG = (
    ("container", "string", "Whose log; needed when the pod has several."),
    ("follow", "boolean", "Go on with what is written from now on."),
    ("previous", "boolean", "The log of the container's previous run."),
    ("timestamps", "boolean", "Begin each line with its time."),
    ("tailLines", "integer", "Only so many lines from the end."),
    ("sinceSeconds", "integer", "Only what is not older."),
    ("sinceTime", "string", "Only what was written after this time."),
    ("limitBytes", "integer", "Not more than so many bytes."),
)

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
SHARED = (DELETE_OPTIONS, PATCH, STATUS)
"""The definitions that operations of every resource refer to."""

JSON = "application/json"


class Operation(msgspec.Struct, frozen=True):
    """answer: the definition that comes back; "" for plain text. body: the definition that is sent, in one of `types`; "" for none."""

    id: str
    action: str
    kind: Json
    answer: str
    parameters: Parameters = ()
    body: str = ""
    types: tuple[str, ...] = (JSON,)


class Item(msgspec.Struct, frozen=True):
    """names: the parts of the path that are parameters."""

    names: tuple[str, ...]
    operations: dict[str, Operation]


def by_group(resources: Sequence[Resource]) -> dict[str, tuple[Resource, ...]]:
    """`api/v1`, `apis/apps/v1`: the paths of the group versions, each with what it serves."""
    found: dict[str, tuple[Resource, ...]] = {}
    for resource in resources:
        if resource.served:
            path = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
            found[path] = (*found.get(path, ()), resource)
    return found


def _schema_of(resource: Resource) -> Json | None:
    bringing = resource.custom or resource.described
    return bringing.schema if bringing is not None else None


def names_of(resource: Resource) -> tuple[str, str]:
    """Of the kind's definition and its list's. A kind's that brings its schema is its group's name turned round, as Kubernetes has it.
    Virtual kinds have no list; an older version, kept for older clients, may have no definition any more."""
    if _schema_of(resource) is not None:
        own = ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
        return own, f"{own}List"
    found = [schema_source.name_of(resource.group, resource.version, kind) for kind in (resource.kind, f"{resource.kind}List")]
    assert all(found) or resource.virtual, resource.kind
    return found[0] or "", found[1] or ""


def definitions_of(resource: Resource) -> Json:
    """Those that no package has: of a kind that brings its schema and of its list, with references as bare names."""
    schema = _schema_of(resource)
    if schema is None:
        return {}
    own, listed = names_of(resource)
    gvk = {"group": resource.group, "version": resource.version}
    official = schema_source.definition("io.k8s.api.core.v1.ConfigMapList")["properties"]
    head = {"apiVersion": official["apiVersion"], "kind": official["kind"]}
    about = schema_source.definition("io.k8s.api.core.v1.ConfigMap")["properties"]["metadata"]["description"]
    one = {
        **schema,
        "properties": {**(schema.get("properties") or {}), **head, "metadata": {"$ref": OBJECT_META, "description": about}},
        "x-kubernetes-group-version-kind": [{**gvk, "kind": resource.kind}],
    }
    items = {"type": "array", "description": f"List of {resource.plural}.", "items": {"$ref": own}}
    many = {
        "description": f"{resource.kind}List is a list of {resource.kind}", "type": "object", "required": ["items"],
        "properties": {**head, "items": items, "metadata": {"$ref": LIST_META, "description": about}},
        "x-kubernetes-group-version-kind": [{**gvk, "kind": f"{resource.kind}List"}],
    }  # fmt: skip
    return {own: one, listed: many}


def of_resource(root: str, resource: Resource) -> dict[str, Item]:
    """root: `/api/v1`. Empty for a kind without a definition."""
    own, listed = names_of(resource)
    return _Writer(root, resource, own=own, listed=listed).items() if own else {}


_IDS = {"get": "read", "post": "create", "put": "replace"}
"""Kubernetes' words in names of operations, where they differ from those of its actions."""


class _Writer:
    """The paths of one resource."""

    def __init__(self, root: str, resource: Resource, *, own: str, listed: str) -> None:
        self._resource = resource
        self._own, self._listed = own, listed
        self._everywhere = f"{root}/{resource.plural}"
        self._collection = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else self._everywhere
        self._kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        self._namespaced = ("namespace",) if resource.namespaced else ()
        self._patches = tuple(kind.value for kind in proposals.accepted(resource))

    def items(self) -> dict[str, Item]:
        resource, found = self._resource, {}
        if resource.namespaced and not resource.virtual:
            found[self._everywhere] = Item((), {"get": self._operation("list", self._listed, _LIST, everywhere=True)})
        found[self._collection] = Item(self._namespaced, self._served(self._on_all()))
        found[f"{self._collection}/{{name}}"] = Item(("name", *self._namespaced), self._served(self._on_one()))
        for sub in resource.subresources:
            found[f"{self._collection}/{{name}}/{sub.name}"] = Item(("name", *self._namespaced), self._on_subresource(sub))
        return found

    def _served(self, verbs: dict[str, tuple[str, Operation]]) -> dict[str, Operation]:
        return {method: operation for verb, (method, operation) in verbs.items() if verb in self._resource.verbs}

    def _on_all(self) -> dict[str, tuple[str, Operation]]:
        return {
            "list": ("get", self._operation("list", self._listed, _LIST)),
            "create": ("post", self._operation("post", self._own, _ONE, body=self._own)),
            "deletecollection": ("delete", self._operation("deletecollection", STATUS, _LIST + _DELETE, body=DELETE_OPTIONS)),
        }

    def _on_one(self) -> dict[str, tuple[str, Operation]]:
        own = self._own
        return {
            "get": ("get", self._operation("get", own)),
            "update": ("put", self._operation("put", own, _ONE, body=own)),
            "patch": ("patch", self._operation("patch", own, _ONE + _FORCE, body=PATCH)),
            "delete": ("delete", self._operation("delete", STATUS, _DELETE, body=DELETE_OPTIONS)),
        }

    def _on_subresource(self, sub: Subresource) -> dict[str, Operation]:
        if sub.name in STREAMS:
            return {method: self._operation("connect", "", sub=sub, method=method) for method in ("get", "post")}
        if sub.name == "proxy":
            ways = ("get", "post", "put", "patch", "delete", "head", "options")
            return {method: self._operation("connect", "", sub=sub, method=method) for method in ways}
        name = schema_source.name_of(*self._group_of(sub), sub.kind) if sub.kind else self._own
        assert name is not None, sub
        found: dict[str, Operation] = {}
        if sub.name == "log":
            found["get"] = self._operation("get", "", _LOG, sub=sub)
        elif "get" in sub.verbs:
            found["get"] = self._operation("get", name, sub=sub)
        if "update" in sub.verbs:
            found["put"] = self._operation("put", name, _ONE, sub=sub, body=name)
        if "patch" in sub.verbs:
            found["patch"] = self._operation("patch", name, _ONE + _FORCE, sub=sub, body=PATCH)
        if "create" in sub.verbs:
            found["post"] = self._operation("post", name, _ONE, sub=sub, body=name)
        return found

    def _group_of(self, sub: Subresource | None) -> tuple[str, str]:
        return (sub.group, sub.version) if sub is not None and sub.version else (self._resource.group, self._resource.version)

    def _operation(
        self, action: str, answer: str, parameters: Parameters = (), *, body: str = "", sub: Subresource | None = None,
        everywhere: bool = False, method: str = "",
    ) -> Operation:  # fmt: skip
        group, version = self._group_of(sub)
        kind = {"group": group, "version": version, "kind": sub.kind or self._resource.kind} if sub is not None else self._kind
        types = self._patches if action == "patch" else (JSON,)
        return Operation(
            self._id(action, sub, everywhere=everywhere, method=method), action, kind, answer,
            parameters=parameters, body=body, types=types,
        )  # fmt: skip

    def _id(self, action: str, sub: Subresource | None, *, everywhere: bool, method: str) -> str:
        """`listCoreV1NamespacedPod`, `patchAppsV1NamespacedDeploymentStatus`: what generators of clients name their methods by."""
        resource = self._resource
        group = "".join(word[:1].upper() + word[1:] for word in (resource.group or "core").removesuffix(".k8s.io").split("."))
        where = "Namespaced" if resource.namespaced and not everywhere else ""
        verb, middle = ("delete", "Collection") if action == "deletecollection" else (_IDS.get(action, action), method.capitalize())
        part = sub.name[:1].upper() + sub.name[1:] if sub is not None else ""
        after = "ForAllNamespaces" if everywhere else ""
        return f"{verb}{group}{resource.version.capitalize()}{middle}{where}{resource.kind}{part}{after}"


def tag(resource: Resource) -> str:
    """`core_v1`, `rbacAuthorization_v1`."""
    first, *rest = (resource.group or "core").removesuffix(".k8s.io").split(".")
    return "".join([first, *(word.capitalize() for word in rest)]) + f"_{resource.version}"
