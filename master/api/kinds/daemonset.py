"""DaemonSet: one pod on each node that suits. Defaults, validation, columns."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import replicaset, rules
from master.api.kinds.columns import AGE, NAME, Column, at, count, map_text, template_columns

COLUMNS = (
    NAME,
    count("Desired", "status.desiredNumberScheduled", "How many nodes should run its pod."),
    count("Current", "status.currentNumberScheduled", "How many of them have it."),
    count("Ready", "status.numberReady", "How many have it ready."),
    count("Up-to-date", "status.updatedNumberScheduled", "How many have it of the newest template."),
    count("Available", "status.numberAvailable", "How many have had it ready for long enough."),
    Column("Node Selector", lambda d, now: map_text(at(d, "spec.template.spec.nodeSelector")), description="Which nodes it is for."),
    AGE,
    *template_columns(),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
        new["status"] = dict.fromkeys(counts, 0)


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    replicaset.default_template(spec)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec = new.get("spec", {})
    found = replicaset.validate_workload(new, old, kind="daemonset")
    found += rules.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    strategy = spec.get("updateStrategy") or {}
    found += rules.one_of("spec.updateStrategy.type", strategy.get("type"), ("OnDelete", "RollingUpdate"))
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") != "RollingUpdate" or rolling is None:
        return found
    place = "spec.updateStrategy.rollingUpdate"
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    found += rules.amount(f"{place}.maxUnavailable", unavailable) + rules.amount(f"{place}.maxSurge", surge)
    none = (0, "0%", None)
    if unavailable in none and surge in none:
        found.append(rules.required(f"{place}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    if unavailable not in none and surge not in none:
        found.append(rules.invalid(f"{place}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    return found
