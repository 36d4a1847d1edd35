"""HorizontalPodAutoscaler, stored as autoscaling/v2: defaults, validation, columns.

The form of autoscaling/v1 is in `horizontalpodautoscaler_v1.py`.
"""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, at, count, plain
from master.api.kinds.horizontalpodautoscaler_v1 import SOURCES, cpu

CPU_PERCENT = 80
MAX_SHOWN = 2
_UP_POLICIES = [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]
_DOWN_POLICIES = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


def _metric(spec: Document, status: Document) -> str:
    """`12%/80%`, `<unknown>/100m (avg)`."""
    name = SOURCES.get(spec.get("type", ""), "")
    source, current = spec.get(name) or {}, at(status, f"{name}.current") or {}
    target = source.get("target") or {}
    label = f"{source.get('name', '')}: " if name in ("resource", "containerResource") else ""
    if target.get("averageUtilization") is not None:
        used = current.get("averageUtilization")
        return f"{label}{'<unknown>' if used is None else f'{used}%'}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        mean = "" if name in ("resource", "containerResource", "pods") else " (avg)"
        return f"{label}{current.get('averageValue', '<unknown>')}/{target['averageValue']}{mean}"
    return f"{label}{current.get('value', '<unknown>')}/{target.get('value', '<auto>')}"


def _targets(document: Document, now: float) -> str:
    metrics, statuses = at(document, "spec.metrics") or [], at(document, "status.currentMetrics") or []
    texts = [_metric(spec, statuses[i] if i < len(statuses) else {}) for i, spec in enumerate(metrics)]
    shown = ", ".join(texts[:MAX_SHOWN])
    return (f"{shown} + {len(texts) - MAX_SHOWN} more..." if len(texts) > MAX_SHOWN else shown) or "<none>"


def _reference(document: Document, now: float) -> str:
    target = at(document, "spec.scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


COLUMNS = (
    NAME,
    Column("Reference", _reference, description="What it scales."),
    Column("Targets", _targets, description="Where each metric stands, and where it should."),
    plain("MinPods", "spec.minReplicas", "The lowest number of pods.", absent="<unset>"),
    count("MaxPods", "spec.maxReplicas", "The highest number of pods."),
    count("Replicas", "status.currentReplicas", "How many pods there are."),
    AGE,
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new.pop("status", None)


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [cpu(CPU_PERCENT)]
    behavior = spec.get("behavior")
    if behavior is not None:
        _default_rules(behavior, "scaleUp", _UP_POLICIES, {"stabilizationWindowSeconds": 0})
        _default_rules(behavior, "scaleDown", _DOWN_POLICIES, {})


def _default_rules(behavior: Document, name: str, policies: list[Document], more: Document) -> None:
    scaling = behavior[name] = behavior.get(name) or {}
    for field, value in {**more, "selectPolicy": "Max", "policies": [dict(policy) for policy in policies]}.items():
        scaling.setdefault(field, value)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec", {}), rules.metadata(new)
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if low is not None and low < 1:
        found.append(rules.invalid("spec.minReplicas", low, "must be greater than or equal to 1"))
    if high < 1:
        found.append(rules.invalid("spec.maxReplicas", high, "must be greater than 0"))
    elif low is not None and high < low:
        found.append(rules.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    for name in ("kind", "name"):
        if not at(spec, f"scaleTargetRef.{name}"):
            found.append(rules.required(f"spec.scaleTargetRef.{name}"))
    for i, metric in enumerate(spec.get("metrics") or ()):
        found += _metric_causes(metric, f"spec.metrics[{i}]")
    for name in ("scaleUp", "scaleDown"):
        found += _behavior_causes(at(spec, f"behavior.{name}") or {}, f"spec.behavior.{name}")
    return found


def _metric_causes(metric: Document, place: str) -> list[FieldCause]:
    kind = metric.get("type", "")
    if kind not in SOURCES:
        return [rules.unsupported(f"{place}.type", kind, SOURCES)]
    field = SOURCES[kind]
    if metric.get(field) is None:
        return [rules.required(f"{place}.{field}", "must populate information for the given metric source")]
    target = metric[field].get("target") or {}
    found = rules.one_of(f"{place}.{field}.target.type", target.get("type"), ("Utilization", "Value", "AverageValue"))
    return found + rules.positive(f"{place}.{field}.target.averageUtilization", target.get("averageUtilization"))


def _behavior_causes(scaling: Document, place: str) -> list[FieldCause]:
    window = scaling.get("stabilizationWindowSeconds")
    found = rules.not_negative(f"{place}.stabilizationWindowSeconds", window)
    if window is not None and window > 3600:
        found.append(rules.invalid(f"{place}.stabilizationWindowSeconds", window, "must be less than or equal to 3600"))
    if (select := scaling.get("selectPolicy")) is not None:
        found += rules.one_of(f"{place}.selectPolicy", select, ("Max", "Min", "Disabled"))
    for i, policy in enumerate(scaling.get("policies") or ()):
        spot = f"{place}.policies[{i}]"
        found += rules.one_of(f"{spot}.type", policy.get("type"), ("Pods", "Percent"))
        found += rules.positive(f"{spot}.value", policy.get("value")) + rules.positive(f"{spot}.periodSeconds", policy.get("periodSeconds"))
    return found
