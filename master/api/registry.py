"""Every resource that the API serves, as one literal table.

Owns: names, scope, verbs, subresources, the typed view, and which functions give a kind its own rules (defaults, semantic
validation, strategy, columns, field selectors). Adding a kind is a line here plus, where it has rules of its own, a file
in `kinds/`. Schemas are not here: they come from the official OpenAPI documents (`schema.py`), by group, version and kind.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from common.errors import FieldCause
from common.objects import cluster, meta, node, pod, workloads
from master.api.contract import Document
from master.api.kinds import configs, core, deployment, event, replicaset, service
from master.api.kinds import namespace as namespace_kind
from master.api.kinds import node as node_kind
from master.api.kinds import pod as pod_kind
from master.api.kinds.columns import Column

DEFAULT_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Subresource(msgspec.Struct, frozen=True):
    """name: "status", "scale", "log"…; kind/group/version: the kind of its body, when it is not the parent's."""

    name: str
    verbs: tuple[str, ...] = ("get", "patch", "update")
    kind: str = ""
    group: str = ""
    version: str = ""


STATUS = Subresource("status")
SCALE = Subresource("scale", kind="Scale", group="autoscaling", version="v1")


class Resource(msgspec.Struct, frozen=True):
    """One served resource.

    default(document): fills in Kubernetes' defaults, in place, on a document the caller owns.
    validate(new, old): semantic rules beyond the schema; old is None on create; returns the offending fields.
    prepare(new, old): in place, before defaulting: what the kind's strategy clears or keeps (old None on create).
    fields(document): what field selectors may ask for besides metadata.name and metadata.namespace.
    spec_paths: the top-level fields whose change raises metadata.generation (empty: generation is not kept).
    """

    plural: str
    kind: str
    singular: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = DEFAULT_VERBS
    subresources: tuple[Subresource, ...] = ()
    view: type[meta.View] = meta.Object
    columns: tuple[Column, ...] = ()
    default: Callable[[Document], None] | None = None
    validate: Callable[[Document, Document | None], list[FieldCause]] | None = None
    prepare: Callable[[Document, Document | None], None] | None = None
    fields: Callable[[Document], dict[str, str]] | None = None
    spec_paths: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`pods`, `deployments.apps`: the first part of store keys and the name used everywhere inside."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def subresource(self, name: str) -> Subresource | None:
        return next((sub for sub in self.subresources if sub.name == name), None)


RESOURCES: tuple[Resource, ...] = (
    Resource(
        "namespaces", "Namespace", "namespace", namespaced=False, short_names=("ns",), view=cluster.Namespace,
        subresources=(STATUS, Subresource("finalize", verbs=("update",))),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        columns=namespace_kind.COLUMNS, default=namespace_kind.default, validate=namespace_kind.validate,
        prepare=namespace_kind.prepare, fields=namespace_kind.fields,
    ),
    Resource(
        "nodes", "Node", "node", namespaced=False, short_names=("no",), view=node.Node, subresources=(STATUS,),
        columns=node_kind.COLUMNS, validate=node_kind.validate, fields=node_kind.fields, spec_paths=("spec",),
    ),
    Resource(
        "pods", "Pod", "pod", short_names=("po",), categories=("all",), view=pod.Pod, columns=pod_kind.COLUMNS,
        subresources=(
            STATUS,
            Subresource("log", verbs=("get",)),
            Subresource("binding", verbs=("create",), kind="Binding"),
            Subresource("eviction", verbs=("create",), kind="Eviction", group="policy", version="v1"),
        ),
        default=pod_kind.default, validate=pod_kind.validate, prepare=pod_kind.prepare, fields=pod_kind.fields,
        spec_paths=("spec",),
    ),
    Resource(
        "replicasets", "ReplicaSet", "replicaset", group="apps", short_names=("rs",), categories=("all",),
        view=workloads.ReplicaSet, subresources=(SCALE, STATUS), columns=replicaset.COLUMNS, default=replicaset.default,
        validate=replicaset.validate, prepare=replicaset.prepare, fields=replicaset.fields, spec_paths=("spec",),
    ),
    Resource(
        "deployments", "Deployment", "deployment", group="apps", short_names=("deploy",), categories=("all",),
        view=workloads.Deployment, subresources=(SCALE, STATUS), columns=deployment.COLUMNS, default=deployment.default,
        validate=deployment.validate, prepare=deployment.prepare, spec_paths=("spec",),
    ),
    Resource(
        "configmaps", "ConfigMap", "configmap", short_names=("cm",), columns=configs.CONFIG_MAP_COLUMNS,
        validate=configs.validate_config_map,
    ),
    Resource(
        "secrets", "Secret", "secret", columns=configs.SECRET_COLUMNS, default=configs.default_secret,
        validate=configs.validate_secret, prepare=configs.prepare_secret, fields=configs.secret_fields,
    ),
    Resource(
        "serviceaccounts", "ServiceAccount", "serviceaccount", short_names=("sa",),
        columns=core.SERVICE_ACCOUNT_COLUMNS,
    ),
    Resource(
        "services", "Service", "service", short_names=("svc",), categories=("all",), subresources=(STATUS,),
        columns=service.COLUMNS, default=service.default, validate=service.validate, prepare=service.prepare,
        fields=service.fields,
    ),
    Resource(
        "events", "Event", "event", short_names=("ev",), view=cluster.Event, columns=event.COLUMNS,
        default=event.default, fields=event.fields,
    ),
    Resource("leases", "Lease", "lease", group="coordination.k8s.io", columns=core.LEASE_COLUMNS),
)  # fmt: skip

BY_KEY: dict[str, Resource] = {resource.key: resource for resource in RESOURCES}
BY_KIND: dict[tuple[str, str], Resource] = {(r.api_version, r.kind): r for r in RESOURCES}
