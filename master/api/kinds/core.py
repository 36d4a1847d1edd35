"""Kinds without rules of their own: only their columns. ServiceAccount, Lease."""

from __future__ import annotations

from master.api.kinds.columns import AGE, NAME, Column

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
