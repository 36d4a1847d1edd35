"""PersistentVolume: storage that somebody provides. Defaults, validation, columns."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import claim, pod_spec, rules
from master.api.kinds.columns import AGE, NAME, Column, at, plain

RECLAIM = ("Delete", "Recycle", "Retain")
NO_SOURCES = frozenset({
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
    "volumeAttributesClassName", "volumeMode",
})  # fmt: skip
"""The fields of a volume's spec that do not say where it comes from; all others do."""


def _claim(document: Document, now: float) -> str:
    of = at(document, "spec.claimRef")
    return f"{of.get('namespace', '')}/{of.get('name', '')}" if of else ""


def _phase(document: Document, now: float) -> str:
    return "Terminating" if document["metadata"].get("deletionTimestamp") else at(document, "status.phase") or ""


COLUMNS = (
    NAME,
    plain("Capacity", "spec.capacity.storage", "How large it is."),
    Column("Access Modes", lambda d, now: claim.modes_text(at(d, "spec.accessModes")), description="How it may be mounted."),
    plain("Reclaim Policy", "spec.persistentVolumeReclaimPolicy", "What becomes of it when its claim goes."),
    Column("Status", _phase, description="Whether it is bound to a claim."),
    Column("Claim", _claim, description="The claim that has it."),
    Column("StorageClass", lambda d, now: claim.class_of(d), description="The class of storage that it belongs to."),
    plain("VolumeAttributesClass", "spec.volumeAttributesClassName", "The class of its attributes.", absent="<unset>"),
    plain("Reason", "status.reason", "Why it stands as it does."),
    AGE,
    plain("VolumeMode", "spec.volumeMode", "A file system or a block device.", absent="<unset>", priority=1),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"phase": "Pending"}


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    document.setdefault("status", {}).setdefault("phase", "Pending")
    pod_spec.default_sources(spec)
    reference = spec.get("claimRef")
    if reference is not None:
        reference.setdefault("kind", "PersistentVolumeClaim")
        reference.setdefault("apiVersion", "v1")


def _sources(spec: Document) -> Document:
    return {name: value for name, value in spec.items() if name not in NO_SOURCES}


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, before = new.get("spec") or {}, (old or {}).get("spec")
    found = rules.metadata(new) + claim.access_modes(spec.get("accessModes"))
    capacity = spec.get("capacity") or {}
    if not capacity:
        found.append(rules.required("spec.capacity"))
    elif "storage" not in capacity or len(capacity) > 1:
        found.append(rules.unsupported("spec.capacity", sorted(capacity), ("storage",)))
    for name, amount in capacity.items():
        found += rules.quantity_at_least_0(f"spec.capacity[{name}]", amount)
    sources = list(_sources(spec))
    if not sources:
        found.append(rules.required("spec", "must specify a volume type"))
    found += [rules.forbidden(f"spec.{name}", "may not specify more than 1 volume type") for name in sources[1:]]
    if spec.get("hostPath") is not None and ".." in (spec["hostPath"].get("path") or "").split("/"):
        found.append(rules.invalid("spec.hostPath.path", spec["hostPath"]["path"], "must not contain '..'"))
    if spec.get("local") is not None and not at(spec, "nodeAffinity.required"):
        found.append(rules.required("spec.nodeAffinity", "Local volume requires node affinity"))
    found += rules.one_of("spec.persistentVolumeReclaimPolicy", spec.get("persistentVolumeReclaimPolicy"), RECLAIM)
    found += rules.one_of("spec.volumeMode", spec.get("volumeMode"), claim.VOLUME_MODES)
    if spec.get("storageClassName"):
        found += rules.subdomain_name("spec.storageClassName", spec["storageClassName"])
    if before is not None:
        if _sources(spec) != _sources(before):
            found.append(rules.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"))
        found += rules.immutable("spec.volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    return found
