"""Every resource that the API serves, as one literal table.

Owns: names, scope, verbs, subresources, the typed view, and which functions give a kind its own rules (defaults, semantic
validation, strategy, columns, field selectors). Adding a kind is a line here plus, where it has rules of its own, a file
in `kinds/`; another version of a kind is a line with two conversions (`versions.py`). Schemas are not here: they come from the
official OpenAPI documents (`schema.py`), by group, version and kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from common.errors import FieldCause
from common.objects import access, cluster, customresource, meta, node, pod, policy, workloads
from common.objects import storage as stored_storage
from common.objects.apiservice import APIService
from master.api import schema
from master.api.contract import Document
from master.api.kinds import access as access_kinds
from master.api.kinds import (
    admissionregistration, apiservice, certificatesigningrequest, claim, classes, configs, controllerrevision, core, cronjob, daemonset,
    deployment, endpoints, event, horizontalpodautoscaler, horizontalpodautoscaler_v1, job, networking, persistentvolume,
    poddisruptionbudget, quota, replicaset, replicationcontroller, service, statefulset, storage, usage,
)  # fmt: skip
from master.api.kinds import customresource as definitions
from master.api.kinds import namespace as namespace_kind
from master.api.kinds import node as node_kind
from master.api.kinds import pod as pod_kind
from master.api.kinds.columns import PLAIN, Column, converted

ASKED = ("create",)
DEFAULT_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Subresource(msgspec.Struct, frozen=True):
    """name: "status", "scale", "log"…; kind/group/version: the kind of its body, when it is not the parent's."""

    name: str
    verbs: tuple[str, ...] = ("get", "patch", "update")
    kind: str = ""
    group: str = ""
    version: str = ""


READ_VERBS = ("get", "list")
class Scaling(msgspec.Struct, frozen=True):
    """Where a resource keeps what its scale subresource shows. selector: a field with a selector as text, or none."""

    replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ()


class Described(msgspec.Struct, frozen=True, eq=False):
    """The schema of a kind of which the package has no definition; its references are bare names."""

    schema: Document


class Custom(Protocol):
    """What a custom resource has in place of an official schema. node: the tree for merging by keys. schema: its OpenAPI schema."""

    node: schema.Node
    schema: Document

    def decode(self, document: Document, *, mode: str, duplicates: Sequence[str]) -> tuple[Document, list[str]]:
        """As `strict.check`."""


class Conversion(Protocol):
    """How the objects of a custom resource get from the version in which they are stored into another. stored: the apiVersion that is
    written now; what was written before a change of it is still in the former one."""

    stored: str

    def at_once(self, document: Document, api_version: str) -> Document | None:
        """The document in that version, shared or a copy; None when somebody has to be asked for it."""

    async def into(self, documents: list[Document], api_version: str) -> list[Document]:
        """All of them, in that order. Raises WebhookFault."""


ALL_BUT_STATUS = ("*",)
"""As spec_paths: every change but one of the metadata or the status makes a new generation."""

STATUS = Subresource("status")
SCALE = Subresource("scale", kind="Scale", group="autoscaling", version="v1")


BINDINGS = "bindings"
"""Where a Binding may be posted, too: it says itself which pod it is for."""


def _proxy(options: str) -> Subresource:
    return Subresource("proxy", verbs=("create", "delete", "get", "patch", "update"), kind=options)


ADMISSION, EVENTS = "admissionregistration.k8s.io", "events.k8s.io"
NETWORKING, STORAGE = "networking.k8s.io", "storage.k8s.io"
EXTENSIONS = ("api-extensions",)


class Resource(msgspec.Struct, frozen=True):
    """One served resource.

    default(document): fills in Kubernetes' defaults, in place, on a document the caller owns.
    validate(new, old): semantic rules beyond the schema; old is None on create; returns the offending fields.
    prepare(new, old): in place, before defaulting: what the kind's strategy clears or keeps (old None on create).
    fields(document): what field selectors may ask for besides metadata.name and metadata.namespace.
    spec_paths: the top-level fields whose change raises metadata.generation (empty: generation is not kept).
    stored: the key of the resource whose objects these are, in another version (`versions.py`); then columns and fields are this
    one's own, and what it validates comes on top. to_stored(document), from_stored(document): the conversions, pure.
    custom: what a definition says of a custom resource; None for the registry's own. served: False for one that is only stored.
    conversion: of a custom resource in several versions; its rules are all this version's own.
    scaling: with SCALE, where a custom resource keeps it.
    deprecated: what everybody who asks for it is warned of.
    described: for a kind that the package does not know.
    virtual: a question rather than an object: answered when it is created, and never stored.
    conditional: an update must say which revision it changes. put_creates: an update of what is not there makes it.
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
    columns: tuple[Column, ...] = PLAIN
    default: Callable[[Document], None] | None = None
    validate: Callable[[Document, Document | None], list[FieldCause]] | None = None
    prepare: Callable[[Document, Document | None], None] | None = None
    fields: Callable[[Document], dict[str, str]] | None = None
    spec_paths: tuple[str, ...] = ()
    stored: str = ""
    to_stored: Callable[[Document], Document] | None = None
    from_stored: Callable[[Document], Document] | None = None
    custom: Custom | None = None
    conversion: Conversion | None = None
    served: bool = True
    scaling: Scaling | None = None
    virtual: bool = False
    described: Described | None = None
    deprecated: str = ""
    conditional: bool = False
    put_creates: bool = False

    @property
    def key(self) -> str:
        """`pods`, `deployments.apps`: the name used everywhere inside; `NAME.VERSION.GROUP` for another version of what has that name."""
        name = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{self.plural}.{self.version}.{self.group}" if self.stored == name else name

    @property
    def stored_key(self) -> str:
        """The first part of its objects' store keys."""
        return self.stored or self.key

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def node(self) -> schema.Node:
        """The schema by which its documents are merged. Raises LookupError for a kind without one."""
        return self.custom.node if self.custom is not None else schema.for_kind(self.api_version, self.kind)

    def subresource(self, name: str) -> Subresource | None:
        return next((sub for sub in self.subresources if sub.name == name), None)


_RBAC, _WHO, _MAY = "rbac.authorization.k8s.io", "authentication.k8s.io", "authorization.k8s.io"

ACCESS: tuple[Resource, ...] = (
    Resource(
        "roles", "Role", "role", group=_RBAC, put_creates=True, view=access.Role, columns=access_kinds.ROLE_COLUMNS,
        validate=access_kinds.validate_role,
    ),
    Resource(
        "clusterroles", "ClusterRole", "clusterrole", group=_RBAC, namespaced=False, put_creates=True, view=access.Role,
        columns=access_kinds.ROLE_COLUMNS, validate=access_kinds.validate_cluster_role,
    ),
    Resource(
        "rolebindings", "RoleBinding", "rolebinding", group=_RBAC, put_creates=True, view=access.RoleBinding,
        columns=access_kinds.BINDING_COLUMNS, default=access_kinds.default_binding, validate=access_kinds.validate_role_binding,
    ),
    Resource(
        "clusterrolebindings", "ClusterRoleBinding", "clusterrolebinding", group=_RBAC, namespaced=False, put_creates=True,
        view=access.RoleBinding, columns=access_kinds.BINDING_COLUMNS, default=access_kinds.default_binding,
        validate=access_kinds.validate_cluster_role_binding,
    ),
    Resource("tokenreviews", "TokenReview", "tokenreview", group=_WHO, namespaced=False, verbs=ASKED, virtual=True),
    Resource("selfsubjectreviews", "SelfSubjectReview", "selfsubjectreview", group=_WHO, namespaced=False, verbs=ASKED, virtual=True),
    Resource(
        "selfsubjectreviews", "SelfSubjectReview", "selfsubjectreview", group=_WHO, version="v1beta1", namespaced=False, verbs=ASKED,
        virtual=True, stored=f"selfsubjectreviews.{_WHO}",
    ),
    Resource("subjectaccessreviews", "SubjectAccessReview", "subjectaccessreview", group=_MAY, namespaced=False, verbs=ASKED, virtual=True),
    Resource(
        "selfsubjectaccessreviews", "SelfSubjectAccessReview", "selfsubjectaccessreview", group=_MAY, namespaced=False, verbs=ASKED,
        virtual=True,
    ),
    Resource(
        "selfsubjectrulesreviews", "SelfSubjectRulesReview", "selfsubjectrulesreview", group=_MAY, namespaced=False, verbs=ASKED,
        virtual=True,
    ),
    Resource("localsubjectaccessreviews", "LocalSubjectAccessReview", "localsubjectaccessreview", group=_MAY, verbs=ASKED, virtual=True),
)  # fmt: skip
"""Who is who, and who may what: `access/`."""

USAGE: tuple[Resource, ...] = (
    Resource(
        "nodes", "NodeMetrics", "", group="metrics.k8s.io", version="v1beta1", namespaced=False, verbs=READ_VERBS,
        columns=usage.NODE_COLUMNS, described=Described(usage.NODE_SCHEMA),
    ),
    Resource(
        "pods", "PodMetrics", "", group="metrics.k8s.io", version="v1beta1", verbs=READ_VERBS, columns=usage.POD_COLUMNS,
        described=Described(usage.POD_SCHEMA),
    ),
)  # fmt: skip
"""Worked out when asked for, and not stored (`computed.py`)."""

RESOURCES: tuple[Resource, ...] = (
    Resource(
        "namespaces", "Namespace", "namespace", namespaced=False, short_names=("ns",), view=cluster.Namespace,
        subresources=(STATUS, Subresource("finalize", verbs=("update",))),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        columns=namespace_kind.COLUMNS, default=namespace_kind.default, validate=namespace_kind.validate,
        prepare=namespace_kind.prepare, fields=namespace_kind.fields,
    ),
    Resource(
        "nodes", "Node", "node", namespaced=False, short_names=("no",), view=node.Node, subresources=(_proxy("NodeProxyOptions"), STATUS),
        columns=node_kind.COLUMNS, default=node_kind.default, validate=node_kind.validate, fields=node_kind.fields, spec_paths=("spec",),
    ),
    Resource(
        "pods", "Pod", "pod", short_names=("po",), categories=("all",), view=pod.Pod, columns=pod_kind.COLUMNS,
        subresources=(
            STATUS,
            Subresource("ephemeralcontainers"),
            Subresource("resize"),
            Subresource("log", verbs=("get",)),
            Subresource("exec", verbs=("create", "get"), kind="PodExecOptions"),
            Subresource("attach", verbs=("create", "get"), kind="PodAttachOptions"),
            Subresource("portforward", verbs=("create", "get"), kind="PodPortForwardOptions"),
            _proxy("PodProxyOptions"),
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
        columns=core.SERVICE_ACCOUNT_COLUMNS, view=access.ServiceAccount,
        subresources=(Subresource("token", verbs=("create",), kind="TokenRequest", group="authentication.k8s.io", version="v1"),),
    ),
    Resource(
        "services", "Service", "service", short_names=("svc",), categories=("all",), subresources=(_proxy("ServiceProxyOptions"), STATUS),
        columns=service.COLUMNS, default=service.default, validate=service.validate, prepare=service.prepare,
        fields=service.fields,
    ),
    Resource(
        "events", "Event", "event", short_names=("ev",), view=cluster.Event, columns=event.COLUMNS, put_creates=True,
        default=event.default, validate=event.validate, fields=event.fields,
    ),
    Resource(
        "events", "Event", "event", group=EVENTS, short_names=("ev",), view=cluster.Event, fields=event.fields_v1, put_creates=True,
        validate=event.validate_v1,
        columns=converted(event.COLUMNS, event.to_core), stored="events", to_stored=event.to_core, from_stored=event.to_events_v1,
    ),
    Resource(
        "leases", "Lease", "lease", group="coordination.k8s.io", conditional=True, put_creates=True, columns=core.LEASE_COLUMNS,
        validate=core.validate_lease,
    ),
    # What else core/v1 has.
    Resource(BINDINGS, "Binding", "binding", verbs=ASKED, virtual=True),
    Resource(
        "componentstatuses", "ComponentStatus", "componentstatus", namespaced=False, short_names=("cs",), verbs=READ_VERBS,
        columns=core.COMPONENT_COLUMNS, deprecated="v1 ComponentStatus is deprecated in v1.19+",
    ),
    Resource(
        "endpoints", "Endpoints", "endpoints", short_names=("ep",), put_creates=True, columns=endpoints.COLUMNS, default=endpoints.default,
        deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        validate=endpoints.validate,
    ),
    Resource(
        "limitranges", "LimitRange", "limitrange", short_names=("limits",), put_creates=True, columns=quota.LIMIT_RANGE_COLUMNS,
        default=quota.default_limit_range, validate=quota.validate_limit_range,
    ),
    Resource(
        "persistentvolumeclaims", "PersistentVolumeClaim", "persistentvolumeclaim", short_names=("pvc",), subresources=(STATUS,),
        view=stored_storage.PersistentVolumeClaim,
        columns=claim.COLUMNS, default=claim.default, validate=claim.validate, prepare=claim.prepare,
    ),
    Resource(
        "persistentvolumes", "PersistentVolume", "persistentvolume", namespaced=False, short_names=("pv",), subresources=(STATUS,),
        view=stored_storage.PersistentVolume,
        columns=persistentvolume.COLUMNS, default=persistentvolume.default, validate=persistentvolume.validate,
        prepare=persistentvolume.prepare,
    ),
    Resource(
        "podtemplates", "PodTemplate", "podtemplate", columns=replicationcontroller.POD_TEMPLATE_COLUMNS, spec_paths=("template",),
        default=replicationcontroller.default_pod_template, validate=replicationcontroller.validate_pod_template,
    ),
    Resource(
        "replicationcontrollers", "ReplicationController", "replicationcontroller", short_names=("rc",), categories=("all",),
        subresources=(SCALE, STATUS), columns=replicationcontroller.COLUMNS, default=replicationcontroller.default,
        validate=replicationcontroller.validate, prepare=replicationcontroller.prepare, fields=replicationcontroller.fields,
        spec_paths=("spec",),
    ),
    Resource(
        "resourcequotas", "ResourceQuota", "resourcequota", short_names=("quota",), subresources=(STATUS,), columns=quota.COLUMNS,
        validate=quota.validate, prepare=quota.prepare,
    ),
    # Workloads.
    Resource(
        "controllerrevisions", "ControllerRevision", "controllerrevision", group="apps", columns=controllerrevision.COLUMNS,
        validate=controllerrevision.validate,
    ),
    Resource(
        "daemonsets", "DaemonSet", "daemonset", group="apps", short_names=("ds",), categories=("all",), subresources=(STATUS,),
        columns=daemonset.COLUMNS, default=daemonset.default, validate=daemonset.validate, prepare=daemonset.prepare, spec_paths=("spec",),
    ),
    Resource(
        "statefulsets", "StatefulSet", "statefulset", group="apps", short_names=("sts",), categories=("all",),
        subresources=(SCALE, STATUS), columns=statefulset.COLUMNS, default=statefulset.default, validate=statefulset.validate,
        prepare=statefulset.prepare, spec_paths=("spec",),
    ),
    Resource(
        "cronjobs", "CronJob", "cronjob", group="batch", short_names=("cj",), categories=("all",), subresources=(STATUS,),
        columns=cronjob.COLUMNS, default=cronjob.default, validate=cronjob.validate, prepare=cronjob.prepare, spec_paths=("spec",),
    ),
    Resource(
        "jobs", "Job", "job", group="batch", categories=("all",), subresources=(STATUS,), columns=job.COLUMNS, default=job.default,
        validate=job.validate, prepare=job.prepare, fields=job.fields, spec_paths=("spec",),
    ),
    Resource(
        "horizontalpodautoscalers", "HorizontalPodAutoscaler", "horizontalpodautoscaler", group="autoscaling", version="v2",
        short_names=("hpa",), categories=("all",), subresources=(STATUS,), columns=horizontalpodautoscaler.COLUMNS,
        default=horizontalpodautoscaler.default, validate=horizontalpodautoscaler.validate, prepare=horizontalpodautoscaler.prepare,
    ),
    Resource(
        "horizontalpodautoscalers", "HorizontalPodAutoscaler", "horizontalpodautoscaler", group="autoscaling", short_names=("hpa",),
        categories=("all",), subresources=(STATUS,), stored="horizontalpodautoscalers.autoscaling",
        columns=converted(horizontalpodautoscaler.COLUMNS, horizontalpodautoscaler_v1.to_v2), to_stored=horizontalpodautoscaler_v1.to_v2,
        from_stored=horizontalpodautoscaler_v1.to_v1,
    ),
    Resource(
        "poddisruptionbudgets", "PodDisruptionBudget", "poddisruptionbudget", group="policy", short_names=("pdb",), conditional=True,
        view=policy.PodDisruptionBudget, subresources=(STATUS,), columns=poddisruptionbudget.COLUMNS,
        validate=poddisruptionbudget.validate, prepare=poddisruptionbudget.prepare, spec_paths=("spec",),
    ),
    Resource(
        "priorityclasses", "PriorityClass", "priorityclass", group="scheduling.k8s.io", namespaced=False, short_names=("pc",),
        view=cluster.PriorityClass, columns=classes.PRIORITY_COLUMNS, default=classes.default_priority, validate=classes.validate_priority,
        spec_paths=("value",),
    ),
    Resource(
        "runtimeclasses", "RuntimeClass", "runtimeclass", group="node.k8s.io", namespaced=False, columns=classes.RUNTIME_COLUMNS,
        validate=classes.validate_runtime, conditional=True, put_creates=True,
    ),
    # Networks.
    Resource(
        "endpointslices", "EndpointSlice", "endpointslice", group="discovery.k8s.io", columns=endpoints.SLICE_COLUMNS,
        default=endpoints.default_slice, validate=endpoints.validate_slice, spec_paths=("endpoints", "ports", "addressType"),
    ),
    Resource(
        "ingressclasses", "IngressClass", "ingressclass", group=NETWORKING, namespaced=False,
        columns=networking.INGRESS_CLASS_COLUMNS, default=networking.default_ingress_class, validate=networking.validate_ingress_class,
        spec_paths=("spec",),
    ),
    Resource(
        "ingresses", "Ingress", "ingress", group=NETWORKING, short_names=("ing",), subresources=(STATUS,),
        columns=networking.INGRESS_COLUMNS, validate=networking.validate_ingress, prepare=networking.prepare_ingress,
        spec_paths=("spec",),
    ),
    Resource(
        "ipaddresses", "IPAddress", "ipaddress", group=NETWORKING, namespaced=False, short_names=("ip",),
        columns=networking.IP_ADDRESS_COLUMNS, validate=networking.validate_ip_address, spec_paths=("spec",),
    ),
    Resource(
        "networkpolicies", "NetworkPolicy", "networkpolicy", group=NETWORKING, short_names=("netpol",),
        columns=networking.NETWORK_POLICY_COLUMNS, default=networking.default_network_policy,
        validate=networking.validate_network_policy, spec_paths=("spec",),
    ),
    Resource(
        "servicecidrs", "ServiceCIDR", "servicecidr", group=NETWORKING, namespaced=False, subresources=(STATUS,),
        columns=networking.SERVICE_CIDR_COLUMNS, validate=networking.validate_service_cidr, spec_paths=("spec",),
    ),
    # Storage.
    Resource(
        "csidrivers", "CSIDriver", "csidriver", group=STORAGE, namespaced=False, columns=storage.DRIVER_COLUMNS,
        default=storage.default_driver, validate=storage.validate_driver, spec_paths=("spec",), conditional=True,
    ),
    Resource(
        "csinodes", "CSINode", "csinode", group=STORAGE, namespaced=False, columns=storage.NODE_COLUMNS, validate=storage.validate_node,
        conditional=True,
    ),
    Resource(
        "csistoragecapacities", "CSIStorageCapacity", "csistoragecapacity", group=STORAGE, columns=storage.CAPACITY_COLUMNS,
        validate=storage.validate_capacity, conditional=True,
    ),
    Resource(
        "storageclasses", "StorageClass", "storageclass", group=STORAGE, namespaced=False, short_names=("sc",),
        columns=storage.CLASS_COLUMNS, default=storage.default_class, validate=storage.validate_class,
    ),
    Resource(
        "volumeattachments", "VolumeAttachment", "volumeattachment", group=STORAGE, namespaced=False, subresources=(STATUS,),
        columns=storage.ATTACHMENT_COLUMNS, validate=storage.validate_attachment, prepare=storage.prepare_attachment,
        default=storage.default_attachment, conditional=True,
    ),
    # The API itself.
    Resource(
        "certificatesigningrequests", "CertificateSigningRequest", "certificatesigningrequest", group="certificates.k8s.io",
        namespaced=False, short_names=("csr",), subresources=(Subresource("approval"), STATUS),
        columns=certificatesigningrequest.COLUMNS, validate=certificatesigningrequest.validate,
        prepare=certificatesigningrequest.prepare, fields=certificatesigningrequest.fields,
    ),
    Resource(
        "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "mutatingwebhookconfiguration", group=ADMISSION,
        namespaced=False, categories=EXTENSIONS, columns=admissionregistration.WEBHOOK_COLUMNS,
        default=admissionregistration.default_mutating, validate=admissionregistration.validate_webhooks, spec_paths=("webhooks",),
        conditional=True,
    ),
    Resource(
        "validatingadmissionpolicies", "ValidatingAdmissionPolicy", "validatingadmissionpolicy", group=ADMISSION, namespaced=False,
        categories=EXTENSIONS, subresources=(STATUS,), columns=admissionregistration.POLICY_COLUMNS,
        default=admissionregistration.default_policy, validate=admissionregistration.validate_policy,
        prepare=admissionregistration.prepare_policy, spec_paths=("spec",), conditional=True,
    ),
    Resource(
        "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybinding", group=ADMISSION,
        namespaced=False, categories=EXTENSIONS, columns=admissionregistration.BINDING_COLUMNS,
        default=admissionregistration.default_binding, validate=admissionregistration.validate_binding, spec_paths=("spec",),
        conditional=True,
    ),
    Resource(
        "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", "validatingwebhookconfiguration", group=ADMISSION,
        namespaced=False, categories=EXTENSIONS, columns=admissionregistration.WEBHOOK_COLUMNS,
        default=admissionregistration.default_validating, validate=admissionregistration.validate_webhooks, spec_paths=("webhooks",),
        conditional=True,
    ),
    Resource(
        "apiservices", "APIService", "apiservice", group="apiregistration.k8s.io", namespaced=False, categories=EXTENSIONS,
        view=APIService, subresources=(STATUS,), columns=apiservice.COLUMNS, default=apiservice.default, validate=apiservice.validate,
        prepare=apiservice.prepare, conditional=True,
    ),
    Resource(
        "customresourcedefinitions", "CustomResourceDefinition", "customresourcedefinition", group="apiextensions.k8s.io",
        namespaced=False, short_names=("crd", "crds"), categories=EXTENSIONS, view=customresource.CustomResourceDefinition,
        subresources=(STATUS,), columns=definitions.COLUMNS, default=definitions.default, validate=definitions.validate,
        prepare=definitions.prepare, spec_paths=("spec",), conditional=True,
    ),
    *ACCESS,
    *USAGE,
)  # fmt: skip

KEPT: tuple[Resource, ...] = tuple(r for r in RESOURCES if not r.stored and "watch" in r.verbs)
"""Those that have objects in the store."""
BY_KEY: dict[str, Resource] = {resource.key: resource for resource in RESOURCES}
BY_KIND: dict[tuple[str, str], Resource] = {(r.api_version, r.kind): r for r in RESOURCES}
