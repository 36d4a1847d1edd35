"""What the API itself writes into documents: identity, system fields, generation, and the stored encoding.

Pure functions on documents that their caller owns (they change them in place where they say so). What clients may say in
`metadata` ends here: uid, times, generation and resourceVersion are the server's, whatever was sent.

Stored bytes have one form only: `metadata` first, all other keys in order, no resourceVersion. So two encodings are equal
exactly when the documents are, which is how a write that changes nothing is recognised.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from common.clock import parse_rfc3339, rfc3339
from common.errors import BadRequest, FieldCause
from master.api import faults, schema_source
from master.api.contract import Document
from master.api.kinds import rules
from master.api.registry import ALL_BUT_STATUS, Resource

_NEVER_STORED = ("selfLink", "resourceVersion")
_NOT_ON_CREATE = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_SYSTEM = ("name", "namespace", *_NOT_ON_CREATE)
_DROPPED_WHEN_EMPTY = ("labels", "annotations", "finalizers", "ownerReferences", "generateName", "managedFields")
_encoder = msgspec.json.Encoder(order="deterministic")

MAX_GENERATED_PREFIX = 58
SUFFIX_LENGTH = 5


def encode(document: Document) -> bytes:
    """The stored form. The document must have metadata with a name, and its kind."""
    rest = {key: value for key, value in document.items() if key != "metadata"}
    return b'{"metadata":%s,%s' % (_encoder.encode(document["metadata"]), _encoder.encode(rest)[1:])


def decode(value: bytes) -> Document:
    """Decoded anew: the caller owns it. It carries no resourceVersion."""
    return msgspec.json.decode(value)


def check_kind(document: Any, resource: Resource) -> None:
    """The document is of this resource, as far as it says. Raises BadRequest."""
    if not isinstance(document, dict):
        return  # the strict decoder words it
    version, kind = document.get("apiVersion") or resource.api_version, document.get("kind") or resource.kind
    if not isinstance(version, str) or not isinstance(kind, str) or (version, kind) == (resource.api_version, resource.kind):
        return
    group, _, number = version.rpartition("/")
    if resource.custom is None and schema_source.name_of(group, number, kind) is None:
        raise faults.unregistered(version, kind, resource)
    if kind != resource.kind or (resource.custom is None and group != resource.group):
        raise faults.wrong_kind(version, kind, resource)
    raise faults.wrong_version(version, resource.api_version)


def resource_version(document: Document) -> int | None:
    """What the client says it has read; None when it says nothing (or 0). Raises BadRequest."""
    text = document["metadata"].get("resourceVersion") or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest(f'metadata.resourceVersion: Invalid value: "{text[:64]}": it must be the one that the server gave')
    return int(text) or None


def settle_kind(document: Document, resource: Resource) -> None:
    """In place: kind and apiVersion, and metadata as a place of its own without what is never stored."""
    document["kind"], document["apiVersion"] = resource.kind, resource.api_version
    meta = document.setdefault("metadata", {})
    meta.pop("selfLink", None)


def without_twice_owners(document: Document) -> list[str]:
    """In place: each owner once; the uids of those that stood there twice."""
    given = document["metadata"].get("ownerReferences") or []
    kept = [owner for i, owner in enumerate(given) if owner not in given[:i]]
    if len(kept) == len(given):
        return []
    twice = [owner.get("uid", "") for i, owner in enumerate(given) if owner in given[:i]]
    document["metadata"]["ownerReferences"] = kept
    return twice


def settle_namespace(document: Document, resource: Resource, namespace: str, *, put: bool = False) -> None:
    """In place: the namespace of the request. Raises BadRequest when the document names another. put: it is the body of an update."""
    meta = document["metadata"]
    if not resource.namespaced:
        meta.pop("namespace", None)
        return
    if not namespace:
        raise BadRequest(f"an empty namespace may not be set: {resource.plural} live in namespaces")
    given = meta.get("namespace")
    if put and given not in (None, "", namespace):
        raise BadRequest(f"the namespace of the object ({given}) does not match the namespace on the request ({namespace})")
    if given not in (None, "", namespace):
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = namespace


def begin(document: Document, *, suffix: str, uid: str, now: float) -> None:
    """In place: the system fields of a new object, and its name if only a prefix was given (`suffix` completes it)."""
    meta = document["metadata"]
    if resource_version(document) is not None:
        raise BadRequest("resourceVersion should not be set on objects to be created")
    for field in _NOT_ON_CREATE:
        meta.pop(field, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"][:MAX_GENERATED_PREFIX] + suffix
    meta["uid"], meta["creationTimestamp"] = uid, rfc3339(now)


def name_causes(document: Document, resource: Resource) -> list[FieldCause]:
    """A prefix for a name is checked as a name would be that goes on after it."""
    meta, found = document["metadata"], []
    if prefix := meta.get("generateName"):
        whole = prefix[:-1] + "a" if prefix.endswith("-") else prefix
        found = [
            FieldCause(cause.reason, cause.message.replace(rules.shown(whole), rules.shown(prefix), 1), cause.field)
            for cause in rules.object_name(resource.key, "metadata.generateName", whole)
        ]
    if not meta.get("name"):
        return [*found, rules.required("metadata.name", "name or generateName is required")]
    return found + rules.object_name(resource.key, "metadata.name", meta["name"])


def check_name(document: Document, name: str) -> None:
    """The document is the object of the URL. Raises BadRequest."""
    given = document["metadata"].get("name", "")
    if not given:
        raise BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if given != name:
        raise BadRequest(f"the name of the object ({given}) does not match the name on the URL ({name})")


def keep_system_fields(new: Document, old: Document) -> None:
    """In place: what a client cannot change stays as it was."""
    meta, before = new["metadata"], old["metadata"]
    for field in _SYSTEM:
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)


def fixed_fields(wanted: Document, old: Document) -> list[FieldCause]:
    """What only a deletion sets, and what an update may therefore not bring in. (All else that is the server's is passed over.)"""
    given, before = wanted["metadata"], old["metadata"]
    if before.get("deletionTimestamp"):
        return []
    found = []
    if time := given.get("deletionTimestamp"):
        shown = datetime.fromtimestamp(parse_rfc3339(time), UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
        found.append(FieldCause("FieldValueInvalid", f"Invalid value: {shown}: {rules.IMMUTABLE}", "metadata.deletionTimestamp"))
    if given.get("deletionGracePeriodSeconds") is not None:
        found.append(rules.invalid("metadata.deletionGracePeriodSeconds", given["deletionGracePeriodSeconds"], rules.IMMUTABLE))
    return found


def finish(new: Document, old: Document | None, resource: Resource) -> None:
    """In place: the generation, and nothing stored that is empty or the server's alone."""
    meta = new["metadata"]
    for field in _NEVER_STORED:
        meta.pop(field, None)
    for field in _DROPPED_WHEN_EMPTY:
        if field in meta and not meta[field]:
            del meta[field]
    if not resource.spec_paths:
        return
    if old is None:
        meta["generation"] = 1
    elif any(new.get(path) != old.get(path) for path in _spec_paths(new, old, resource)):
        meta["generation"] = old["metadata"].get("generation", 0) + 1


def _spec_paths(new: Document, old: Document, resource: Resource) -> Iterable[str]:
    if resource.spec_paths != ALL_BUT_STATUS:
        return resource.spec_paths
    return (new.keys() | old.keys()) - {"metadata", "apiVersion", "kind", "status" if resource.subresource("status") else ""}


def new_finalizers(new: Document, old: Document) -> list[FieldCause]:
    """An object on its way out takes no further finalizers."""
    if not old["metadata"].get("deletionTimestamp"):
        return []
    before = old["metadata"].get("finalizers") or []
    added = [f for f in new["metadata"].get("finalizers") or [] if f not in before]
    if not added:
        return []
    shown = ", ".join(f'"{f}"' for f in added)
    why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{shown}}}"
    return [rules.forbidden("metadata.finalizers", why)]
