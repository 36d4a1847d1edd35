"""PersistentVolumeClaim: somebody's wish for storage. Defaults, validation, columns, and what both ends of a binding share."""

from __future__ import annotations

from collections.abc import Callable

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, at, plain

ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
VOLUME_MODES = ("Block", "Filesystem")
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
UPDATE_FORBIDDEN = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def modes_text(modes: list[str] | None) -> str:
    """`RWO,ROX`: in this order, each once."""
    return ",".join(short for mode, short in ACCESS_MODES.items() if mode in (modes or ()))


def class_of(document: Document) -> str:
    return (document["metadata"].get("annotations") or {}).get(OLD_CLASS) or at(document, "spec.storageClassName") or ""


def _phase(document: Document, now: float) -> str:
    return "Terminating" if document["metadata"].get("deletionTimestamp") else at(document, "status.phase") or ""


def _held(name: str, text: Callable[[Document], str], description: str) -> Column:
    """What counts only once a volume is bound."""
    return Column(name, lambda d, now: text(d) if at(d, "spec.volumeName") else "", description=description)


COLUMNS = (
    NAME,
    Column("Status", _phase, description="Whether a volume is bound to it."),
    plain("Volume", "spec.volumeName", "The volume."),
    _held("Capacity", lambda d: str(at(d, "status.capacity.storage") or "0"), "How large the volume is."),
    _held("Access Modes", lambda d: modes_text(at(d, "status.accessModes")), "How the volume may be mounted."),
    Column("StorageClass", lambda d, now: class_of(d), description="The class of storage that it asks for."),
    plain("VolumeAttributesClass", "spec.volumeAttributesClassName", "The class of the volume's attributes.", absent="<unset>"),
    AGE,
    plain("VolumeMode", "spec.volumeMode", "A file system or a block device.", absent="<unset>", priority=1),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"phase": "Pending"}


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    document.setdefault("status", {}).setdefault("phase", "Pending")


def access_modes(modes: list[str] | None) -> list[FieldCause]:
    if not modes:
        return [rules.required("spec.accessModes", "at least 1 access mode is required")]
    found = [cause for mode in modes for cause in rules.one_of("spec.accessModes", mode, ACCESS_MODES)]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        found.append(rules.forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"))
    return found


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, before = new.get("spec") or {}, (old or {}).get("spec")
    found = rules.metadata(new) + access_modes(spec.get("accessModes"))
    found += rules.label_selector("spec.selector", spec.get("selector"))
    size = at(spec, "resources.requests.storage")
    if size is None:
        found.append(rules.required("spec.resources[storage]"))
    else:
        found += _size("spec.resources.requests[storage]", size)
    if spec.get("storageClassName"):
        found += rules.subdomain_name("spec.storageClassName", spec["storageClassName"])
    found += rules.one_of("spec.volumeMode", spec.get("volumeMode"), VOLUME_MODES)
    if before is not None and _fixed(spec, before) != _fixed(before, before):
        found.append(rules.forbidden("spec", UPDATE_FORBIDDEN))
    return found


def _size(field: str, amount: str) -> list[FieldCause]:
    return rules.quantity_at_least_0(field, amount) or (
        [rules.invalid(field, str(amount), "must be greater than zero")] if amount in ("0", 0) else []
    )


def _fixed(spec: Document, before: Document) -> Document:
    """What may not change: all but the size of a bound claim, and the volume while there is none."""
    fixed = {name: value for name, value in spec.items() if name != "volumeAttributesClassName"}
    if not before.get("volumeName"):
        fixed.pop("volumeName", None)
    else:
        fixed["resources"] = {k: v for k, v in (spec.get("resources") or {}).items() if k != "requests"}
    return fixed
