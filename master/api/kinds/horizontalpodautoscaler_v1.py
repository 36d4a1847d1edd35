"""autoscaling/v1 of a HorizontalPodAutoscaler: made of the stored v2, and back. Pure.

v1 has a field for one number, the CPU's target utilization. All else travels in annotations, in the very form in which Kubernetes puts it
there, since clients of v1 read and write it: metrics as v1's own MetricSpec (one flat struct a source), the behaviour under the names of
Go's fields. So a client of v1 that reads, changes and writes loses nothing. What cannot be read is passed over.
"""

from __future__ import annotations

from typing import Any

import msgspec

from master.api.contract import Document

V1, V2 = "autoscaling/v1", "autoscaling/v2"
PREFIX = "autoscaling.alpha.kubernetes.io/"
SOURCES = {
    "Resource": "resource", "ContainerResource": "containerResource", "Pods": "pods", "Object": "object", "External": "external",
}  # fmt: skip
"""The type of a metric, and the field that describes it."""
_RULES = {"stabilizationWindowSeconds": "StabilizationWindowSeconds", "selectPolicy": "SelectPolicy", "tolerance": "Tolerance"}
_POLICY = {"type": "Type", "value": "Value", "periodSeconds": "PeriodSeconds"}


def cpu(percent: int) -> Document:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def to_v1(document: Document) -> Document:
    spec, status, meta = dict(document.get("spec") or {}), dict(document.get("status") or {}), dict(document["metadata"])
    metrics, current = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    target = next((m for m in metrics if _is_cpu(m, "target")), None)
    used = next((m for m in current if _is_cpu(m, "current")), None)
    if target is not None:
        spec["targetCPUUtilizationPercentage"] = target["resource"]["target"]["averageUtilization"]
    if used is not None:
        status["currentCPUUtilizationPercentage"] = used["resource"]["current"]["averageUtilization"]
    behavior = spec.pop("behavior", None)
    aside = {
        "metrics": [_flat(m, "target") for m in metrics if m is not target],
        "current-metrics": [_flat(m, "current") for m in current if m is not used],
        "conditions": status.pop("conditions", None), "behavior": _behavior_out(behavior) if behavior else None,
    }  # fmt: skip
    annotations = {PREFIX + name: msgspec.json.encode(value).decode() for name, value in aside.items() if value}
    if annotations:
        meta["annotations"] = {**(meta.get("annotations") or {}), **annotations}
    converted = {**document, "metadata": meta, "apiVersion": V1, "spec": spec}
    return {**converted, "status": {"currentReplicas": 0, "desiredReplicas": 0, **status}} if status else converted


def to_v2(document: Document) -> Document:
    spec, status, meta = dict(document.get("spec") or {}), dict(document.get("status") or {}), dict(document["metadata"])
    annotations = dict(meta.get("annotations") or {})
    metrics = [_full(m, "target") for m in _kept(annotations, "metrics", list)]
    current = [_full(m, "current") for m in _kept(annotations, "current-metrics", list)]
    conditions, behavior = _kept(annotations, "conditions", list), _behavior_in(_kept(annotations, "behavior", dict))
    percent, used = spec.pop("targetCPUUtilizationPercentage", None), status.pop("currentCPUUtilizationPercentage", None)
    if percent is not None:
        metrics = [cpu(percent), *metrics]
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


def _is_cpu(metric: Document, value: str) -> bool:
    """The metric that v1 has a field for. value: `target` in a spec, `current` in a status."""
    resource = metric.get("resource") or {}
    number = (resource.get(value) or {}).get("averageUtilization")
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and number is not None


def _kept(annotations: dict[str, str], name: str, shape: type) -> Any:
    """What an annotation of ours holds, taken out; empty when it is not there, or not what it should be."""
    try:
        found = msgspec.json.decode(annotations.pop(PREFIX + name, "null"))
    except msgspec.DecodeError:
        return shape()
    if not isinstance(found, shape):
        return shape()
    return [item for item in found if isinstance(item, dict)] if shape is list else found


# Metrics. value: `target` in a spec, `current` in a status; v1's names of the numbers begin with it.


def _flat(metric: Document, value: str) -> Document:
    kind = metric.get("type", "")
    field = SOURCES.get(kind, "")
    source = metric.get(field) or {}
    numbers, name = source.get(value) or {}, source.get("metric") or {}
    flat: Document = {}
    if kind == "Object":
        flat = {"target": source.get("describedObject") or {}, "metricName": name.get("name", "")}
        flat |= {f"{value}Value": numbers.get("value", "0"), "selector": name.get("selector"), "averageValue": numbers.get("averageValue")}
    elif kind == "Pods":
        flat = {"metricName": name.get("name", ""), "selector": name.get("selector")}
        flat[f"{value}AverageValue"] = numbers.get("averageValue", "0")
    elif kind == "External":
        flat = {"metricName": name.get("name", ""), "metricSelector": name.get("selector"), f"{value}Value": numbers.get("value")}
        flat[f"{value}AverageValue"] = numbers.get("averageValue")
    else:
        flat = {"name": source.get("name", ""), f"{value}AverageUtilization": numbers.get("averageUtilization")}
        flat |= {f"{value}AverageValue": numbers.get("averageValue"), "container": source.get("container")}
    return {"type": kind, field: {key: part for key, part in flat.items() if part is not None}}


def _full(flat: Document, value: str) -> Document:
    kind = flat.get("type", "")
    field = SOURCES.get(kind, "")
    source = flat.get(field)
    if not field or not isinstance(source, dict):
        return flat  # validation will say what is wrong with it
    average = "averageValue" if kind == "Object" else f"{value}AverageValue"
    numbers: Document = {
        "averageUtilization": source.get(f"{value}AverageUtilization"), "averageValue": source.get(average),
        "value": source.get(f"{value}Value"),
    }  # fmt: skip
    if kind == "Object" and numbers["averageValue"] is not None and numbers["value"] == "0":
        numbers["value"] = None  # v1 has to say something
    numbers = {key: number for key, number in numbers.items() if number is not None}
    if value == "target":
        kinds = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}
        numbers = {"type": next((name for key, name in kinds.items() if key in numbers), "Value"), **numbers}
    full: Document = {value: numbers}
    if kind in ("Resource", "ContainerResource"):
        full |= {key: source[key] for key in ("name", "container") if key in source}
    else:
        selector = source.get("metricSelector") if kind == "External" else source.get("selector")
        full["metric"] = {"name": source.get("metricName", ""), **({"selector": selector} if selector is not None else {})}
    if kind == "Object":
        full["describedObject"] = source.get("target") or {}
    return {"type": kind, field: full}


# The behaviour, under the names of Go's fields.


def _behavior_out(behavior: Document) -> Document:
    return {"ScaleUp": _rules_out(behavior.get("scaleUp")), "ScaleDown": _rules_out(behavior.get("scaleDown"))}


def _rules_out(rules: Document | None) -> Document | None:
    if rules is None:
        return None
    policies = rules.get("policies")
    shown = None if policies is None else [{go: policy.get(key) for key, go in _POLICY.items()} for policy in policies]
    return {**{go: rules.get(key) for key, go in _RULES.items()}, "Policies": shown}


def _behavior_in(behavior: Document) -> Document:
    pairs = (("scaleUp", behavior.get("ScaleUp")), ("scaleDown", behavior.get("ScaleDown")))
    return {name: _rules_in(rules) for name, rules in pairs if isinstance(rules, dict)}


def _rules_in(rules: Document) -> Document:
    found = {key: rules[go] for key, go in _RULES.items() if rules.get(go) is not None}
    policies = rules.get("Policies")
    if isinstance(policies, list):
        found["policies"] = [
            {key: policy[go] for key, go in _POLICY.items() if policy.get(go) is not None}
            for policy in policies
            if isinstance(policy, dict)
        ]
    return found
