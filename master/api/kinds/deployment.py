"""Deployment: defaults, validation, columns."""

from __future__ import annotations

import math

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import replicaset, rules
from master.api.kinds.columns import AGE, NAME, Column, template_columns


def _ready(document: Document, now: float) -> str:
    return f"{document.get('status', {}).get('readyReplicas') or 0}/{document.get('spec', {}).get('replicas', 0)}"


COLUMNS = (
    NAME,
    Column("Ready", _ready, description="How many pods are ready, of how many wanted."),
    Column("Up-to-date", lambda d, now: d.get("status", {}).get("updatedReplicas") or 0, type="integer",
           description="How many pods are of the newest template."),
    Column("Available", lambda d, now: d.get("status", {}).get("availableReplicas") or 0, type="integer",
           description="How many pods have been ready for long enough."),
    AGE,
    *template_columns(),
)  # fmt: skip


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {}


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    replicaset.default_template(spec)


def _amount(field: str, value: int | str) -> tuple[list[FieldCause], float]:
    """A count or a percentage; its size for the comparison with zero."""
    if isinstance(value, str):
        if not value.endswith("%") or not value[:-1].isdigit():
            return [rules.invalid(field, value, rules.PERCENT_TEXT)], math.inf
        return [], int(value[:-1])
    return rules.not_negative(field, value), value


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec = new.get("spec", {})
    found = replicaset.validate_workload(new, old, kind="deployment")
    found += rules.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    found += rules.not_negative("spec.progressDeadlineSeconds", deadline)
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        found.append(rules.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    strategy = spec.get("strategy") or {}
    found += rules.one_of("spec.strategy.type", strategy.get("type"), ("Recreate", "RollingUpdate"))
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        found.append(rules.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"))
    elif rolling is not None:
        place = "spec.strategy.rollingUpdate"
        bad_unavailable, unavailable = _amount(f"{place}.maxUnavailable", rolling.get("maxUnavailable", 0))
        bad_surge, surge = _amount(f"{place}.maxSurge", rolling.get("maxSurge", 0))
        found += bad_unavailable + bad_surge
        if unavailable == 0 and surge == 0:
            found.append(rules.invalid(f"{place}.maxUnavailable", rolling.get("maxUnavailable", 0), "may not be 0 when `maxSurge` is 0"))
        if isinstance(rolling.get("maxUnavailable"), str) and 100 < unavailable < math.inf:
            found.append(rules.invalid(f"{place}.maxUnavailable", rolling["maxUnavailable"], "must not be greater than 100%"))
    return found
