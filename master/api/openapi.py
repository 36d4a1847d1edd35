"""OpenAPI v3 documents, generated from the catalogue and the official definitions.

kubectl reads them for explain, create, apply, replace and diff: which patch types a kind takes, whether the server validates
fields, descriptions and merge keys. One document a group and version; each is built when it is asked for and not kept here
(the front keeps it compressed), because the decoded definitions would cost the master tens of megabytes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from common import version as build
from master.api import proposals, schema_source
from master.api.catalog import Catalog
from master.api.registry import Resource, Subresource

Json = dict[str, Any]

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


def _paths_of_group(catalog: Catalog) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for resource in (resource for resource in catalog.resources if resource.served):
        path = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
        found.setdefault(path, []).append(resource)
    return found


def index(catalog: Catalog) -> bytes:
    """The body of `/openapi/v3`: each group version's path with a hash of its content, by which clients cache."""
    paths = {}
    for path in _paths_of_group(catalog):
        content = document(catalog, path)
        assert content is not None
        digest = hashlib.sha256(content).hexdigest().upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return msgspec.json.encode({"paths": paths})


def document(catalog: Catalog, path: str) -> bytes | None:
    """The JSON of one group version: path is `api/v1` or `apis/apps/v1`; None when it is not served."""
    resources = _paths_of_group(catalog).get(path)
    if resources is None:
        return None
    names = {DELETE_OPTIONS, STATUS, PATCH}
    paths: Json = {}
    for resource in resources:
        _add_paths(paths, f"/{path}", resource, names)
    content = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": build.KUBERNETES},
        "paths": paths,
        "components": {"schemas": _schemas(names, _custom_definitions(resources))},
    }
    return msgspec.json.encode(content)


OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"


def _names(resource: Resource) -> tuple[str, str]:
    """Of the kind's definition and its list's. A custom kind's is its group's name turned round, as Kubernetes has it.
    Virtual kinds have no list."""
    if resource.custom is not None:
        own = ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
        return own, f"{own}List"
    found = [schema_source.name_of(resource.group, resource.version, kind) for kind in (resource.kind, f"{resource.kind}List")]
    assert all(found) or resource.virtual, resource.kind
    return found[0] or "", found[1] or ""


def _custom_definitions(resources: list[Resource]) -> Json:
    """Those that no package has: of custom kinds and of their lists, with references as bare names."""
    found: Json = {}
    for resource in resources:
        if resource.custom is None:
            continue
        own, listed = _names(resource)
        schema, gvk = resource.custom.schema, {"group": resource.group, "version": resource.version}
        head = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": OBJECT_META}}
        found[own] = {
            **schema, "properties": {**(schema.get("properties") or {}), **head},
            "x-kubernetes-group-version-kind": [{**gvk, "kind": resource.kind}],
        }  # fmt: skip
        found[listed] = {
            "type": "object", "required": ["items"], "x-kubernetes-group-version-kind": [{**gvk, "kind": f"{resource.kind}List"}],
            "properties": {**head, "metadata": {"$ref": LIST_META}, "items": {"type": "array", "items": {"$ref": own}}},
        }  # fmt: skip
    return found


def _schemas(names: set[str], custom: Json) -> Json:
    """The definitions with all that they refer to, in order of their names."""
    found: Json = {}
    left = sorted(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        source = custom[name] if name in custom else schema_source.definition(name)
        found[name] = _referring(source, left)
    return dict(sorted(found.items()))


def _referring(part: Any, left: list[str]) -> Any:
    """With references as OpenAPI v3 writes them; what is referred to is added to `left`."""
    if isinstance(part, list):
        return [_referring(item, left) for item in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if not isinstance(reference, str):
        return {key: _referring(value, left) for key, value in part.items()}
    left.append(reference)
    target = {"$ref": f"#/components/schemas/{reference}"}
    beside = {key: value for key, value in part.items() if key != "$ref"}
    # Subtle: beside `$ref` everything else is ignored, so a field's own description needs `allOf`.
    return {**beside, "allOf": [target]} if beside else target


def _add_paths(paths: Json, root: str, resource: Resource, names: set[str]) -> None:
    own, listed = _names(resource)
    if not own:
        return  # an older version, kept for older clients, of which no definition is published any more
    names |= {own, listed} if listed else {own}
    everywhere = f"{root}/{resource.plural}"
    collection = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else everywhere
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    if resource.namespaced and not resource.virtual:
        paths[everywhere] = {"get": _operation("list", kind, listed, _LIST)}
    on_all = {
        "list": ("get", _operation("list", kind, listed, _LIST)),
        "create": ("post", _operation("post", kind, own, _ONE, body=own)),
        "deletecollection": ("delete", _operation("deletecollection", kind, STATUS, _LIST + _DELETE, body=DELETE_OPTIONS)),
    }
    on_one = {
        "get": ("get", _operation("get", kind, own, ())),
        "update": ("put", _operation("put", kind, own, _ONE, body=own)),
        "patch": ("patch", _operation("patch", kind, own, _ONE + _FORCE, body=PATCH, types=_patch_types(resource))),
        "delete": ("delete", _operation("delete", kind, STATUS, _DELETE, body=DELETE_OPTIONS)),
    }
    for path, verbs, item in ((collection, on_all, False), (f"{collection}/{{name}}", on_one, True)):
        served = {method: operation for verb, (method, operation) in verbs.items() if verb in resource.verbs}
        paths[path] = {**served, "parameters": _parameters(resource, item=item)}
    for sub in resource.subresources:
        paths[f"{collection}/{{name}}/{sub.name}"] = _subresource(resource, sub, own, names)


def _subresource(resource: Resource, sub: Subresource, own: str, names: set[str]) -> Json:
    group, version = (sub.group, sub.version) if sub.version else (resource.group, resource.version)
    if sub.name in STREAMS:
        kind = {"group": group, "version": version, "kind": sub.kind}
        return {"parameters": _parameters(resource, item=True), **{way: _operation("connect", kind, "", ()) for way in ("get", "post")}}
    name = schema_source.name_of(group, version, sub.kind) if sub.kind else own
    assert name is not None, sub
    names.add(name)
    kind = {"group": group, "version": version, "kind": sub.kind or resource.kind}
    operations: Json = {"parameters": _parameters(resource, item=True)}
    if sub.name == "log":
        operations["get"] = _operation("get", kind, "", _LOG)
    elif "get" in sub.verbs:
        operations["get"] = _operation("get", kind, name, ())
    if "update" in sub.verbs:
        operations["put"] = _operation("put", kind, name, _ONE, body=name)
    if "patch" in sub.verbs:
        operations["patch"] = _operation("patch", kind, name, _ONE + _FORCE, body=PATCH, types=_patch_types(resource))
    if "create" in sub.verbs:
        operations["post"] = _operation("post", kind, name, _ONE, body=name)
    return operations


def _patch_types(resource: Resource) -> tuple[str, ...]:
    return tuple(kind.value for kind in proposals.accepted(resource))


def _operation(
    action: str, kind: Json, answer: str, parameters: tuple[tuple[str, str, str], ...], *, body: str = "",
    types: tuple[str, ...] = ("application/json",),
) -> Json:  # fmt: skip
    """answer: the definition that comes back; "" for plain text."""
    content = {"application/json": {"schema": _reference(answer)}} if answer else {"text/plain": {"schema": {"type": "string"}}}
    operation: Json = {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind,
        "parameters": [_query(*parameter) for parameter in parameters],
        "responses": {"200": {"description": "OK", "content": content}},
    }
    if body:
        operation["requestBody"] = {"content": {media: {"schema": _reference(body)} for media in types}}
    return operation


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, kind: str, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind, "uniqueItems": True}}


def _parameters(resource: Resource, *, item: bool) -> list[Json]:
    names = (["name"] if item else []) + (["namespace"] if resource.namespaced else [])
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}} for name in names]
