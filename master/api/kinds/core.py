"""Kinds with few rules of their own: ServiceAccount, Lease, ComponentStatus."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, at

SERVICE_ACCOUNT_COLUMNS = (
    NAME,
    Column("Secrets", lambda d, now: len(d.get("secrets") or ()), type="integer", description="Secrets it may use."),
    AGE,
)
LEASE_COLUMNS = (
    NAME,
    Column("Holder", lambda d, now: d.get("spec", {}).get("holderIdentity") or "", description="Who holds the lease."),
    AGE,
)


def validate_lease(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new) + rules.positive("spec.leaseDurationSeconds", at(new, "spec.leaseDurationSeconds"))
    return found + rules.not_negative("spec.leaseTransitions", at(new, "spec.leaseTransitions"))


def _healthy(field: str) -> Column:
    def cell(document: Document, now: float) -> str:
        for condition in document.get("conditions") or ():
            if condition.get("type") == "Healthy":
                text = condition.get(field.lower(), "")
                return {"True": "Healthy", "False": "Unhealthy"}.get(text, "Unknown") if field == "Status" else text
        return "Unknown" if field == "Status" else ""

    return Column(field, cell, description=f"{field} of the component's condition.")


COMPONENT_COLUMNS = (NAME, _healthy("Status"), _healthy("Message"), _healthy("Error"))
