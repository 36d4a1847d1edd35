"""PriorityClass and RuntimeClass: names that pods may ask for, with what they mean."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, count, plain

HIGHEST = 1_000_000_000
SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""Every cluster has these; no others may be called `system-`."""
POLICIES = ("Never", "PreemptLowerPriority")

PRIORITY_COLUMNS = (
    NAME,
    count("Value", "value", "The priority; higher goes first."),
    Column("Global-Default", lambda d, now: bool(d.get("globalDefault")), type="boolean", description="For pods that name no class."),
    AGE,
    plain("PreemptionPolicy", "preemptionPolicy", "Whether its pods may take the place of others."),
)
RUNTIME_COLUMNS = (NAME, plain("Handler", "handler", "The runtime's own name for it."), AGE)


def default_priority(document: Document) -> None:
    document.setdefault("preemptionPolicy", "PreemptLowerPriority")


def validate_priority(new: Document, old: Document | None) -> list[FieldCause]:
    name, value, found = new["metadata"].get("name", ""), new.get("value", 0), rules.metadata(new)
    if name.startswith("system-"):
        if SYSTEM.get(name) != value:
            why = f"priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system "
            found.append(rules.forbidden("metadata.name", why + "priority class"))
    elif value > HIGHEST:
        found.append(rules.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST}"))
    found += rules.one_of("preemptionPolicy", new.get("preemptionPolicy"), POLICIES)
    if old is not None:
        if value != old.get("value", 0):
            found.append(rules.forbidden("value", "may not be changed in an update."))
        found += rules.immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))
    return found


def validate_runtime(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new) + rules.label_name("handler", new.get("handler", ""))
    for name, amount in ((new.get("overhead") or {}).get("podFixed") or {}).items():
        found += rules.quantity_at_least_0(f"overhead.podFixed.{name}", amount)
    return found + (rules.immutable("handler", new.get("handler"), old.get("handler")) if old is not None else [])
