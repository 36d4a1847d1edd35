"""The door, put together: authorise, then hand over to the part whose business it is.

    get, list, watch ──► reading.py, leases.py, computed.py      delete ──► remove.py (deletion.py decides)
    create, update, patch ──► write.py              evict ──► eviction.py
    other versions of a kind ──► versions.py        bind, scale ──► subresources.py, then write.py
    Events ──► events.py                            why, history ──► why.py
    apply ──► applying.py, then write.py

No rule lives here but one: leases of nodes are not to be written. What a request means is decided in those modules; this
one only knows which of them to ask.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from common.clock import Clock, Rng
from common.errors import BadRequest, Expired, NotFound, UnsupportedMediaType
from common.objects import selectors
from master.api import admission, applying, computed, documents, faults, leases, proposals, subresources, versions, why
from master.api.access import node_restriction
from master.api.access.authorizer import Authorizer
from master.api.access.escalation import Escalation
from master.api.access.reviews import Reviews
from master.api.access.rules import Access
from master.api.access.signers import Signers
from master.api.access.token_request import TokenDesk
from master.api.access.tokens import TokenAuthority
from master.api.catalog import Catalog
from master.api.computed import Computed
from master.api.contract import (
    Actor, CreateObject, DeleteObject, DeleteOptions, Document, EmitEvent, ObjectChange, Page, PatchObject, PatchType, Ref,
    Selection, Stored, Views, WatchEvent, WriteOptions,
)  # fmt: skip
from master.api.events import Recorder
from master.api.eviction import Evictor
from master.api.reading import TOO_OLD, Ask, Reader
from master.api.registry import BINDINGS, BY_KEY, Resource
from master.api.remove import Remover
from master.api.selection import Filter
from master.api.settings import DoorSettings
from master.api.views import StoreViews
from master.api.write import Target, Writer
from master.store.contract import Cause, Store


def _target(catalog: Catalog, actor: Actor, verb: str, *, asked: Resource, ref: Ref, **more: Any) -> Target:
    """A write in the version that was asked for: of what is stored, or of a custom resource, by the rules of that version."""
    return Target(actor, _ruling(catalog, asked), versions.home(asked, ref), verb, asked=asked, **more)


def _ruling(catalog: Catalog, asked: Resource) -> Resource:
    """The resource whose rules a write follows."""
    return asked if asked.custom is not None else catalog.by_key(asked.stored_key) or asked


def _scaling(catalog: Catalog, actor: Actor, verb: str, *, asked: Resource, ref: Ref, options: WriteOptions) -> Target:
    """A Scale is the same in all versions, so it is applied to what is stored; where it is kept a custom resource's version says."""
    home, patched = versions.home(asked, ref), verb == "patch"
    return Target(actor, _ruling(catalog, asked), home, verb, subresource="scale", options=options, patched=patched, trusted=True)


def _is_node_lease(kept: leases.NodeLeases | None, ref: Ref) -> bool:
    return kept is not None and ref.resource == leases.RESOURCE and ref.namespace == leases.NAMESPACE


def _only_name(selection: Selection) -> str:
    """The one object that a list or a watch is about, if its selector says so: a right to that name is enough then."""
    return selectors.parse_fields(selection.fields).exact("metadata.name") or "" if selection.fields else ""


def _guarded(change: PatchObject) -> Document:
    """Its guards travel as what a client would send: uid and resourceVersion in the patch's own metadata."""
    guards: Document = {"uid": change.uid} if change.uid else {}
    if change.expected:
        guards["resourceVersion"] = str(change.expected)
    return {**change.patch, "metadata": {**(change.patch.get("metadata") or {}), **guards}} if guards else change.patch


class ApiDoor:
    """Implements `contract.Door`. One per master; used from the loop's thread only."""

    def __init__(
        self, store: Store, clock: Clock, rng: Rng, *, leases: leases.NodeLeases | None = None,
        settings: DoorSettings = DoorSettings(), authority: Callable[[Views], TokenAuthority] | None = None,
        computed: Mapping[str, Computed] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """authority: makes what issues ServiceAccounts' tokens; without it there are none. computed: by resource, who works out its
        objects."""
        self.views = StoreViews(store)
        self.authority = authority(self.views) if authority is not None else None
        self.catalog = Catalog()
        self._store = store
        self._clock = clock
        self._leases = leases
        self._computed = computed
        self._reader = Reader(store, clock, settings)
        self._authorizer = Authorizer(store, self.views)
        self._reviews = Reviews(self._authorizer, self.authority)
        self._token_desk = TokenDesk(self.authority, self.views) if self.authority is not None else None
        resize = partial(admission.check_resize, self.views)
        checks = (Escalation(self._authorizer).check, node_restriction.check, Signers(self._authorizer).check, resize)
        self._writer = Writer(store, self.views, clock, rng=rng, settings=settings, checks=checks)
        self._remover = Remover(store, clock, settings)
        self._evictor = Evictor(self.views, self._writer, self._remover, clock)
        self._recorder = Recorder(store, self.views, clock, rng=rng, settings=settings)

    def authorize(self, actor: Actor, access: Access) -> None:
        """Raises Forbidden."""
        self._authorizer.check(actor, access)

    def _enter(self, actor: Actor, verb: str, ref: Ref, subresource: str = "", *, fields: str = "") -> Resource:
        """The resource, once it is known that `actor` may."""
        resource = self.catalog.by_key(ref.resource)
        if resource is None or (subresource and resource.subresource(subresource) is None):
            raise faults.no_resource()
        # A namespace is in itself: rights in it cover the Namespace object.
        namespace = ref.name if ref.resource == "namespaces" else ref.namespace
        self._authorizer.check(actor, Access(verb, resource.group, resource.plural, subresource, namespace, ref.name, fields=fields))
        if not subresource and verb not in resource.verbs:
            raise faults.not_allowed()
        if verb in ("create", "update", "patch", "delete") and _is_node_lease(self._leases, ref):
            raise faults.forbidden(resource, ref.name, "leases of nodes are kept by the master itself")
        return resource

    # --------------------------------------------------------------- reading

    def get(self, actor: Actor, ref: Ref, *, subresource: str = "") -> Stored:
        resource = self._enter(actor, "get", ref, subresource)
        if ref.resource in self._computed:
            document = self._computed[ref.resource].get(self.views, ref)
            if document is None:
                raise faults.not_found(resource, ref.name)
            return computed.stored(document)
        if _is_node_lease(self._leases, ref) and self._leases is not None:
            lease = self._leases.get(ref.name)
            if lease is None:
                raise faults.not_found(resource, ref.name)
            return lease
        record = self._store.get(versions.home(resource, ref).key)
        if record is None:
            raise faults.not_found(resource, ref.name)
        return versions.served_at_once(resource, Stored(record.packed, record.revision))

    async def get_at(self, actor: Actor, ref: Ref, revision: int | None = None, *, subresource: str = "") -> Stored:
        """Raises Expired when history does not reach back so far, BadRequest for a revision of the future."""
        resource = self.catalog.by_key(ref.resource)
        if revision is None and (resource is None or resource.conversion is None):
            return self.get(actor, ref, subresource=subresource)
        resource = self._enter(actor, "get", ref, subresource)
        home = versions.home(resource, ref).key
        try:
            record = self._store.get(home) if revision is None else await self._store.get_at(home, revision)
        except Expired:
            raise Expired(TOO_OLD) from None
        if record is None:
            raise faults.not_found(resource, ref.name)
        return await versions.served(resource, Stored(record.packed, record.revision))

    async def list(
        self, actor: Actor, resource: str, namespace: str = "", *, selection: Selection = Selection(), limit: int = 0,
        continue_: str = "", revision: int | None = None, exact: bool = False,
    ) -> Page:  # fmt: skip
        known = self._enter(actor, "list", Ref(resource, _only_name(selection), namespace), fields=selection.fields)
        if resource in self._computed:
            return computed.page(self._computed[resource].list(self.views, namespace), known, selection, revision=self.views.revision)
        ask = Ask(limit=max(limit, 0), continue_=continue_, revision=revision, exact=exact)
        page = await versions.served_page(known, await self._reader.list(known, namespace, selection, ask=ask))
        if self._leases is None or resource != leases.RESOURCE or namespace not in ("", leases.NAMESPACE) or page.continue_:
            return page
        chosen = Filter(known, selection)
        kept = [stored for key, stored in self._leases.list() if chosen.matches(key, stored.packed)]
        return Page([*page.items, *kept], page.revision)

    def watch(
        self, actor: Actor, resource: str, namespace: str = "", *, selection: Selection = Selection(),
        after: int | None = None, bookmarks: bool = False, initial: bool = False, timeout_s: float | None = None,
    ) -> AsyncIterator[Sequence[WatchEvent]]:  # fmt: skip
        known = self._enter(actor, "watch", Ref(resource, _only_name(selection), namespace), fields=selection.fields)
        events = self._reader.watch(
            known, namespace, selection, after=after, bookmarks=bookmarks, initial=initial, timeout_s=timeout_s
        )
        return events if versions.is_stored(known) else versions.served_events(known, events)

    # --------------------------------------------------------------- writing

    async def create(
        self, actor: Actor, resource: str, namespace: str, document: Document, options: WriteOptions = WriteOptions()
    ) -> Stored:
        ref = Ref(resource, "", namespace)
        known = self._enter(actor, "create", ref)
        if known.key == BINDINGS:
            return await subresources.bind_posted(self.bind, actor, namespace, document=document, options=options)
        if known.virtual:
            return self._reviews.answer(actor, known, namespace, document=document, options=options)
        target = _target(self.catalog, actor, "create", asked=known, ref=ref, options=options)
        return await versions.served(known, await self._writer.create(target, document))

    def create_token(self, actor: Actor, account: Ref, document: Document, options: WriteOptions = WriteOptions()) -> Stored:
        self._enter(actor, "create", account, "token")
        if self._token_desk is None:
            raise NotFound("this master issues no tokens: it has no key to sign them with")
        node_restriction.check_token(actor, account, document, self.views)
        return self._token_desk.request(account, document, options)

    async def update(
        self, actor: Actor, ref: Ref, document: Document, options: WriteOptions = WriteOptions(), *, subresource: str = ""
    ) -> Stored:
        known = self._enter(actor, "update", ref, subresource)
        if subresource == "scale":
            return await subresources.update_scale(
                self._writer, _scaling(self.catalog, actor, "update", asked=known, ref=ref, options=options), document
            )
        target = _target(self.catalog, actor, "update", asked=known, ref=ref, subresource=subresource, options=options)
        return await versions.served(known, await self._writer.change(target, lambda present: document))

    async def patch(
        self, actor: Actor, ref: Ref, kind: PatchType, body: Any, options: WriteOptions = WriteOptions(), *,
        subresource: str = "",
    ) -> Stored:  # fmt: skip
        known = self._enter(actor, "patch", ref, subresource)
        if kind not in proposals.accepted(known):
            raise UnsupportedMediaType(proposals.refusal(known))
        if kind is PatchType.APPLY:
            return (await self.apply(actor, ref, body, options, subresource=subresource))[0]
        if subresource == "scale":
            target = _scaling(self.catalog, actor, "patch", asked=known, ref=ref, options=options)
            return await subresources.patch_scale(self._writer, target, kind=kind, body=body)
        target = _target(self.catalog, actor, "patch", asked=known, ref=ref, subresource=subresource, options=options, patched=True)
        changed = await self._writer.change(target, lambda present: proposals.patched(kind, present, body, known.node))
        return await versions.served(known, changed)

    async def apply(
        self, actor: Actor, ref: Ref, document: Any, options: WriteOptions = WriteOptions(), *, subresource: str = ""
    ) -> tuple[Stored, bool]:
        known = self._enter(actor, "patch", ref, subresource)
        target = _target(self.catalog, actor, "patch", asked=known, ref=ref, subresource=subresource, options=options, patched=True)

        def may_create() -> None:
            self.authorize(actor, Access("create", known.group, known.plural, "", ref.namespace, ref.name))

        return await applying.apply(self._writer, target, document, may_create=may_create)

    async def delete(self, actor: Actor, ref: Ref, options: DeleteOptions = DeleteOptions()) -> tuple[Stored, bool]:
        asked = self._enter(actor, "delete", ref)
        target = _target(self.catalog, actor, "delete", asked=asked, ref=ref)
        stored, gone = await self._remover.delete(actor, target.resource, target.ref, options=options)
        return await versions.served(asked, stored), gone

    async def delete_collection(
        self, actor: Actor, resource: str, namespace: str, options: DeleteOptions, *, selection: Selection = Selection()
    ) -> list[Stored]:
        known = self._enter(actor, "deletecollection", Ref(resource, "", namespace))
        if known.namespaced and not namespace:
            raise BadRequest(f"{known.plural} of all namespaces cannot be deleted at once: name a namespace")
        chosen = Filter(known, selection)
        deleted = []
        for key in self._reader.keys(known, namespace, chosen):
            _, inside, name = key.split("/", 2)
            try:
                target = _target(self.catalog, actor, "delete", asked=known, ref=Ref(resource, name, inside))
                stored, _ = await self._remover.delete(actor, target.resource, target.ref, options=options)
            except NotFound:
                continue
            deleted.append(stored)
        return await versions.served_all(known, deleted)

    async def evict(self, actor: Actor, ref: Ref, options: DeleteOptions = DeleteOptions()) -> tuple[Stored, bool]:
        self._enter(actor, "create", ref, "eviction")
        return await self._evictor.evict(actor, ref, options)

    async def bind(
        self, actor: Actor, pod: Ref, node: str, *, uid: str, cause: Cause, annotations: Mapping[str, str] = {}, dry_run: bool = False,
        posted_to: str = "pods/binding",
    ) -> Stored:  # fmt: skip
        if posted_to == BINDINGS:
            self._enter(actor, "create", Ref(BINDINGS, "", pod.namespace))
            known = BY_KEY[pod.resource]
        else:
            known = self._enter(actor, "create", pod, "binding")
        options = WriteOptions(cause=cause, dry_run=dry_run)
        target = Target(actor, known, pod, "create", subresource="binding", options=options, trusted=True)
        proposal = subresources.binding(target, node, uid=uid, now=self._clock.now(), annotations=annotations)
        return await self._writer.change(target, proposal)

    async def scale(self, actor: Actor, ref: Ref) -> Document:
        known = self._enter(actor, "get", ref, "scale")
        record = self._store.get(versions.home(known, ref).key)
        if record is None:
            raise faults.not_found(known, ref.name)
        document = await versions.opened(known, documents.decode(record.value))
        return subresources.scale_of(_ruling(self.catalog, known), document, record.revision)

    # ----------------------------------------------- the master's own parts

    async def perform(self, actor: Actor, change: ObjectChange) -> Stored | None:
        """None when an Event was only counted."""
        match change:
            case CreateObject():
                options = WriteOptions(cause=change.cause)
                return await self.create(actor, change.resource, change.namespace, change.document, options)
            case PatchObject():
                options = WriteOptions(cause=change.cause)
                body = _guarded(change)
                return await self.patch(actor, change.ref, PatchType.MERGE, body, options, subresource=change.subresource)
            case DeleteObject():
                version = str(change.expected) if change.expected else None
                options_ = DeleteOptions(
                    propagation=change.propagation, grace_s=change.grace_s, uid=change.uid or None,
                    resource_version=version, cause=change.cause,
                )  # fmt: skip
                return (await self.delete(actor, change.ref, options_))[0]
            case EmitEvent():
                self._authorizer.check(actor, Access("create", resource="events", namespace=change.regarding.namespace))
                return await self._recorder.emit(actor, change)

    # ------------------------------------------------------------------- why

    async def why(self, actor: Actor, ref: Ref, *, limit: int = 50) -> list[Document]:
        """The causal chain of an object's newest change, newest first; see `why.step`. Raises NotFound when history
        knows nothing of it."""
        known = self._enter(actor, "get", ref)
        steps = await why.chain(self._store, versions.home(known, ref).key, limit=limit)
        if not steps:
            raise faults.not_found(known, ref.name)
        return steps

    async def history(self, actor: Actor, ref: Ref, *, limit: int = 1000) -> list[Document]:
        """The kept changes of one object, oldest first, in the same form. Raises NotFound as `why` does."""
        known = self._enter(actor, "get", ref)
        steps = await why.history(self._store, versions.home(known, ref).key, limit=limit)
        if not steps:
            raise faults.not_found(known, ref.name)
        return steps
