"""ReplicaSet: defaults, validation, columns. The rules for a selector and its template are shared with Deployment."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from common.errors import BadRequest, FieldCause
from common.objects import meta, selectors
from master.api.contract import Document
from master.api.kinds import pod_rules, pod_spec, rules
from master.api.kinds.columns import AGE, NAME, Column, template_columns


def _status(name: str) -> Callable[[Document, float], int]:
    return lambda document, now: document.get("status", {}).get(name) or 0


COLUMNS = (
    NAME,
    Column("Desired", lambda d, now: d.get("spec", {}).get("replicas", 0), type="integer", description="How many pods it wants."),
    Column("Current", _status("replicas"), type="integer", description="How many pods it has."),
    Column("Ready", _status("readyReplicas"), type="integer", description="How many of them are ready."),
    AGE,
    *template_columns(),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0}


KINDS_NAMED = {"replicaset": "ReplicaSet", "deployment": "ReplicaSet", "daemonset": "DaemonSet", "statefulset": "StatefulSet"}
"""Whose pods a workload's are, as refusals say it."""


def default_template(spec: Document, *, always: bool = True) -> None:
    """always: a template that is not there is an empty one, so that what it lacks is told."""
    template = spec.setdefault("template", {}) if always else spec.get("template")
    if template is not None:
        template.setdefault("metadata", {})
        pod_spec.default_spec(template.setdefault("spec", {}))


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)


def validate_workload(new: Document, old: Document | None, *, kind: str) -> list[FieldCause]:
    """Selector, template and replicas of a workload whose pods always restart."""
    spec = new.get("spec") or {}
    found = rules.metadata(new)
    found += rules.not_negative("spec.replicas", spec.get("replicas"))
    found += rules.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    selector = spec.get("selector")
    if selector is not None:
        found += _selector(selector, kind)
        if old is not None:
            found += rules.immutable("spec.selector", selector, old["spec"].get("selector"))
    elif kind != "daemonset":
        found.append(rules.required("spec.selector"))
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is None or selector and not _matches(selector, labels):
        found.append(other_labels(labels))
    before = None if old is None else old["spec"].get("template")
    found += validate_template(template, before, "spec.template")
    return found + without_deadline(template, KINDS_NAMED[kind])


def other_labels(labels: dict[str, str]) -> FieldCause:
    said = rules.shown(labels) if labels else "map[string]string(nil)"
    why = f"Invalid value: {said}: `selector` does not match template `labels`"
    return FieldCause("FieldValueInvalid", why, "spec.template.metadata.labels")


def without_deadline(template: Document, kind: str) -> list[FieldCause]:
    if (template.get("spec") or {}).get("activeDeadlineSeconds") is None:
        return []
    return [rules.forbidden("spec.template.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {kind} is not Supported")]


def validate_template(
    template: Document, before: Document | None, place: str, *, policies: tuple[str, ...] = ("Always",)
) -> list[FieldCause]:
    """A template of pods. before: the one that stood, whose spec is not judged again. policies: what restartPolicy may be."""
    about = template.get("metadata") or {}
    found = rules.labels(f"{place}.labels", about.get("labels")) + rules.annotations(f"{place}.annotations", about.get("annotations"))
    spec = template.get("spec") or {}
    if template != before:
        found += pod_rules.validate_spec(spec, f"{place}.spec")
    policy = spec.get("restartPolicy")
    if policy in pod_rules.RESTART_POLICIES and policy not in policies:
        if "Always" in policies:
            found.append(rules.unsupported(f"{place}.spec.restartPolicy", policy, policies))
        else:
            words = ", ".join(f'"{word}"' for word in policies)
            found.append(rules.required(f"{place}.spec.restartPolicy", f"valid values: {words}"))
    return found


def _matches(selector: Document, labels: dict[str, str]) -> bool:
    try:
        return selectors.of(msgspec.convert(selector, meta.LabelSelector)).matches(labels)
    except (BadRequest, msgspec.ValidationError):
        return True  # reported by `_selector`


def _selector(selector: Document, kind: str) -> list[FieldCause]:
    found = rules.label_selector("spec.selector", selector)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        found.append(rules.invalid("spec.selector", {}, f"empty selector is invalid for {kind}"))
    return found


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    return validate_workload(new, old, kind="replicaset")


def fields(document: Document) -> dict[str, str]:
    return {"status.replicas": str(document.get("status", {}).get("replicas", 0))}
