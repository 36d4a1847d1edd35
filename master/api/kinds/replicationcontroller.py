"""ReplicationController and PodTemplate: the older ways of saying how many pods, and what a pod looks like.

A ReplicationController's selector is a plain map of labels, which its template gives when nobody else does.
"""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import replicaset, rules
from master.api.kinds.columns import AGE, NAME, Column, at, count, map_text, template_columns

COLUMNS = (
    NAME,
    count("Desired", "spec.replicas", "How many pods it wants."),
    count("Current", "status.replicas", "How many pods it has."),
    count("Ready", "status.readyReplicas", "How many of them are ready."),
    AGE,
    *template_columns()[:2],
    Column("Selector", lambda d, now: map_text(at(d, "spec.selector")), priority=1, description="Which pods it covers."),
)


def _containers(field: str, description: str, name: str) -> Column:
    def cell(document: Document, now: float) -> str:
        return ",".join(c.get(field, "") for c in at(document, "template.spec.containers") or ())

    return Column(name, cell, description=description)


POD_TEMPLATE_COLUMNS = (
    NAME,
    _containers("name", "Names of each container in the template.", "Containers"),
    _containers("image", "Images referenced by each container in the template.", "Images"),
    Column("Pod Labels", lambda d, now: map_text(at(d, "template.metadata.labels")), description="Labels of its pods."),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0}


def default(document: Document) -> None:
    spec, meta = document.setdefault("spec", {}), document["metadata"]
    labels = at(spec, "template.metadata.labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not meta.get("labels"):
            meta["labels"] = dict(labels)
    spec.setdefault("replicas", 1)
    replicaset.default_template(spec, always=False)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec = new.get("spec", {})
    found = rules.metadata(new) + rules.not_negative("spec.replicas", spec.get("replicas"))
    found += rules.not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        found.append(rules.required("spec.selector"))
    found += rules.labels("spec.selector", selector)
    if template is None:
        return [*found, rules.required("spec.template")]
    labels = at(template, "metadata.labels") or {}
    if not selector.items() <= labels.items():
        found.append(replicaset.other_labels(labels))
    found += replicaset.validate_template(template, at(old or {}, "spec.template"), "spec.template")
    return found + replicaset.without_deadline(template, "ReplicationController")


def fields(document: Document) -> dict[str, str]:
    return {"status.replicas": str(at(document, "status.replicas") or 0)}


def default_pod_template(document: Document) -> None:
    replicaset.default_template(document)


def validate_pod_template(new: Document, old: Document | None) -> list[FieldCause]:
    template = new.get("template") or {}
    policies = ("Always", "OnFailure", "Never")
    return rules.metadata(new) + replicaset.validate_template(template, (old or {}).get("template"), "template", policies=policies)
