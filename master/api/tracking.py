"""Where server-side apply meets the write pipeline: who is the manager of a write, and what becomes of `metadata.managedFields`.

Pure. The algebra is in `master/api/apply`; here is which writes are tracked, under which name, and what a client may say about the
owners by itself.

    write                                   managedFields
    create, update, patch by a user         tracked as an Update of its field manager
    apply                                   the applier's own entry
    create by the master's own parts        none: the object is not tracked until somebody applies to it
    any change of an object that has none   none
    binding, deletion                       as they were

Why not all: pods and replica sets come by the thousand, each would carry a third more bytes for ever, and nobody but their
controller has a say in them. It is the choice that Kubernetes leaves to its own servers (`TrackOnCreateProbability`); the first
apply gives what stands there to `before-first-apply`, so nothing is overwritten unasked.
"""

from __future__ import annotations

import functools
from typing import Any

from common.clock import rfc3339
from common.errors import BadRequest
from master.api import schema, strict
from master.api.apply import last_applied, managers, sets, typed, updater
from master.api.contract import Actor, Document, Role, WriteOptions
from master.api.registry import Resource

_UNTRACKED = frozenset(("binding",))


def change_of(
    actor: Actor, resource: Resource, *, subresource: str, options: WriteOptions, now: float, elsewhere: dict[str, typed.Comparison]
) -> updater.Change:
    """The master's own parts go by the names of their roles. elsewhere: shared, it may be filled later."""
    name = options.field_manager or (actor.name if actor.role is Role.USER else actor.role.value)
    node = resource.node
    ignored = _beyond_status(node, bool(resource.group)) if subresource == "status" else _beyond_main(resource)
    return updater.Change(
        name=name, node=node, api_version=resource.api_version, subresource=subresource, time=rfc3339(now), ignored=ignored,
        elsewhere=elsewhere,
    )


async def elsewhere(resource: Resource, old: Document, new: Document) -> dict[str, typed.Comparison]:
    """How a change of a custom resource looks in the versions of the others that own fields of it, where a webhook has to tell."""
    conversion = resource.conversion
    if conversion is None or not conversion.asks:
        return {}
    found = {}
    for version in sorted({entry.get("apiVersion", "") for entry in old["metadata"].get("managedFields") or ()} - {resource.api_version}):
        node = conversion.node(version)
        if node is not None:
            left, right = await conversion.into([_without_owners(old), _without_owners(new)], version)
            found[version] = typed.compare(left, right, node)
    return found


def _beyond_main(resource: Resource) -> sets.FieldSet:
    return {"f:status": {}} if resource.subresource("status") is not None else {}


@functools.lru_cache(maxsize=512)
def _beyond_status_of(fields: tuple[str, ...], metadata: tuple[str, ...]) -> sets.FieldSet:
    found: sets.FieldSet = {sets.field(key): {} for key in fields}
    found["f:metadata"] = {sets.field(key): {} for key in metadata}
    return found


def _beyond_status(node: schema.Node, grouped: bool) -> sets.FieldSet:
    """All but what `write._take_status` takes."""
    taken = ("annotations",) if grouped else ("annotations", "labels")
    fields = tuple(key for key in node.fields if key not in ("metadata", "status"))
    return _beyond_status_of(fields, tuple(key for key in node.fields["metadata"].fields if key not in taken))


def settle(old: Document | None, new: Document, given: Any, *, actor: Actor, change: updater.Change) -> None:
    """In place: the managedFields of a write that is no apply. given: what the client sent as such."""
    meta = new["metadata"]
    standing = (old or {"metadata": {}})["metadata"].get("managedFields")
    meta.pop("managedFields", None)
    if change.subresource in _UNTRACKED:
        _keep(meta, standing)
        return
    owners = _owners(standing, given, main=not change.subresource)
    if old is None:
        if actor.role is not Role.USER:
            return
        _keep(meta, managers.encode(updater.update({}, new, owners, change=change)))
    elif owners:
        entries = managers.encode(updater.update(_without_owners(old), new, owners, change=change))
        settle_times(old, new, entries)


def settle_times(old: Document, new: Document, entries: list[managers.Entry]) -> None:
    """In place: new entries, unless nothing but their times would be new in the whole object."""
    meta, standing = new["metadata"], old["metadata"].get("managedFields")
    meta.pop("managedFields", None)
    if _without_owners(old) == new and managers.same_but_for_times(standing, entries):
        entries = standing or []
    _keep(meta, entries)


def _without_owners(document: Document) -> Document:
    return {**document, "metadata": {key: value for key, value in document["metadata"].items() if key != "managedFields"}}


def _keep(meta: Document, entries: Any) -> None:
    if entries:
        meta["managedFields"] = entries


def _owners(standing: Any, given: Any, *, main: bool) -> managers.Managers:
    """What a client sends as managedFields holds, when it can be read; an empty list takes the owners away."""
    if main and given is not None and given != standing:
        if managers.is_reset(given):
            return {}
        try:
            if found := managers.decode(given, trusted=False):
                return found
        except ValueError:
            pass  # as Kubernetes does: what cannot be read does not count
    return managers.decode(standing)


def applied_document(document: Any, resource: Resource) -> Document:
    """The applied document, checked and cleaned. Raises BadRequest."""
    if not isinstance(document, dict) or not isinstance(document.get("metadata", {}), dict):
        raise BadRequest("an apply patch must be one object, with apiVersion, kind and metadata")
    version, kind = document.get("apiVersion"), document.get("kind")
    if version != resource.api_version:
        said_of = f"Specified patch version: {version or ''}, expected: {resource.api_version}"
        raise BadRequest(f"Incorrect version specified in apply patch. {said_of}")
    if not kind:
        raise BadRequest("an apply patch must say its apiVersion and kind")
    if kind != resource.kind:
        raise BadRequest(f"the kind of the apply patch ({kind}) does not match the one on the URL ({resource.kind})")
    if document.get("metadata", {}).get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    try:
        cleaned = _cleaned(document, resource)
        typed.check_lists(cleaned, resource.node)
    except BadRequest as error:
        raise BadRequest(f"failed to create typed patch object ({_named(document, resource)}): {error.message}") from None
    cleaned.setdefault("metadata", {})
    return cleaned


def _cleaned(document: Document, resource: Resource) -> Document:
    if resource.custom is not None:
        return resource.custom.decode(document, mode=strict.STRICT, duplicates=())[0]
    cleaned, unknown = strict.clean(document, resource.node)
    if unknown:
        said = [f".{path}: field not declared in schema" for path in unknown]
        raise BadRequest(said[0] if len(said) == 1 else "\n".join(("errors:", *(f"  {line}" for line in said))))
    return cleaned


def _named(document: Document, resource: Resource) -> str:
    meta = document.get("metadata") or {}
    return f"{meta.get('namespace') or ''}/{meta.get('name') or ''}; {resource.group}/{resource.version}, Kind={resource.kind}"


def apply(present: Document, applied: Document, *, change: updater.Change, force: bool) -> Document:
    """The wanted document, with its managedFields. present: {} when there is none. Raises Conflict."""
    live = present
    entries = None
    if present:
        entries, live = present["metadata"].get("managedFields"), _without_owners(present)
    try:
        merged, owners = last_applied.apply(live, applied, managers.decode(entries), change=change, force=force)
    except updater.Conflicts as conflicts:
        raise conflicts.error() from None
    return {**merged, "metadata": {**(merged.get("metadata") or {}), "managedFields": managers.encode(owners)}}
