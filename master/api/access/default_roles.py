"""The roles and bindings that every cluster has: Kubernetes' own for people, and one for each of the master's own parts.

People's roles are Kubernetes' (`bootstrappolicy`), without groups that are no longer served. `admin`, `edit` and `view` are gathered
from all ClusterRoles with their label, so that whoever adds a kind adds to them.

The master's own parts act under roles of their own, and these follow from the writers' table (`writers.py`): who may write a path of a
resource may patch the resource, or the subresource that the path belongs to. So there is one table to change when a controller is
added, and a role never says less or more than it. Parts are bound by their user's name, not to a ServiceAccount as in Kubernetes,
since they live in the master and need no token.
"""

from __future__ import annotations

from typing import Any

import msgspec

from master.api import writers
from master.api.access.index import GROUP
from master.api.contract import Document, Role
from master.api.registry import BY_KEY

READ = "get list watch"
WRITE = "create delete deletecollection patch update"
EVENT_GROUPS = ("", "events.k8s.io")
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTOUPDATE = f"{GROUP.replace('k8s.io', 'kubernetes.io')}/autoupdate"
AGGREGATE = f"{GROUP}/aggregate-to-"


class Default(msgspec.Struct, frozen=True):
    """A ClusterRole and to whom it is bound by a ClusterRoleBinding of its name. gathers: whose label it aggregates; part_of: whose
    label it carries."""

    name: str
    rules: tuple[Document, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    gathers: str = ""
    part_of: str = ""

    def role(self) -> Document:
        labels = {**LABELS, **({f"{AGGREGATE}{self.part_of}": "true"} if self.part_of else {})}
        document: Document = {"metadata": self._metadata(labels), "rules": list(self.rules)}
        if self.gathers:
            document["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {f"{AGGREGATE}{self.gathers}": "true"}}]}
        return document

    def binding(self) -> Document | None:
        subjects = [{"kind": "User", "apiGroup": GROUP, "name": name} for name in self.users]
        subjects += [{"kind": "Group", "apiGroup": GROUP, "name": name} for name in self.groups]
        if not subjects:
            return None
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": self.name}
        return {"metadata": self._metadata(LABELS), "roleRef": reference, "subjects": subjects}

    def _metadata(self, labels: dict[str, str]) -> Document:
        return {"name": self.name, "labels": labels, "annotations": {AUTOUPDATE: "true"}}


def on(verbs: str, groups: str | tuple[str, ...], resources: str, *, names: tuple[str, ...] = ()) -> Document:
    """A rule about resources; words are separated by spaces."""
    rule: dict[str, Any] = {
        "verbs": verbs.split(), "apiGroups": [groups] if isinstance(groups, str) else list(groups), "resources": resources.split(),
    }  # fmt: skip
    return {**rule, "resourceNames": list(names)} if names else rule


def at(verbs: str, urls: str) -> Document:
    return {"verbs": verbs.split(), "nonResourceURLs": urls.split()}


EVENTS = on("create patch update", EVENT_GROUPS, "events")

_VIEW = (
    on(READ, "", "bindings configmaps endpoints events limitranges namespaces namespaces/status persistentvolumeclaims"
       " persistentvolumeclaims/status pods pods/log pods/status replicationcontrollers replicationcontrollers/scale"
       " replicationcontrollers/status resourcequotas resourcequotas/status serviceaccounts services services/status"),
    on(READ, "discovery.k8s.io", "endpointslices"),
    on(READ, "apps", "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status"
       " replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status"),
    on(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    on(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    on(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    on(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
)  # fmt: skip
_EDIT = (
    on(READ, "", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    on("impersonate", "", "serviceaccounts"),
    on(WRITE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    on("create", "", "pods/eviction serviceaccounts/token"),
    on(WRITE, "", "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets"
       " serviceaccounts services services/proxy"),
    on(WRITE, "apps", "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale"
       " statefulsets statefulsets/scale"),
    on(WRITE, "autoscaling", "horizontalpodautoscalers"),
    on(WRITE, "batch", "cronjobs jobs"),
    on(WRITE, "policy", "poddisruptionbudgets"),
    on(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    on(f"{READ} {WRITE}", "coordination.k8s.io", "leases"),
)  # fmt: skip

PEOPLE: tuple[Default, ...] = (
    Default("cluster-admin", (on("*", "*", "*"), at("*", "*")), groups=("system:masters",)),
    Default("admin", gathers="admin"),
    Default("edit", gathers="edit", part_of="admin"),
    Default("view", gathers="view", part_of="edit"),
    Default(
        "system:aggregate-to-admin",
        (on("create", "authorization.k8s.io", "localsubjectaccessreviews"), on(f"{READ} {WRITE}", GROUP, "roles rolebindings")),
        part_of="admin",
    ),
    Default("system:aggregate-to-edit", _EDIT, part_of="edit"),
    Default("system:aggregate-to-view", _VIEW, part_of="view"),
    Default("system:aggregated-metrics-reader", (on(READ, "metrics.k8s.io", "pods nodes"),), part_of="view"),
    Default(
        "system:discovery",
        (at("get", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),),
        groups=("system:authenticated",),
    ),
    Default(
        "system:public-info-viewer", (at("get", "/healthz /livez /readyz /version /version/"),),
        groups=("system:authenticated", "system:unauthenticated"),
    ),
    Default(
        "system:basic-user",
        (on("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
         on("create", "authentication.k8s.io", "selfsubjectreviews")),
        groups=("system:authenticated",),
    ),
    Default(
        "system:auth-delegator",
        (on("create", "authentication.k8s.io", "tokenreviews"), on("create", "authorization.k8s.io", "subjectaccessreviews")),
    ),
    Default(
        "system:service-account-issuer-discovery", (at("get", "/.well-known/openid-configuration /openid/v1/jwks"),),
        groups=("system:serviceaccounts",),
    ),
    Default(
        "system:monitoring", (at("get", "/healthz /healthz/* /livez /livez/* /metrics /readyz /readyz/*"),),
        groups=("system:monitoring",),
    ),
    Default(  # bound to nobody: it says what the node authorizer may allow, of which each node reaches its own (`nodes.py`)
        "system:node",
        (on("get list watch create patch update", "", "nodes"), on("patch update", "", "nodes/status pods/status"),
         on("get list watch delete", "", "pods"), on("create", "", "pods/eviction serviceaccounts/token"),
         on(READ, "", "configmaps secrets services"), on("get", "", "persistentvolumeclaims persistentvolumes"),
         on(READ, "coordination.k8s.io", "leases"), on(READ, "storage.k8s.io", "csidrivers"), on(READ, "node.k8s.io", "runtimeclasses"),
         on("get create patch update delete", "storage.k8s.io", "csinodes"),
         on("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
         on("create", "authentication.k8s.io", "tokenreviews"),
         on("create", "authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews"), EVENTS),
    ),
    *(
        Default(
            f"system:certificates.k8s.io:{name}-approver",
            (on("approve", "certificates.k8s.io", "signers", names=(f"kubernetes.io/{name}",)),),
        )
        for name in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
    ),
    Default("system:kube-controller-manager", (on(READ, "*", "*"),), users=("system:kube-controller-manager",)),
)  # fmt: skip

_BESIDES: dict[Role, tuple[Document, ...]] = {
    Role.SCHEDULER: (on(READ, "", "nodes pods persistentvolumeclaims persistentvolumes"), on(READ, "storage.k8s.io", "storageclasses")),
    Role.DISPATCH: (
        on(READ, "", "configmaps nodes pods secrets persistentvolumeclaims persistentvolumes"), on(READ, "node.k8s.io", "runtimeclasses"),
        on("get create patch", "coordination.k8s.io", "leases"),
    ),
    Role.CLUSTER_ROLE_AGGREGATION: (on("escalate", GROUP, "clusterroles"),),
}
"""What a part does besides writing objects by paths: it reads for itself, or holds a verb that no path shows."""


def parts() -> tuple[Default, ...]:
    """One role for each role of the writers' table that is neither people's nor the API's own, bound to the part's user."""
    found = dict.fromkeys(grant.role for grant in writers.GRANTS if grant.role not in (Role.USER, Role.API))
    return tuple(Default(role.user, (*_written_by(role), *_BESIDES.get(role, ()), EVENTS), users=(role.user,)) for role in found)


def _written_by(role: Role) -> list[Document]:
    """The table's grants of one role, as rules."""
    verbs: dict[tuple[str, str], dict[str, None]] = {}
    for grant in writers.GRANTS:
        if grant.role is not role:
            continue
        plural, _, group = grant.resource.partition(".")
        if grant.resource == writers.ALL:
            group = writers.ALL
        for verb in (("create",) if grant.create else ()) + (("delete",) if grant.delete else ()):
            verbs.setdefault((group, plural), {})[verb] = None
        for path in grant.paths:
            verbs.setdefault((group, plural), {})["get"] = None
            for resource in _of_path(grant.resource, plural, path):
                verbs.setdefault((group, resource), {}).update(dict.fromkeys(("get", "patch", "update")))
        if any(path == "spec.nodeName" for path in grant.paths):
            verbs.setdefault((group, f"{plural}/binding"), {})["create"] = None
    return [on(" ".join(found), group, resource) for (group, resource), found in verbs.items()]


def _of_path(key: str, plural: str, path: str) -> tuple[str, ...]:
    """Which resources a change of the path goes through."""
    if path.startswith("status"):
        return (f"{plural}/status",)
    if path == "spec.finalizers":
        return (plural, f"{plural}/finalize")
    scaled = key in BY_KEY and BY_KEY[key].subresource("scale") is not None and path.startswith("spec")
    return (plural, f"{plural}/scale") if scaled else (plural,)


def defaults() -> tuple[Default, ...]:
    return (*PEOPLE, *parts())
