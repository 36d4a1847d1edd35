"""The API's door: every read and write of every front, controller, scheduler and dispatch goes through it.

Documents (JSON as dict) live here and in the fronts only. What decides works on typed views (`common.objects`),
from `views`. The order of a write: authorise → admission → default and validate → writers' table → store.

Master-internal components act with an `Actor` whose role is their own; the writers' table (`writers.py`) checks on
every write, by path and condition type, that this role may write what it changed.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from common.objects.meta import View
from master.api.access.rules import Access
from master.store.contract import Cause
from master.store.packing import unpack

if TYPE_CHECKING:
    from master.api.access.tokens import TokenAuthority
    from master.api.catalog import Catalog

Document = dict[str, Any]
V = TypeVar("V", bound=View)


class Role(enum.Enum):
    """Who writes; the columns of the writers' table."""

    USER = "user"
    API = "api"
    SCHEDULER = "scheduler"
    DISPATCH = "dispatch"
    DEPLOYMENT = "deployment-controller"
    REPLICASET = "replicaset-controller"
    NODE_LIFECYCLE = "node-lifecycle-controller"
    TAINT_EVICTION = "taint-eviction-controller"
    NODE_IPAM = "node-ipam-controller"
    NAMESPACE = "namespace-controller"
    GARBAGE = "generic-garbage-collector"
    POD_GC = "pod-garbage-collector"
    SERVICE_ACCOUNT = "serviceaccount-controller"
    ROOT_CA = "root-ca-cert-publisher"
    VOLUME_BINDER = "persistent-volume-binder"
    CLAIM_PROTECTION = "pvc-protection-controller"
    VOLUME_PROTECTION = "pv-protection-controller"
    EPHEMERAL_VOLUME = "ephemeral-volume-controller"
    DEFINITIONS = "customresourcedefinition-controller"
    DISRUPTION = "disruption-controller"
    CLUSTER_ROLE_AGGREGATION = "clusterrole-aggregation-controller"
    APISERVICE = "apiservice-registration-controller"
    CERTIFICATES = "certificate-controller"

    @property
    def user(self) -> str:
        """The user that a part of the master acts as, to whom the role of the same name is bound."""
        return _USERS.get(self) or f"system:controller:{self.value}"


_USERS = {
    Role.API: "system:apiserver",
    Role.SCHEDULER: "system:kube-scheduler",
    Role.DISPATCH: "system:dispatch",
    Role.DEFINITIONS: "system:controller:customresourcedefinition-finalizer",
    Role.SERVICE_ACCOUNT: "system:controller:service-account-controller",
}


class Actor(msgspec.Struct, frozen=True):
    """An authenticated caller. name, groups, uid and extra as Kubernetes has them; internal ones are `system:...`.

    groups are all of them, `system:authenticated` included: `authn.py` and the fronts see to it."""

    name: str
    role: Role = Role.USER
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Ref(msgspec.Struct, frozen=True, order=True, gc=False):
    """One object: resource is the registry's key, `pods` or `deployments.apps`; namespace is empty for cluster scope."""

    resource: str
    name: str
    namespace: str = ""

    @property
    def key(self) -> str:
        return f"{self.resource}/{self.namespace}/{self.name}"


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One object as read, its bytes packed as the store keeps them or plain. They carry no resourceVersion; `json()` splices it
    in without decoding. revision 0: not stored at all (a dry run of a create), so without a resourceVersion.

    Stored documents are encoded with `metadata` as their first key, which is what makes the splice possible.
    """

    packed: bytes
    revision: int

    @property
    def value(self) -> bytes:
        """As stored, unpacked at each call."""
        return unpack(self.packed)

    def json(self) -> bytes:
        """The document as a client sees it."""
        head, value = b'{"metadata":{', self.value
        if not value.startswith(head):
            raise ValueError("a stored document must start with its metadata")
        if not self.revision:
            return value
        rest = value[len(head) :]
        comma = b"" if rest.startswith(b"}") else b","
        return b'{"metadata":{"resourceVersion":"%d"%s%s' % (self.revision, comma, rest)

    def document(self) -> Document:
        """Decoded anew at each call: the caller owns it and may change it."""
        return msgspec.json.decode(self.json())


class Page(msgspec.Struct, frozen=True):
    """A list as of `revision`. continue_: opaque token, empty at the end. remaining: None when unknown."""

    items: list[Stored]
    revision: int
    continue_: str = ""
    remaining: int | None = None


class EventType(enum.Enum):
    """Hashed by identity: Enum's own hash is slow, and this one is asked for each event of each watch."""

    __hash__ = object.__hash__

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class WatchEvent(msgspec.Struct, frozen=True, gc=False):
    """stored is None for a BOOKMARK; for DELETED it is the last state with the revision of the deletion.
    initial_end marks the bookmark annotated `k8s.io/initial-events-end`."""

    type: EventType
    revision: int
    stored: Stored | None = None
    key: str = ""
    initial_end: bool = False


class Selection(msgspec.Struct, frozen=True):
    """Label and field selectors in Kubernetes' text form; empty selects all."""

    labels: str = ""
    fields: str = ""


class WriteOptions(msgspec.Struct, frozen=True):
    """dry_run: everything but the store's write. field_validation: Strict, Warn or Ignore; warnings are appended to
    `warnings` (a list the front owns) for `Warning:` headers. rule/why/revision: the Cause, for internal callers.
    field_manager: who owns what this writes; an apply must name it. force: an apply takes fields from their owners.
    duplicates: what decoding the body found to say of duplicate fields (`body.Body.duplicates`), for `strict.check`."""

    dry_run: bool = False
    field_manager: str = ""
    force: bool = False
    field_validation: str = "Ignore"
    cause: Cause | None = None
    warnings: list[str] | None = None
    duplicates: tuple[str, ...] = ()


class DeleteOptions(msgspec.Struct, frozen=True):
    """propagation: Background, Foreground, Orphan or None (the kind's default: Background).
    grace_s: None for the object's own. confirmed: dispatch alone sets it: the containers are gone, remove the pod.
    accepted: asked by `orphanDependents: false`: that it waits is told by 202."""

    propagation: str | None = None
    grace_s: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    cause: Cause | None = None
    confirmed: bool = False
    accepted: bool = False


class PatchType(enum.Enum):
    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


# What a pure reconcile returns; `controllers/loop.py` and the other shells perform them through the door.


class CreateObject(msgspec.Struct, frozen=True):
    resource: str
    namespace: str
    document: Document
    cause: Cause


class PatchObject(msgspec.Struct, frozen=True):
    """A JSON merge patch. expected: resourceVersion the decision was made on, or 0 for "whatever stands there now"
    (uid still guards against a namesake)."""

    ref: Ref
    patch: Document
    cause: Cause
    subresource: str = ""
    uid: str = ""
    expected: int = 0


class DeleteObject(msgspec.Struct, frozen=True):
    ref: Ref
    cause: Cause
    uid: str = ""
    expected: int = 0
    grace_s: int | None = None
    propagation: str | None = None


class EmitEvent(msgspec.Struct, frozen=True):
    """A Kubernetes Event about `regarding`; the recorder counts repeats instead of writing them again.
    host: the node that reports it (`source.host`). field_path: the part of the object (`involvedObject.fieldPath`)."""

    regarding: Ref
    kind: str
    uid: str
    type: str
    reason: str
    message: str
    component: str
    cause: Cause | None = None
    host: str = ""
    field_path: str = ""


ObjectChange = CreateObject | PatchObject | DeleteObject | EmitEvent


class Views(Protocol):
    """Typed, shared, lazily decoded: one decode per (key, revision) while it is in use, whoever asks. Plain calls, from memory."""

    def get(self, view: type[V], ref: Ref) -> V | None: ...

    def list(self, view: type[V], resource: str, namespace: str = "") -> list[V]:
        """All of a resource (or of one of its namespaces), ordered by key. Each has metadata.resource_version set."""

    def count(self, resource: str) -> int:
        """How many there are, without reading them."""

    def each(self, view: type[V], resource: str, namespace: str = "") -> Iterator[V]:
        """As `list`, of the moment of the first step, but one after another: for who looks at all and keeps none."""

    def stored(self, ref: Ref) -> Stored | None:
        """What stands there now, undecoded: what to keep of an object whose state may be asked for later."""

    def of(self, view: type[V], ref: Ref, stored: Stored) -> V:
        """A state of an object that was read before."""

    @property
    def revision(self) -> int: ...


class Door(Protocol):
    """Errors are those of `common.errors`, with the texts and field paths that Kubernetes gives.

    `resource` is the registry's key (`pods`, `deployments.apps`). Bodies are documents; the door does not change
    what it is given.
    """

    views: Views
    catalog: Catalog
    authority: TokenAuthority | None
    """Who checks ServiceAccounts' tokens; None: there are none."""

    def authorize(self, actor: Actor, access: Access) -> None:
        """For what is not asked of the door itself: paths, impersonation, streams. Raises Forbidden."""

    def get(self, actor: Actor, ref: Ref, *, subresource: str = "") -> Stored:
        """subresource: whose right is needed, where the whole object is read for it. Raises NotFound, Forbidden; WebhookFault for a
        custom resource whose version takes a webhook, for which `get_at` can wait."""

    async def get_at(self, actor: Actor, ref: Ref, revision: int | None = None, *, subresource: str = "") -> Stored:
        """As `get`, also of a past revision (None: now), and of every custom resource."""

    async def list(
        self, actor: Actor, resource: str, namespace: str = "", *, selection: Selection = Selection(), limit: int = 0,
        continue_: str = "", revision: int | None = None, exact: bool = False,
    ) -> Page:  # fmt: skip
        """namespace "" lists all. revision with exact: as of then; without exact: not older than."""

    def watch(
        self, actor: Actor, resource: str, namespace: str = "", *, selection: Selection = Selection(),
        after: int | None = None, bookmarks: bool = False, initial: bool = False, timeout_s: float | None = None,
    ) -> AsyncIterator[Sequence[WatchEvent]]:  # fmt: skip
        """Batches of events. after None: the present state first, as ADDED events. initial: `sendInitialEvents`, the
        state, then a bookmark with initial_end. Ends after timeout_s. Raises Expired. Close with `aclose()`."""

    async def create(
        self, actor: Actor, resource: str, namespace: str, document: Document, options: WriteOptions = WriteOptions()
    ) -> Stored:
        """A virtual resource is answered and not stored; its revision is 0."""

    def create_token(self, actor: Actor, account: Ref, document: Document, options: WriteOptions = WriteOptions()) -> Stored:
        """The TokenRequest of a ServiceAccount, answered. Raises NotFound, BadRequest, Conflict, Invalid."""

    async def update(
        self, actor: Actor, ref: Ref, document: Document, options: WriteOptions = WriteOptions(), *, subresource: str = ""
    ) -> Stored:
        """Compare-and-set when the document has a resourceVersion. subresource: "", "status", "scale", "finalize"."""

    async def patch(
        self, actor: Actor, ref: Ref, kind: PatchType, body: Any, options: WriteOptions = WriteOptions(), *,
        subresource: str = "",
    ) -> Stored:  # fmt: skip
        """Retried by itself on a lost race unless the patch carries a resourceVersion."""

    async def apply(
        self, actor: Actor, ref: Ref, document: Any, options: WriteOptions = WriteOptions(), *, subresource: str = ""
    ) -> tuple[Stored, bool]:
        """Server-side apply: the object, and whether it was made now. Raises Conflict with a cause for each field that
        somebody else owns, unless options.force."""

    async def delete(self, actor: Actor, ref: Ref, options: DeleteOptions = DeleteOptions()) -> tuple[Stored, bool]:
        """The object, and whether it is gone (False: it waits for grace, finalizers or dependents). Idempotent
        while it waits."""

    async def delete_collection(
        self, actor: Actor, resource: str, namespace: str, options: DeleteOptions, *, selection: Selection = Selection()
    ) -> list[Stored]: ...

    async def evict(self, actor: Actor, ref: Ref, options: DeleteOptions = DeleteOptions()) -> tuple[Stored, bool]:
        """As `delete`, of a pod, if its PodDisruptionBudget lets it go. Raises TooManyRequests when not now."""

    async def bind(
        self, actor: Actor, pod: Ref, node: str, *, uid: str, cause: Cause, annotations: Mapping[str, str] = {}, dry_run: bool = False,
        posted_to: str = "pods/binding",
    ) -> Stored:  # fmt: skip
        """Set spec.nodeName once, with condition PodScheduled=True, in one write. annotations: the pod gets them, too. posted_to: whose
        right is needed, that of pods/binding or of `bindings`. Raises Conflict when it is set."""

    async def scale(self, actor: Actor, ref: Ref) -> Document:
        """The autoscaling/v1 Scale of a workload."""

    async def perform(self, actor: Actor, change: ObjectChange) -> Stored | None:
        """One change out of a reconcile. AlreadyExists on create, NotFound on delete and stale guards are raised."""

    async def why(self, actor: Actor, ref: Ref, *, limit: int = 50) -> list[Document]:
        """The causal chain of the object's newest change, newest first, also of an object that is gone. Each step has
        time (epoch seconds), revision, key, object (`pod/web`), namespace, verb (created, updated, deleted), changed (paths), actor,
        rule, why, caused_by (revision or None). Raises NotFound when history knows nothing of it."""

    async def history(self, actor: Actor, ref: Ref, *, limit: int = 1000) -> list[Document]:
        """The kept changes of one object, oldest first, as the same steps."""
