"""Admission: what the cluster, rather than the kind, has to say about a new or a deleted object.

Kubernetes' names: NamespaceLifecycle (nothing new where a namespace is missing or going; the system's own stay), ServiceAccount (a pod
that names none gets `default`; one that names a missing one is refused; the account's token is mounted), Priority (a class's name
becomes its number), RuntimeClass (a class's overhead, node selector and tolerations become the pod's), DefaultTolerationSeconds (how
long a pod outlives the silence of its node), DefaultStorageClass, StorageObjectInUseProtection.

Reads the present namespace through views and changes only the new document, which its caller owns. The write itself is
guarded with the namespace's revision, so that nothing is created behind the back of a namespace that is being emptied.
"""

from __future__ import annotations

from common.clock import rfc3339
from common.errors import FieldCause, NotFound
from common.objects import access, cluster, node, quantity, storage
from common.objects.storage import StorageClass
from master.api import faults
from master.api.contract import Actor, Document, Ref, Role, Views
from master.api.kinds import claim
from master.api.registry import BY_KEY, Resource
from master.store.contract import Guard

PROTECTED = ("default", "kube-system", "kube-public", "kube-node-lease")
NAMESPACES, PODS = BY_KEY["namespaces"], BY_KEY["pods"]
DEFAULT_ACCOUNT = "default"
RUNTIME_CLASSES = "runtimeclasses.node.k8s.io"
PRIORITIES = "priorityclasses.scheduling.k8s.io"
UNASKED = {"priority": 0, "PreemptionPolicy": "PreemptLowerPriority"}
"""What a pod that says nothing has."""
SIGNING_REQUESTS = "certificatesigningrequests.certificates.k8s.io"
MIRROR = "kubernetes.io/config.mirror"
API_ACCESS, TOKEN_PATH = "kube-api-access-", "/var/run/secrets/kubernetes.io/serviceaccount"
ROOT_CA = "kube-root-ca.crt"
TOKEN_S = 3607
"""An hour and Kubernetes' seven seconds, by which a token of this volume is told from others."""
SUFFIX_LENGTH = 5
PROTECTION = {storage.CLAIMS: "kubernetes.io/pvc-protection", storage.VOLUMES: "kubernetes.io/pv-protection"}


def namespace_guards(views: Views, resource: Resource, document: Document) -> tuple[Guard, ...]:
    """The namespace must stand as it stands now. Raises NotFound, Forbidden."""
    if not resource.namespaced:
        return ()
    name = document["metadata"]["namespace"]
    ref = Ref("namespaces", name)
    namespace = views.get(cluster.Namespace, ref)
    if namespace is None:
        raise missing_namespace(name)
    if namespace.metadata.deletion_timestamp is not None:
        why = f"unable to create new content in namespace {name} because it is being terminated"
        cause = FieldCause("NamespaceTerminating", f"namespace {name} is being terminated", "metadata.namespace")
        raise faults.forbidden(resource, document["metadata"].get("name", ""), why, causes=(cause,))
    return (Guard(ref.key, int(namespace.metadata.resource_version)),)


def missing_namespace(name: str) -> NotFound:
    return faults.not_found(NAMESPACES, name)


def check_delete(resource: Resource, name: str) -> None:
    """Raises Forbidden for the namespaces that the system lives in."""
    if resource is NAMESPACES and name in PROTECTED:
        raise faults.forbidden(resource, name, "this namespace may not be deleted")


def admit_pod(pod: Document, *, now: float, toleration_s: int | None) -> None:
    """In place, on a new and defaulted pod. toleration_s: None adds no tolerations. A pod that is born with its node has
    been scheduled by whoever made it, and says so."""
    spec = pod["spec"]
    if spec.get("nodeName"):
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(now)}
        pod["status"] = {**(pod.get("status") or {}), "conditions": [scheduled]}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_ACCOUNT
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    if toleration_s is None:
        return
    standing = spec.get("tolerations") or []
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": toleration_s}
        for key in (node.TAINT_NOT_READY, node.TAINT_UNREACHABLE)
        if not any(_tolerates(toleration, key) for toleration in standing)
    ]
    if added:
        spec["tolerations"] = [*standing, *added]


def admit_priority(views: Views, pod: Document) -> None:
    """In place, on a new and defaulted pod. Raises Forbidden for a class that does not exist, and for numbers that are not its own."""
    spec = pod["spec"]
    name = spec.get("priorityClassName") or ""
    found = views.get(cluster.PriorityClass, Ref(PRIORITIES, name)) if name else _usual_priority(views)
    if name and found is None:
        raise faults.forbidden(PODS, pod["metadata"].get("name", ""), f"no PriorityClass with name {name} was found")
    given = {"priority": spec["priority"], "PreemptionPolicy": spec["preemptionPolicy"]}
    wanted = {"priority": 0, "PreemptionPolicy": UNASKED["PreemptionPolicy"]}
    if found is not None:
        wanted = {"priority": found.value, "PreemptionPolicy": found.preemption_policy}
        spec["priorityClassName"] = found.metadata.name
    for field, form in (("priority", "integer"), ("PreemptionPolicy", "string")):
        if given[field] not in (UNASKED[field], wanted[field]):
            why = f"the {form} value of {field} ({given[field]}) must not be provided in pod spec; priority admission controller "
            why += f"computed {wanted[field]} from the given PriorityClass name"
            raise faults.forbidden(PODS, pod["metadata"].get("name", ""), why)
    spec["priority"], spec["preemptionPolicy"] = wanted["priority"], wanted["PreemptionPolicy"]


def _usual_priority(views: Views) -> cluster.PriorityClass | None:
    """The class of pods that name none; of several the lowest."""
    usual = [each for each in views.list(cluster.PriorityClass, PRIORITIES) if each.global_default]
    return min(usual, key=lambda each: each.value, default=None)


def admit_runtime_class(views: Views, pod: Document) -> None:
    """In place, on a new and defaulted pod. Raises Forbidden for a class that does not exist, and for what contradicts it."""
    spec, pod_name = pod["spec"], pod["metadata"].get("name", "")
    name = spec.get("runtimeClassName") or ""
    found = views.get(cluster.RuntimeClass, Ref(RUNTIME_CLASSES, name)) if name else None
    if name and found is None:
        raise faults.forbidden(PODS, pod_name, f'pod rejected: RuntimeClass "{name}" not found')
    overhead = dict(found.overhead.pod_fixed) if found is not None and found.overhead is not None else {}
    given = spec.get("overhead") or {}
    if given and not overhead:
        raise faults.forbidden(PODS, pod_name, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
    if given and _amounts(given) != _amounts(overhead):
        raise faults.forbidden(PODS, pod_name, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
    if overhead:
        spec["overhead"] = overhead
    if found is None or found.scheduling is None:
        return
    standing = spec.get("nodeSelector") or {}
    for key, value in found.scheduling.node_selector.items():
        if standing.get(key, value) != value:
            where = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {standing[key]}"
            raise faults.forbidden(PODS, pod_name, f"pod rejected: conflict: {where}")
    if found.scheduling.node_selector:
        spec["nodeSelector"] = {**standing, **found.scheduling.node_selector}
    lacking = [each for each in found.scheduling.tolerations if each not in (spec.get("tolerations") or ())]
    if lacking:
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *lacking]


def _amounts(overhead: Document) -> dict[str, int]:
    return {name: quantity.of(name, amount) for name, amount in overhead.items()}


def protect(resource: Resource, document: Document) -> None:
    """In place: what is in use is not to go (StorageObjectInUseProtection)."""
    finalizer = PROTECTION.get(resource.key)
    standing = document["metadata"].get("finalizers") or []
    if finalizer is not None and finalizer not in standing:
        document["metadata"]["finalizers"] = [*standing, finalizer]


def admit_claim(views: Views, document: Document) -> None:
    """In place: a claim that says nothing of a class gets the default one; of several the newest (DefaultStorageClass)."""
    meta, spec = document["metadata"], document["spec"]
    if spec.get("storageClassName") is not None or storage.OLD_CLASS in (meta.get("annotations") or {}):
        return
    usual = [each for each in views.list(StorageClass, storage.CLASSES) if each.metadata.annotations.get(storage.DEFAULT_CLASS) == "true"]
    if usual:
        newest = max(each.metadata.creation_timestamp or "" for each in usual)
        spec["storageClassName"] = min(each.metadata.name for each in usual if (each.metadata.creation_timestamp or "") == newest)


def check_resize(views: Views, actor: Actor, resource: Resource, new: Document, old: Document | None) -> None:
    """A claim that has its volume grows only where its class says that volumes can (PersistentVolumeClaimResize). Raises Forbidden."""
    if resource.key != storage.CLAIMS or old is None or actor.role is not Role.USER:
        return
    before, after = (_size_asked(document) for document in (old, new))
    if after == before or not (old.get("spec") or {}).get("volumeName"):
        return
    name = claim.class_of(new)
    found = views.get(StorageClass, Ref(storage.CLASSES, name)) if name else None
    if found is None or not found.allow_volume_expansion:
        why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
        raise faults.forbidden(resource, new["metadata"].get("name", ""), why)


def _size_asked(document: Document) -> int:
    spec = document.get("spec") or {}
    return quantity.value(((spec.get("resources") or {}).get("requests") or {}).get("storage", 0))


def admit_request(request: Document, actor: Actor) -> None:
    """In place: who asks for a certificate is who is calling, whatever the request says."""
    spec = request.setdefault("spec", {})
    for field in ("username", "groups", "uid", "extra"):
        spec.pop(field, None)
    spec["username"] = actor.name
    if actor.groups:
        spec["groups"] = list(actor.groups)


def admit_account(views: Views, pod: Document, *, suffix: str) -> None:
    """In place: a pod without secrets for pulling images gets those of its ServiceAccount, and the account's token is mounted.
    suffix: of the name of that volume, random; "" mounts none. Raises Forbidden for a missing account.

    Subtle: `default` may be missing in a namespace that is a moment old. It is on its way and has no wishes, so nobody waits.
    """
    meta, name = pod["metadata"], pod["spec"]["serviceAccountName"]
    account = views.get(access.ServiceAccount, Ref("serviceaccounts", name, meta["namespace"]))
    if suffix and _automounts(account, pod):
        _mount_token(pod["spec"], suffix)
    if account is None:
        if name == DEFAULT_ACCOUNT:
            return
        why = f'error looking up service account {meta["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise faults.forbidden(PODS, meta.get("name", ""), why)
    if account.image_pull_secrets and not pod["spec"].get("imagePullSecrets"):
        pod["spec"]["imagePullSecrets"] = [{"name": secret.name} for secret in account.image_pull_secrets]


def _automounts(account: access.ServiceAccount | None, pod: Document) -> bool:
    """The pod's word before its account's."""
    asked = pod["spec"].get("automountServiceAccountToken")
    if asked is None and account is not None:
        asked = account.automount_service_account_token
    return asked is not False and MIRROR not in (pod["metadata"].get("annotations") or {})


def _mount_token(spec: Document, suffix: str) -> None:
    """The volume `kube-api-access-…` in each container that has nothing at its place."""
    volumes = spec.get("volumes") or []
    standing = next((volume["name"] for volume in volumes if str(volume.get("name", "")).startswith(API_ACCESS)), "")
    name, wanted = standing or f"{API_ACCESS}{suffix}", False
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        mounts = container.get("volumeMounts") or []
        if not any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": TOKEN_PATH}]
            wanted = True
    if wanted and not standing:
        namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
        sources = [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_S, "path": "token"}},
            {"configMap": {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ]
        spec["volumes"] = [*volumes, {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}]


def _tolerates(toleration: Document, key: str) -> bool:
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")
