"""PodDisruptionBudget: how many pods may be missing by somebody's will. Validation, columns; its controller keeps the status."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, count, plain

COLUMNS = (
    NAME,
    plain("Min Available", "spec.minAvailable", "How many pods must stay.", absent="N/A"),
    plain("Max Unavailable", "spec.maxUnavailable", "How many pods may be missing.", absent="N/A"),
    count("Allowed Disruptions", "status.disruptionsAllowed", "How many pods may be evicted now."),
    AGE,
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = dict.fromkeys(("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec") or {}, rules.metadata(new)
    low, high, policy = spec.get("minAvailable"), spec.get("maxUnavailable"), spec.get("unhealthyPodEvictionPolicy")
    if low is not None and high is not None:
        found.append(rules.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    found += rules.amount("spec.minAvailable", low) + rules.amount("spec.maxUnavailable", high)
    found += rules.label_selector("spec.selector", spec.get("selector"))
    if policy is not None:
        found += rules.one_of("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))
    return found
