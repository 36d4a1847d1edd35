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


def default_template(spec: Document) -> None:
    template = spec.get("template")
    if template is not None:
        template.setdefault("metadata", {})
        if template.get("spec") is not None:
            pod_spec.default_spec(template["spec"])


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)


def validate_workload(new: Document, old: Document | None, *, kind: str) -> list[FieldCause]:
    """Selector, template and replicas of a workload whose pods always restart."""
    spec = new.get("spec", {})
    found = rules.metadata(new)
    found += rules.not_negative("spec.replicas", spec.get("replicas"))
    found += rules.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    selector = spec.get("selector")
    if selector is None:
        found.append(rules.required("spec.selector"))
    else:
        found += _selector(selector, kind)
        if old is not None:
            found += rules.immutable("spec.selector", selector, old["spec"].get("selector"))
    template = spec.get("template")
    if template is None:
        return [*found, rules.required("spec.template")]
    labels = template.get("metadata", {}).get("labels") or {}
    if selector and not _matches(selector, labels):
        found.append(rules.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    before = None if old is None else old["spec"].get("template")
    return found + validate_template(template, before, "spec.template")


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
