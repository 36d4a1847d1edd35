"""PersistentVolume, PersistentVolumeClaim and StorageClass, as the binder, the scheduler and dispatch read them; and which volume fits
which claim, on which both decide.

The rules are Kubernetes' (`FindMatchingVolume`): class, access modes, volume mode, size, selector; of several volumes the smallest. A
volume that names its claim beforehand is that claim's and nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


from common.objects import meta, quantity, selectors

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

LOCAL_PATH = "steersman.io/local-path"
"""Our own provisioner; and the finalizer of its volumes, which stays until the folder is gone."""
NODE = "steersman.io/node"
"""The annotation of such a volume that says on which host it lies."""
NO_PROVISIONER = "kubernetes.io/no-provisioner"
WAITS = "WaitForFirstConsumer"
OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


class VolumeSpec(meta.View):
    """local, host_path: the sources that a node can mount; whatever else there is, is left unread."""

    capacity: dict[str, str | int | float] = {}
    access_modes: tuple[str, ...] = ()
    claim_ref: meta.ObjectReference | None = None
    persistent_volume_reclaim_policy: str = "Retain"
    storage_class_name: str = ""
    volume_mode: str = "Filesystem"
    node_affinity: dict | None = None
    local: dict | None = None
    host_path: dict | None = None
    mount_options: tuple[str, ...] = ()


class VolumeStatus(meta.View):
    phase: str = "Pending"
    message: str = ""


class PersistentVolume(meta.View):
    metadata: meta.Meta
    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()

    @property
    def size(self) -> int:
        return quantity.value(self.spec.capacity.get("storage", 0))


class ClaimResources(meta.View):
    requests: dict[str, str | int | float] = {}


class ClaimSpec(meta.View):
    access_modes: tuple[str, ...] = ()
    resources: ClaimResources = ClaimResources()
    selector: meta.LabelSelector | None = None
    storage_class_name: str | None = None
    volume_name: str = ""
    volume_mode: str = "Filesystem"


class ClaimStatus(meta.View):
    phase: str = "Pending"
    access_modes: tuple[str, ...] = ()
    capacity: dict[str, str | int | float] = {}


class PersistentVolumeClaim(meta.View):
    metadata: meta.Meta
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def size(self) -> int:
        return quantity.value(self.spec.resources.requests.get("storage", 0))

    @property
    def class_name(self) -> str:
        return self.metadata.annotations.get(OLD_CLASS) or self.spec.storage_class_name or ""

    @property
    def bound(self) -> bool:
        """Completely: both sides name each other, and have said so."""
        return bool(self.spec.volume_name) and BIND_COMPLETED in self.metadata.annotations


class StorageClass(meta.View):
    metadata: meta.Meta
    provisioner: str = ""
    parameters: dict[str, str] = {}
    reclaim_policy: str = "Delete"
    volume_binding_mode: str = "Immediate"
    mount_options: tuple[str, ...] = ()
    allowed_topologies: tuple[dict, ...] = ()
    allow_volume_expansion: bool = False

    @property
    def waits(self) -> bool:
        """Its volumes are chosen or made once a pod that needs them has a node."""
        return self.volume_binding_mode == WAITS


def names(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """The volume is this claim's: it names it, perhaps from before it was there."""
    ref = volume.spec.claim_ref
    mine = claim.metadata
    return ref is not None and (ref.namespace, ref.name) == (mine.namespace, mine.name) and ref.uid in ("", mine.uid)


def misfit(volume: PersistentVolume, claim: PersistentVolumeClaim) -> str:
    """Why a volume that is asked for by name cannot be this claim's, in Kubernetes' words; "" when it can."""
    if volume.size < claim.size:
        return "requested PV is too small"
    if volume.spec.storage_class_name != claim.class_name:
        return "storageClassName does not match"
    if volume.spec.volume_mode != claim.spec.volume_mode:
        return "incompatible volumeMode"
    if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
        return "incompatible accessMode"
    return ""


def candidates(claim: PersistentVolumeClaim, volumes: Iterable[PersistentVolume]) -> list[PersistentVolume]:
    """Those that could be bound to it now, the best first: what names it already, then the smallest."""
    selector = selectors.of(claim.spec.selector)
    found = []
    for volume in volumes:
        if volume.metadata.deletion_timestamp is not None or misfit(volume, claim):
            continue
        if names(volume, claim):
            found.append((0, 0, volume.metadata.name, volume))
        elif volume.spec.claim_ref is None and volume.status.phase == "Available":
            if claim.spec.selector is None or selector.matches(volume.metadata.labels):
                found.append((1, volume.size, volume.metadata.name, volume))
    return [entry[-1] for entry in sorted(found, key=lambda entry: entry[:3])]


def reaches(volume: PersistentVolume, node: str, labels: Mapping[str, str]) -> bool:
    """Whether it can be had on that node."""
    required = (volume.spec.node_affinity or {}).get("required")
    return required is None or meets(required.get("nodeSelectorTerms") or (), node, labels)


def meets(terms: Iterable[Mapping], node: str, labels: Mapping[str, str]) -> bool:
    """One of the terms is met by all its expressions and fields; an empty term by nothing."""
    for term in terms:
        wanted = _requirements(term.get("matchExpressions")), _requirements(term.get("matchFields"))
        if any(wanted) and all(each.matches(dict(labels)) for each in wanted[0]):
            if all(each.matches({"metadata.name": node}) for each in wanted[1]):
                return True
    return False


def _requirements(expressions: Iterable[Mapping] | None) -> list[selectors.Requirement]:
    return [selectors.Requirement(e["key"], OPERATORS[e["operator"]], tuple(e.get("values") or ())) for e in expressions or ()]


def allows(storage_class: StorageClass, labels: Mapping[str, str]) -> bool:
    """Whether the class lets volumes be made on a node with these labels."""
    if not storage_class.allowed_topologies:
        return True
    return any(
        all(labels.get(e.get("key", "")) in (e.get("values") or ()) for e in term.get("matchLabelExpressions") or ())
        for term in storage_class.allowed_topologies
    )


def claims_of(pod_name: str, volumes: Iterable[Mapping]) -> tuple[str, ...]:
    """The names of the claims that a pod's volumes are; an ephemeral volume's claim is named after both."""
    found: dict[str, None] = {}
    for volume in volumes:
        if volume.get("persistentVolumeClaim") is not None:
            found[str(volume["persistentVolumeClaim"].get("claimName", ""))] = None
        elif volume.get("ephemeral") is not None:
            found[f"{pod_name}-{volume.get('name', '')}"] = None
    found.pop("", None)
    return tuple(found)


