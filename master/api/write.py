"""The write pipeline: what happens to a document between a client and the store.

    open → decode → strict check → identity → prepare → default → admission → required → validate → writers → close → store

Create, update and patch differ only in how the wanted document comes about; from there on they share every step, so a rule
that holds for one holds for all. Subresources choose which part of the wanted document counts (`_TAKES`).

Opening and closing are the conversions of a custom resource's versions (`versions.py`): its whole way lies in the version asked for.

Subtle: between reading the present object and calling the store nothing is waited for, but by a webhook's conversion, and the store
checks the revision; so a decision is never made on one state and written over another. A lost race starts anew from what stands there
now, unless the client tied its write to a revision. Deletion is in `remove.py`; a write that completes one is carried out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from common.clock import Clock, Rng
from common.errors import AlreadyExists, Conflict, FieldCause
from common.errors import NotFound as StoreNotFound
from common.objects import storage
from master.api import admission, causes, deletion, documents, faults, schema, strict, tracking, versions, writers
from master.api.apply import typed, updater
from master.api.contract import Actor, Document, Ref, Role, Stored, Views, WriteOptions
from master.api.kinds import pod, pod_resize, rules
from master.api.registry import Resource
from master.api.settings import DoorSettings
from master.store.contract import Record, Store

Propose = Callable[[Document], Document]
"""From the present document (with its resourceVersion, the caller's own copy) to the wanted one."""

OWNERS_TWICE = (
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as "
    "early as 1.24; please fix your requests; duplicate UID(s) observed: "
)

Check = Callable[[Actor, Resource, Document, Document | None], None]


class Target(msgspec.Struct, frozen=True):
    """One write under way: who, what, by which verb. patched: refusals are worded as of a patch.
    trusted: the wanted document is the API's own work (scale, binding), not to be decoded strictly again.
    asked: the resource in the client's version, when that is not the stored one.
    applied: the wanted document is the outcome of an apply, which has settled its managedFields.
    elsewhere: filled under way: how the change looks in other versions (`tracking.elsewhere`)."""

    actor: Actor
    resource: Resource
    ref: Ref
    verb: str
    subresource: str = ""
    options: WriteOptions = WriteOptions()
    patched: bool = False
    trusted: bool = False
    asked: Resource | None = None
    applied: bool = False
    elsewhere: dict[str, typed.Comparison] = msgspec.field(default_factory=dict)

    @property
    def served(self) -> Resource:
        """The version that the client speaks; `resource` is the one that is stored."""
        return self.asked or self.resource


class Writer:
    def __init__(
        self, store: Store, views: Views, clock: Clock, *, rng: Rng, settings: DoorSettings, checks: Sequence[Check]
    ) -> None:
        """checks: whether the actor may write the new object over the old one (None: there is none); each raises when it may not."""
        self._store = store
        self._checks = checks
        self._views = views
        self._clock = clock
        self._rng = rng
        self._settings = settings

    # ---------------------------------------------------------------- create

    async def create(self, target: Target, document: Document) -> Stored:
        """Tried again under another generated name, or when its namespace changed meanwhile."""
        for attempt in range(self._settings.attempts):
            last = attempt == self._settings.attempts - 1
            new = self._begun(target, document, quiet=attempt > 0)
            meta = new["metadata"]
            key = Ref(target.resource.stored_key, meta["name"], meta.get("namespace", "")).key
            generated = bool(meta.get("generateName")) and not (document.get("metadata") or {}).get("name")
            value = self._encoded(target, await versions.closed(target.resource, new))
            guards = admission.namespace_guards(self._views, target.resource, new)
            if target.options.dry_run:
                if (standing := self._store.get(key)) is not None:
                    raise self._exists(target.resource, meta["name"], standing)
                return _shown(target, new, value, 0)
            cause = causes.of(target.actor, target.options.cause, verb=target.verb, what=target.resource.stored_key)
            try:
                record = await self._store.create(key, value, cause, expires=self._expires(target.resource), guards=guards)
            except AlreadyExists:
                if generated and not last:
                    continue
                if generated:
                    raise faults.no_unique_name(target.resource, meta["name"]) from None
                raise self._exists(target.resource, meta["name"], self._store.get(key)) from None
            except Conflict:
                if last:
                    raise faults.conflict(target.resource, meta["name"], "its namespace keeps changing; try again") from None
                continue
            return _shown(target, new, value, record.revision)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _exists(self, resource: Resource, name: str, standing: Record | None) -> AlreadyExists:
        gone = standing is not None and bool(documents.decode(standing.value)["metadata"].get("deletionTimestamp"))
        return faults.already_exists(resource, name, terminating=gone)

    def _begun(self, target: Target, document: Document, *, quiet: bool) -> Document:
        """The new object as it will be stored. Raises Invalid and all the refusals of a create."""
        resource, rng = target.resource, self._rng
        new = self._cleaned(target, document, quiet=quiet)
        given = new["metadata"].pop("managedFields", None)
        documents.settle_namespace(new, resource, target.ref.namespace)
        suffix = "" if new["metadata"].get("name") else rng.suffix(documents.SUFFIX_LENGTH)
        documents.begin(new, suffix=suffix, uid=rng.uuid(), now=self._clock.now())
        if problems := documents.name_causes(new, resource):
            raise self._invalid(target, new, problems)
        if resource.prepare is not None:
            resource.prepare(new, None)
        if resource.default is not None:
            resource.default(new)
        if resource.key == "pods":
            admission.admit_priority(self._views, new)
            admission.admit_runtime_class(self._views, new)
            admission.admit_pod(new, now=self._clock.now(), toleration_s=self._settings.toleration_s)
            suffix = rng.suffix(admission.SUFFIX_LENGTH) if self._settings.mount_tokens else ""
            admission.admit_account(self._views, new, suffix=suffix)
        elif resource.key == admission.SIGNING_REQUESTS:
            admission.admit_request(new, target.actor)
        elif resource.key in admission.PROTECTION and self._settings.protect_storage:
            admission.protect(resource, new)
            if resource.key == storage.CLAIMS:
                admission.admit_claim(self._views, new)
        self._validate(target, new, None)
        documents.finish(new, None, resource)
        self._track(target, None, new, given=given)
        self._check_writer(target, None, new)
        return new

    # ---------------------------------------------------------------- change

    async def change(self, target: Target, propose: Propose) -> Stored:
        """Update and patch: `propose` is asked again when a race was lost."""
        resource, ref, key = target.resource, target.ref, target.ref.key
        for attempt in range(self._settings.attempts):
            record = self._store.get(key)
            if record is None:
                raise faults.not_found(resource, ref.name)
            standing = record.value
            old = await versions.opened(resource, documents.decode(standing))
            target.elsewhere.clear()
            new = self._changed(target, old, record.revision, propose=propose, quiet=attempt > 0)
            if found := await tracking.elsewhere(resource, old, new):
                target.elsewhere.update(found)
                new = self._changed(target, old, record.revision, propose=propose, quiet=True)
            value = self._encoded(target, await versions.closed(resource, new))
            goes = deletion.complete(resource.key, new)
            if target.options.dry_run or (value == standing and not goes):
                return _shown(target, new, value, record.revision)
            try:
                return _shown(target, new, value, await self._commit(target, record, value, goes=goes))
            except StoreNotFound:
                raise faults.not_found(resource, ref.name) from None
            except Conflict:
                continue
        raise faults.conflict(resource, ref.name)

    async def _commit(self, target: Target, record: Record, value: bytes, *, goes: bool) -> int:
        """The revision of the change."""
        what = target.resource.stored_key + (f"/{target.subresource}" if target.subresource else "")
        cause = causes.of(target.actor, target.options.cause, verb=target.verb, what=what)
        if goes:
            gone = await self._store.delete(record.key, cause, expected=record.revision)
            return gone.revision
        expires = self._expires(target.resource)
        return (await self._store.update(record.key, value, cause, expected=record.revision, expires=expires)).revision

    def _changed(self, target: Target, old: Document, revision: int, *, propose: Propose, quiet: bool) -> Document:
        """The object as it will be stored. Raises Conflict for a stale revision or another uid, Invalid, Forbidden."""
        resource, name = target.resource, target.ref.name
        present = {**old, "metadata": {**old["metadata"], "resourceVersion": str(revision)}}
        proposed = _relevant(target, propose(versions.to_served(target.served, present)))
        wanted = proposed if target.trusted else self._cleaned(target, proposed, quiet=quiet)
        documents.settle_namespace(wanted, resource, target.ref.namespace, put=not target.patched)
        documents.check_name(wanted, name)
        given = wanted["metadata"].pop("managedFields", None)
        asked = documents.resource_version(wanted)
        if asked is None and resource.conditional and target.verb == "update":
            raise faults.unconditional(resource, name)
        if asked not in (None, revision):
            raise faults.conflict(resource, name)
        uid, standing = wanted["metadata"].get("uid"), old["metadata"].get("uid")
        if uid and uid != standing and target.patched and target.actor.role is Role.USER:
            raise self._invalid(target, old, [rules.invalid("metadata.uid", uid, rules.IMMUTABLE)])
        if uid and uid != standing:
            raise faults.conflict(resource, name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {standing}")
        fixed = [] if target.subresource else documents.fixed_fields(wanted, old)
        new = _TAKES[target.subresource](resource, wanted, old)
        if resource.default is not None:
            resource.default(new)
        self._validate(target, new, old, found=fixed)
        documents.finish(new, old, resource)
        self._track(target, old, new, given=given)
        if target.subresource == "binding":
            _keep_generation(new, old)
        self._check_writer(target, old, new)
        return new

    # ----------------------------------------------------------------- steps

    def _cleaned(self, target: Target, document: Document, *, quiet: bool) -> Document:
        """Of the right kind and types, as a copy that is ours to change. The master's own parts may not even err in a name."""
        served, options = target.served, target.options
        documents.check_kind(document, served)
        mode = options.field_validation if target.actor.role is Role.USER else strict.STRICT
        if served.custom is not None:
            cleaned, warnings = served.custom.decode(document, mode=mode, duplicates=options.duplicates)
        else:
            node = schema.for_kind(served.api_version, served.kind)
            cleaned, warnings = strict.check(
                document, node, mode=mode, duplicates=options.duplicates, patched=target.patched
            )
        documents.settle_kind(cleaned, served)
        if twice := documents.without_twice_owners(cleaned):
            warnings = [*warnings, OWNERS_TWICE + ", ".join(twice)]
        if options.warnings is not None and not quiet:
            options.warnings.extend(warnings)
        return versions.to_stored(served, cleaned)

    def _validate(self, target: Target, new: Document, old: Document | None, *, found: Sequence[FieldCause] = ()) -> None:
        """found: what is wrong already."""
        resource = target.resource
        official = resource.custom is None
        missing = strict.missing_required(new, schema.for_kind(resource.api_version, resource.kind)) if official else []
        found = [*found, *missing]
        if not missing:
            validate = _VALIDATES.get(target.subresource) or resource.validate
            found += rules.metadata(new) if validate is None else validate(new, old)
            if official and resource.group not in rules.FREE_FINALIZERS:
                found += rules.standard_finalizers(new)
            if target.served.stored and target.served.validate is not None:
                found += target.served.validate(new, old)
        if old is not None:
            found += documents.new_finalizers(new, old)
        if found:
            raise self._invalid(target, new, found)

    def _invalid(self, target: Target, new: Document, found: list[FieldCause]) -> Exception:
        return faults.invalid(target.resource.kind, target.resource.group, new["metadata"].get("name", ""), found)

    def _track(self, target: Target, old: Document | None, new: Document, *, given: Any) -> None:
        """In place: who owns which fields now."""
        if target.applied and old is not None:
            tracking.settle_times(old, new, given or [])
        elif target.applied:
            new["metadata"]["managedFields"] = given
        else:
            change = self.change_of(target, target.resource)
            tracking.settle(old, new, given, actor=target.actor, change=change)

    def change_of(self, target: Target, resource: Resource) -> updater.Change:
        """In terms of the resource's version: what is applied is so in the client's, all else is told from what is stored."""
        return tracking.change_of(
            target.actor, resource, subresource=target.subresource, options=target.options, now=self._clock.now(),
            elsewhere=target.elsewhere,
        )  # fmt: skip

    def _check_writer(self, target: Target, old: Document | None, new: Document) -> None:
        actor, resource = target.actor, target.resource
        for check in self._checks:
            check(actor, resource, new, old)
        offending = writers.check(actor.role, resource.stored_key, target.subresource, old=old, new=new)
        if not offending:
            return
        name = new["metadata"].get("name", "")
        if actor.role is Role.USER:
            # Subtle: of all that users may write, this is what the table keeps from them: where a pod is.
            raise self._invalid(target, new, [rules.forbidden("spec", pod.UPDATE_FORBIDDEN)])
        raise faults.forbidden(resource, name, f"the {actor.role.value} may not write {', '.join(offending)}")

    def _encoded(self, target: Target, new: Document) -> bytes:
        value, limit = documents.encode(new), self._settings.max_object_bytes
        if len(value) > limit:
            raise faults.too_large(target.resource, new["metadata"]["name"], size=len(value), limit=limit)
        return value

    def _expires(self, resource: Resource) -> float | None:
        return self._clock.now() + self._settings.event_ttl_s if resource.key == "events" else None


_OF_STATUS = ("apiVersion", "kind", "metadata", "status")


def _relevant(target: Target, proposed: Any) -> Any:
    """What is to be checked of it: of a status that one of the master's own parts writes no more than `_take_status` takes, since
    the rest comes from the store as it is. A user's is checked whole, as people are to be told of all that is wrong."""
    if target.subresource != "status" or target.actor.role is Role.USER or target.resource.custom is not None:
        return proposed
    return {key: proposed[key] for key in _OF_STATUS if key in proposed}


def _shown(target: Target, new: Document, value: bytes, revision: int) -> Stored:
    """What was written as `value`, in the version that the rules were of: its conversion back need not be asked for."""
    return Stored(value if target.resource.conversion is None else documents.encode(new), revision)


# What each subresource takes of the wanted document: a new document, whose changed parts are its own.


def _take_main(resource: Resource, wanted: Document, old: Document) -> Document:
    documents.keep_system_fields(wanted, old)
    if resource.subresource("status") is not None:
        wanted.pop("status", None)
        if "status" in old:
            wanted["status"] = old["status"]
    if resource.prepare is not None:
        resource.prepare(wanted, old)
    return wanted


def _take_status(resource: Resource, wanted: Document, old: Document) -> Document:
    """As Kubernetes does, annotations come along, and labels of core kinds; all else of metadata stays."""
    taken = ("annotations",) if resource.group else ("annotations", "labels")
    meta = {key: value for key, value in old["metadata"].items() if key not in taken}
    meta.update({key: wanted["metadata"][key] for key in taken if key in wanted["metadata"]})
    return {**old, "metadata": meta, "status": wanted.get("status") or {}}


def _take_approval(resource: Resource, wanted: Document, old: Document) -> Document:
    """Whether a certificate is approved or denied; the certificate itself is the signer's, through /status."""
    conditions = (wanted.get("status") or {}).get("conditions") or []
    return {**old, "metadata": dict(old["metadata"]), "status": {**(old.get("status") or {}), "conditions": conditions}}


def _take_ephemeral(resource: Resource, wanted: Document, old: Document) -> Document:
    containers = (wanted.get("spec") or {}).get("ephemeralContainers") or []
    spec = {key: value for key, value in old["spec"].items() if key != "ephemeralContainers"}
    return {**old, "metadata": dict(old["metadata"]), "spec": {**spec, "ephemeralContainers": containers} if containers else spec}


def _take_resize(resource: Resource, wanted: Document, old: Document) -> Document:
    return {**old, "metadata": dict(old["metadata"]), "spec": pod_resize.taken(old["spec"], wanted.get("spec") or {})}


def _take_finalizers(resource: Resource, wanted: Document, old: Document) -> Document:
    spec = {**(old.get("spec") or {}), "finalizers": (wanted.get("spec") or {}).get("finalizers") or []}
    return {**old, "metadata": dict(old["metadata"]), "spec": spec}


def _take_all(resource: Resource, wanted: Document, old: Document) -> Document:
    """The proposal was made by the API itself (scale, binding): it changed what it may and nothing else."""
    return {**wanted, "metadata": dict(wanted["metadata"])}


def _keep_generation(new: Document, old: Document) -> None:
    """Binding is placement, not a wish of the user: as in Kubernetes it makes no new generation."""
    if "generation" in old["metadata"]:
        new["metadata"]["generation"] = old["metadata"]["generation"]


_VALIDATES = {"resize": pod_resize.validate}
"""Subresources with rules of their own."""

_TAKES: dict[str, Callable[[Resource, Document, Document], Document]] = {
    "": _take_main,
    "status": _take_status,
    "finalize": _take_finalizers,
    "approval": _take_approval,
    "ephemeralcontainers": _take_ephemeral,
    "resize": _take_resize,
    "scale": _take_all,
    "binding": _take_all,
}
