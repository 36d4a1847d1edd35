"""HorizontalPodAutoscaler: stored as autoscaling/v2, served as v1 too. Defaults, validation, columns, conversion.

autoscaling/v1 knows one number, the CPU's target utilization. What else there is travels in annotations of the v1 form, as the v2
documents, and comes back from them: so a client of v1 that reads, changes and writes loses nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, at, count, plain

V1, V2 = "autoscaling/v1", "autoscaling/v2"
_PREFIX = "autoscaling.alpha.kubernetes.io/"
CPU_PERCENT = 80
MAX_SHOWN = 2
_SOURCES = {
    "Resource": "resource", "ContainerResource": "containerResource", "Pods": "pods", "Object": "object", "External": "external",
}  # fmt: skip
"""The type of a metric, and the field that describes it."""
_UP_POLICIES = [{"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]
_DOWN_POLICIES = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


def _metric(spec: Document, status: Document) -> str:
    """`12%/80%`, `<unknown>/100m (avg)`."""
    name = _SOURCES.get(spec.get("type", ""), "")
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
        spec["metrics"] = [_cpu(CPU_PERCENT)]
    behavior = spec.get("behavior")
    if behavior is not None:
        _default_rules(behavior, "scaleUp", _UP_POLICIES, {"stabilizationWindowSeconds": 0})
        _default_rules(behavior, "scaleDown", _DOWN_POLICIES, {})


def _default_rules(behavior: Document, name: str, policies: list[Document], more: Document) -> None:
    scaling = behavior[name] = behavior.get(name) or {}
    for field, value in {**more, "selectPolicy": "Max", "policies": [dict(policy) for policy in policies]}.items():
        scaling.setdefault(field, value)


def _cpu(percent: int) -> Document:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


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
    if kind not in _SOURCES:
        return [rules.unsupported(f"{place}.type", kind, _SOURCES)]
    field = _SOURCES[kind]
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


# ---------------------------------------------------------------- conversion


def _is_cpu(metric: Document, value: str) -> bool:
    """The metric that v1 has a field for. value: `target` in a spec, `current` in a status."""
    resource = metric.get("resource") or {}
    number = (resource.get(value) or {}).get("averageUtilization")
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and number is not None


def _kept(annotations: dict[str, str], name: str) -> Any:
    """What an annotation of ours holds, taken out; None when it is not there or no JSON."""
    try:
        return msgspec.json.decode(annotations.pop(_PREFIX + name, "null"))
    except msgspec.DecodeError:
        return None


def to_v1(document: Document) -> Document:
    spec, status, meta = dict(document.get("spec") or {}), dict(document.get("status") or {}), dict(document["metadata"])
    metrics, current = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    cpu = next((m for m in metrics if _is_cpu(m, "target")), None)
    used = next((m for m in current if _is_cpu(m, "current")), None)
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
    if used is not None:
        status["currentCPUUtilizationPercentage"] = used["resource"]["current"]["averageUtilization"]
    aside = {
        "metrics": [m for m in metrics if m is not cpu], "current-metrics": [m for m in current if m is not used],
        "conditions": status.pop("conditions", None), "behavior": spec.pop("behavior", None),
    }  # fmt: skip
    annotations = {_PREFIX + name: msgspec.json.encode(value).decode() for name, value in aside.items() if value}
    if annotations:
        meta["annotations"] = {**(meta.get("annotations") or {}), **annotations}
    converted = {**document, "metadata": meta, "apiVersion": V1, "spec": spec}
    return {**converted, "status": {"currentReplicas": 0, "desiredReplicas": 0, **status}} if status else converted


def to_v2(document: Document) -> Document:
    spec, status, meta = dict(document.get("spec") or {}), dict(document.get("status") or {}), dict(document["metadata"])
    annotations = dict(meta.get("annotations") or {})
    metrics, current = _kept(annotations, "metrics") or [], _kept(annotations, "current-metrics") or []
    conditions, behavior = _kept(annotations, "conditions"), _kept(annotations, "behavior")
    percent, used = spec.pop("targetCPUUtilizationPercentage", None), status.pop("currentCPUUtilizationPercentage", None)
    if percent is not None:
        metrics = [_cpu(percent), *metrics]
    if used is not None:
        current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": used}}}, *current]
    for target, name, value in (
        (spec, "metrics", metrics), (spec, "behavior", behavior), (status, "currentMetrics", current), (status, "conditions", conditions),
    ):  # fmt: skip
        if value:
            target[name] = value
    if "annotations" in meta:
        meta["annotations"] = annotations
    converted = {**document, "metadata": meta, "apiVersion": V2, "spec": spec}
    return {**converted, "status": status} if status else converted
