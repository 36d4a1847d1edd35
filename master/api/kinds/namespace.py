"""Namespace: the finalizer `kubernetes`, the phase, and the label that carries its name.

The finalizer stays until the namespace controller has deleted everything inside and finalizes; deletion itself is the
door's and that controller's part.
"""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column

COLUMNS = (
    NAME,
    Column("Status", lambda d, now: d.get("status", {}).get("phase", ""), description="The status of the namespace."),
    AGE,
)


def prepare(new: Document, old: Document | None) -> None:
    """Finalizers of a new namespace are the server's; later they change through /finalize alone."""
    spec = new.setdefault("spec", {})
    if old is None:
        spec["finalizers"] = sorted({*spec.get("finalizers", ()), "kubernetes"})
        new["status"] = {"phase": "Active"}
    elif "finalizers" in old.get("spec", {}):
        spec["finalizers"] = old["spec"]["finalizers"]
    else:
        spec.pop("finalizers", None)


def default(document: Document) -> None:
    meta = document["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    document.setdefault("status", {}).setdefault("phase", "Active")


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    return rules.metadata(new)


def fields(document: Document) -> dict[str, str]:
    return {"status.phase": document.get("status", {}).get("phase", "")}
